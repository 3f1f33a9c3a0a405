"""Edge agents: they hear devices, batch what they heard and publish it over MQTT."""
