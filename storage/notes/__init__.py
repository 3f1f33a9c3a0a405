"""Tables of notes and follow-ups."""
