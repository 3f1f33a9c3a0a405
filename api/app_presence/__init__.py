"""Presence that apps tell: over HTTP, or over MQTT; one way into the signal log (docs/app-presence.md)."""
