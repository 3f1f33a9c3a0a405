"""Service cues: told as a customer arrives, followed live by staff, and tried on a random half."""
