"""Alerts: their rules and log, the values they watch, and the look that opens and closes them."""
