"""Edges and anchors as they are now."""
