"""How well visits agree with the truth."""
