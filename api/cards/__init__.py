"""The card of a profile for other systems: as JSON, and as a page for a frame."""
