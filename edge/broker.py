"""Where the broker is, who we are there, and the topics of one edge."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from core.errors import ConfigurationError

CA: Final = "ca.pem"
CERTIFICATE: Final = "certificate.pem"
KEY: Final = "key.pem"
"""The files of a folder of credentials: whom we trust, who we are, and the proof of it."""
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}  # as registered with IANA
_ID: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")


@dataclass(frozen=True)
class Broker:
    """An MQTT 5 broker."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    """Whose certificates are trusted, PEM; None: whom this machine trusts."""
    certificate: Path | None = None
    key: Path | None = None
    """This client's own certificate and its key, PEM."""

    @classmethod
    def from_url(cls, url: str, credentials: Path | None = None) -> "Broker":
        """Read `mqtt://[user:password@]host[:port]`, or `mqtts://` for TLS.

        Parameters
        ----------
        url : str
        credentials : Path or None
            Folder with ca.pem, certificate.pem and key.pem; None: no certificate of ours.

        Raises
        ------
        ConfigurationError
            If it is something else, or a file of the folder is not there.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ConfigurationError(
                "The address of the broker cannot be read.", hint="Write it as mqtt://host:port or mqtts://host:port."
            )
        broker = cls(
            parts.hostname,
            port if port is not None else _PORTS[parts.scheme],
            parts.scheme == "mqtts",
            unquote(parts.username) if parts.username is not None else None,
            unquote(parts.password) if parts.password is not None else None,
        )
        return broker if credentials is None else broker.with_credentials(credentials)

    def with_credentials(self, credentials: Path) -> "Broker":
        """Return the same broker with the certificate of a folder; as `from_url`."""
        if not self.tls:
            raise ConfigurationError(
                "There are credentials for the broker, but its address is without TLS.",
                hint="Write the address as mqtts://host:port.",
            )
        for name in (CA, CERTIFICATE, KEY):
            if not (credentials / name).is_file():
                raise ConfigurationError(
                    f"{credentials} has no {name}, so nobody can prove to the broker who they are.",
                    hint="`sojourn certify service NAME --out FOLDER` writes one; docs/transport.md.",
                )
        return replace(self, ca=credentials / CA, certificate=credentials / CERTIFICATE, key=credentials / KEY)


def identities(credentials: Path) -> tuple[Path, ...]:
    """Return the folders with a certificate: this one, or, where it has none itself, those in it, in order.

    Replicas of one container share a folder. An identity is one connection at the broker, so such a folder holds one
    for each of them. Without any certificate it is the folder itself, and whoever reads it says what is missing.
    """
    if (credentials / CERTIFICATE).exists():
        return (credentials,)
    inside = (one.parent for one in credentials.glob(f"*/{CERTIFICATE}") if not one.parent.name.startswith("."))
    return tuple(sorted(inside)) or (credentials,)


@dataclass(frozen=True)
class Topics:
    """What one edge writes and reads.

    Raises
    ------
    ConfigurationError
        If an id cannot stand in a topic.
    """

    store: str
    edge: str

    def __post_init__(self) -> None:
        for what, name in (("store", self.store), ("edge", self.edge)):
            if _ID.fullmatch(name) is None:
                raise ConfigurationError(
                    f"{name!r} cannot be the id of a {what}.",
                    hint="Use 1 to 64 letters, digits, dots, colons, dashes or underscores.",
                )

    @property
    def signals(self) -> str:
        """Batches go here, QoS 1."""
        return f"sojourn/1/{self.store}/{self.edge}/signals"

    @property
    def status(self) -> str:
        """Whether the edge is online, retained."""
        return f"sojourn/1/{self.store}/{self.edge}/status"

    @property
    def committed(self) -> str:
        """What the database has, retained, from ingest."""
        return f"sojourn/1/{self.store}/{self.edge}/committed"

    @property
    def config(self) -> str:
        """How to listen, retained, from whoever runs the edges (`edge.remote`)."""
        return f"sojourn/1/{self.store}/{self.edge}/config"
