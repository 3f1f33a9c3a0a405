"""From the broker to the signal log and through the dwell engine into visits."""
