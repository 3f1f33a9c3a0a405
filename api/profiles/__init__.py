"""Profiles and their journeys: routes and what they answer."""
