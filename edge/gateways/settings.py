"""The configuration file of `sojourn gateway` (TOML), read and checked as a whole before anything starts."""

from pathlib import Path
from typing import Annotated, Final

import msgspec

from core.addresses import Resolver
from core.advertisement import Rule
from core.errors import ConfigurationError
from edge.broker import Broker, Topics
from edge.files import read_private
from edge.gateways.formats import MqttFormat
from edge.gateways.heard import gateway_id
from edge.settings import BrokerSettings, Files, Name, check_rules, connection, read_irks, read_toml

MOST_GATEWAYS: Final = 1024
"""As many as a store may have anchors."""
_OUI_DIGITS: Final = 6


class Listen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A topic of gateways, and the format of what comes there."""

    format: MqttFormat
    topic: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Meraki's cloud posts to; TLS is the business of whatever stands before it."""

    validator: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    """What the dashboard shows; the answer to its GET."""
    secret_file: Path
    """The shared secret that every message has to carry, in a file of mode 0600."""
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8790


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    store: Name
    edge: Name
    broker: BrokerSettings
    """Where batches go, under pseudonyms."""
    files: Files
    gateways: Annotated[dict[str, Name], msgspec.Meta(min_length=1, max_length=MOST_GATEWAYS)]
    """What each gateway calls itself, and the anchor that it is."""
    hear: tuple[Rule, ...]
    source: BrokerSettings | None = None
    """Where the gateways publish; None: at the same broker."""
    listen: Annotated[tuple[Listen, ...], msgspec.Meta(max_length=32)] = ()
    meraki: Webhook | None = None

    @property
    def anchors(self) -> tuple[str, ...]:
        """The anchors, each once."""
        return tuple(dict.fromkeys(self.gateways.values()))

    @property
    def public(self) -> frozenset[bytes]:
        """The first three bytes of addresses that rules name."""
        named = (rule.namespace.replace(":", "").replace("-", "") for rule in self.hear if rule.kind == "address")
        return frozenset(bytes.fromhex(digits) for digits in named if len(digits) == _OUI_DIGITS)

    def resolver(self) -> Resolver:
        """Read the identity resolving keys, as an edge does."""
        return read_irks(self.files.irks)

    def connection(self) -> Broker:
        """Return the broker that batches go to."""
        return connection(self.broker, "broker")

    def source_connection(self) -> Broker:
        """Return the broker that gateways publish at."""
        return self.connection() if self.source is None else connection(self.source, "source")

    def secret(self) -> str:
        """Read the secret of the webhook; empty where there is none."""
        if self.meraki is None:
            return ""
        return read_private(self.meraki.secret_file, "shared secret").decode("utf-8", "replace").strip()


def read_settings(path: Path) -> GatewaySettings:
    """Read and check a configuration file.

    Raises
    ------
    ConfigurationError
        With the place in the file and what would be right there.
    """
    return read_toml(path, GatewaySettings, _check, "docs/gateways.md has an example.")


def _check(settings: GatewaySettings) -> None:
    Topics(settings.store, settings.edge)
    if not settings.listen and settings.meraki is None:
        raise ConfigurationError("Nothing would be listened to.", hint="Set a [[listen]] or [meraki].")
    if settings.listen and settings.source is None and settings.broker.certificate is not None:
        raise ConfigurationError(
            "Listening to gateways would end the connection of the same certificate over which batches go.",
            hint="Set [source], with a user name and password: `sojourn certify gateway NAME --reads TOPIC`.",
        )
    if len({gateway_id(name) for name in settings.gateways}) < len(settings.gateways):
        raise ConfigurationError("A gateway is named twice.", hint="Colons and capitals make no other address.")
    check_rules(settings.hear, with_keys=settings.files.irks is not None)
    for listen in settings.listen:
        _check_filter(listen.topic)
    settings.connection()
    settings.source_connection()
    settings.resolver()
    if settings.meraki is not None and not settings.secret():
        raise ConfigurationError("The file of the shared secret is empty.", hint="Write what the dashboard has.")


def _check_filter(topic: str) -> None:
    parts = topic.split("/")
    wrong = any(("#" in part or "+" in part) and len(part) > 1 for part in parts) or "#" in parts[:-1]
    if wrong or topic.startswith("sojourn/"):
        raise ConfigurationError(
            f"{topic!r} is no topic of gateways.", hint="+ and # stand alone between slashes, # at the end."
        )
