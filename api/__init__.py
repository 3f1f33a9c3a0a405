"""FastAPI: routes, live stream and pages."""

from api.server import run

__all__ = ["run"]
