"""What an operator may set of the API."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from api.access.limits import Rates
from api.access.principal import Role
from api.access.provider import Provider
from core.errors import ConfigurationError
from core.webhooks import Network
from storage.reading import POOL_CONNECTIONS
from storage.writing import WRITERS

_LOCAL: Final = frozenset({"localhost", "127.0.0.1"})


@dataclass(frozen=True)
class Databases:
    """How the API reaches its database, beside the URL that it reads and writes with; docs/scale-database.md.

    Parameters
    ----------
    listen_url : str or None
        Straight to the server, for what is heard at once. Given, the other URL is taken to lead through a pooler in
        transaction mode, which gives each transaction another session.
    analytics_url : str or None
        Of a server that follows: figures, reports and exports are read there, and may be seconds old.
    readers, writers : int
        Connections at most, for each of the URLs that are read from, and to write.
    """

    listen_url: str | None = None
    analytics_url: str | None = None
    readers: int = POOL_CONNECTIONS
    writers: int = WRITERS

    @property
    def pooled(self) -> bool:
        """Whether sessions are not ours to keep."""
        return self.listen_url is not None


@dataclass(frozen=True)
class Settings:
    """Settings of the API, each with a quiet default.

    Parameters
    ----------
    webhook_allow : tuple of Network
        Private networks, or such without TLS, that events may be sent to; `sojourn webhooks` needs the same.
    card_origins : tuple of str
        Origins whose pages may show the card of a profile in a frame; see `read_origins`.
    rates : Rates
        How often somebody may ask.
    oidc : Provider, optional
        Who else vouches for people; None: local accounts alone.
    second_step : frozenset of Role
        Roles that nobody has without a second step of the login: those whose password, once guessed, opens every
        profile and every right. Whom an identity provider vouches for is asked there.
    privacy : Path or None
        Folder of the suppression list and its key. Without it nobody can be erased from here.
    databases : Databases
    """

    webhook_allow: tuple[Network, ...] = ()
    card_origins: tuple[str, ...] = ()
    rates: Rates = field(default_factory=Rates)
    oidc: Provider | None = None
    second_step: frozenset[Role] = frozenset({Role.ADMIN, Role.PRIVACY})
    privacy: Path | None = None
    databases: Databases = field(default_factory=Databases)


def read_second_step(text: str) -> frozenset[Role]:
    """Return the roles that need a second step from a text such as `admin, privacy`, or `none`.

    Raises
    ------
    ConfigurationError
        If one is no role of people.
    """
    words = text.replace(",", " ").split()
    if words == ["none"]:
        return frozenset()
    if not words or not set(words) <= set(Role) - {Role.EDGE}:
        raise ConfigurationError(
            f"{text!r} names no roles that need a second step.", hint="Write admin, privacy or none."
        )
    return frozenset(Role(word) for word in words)


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
