"""Tables of what other systems handed in."""
