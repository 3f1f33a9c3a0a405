"""Where Kafka is: options of `bridge` and `ingest --source kafka`, and what is said where its client is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import ConfigurationError

if TYPE_CHECKING:
    from ingest.kafka.source import KafkaSource
    from ingest.kafka.topic import Kafka
    from ingest.settings import Settings

KafkaServers = Annotated[
    str, typer.Option("--kafka", envvar="SOJOURN_KAFKA", help="host:port of some brokers, separated by commas.")
]
KafkaSettings = Annotated[
    Path | None,
    typer.Option(
        envvar="SOJOURN_KAFKA_SETTINGS",
        help="File of `name = value` lines for librdkafka: TLS, passwords. Later words win over ours.",
    ),
]
KafkaTopic = Annotated[str, typer.Option(envvar="SOJOURN_KAFKA_TOPIC", help="The topic between bridge and ingest.")]


def kafka_from(servers: str, settings: Path | None, topic: str) -> "Kafka":
    """Return where the topic is.

    Raises
    ------
    ConfigurationError
        If confluent-kafka is not installed, or no brokers are named.
    """
    try:
        from ingest.kafka.topic import Kafka, read_properties
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"Kafka needs a package that is not here ({error.name}).", hint="Install `sojourn[kafka]`."
        ) from error
    if not servers.strip():
        raise ConfigurationError("No Kafka broker is named.", hint="Set SOJOURN_KAFKA=host:9092 or --kafka.")
    return Kafka(servers=servers.strip(), topic=topic, properties=read_properties(settings))


@contextmanager
def kafka_member(
    where: "Kafka | None", mqtt_url: str, settings: "Settings", credentials: Path | None
) -> Iterator["KafkaSource | None"]:
    """Lend a member of the consumer group; None where batches come from MQTT."""
    if where is None:
        yield None
        return
    from ingest.kafka.source import KafkaSource

    member = KafkaSource(where, mqtt_url, settings, credentials)
    try:
        yield member
    finally:
        member.stop()
