"""The servers Sojourn can bring along in a private folder: TimescaleDB and mosquitto."""
