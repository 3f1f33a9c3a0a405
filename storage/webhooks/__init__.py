"""Webhooks: who wants to hear what, the queue that is written with what it tells, and the log of deliveries."""

from storage.webhooks.queue import enqueue

__all__ = ["enqueue"]
