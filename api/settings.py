"""What an operator may set of the API."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from core.errors import ConfigurationError
from core.webhooks import Network

_LOCAL: Final = frozenset({"localhost", "127.0.0.1"})


@dataclass(frozen=True)
class Settings:
    """Settings of the API, each with a quiet default.

    Parameters
    ----------
    webhook_allow : tuple of Network
        Private networks, or such without TLS, that events may be sent to; `sojourn webhooks` needs the same.
    card_origins : tuple of str
        Origins whose pages may show the card of a profile in a frame; see `read_origins`.
    privacy : Path or None
        Folder of the suppression list and its key. Without it nobody can be erased from here.
    """

    webhook_allow: tuple[Network, ...] = ()
    card_origins: tuple[str, ...] = ()
    privacy: Path | None = None


def read_origins(text: str) -> tuple[str, ...]:
    """Return origins from a text such as `https://crm.example, https://acme.lightning.force.com`.

    Raises
    ------
    ConfigurationError
        If one is no origin: https (http on this machine only), a host, nothing behind it, no wildcard.
    """
    origins = tuple(text.replace(",", " ").split())
    for origin in origins:
        try:
            split = urlsplit(origin)
            port = split.port
        except ValueError:
            split, port = urlsplit(""), None
        secure = split.scheme == "https" or (split.scheme == "http" and split.hostname in _LOCAL)
        plain = origin.isascii() and not {"*", ";"} & set(origin)
        whole = f"{split.scheme}://{split.hostname}{f':{port}' if port is not None else ''}"
        if not (secure and plain and split.hostname and origin == whole):
            raise ConfigurationError(f"{origin!r} is no origin.", hint="Origins look like https://crm.example.")
    return origins
