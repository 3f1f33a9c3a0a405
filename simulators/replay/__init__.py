"""Recorded signals through the engine, without a database."""
