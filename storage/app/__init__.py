"""App installations, and what they told on its way to the broker."""
