"""Notes, follow-ups and interactions: routes and pages."""
