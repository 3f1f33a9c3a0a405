"""Kafka between the brokers of the stores and several ingests; only this package imports confluent-kafka."""
