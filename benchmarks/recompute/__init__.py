"""Days of stores recomputed on one worker and on several, in turn."""

from benchmarks.recompute.command import main

__all__ = ["main"]
