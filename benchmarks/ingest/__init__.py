"""The whole way on one machine: edges, broker, ingest, database, page; and what a user would write first."""

from benchmarks.ingest.command import main

__all__ = ["main"]
