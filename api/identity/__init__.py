"""The identity desk: cases, links, blocked devices."""
