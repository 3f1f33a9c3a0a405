"""Stores as they are and as they are now: plans, visits, live occupancy."""
