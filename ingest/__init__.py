"""From the broker to the signal log and through the dwell engine into visits."""

from ingest.worker import run

__all__ = ["run"]
