"""A chain of ten thousand stores: sizes and costs from measured figures, bursts and outages simulated."""

from benchmarks.scale.command import main

__all__ = ["main"]
