"""Who may write and read what at the broker: mosquitto's access list, and the same as a table for people.

A certificate's common name is the user name. An edge's is `{store}/{edge}`, so one pattern gives each its own topics
and nobody another's. Everything that is not named here is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec

from core.errors import ConfigurationError

EDGE: Final = "edge"
MEMBER: Final = "ingest-N"
MEMBERS: Final = tuple(f"ingest-{no}" for no in range(1, 33))
"""Ingests of a group on Kafka, which only tell edges; each needs an identity, since one identity is one connection.
Thirty-two are twice what 64 partitions are planned for (docs/kafka.md)."""
SERVICES: Final = ("ingest", "kafka-bridge", "app-presence", "operator", "recorder", "player", "watch", *MEMBERS)
"""The identities that are no edge; what each is for stands in RULES."""
GATEWAYS_MOST: Final = 4096
_TOPIC_BYTES: Final = 256
_PRESENCE: Final = "/app/presence"

Doing = Literal["write", "read"]


@dataclass(frozen=True)
class Rule:
    """Somebody may write or read a topic filter, and why."""

    who: str
    doing: Doing
    topic: str
    why: str


RULES: Final = (
    Rule(EDGE, "write", "sojourn/1/%u/signals", "its batches"),
    Rule(EDGE, "write", "sojourn/1/%u/status", "how it fares, also as last will"),
    Rule(EDGE, "read", "sojourn/1/%u/committed", "what the database has of it"),
    Rule(EDGE, "read", "sojourn/1/%u/config", "how to listen"),
    Rule("ingest", "read", "sojourn/1/+/+/signals", "the batches of all edges"),
    Rule("ingest", "read", "sojourn/1/+/+/status", "how edges fare"),
    Rule("ingest", "write", "sojourn/1/+/+/committed", "what the database has"),
    Rule("ingest", "read", "$SYS/broker/publish/messages/dropped", "an alarm"),
    Rule("kafka-bridge", "read", "sojourn/1/+/+/signals", "the batches of all edges, for Kafka"),
    Rule("kafka-bridge", "read", "sojourn/1/+/+/status", "how edges fare, for Kafka"),
    Rule("kafka-bridge", "read", "$SYS/broker/publish/messages/dropped", "an alarm"),
    Rule(
        MEMBER,
        "write",
        "sojourn/1/+/+/committed",
        "what the database has; N from 1 to 32, one for each ingest on Kafka",
    ),
    Rule("app-presence", "read", "sojourn/1/+/app/presence", "what apps tell over MQTT"),
    Rule("app-presence", "write", "sojourn/1/+/app/signals", "batches of apps"),
    Rule("app-presence", "write", "sojourn/1/+/app/status", "whether apps are waiting"),
    Rule("operator", "write", "sojourn/1/+/+/config", "how edges listen, from afar"),
    Rule("operator", "read", "sojourn/1/+/+/status", "whether they took it"),
    Rule("recorder", "read", "sojourn/1/+/+/signals", "`sojourn record`"),
    Rule("player", "write", "sojourn/1/+/replay/signals", "`sojourn replay --live`"),
    Rule("player", "read", "sojourn/1/+/replay/committed", "`sojourn replay --live`"),
    Rule("watch", "read", "$SYS/#", "monitoring, the health check of the container"),
)
"""The whole of it; `%u` is the user name."""


class Gateway(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something bought elsewhere, or an app, that knows passwords only; `password` is mosquitto's hash of it."""

    password: str
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


GatewayName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


def check_gateway(name: str, gateway: Gateway) -> None:
    """Hold that a gateway cannot take an edge's or a service's place.

    Raises
    ------
    ConfigurationError
        If its name or one of its topics would let it.
    """
    try:
        msgspec.convert(name, GatewayName)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"{name!r} cannot be the name of a gateway.",
            hint="Use 1 to 64 letters, digits, dots, dashes, underscores.",
        ) from error
    if name in SERVICES or name == EDGE:
        raise ConfigurationError(f"{name!r} is a name of our own.", hint="Choose another.")
    if not gateway.writes and not gateway.reads:
        raise ConfigurationError("It may neither write nor read.", hint="Name a topic with --writes or --reads.")
    for topic in gateway.writes:
        _check_topic(topic, may_tell_presence=True)
    for topic in gateway.reads:
        _check_topic(topic, may_tell_presence=False)


def _check_topic(topic: str, *, may_tell_presence: bool) -> None:
    parts = topic.split("/")
    wild = any(("#" in part or "+" in part) and len(part) > 1 for part in parts) or "#" in parts[:-1]
    of_anything = parts[0] in ("#", "+", "") or topic.startswith("$")
    unprintable = not topic.isprintable() or topic != topic.strip()
    if wild or of_anything or unprintable or "%" in topic or not 0 < len(topic.encode()) <= _TOPIC_BYTES:
        raise ConfigurationError(
            f"{topic!r} is no topic of a gateway.",
            hint="Begin with a word of the gateway's own; + and # stand alone between slashes, # at the end.",
        )
    ours = parts[0] == "sojourn"
    presence = may_tell_presence and len(parts) == 5 and topic.endswith(_PRESENCE) and "+" not in topic
    if ours and not (presence and parts[1] == "1"):
        raise ConfigurationError(
            f"{topic!r} is a topic of edges.",
            hint="Gateways have topics of their own, which `sojourn gateway` reads; apps may have"
            " sojourn/1/STORE/app/presence.",
        )


def access_list(gateways: Mapping[str, Gateway]) -> str:
    """Return mosquitto's acl_file."""
    lines = ["# Written by `sojourn certify`; docs/transport.md shows it as a table.", ""]
    lines += [f"pattern {rule.doing} {rule.topic}" for rule in RULES if rule.who == EDGE]
    for service in SERVICES:
        lines += ["", f"user {service}"]
        lines += [
            f"topic {rule.doing} {rule.topic}"
            for rule in RULES
            if rule.who == (MEMBER if service in MEMBERS else service)
        ]
    for name, gateway in sorted(gateways.items()):
        lines += ["", f"user {name}"]
        lines += [f"topic write {topic}" for topic in gateway.writes]
        lines += [f"topic read {topic}" for topic in gateway.reads]
    return "\n".join(lines) + "\n"


def access_table() -> str:
    """Return the rules as a table in Markdown; `docs/transport.md` holds it, and a test that it is this one."""
    rows = ["| who | may | topic | for |", "|---|---|---|---|"]
    for rule in RULES:
        topic = rule.topic.replace("%u", "{store}/{edge}")
        rows.append(f"| {rule.who} | {rule.doing} | `{topic}` | {rule.why} |")
    return "\n".join(rows) + "\n"
