"""The error tree of the servers room.

ServersError
├── MachineError     the machine lacks something: apt, disk, a supported processor
├── FetchError       packages cannot be fetched or are damaged
└── RunError         a server does not start, or stopped by itself
    └── PortTaken    somebody else listens on the port
"""

from typing import Final

OWN_SERVERS: Final = (
    "Or bring your own servers: set SOJOURN_DATABASE_URL and SOJOURN_MQTT_URL, "
    "or start them with `docker compose -f deploy/compose.yaml up --detach --wait`."
)
"""What a person can always do instead."""


class ServersError(Exception):
    """Anything this room reports; `core` is on the same floor, so the tree is our own.

    Parameters
    ----------
    what : str
        One sentence: what is wrong.
    hint : str
        What to do instead.
    """

    def __init__(self, what: str, *, hint: str = OWN_SERVERS) -> None:
        super().__init__(f"{what} {hint}".strip())
        self.what = what
        self.hint = hint


class MachineError(ServersError):
    """The machine lacks something that cannot be worked around."""


class FetchError(ServersError):
    """Packages cannot be fetched, or what arrived is damaged."""


class RunError(ServersError):
    """A server does not start, or stopped by itself."""


class PortTaken(RunError):  # noqa: N818 - reads as what happened
    """Somebody else listens on the port."""
