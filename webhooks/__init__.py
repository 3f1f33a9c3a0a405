"""From the queue of events to whoever subscribed: signed, tried again, never to an address that is not allowed."""

from webhooks.deliver import run

__all__ = ["run"]
