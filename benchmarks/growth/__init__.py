"""One, ten, a hundred, a thousand stores on one machine."""

from benchmarks.growth.command import main

__all__ = ["main"]
