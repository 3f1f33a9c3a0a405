"""FastAPI: routes, live stream and pages."""
