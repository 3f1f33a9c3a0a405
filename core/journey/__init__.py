"""Visits and events to the stages of a journey."""
