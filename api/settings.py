"""What an operator may set of the API."""

from dataclasses import dataclass

from core.webhooks import Network


@dataclass(frozen=True)
class Settings:
    """Settings of the API, each with a quiet default.

    Parameters
    ----------
    webhook_allow : tuple of Network
        Private networks, or such without TLS, that events may be sent to; `sojourn webhooks` needs the same.
    """

    webhook_allow: tuple[Network, ...] = ()
