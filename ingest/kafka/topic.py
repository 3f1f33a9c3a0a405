"""The one topic that carries a chain's messages: who its brokers are, its partitions, and what a record looks like.

A record is an MQTT message: the key is the store, the value the payload as it came, the header `topic` its MQTT
topic, the timestamp (ms) when the bridge received it. Bridge and ingests agree on a store's partition by
`partition_of`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias
from zlib import crc32

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from core.errors import ConfigurationError, UnavailableError
from ingest.kafka.library_log import LibraryLog

Setting: TypeAlias = str | int | float | bool
DEFAULT_TOPIC: Final = "sojourn.edges"
DEFAULT_GROUP: Final = "sojourn-ingest"
HEADER: Final = "topic"
ANSWER_S: Final = 10.0
"""A cluster on the same continent answers within a tenth of this."""


@dataclass(frozen=True, kw_only=True)
class Kafka:
    """Where the topic is.

    Parameters
    ----------
    servers : str
        host:port[,host:port …] of some brokers.
    topic, group : str
        Ingests of one database are one group.
    properties : mapping
        Further settings of librdkafka, such as `security.protocol`; they come last and so win.
    library_log : LibraryLog
        Where all clients tell what goes on in librdkafka.
    """

    servers: str
    topic: str = DEFAULT_TOPIC
    group: str = DEFAULT_GROUP
    properties: dict[str, str] = field(default_factory=dict)
    library_log: LibraryLog = field(default_factory=LibraryLog, compare=False, repr=False)

    def client(self, **settings: Setting) -> dict[str, Any]:
        """Return the settings of a client of these brokers; `_` in a name stands for a dot."""
        named = {name.replace("_", "."): value for name, value in settings.items()}
        return {"bootstrap.servers": self.servers, "logger": self.library_log, **named, **self.properties}


def read_properties(path: Path | None) -> dict[str, str]:
    """Return the settings in a file of `name = value` lines; `#` begins a comment.

    Raises
    ------
    ConfigurationError
        If the file cannot be read, or a line is none of these.
    """
    if path is None:
        return {}
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The Kafka settings cannot be read: {error}.") from error
    found = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise ConfigurationError(
                f"Line {number} of {path.name} is no setting.", hint="Write `security.protocol = SSL`, one a line."
            )
        found[name.strip()] = value.strip()
    return found


def partition_of(store: str, partitions: int) -> int:
    """Return the partition of a store, 0 to `partitions` - 1: the same in every process and version."""
    return crc32(store.encode()) % partitions


def count_partitions(kafka: Kafka) -> int:
    """Ask the cluster how many partitions the topic has; 0 where there is no such topic.

    Raises
    ------
    UnavailableError
        If no broker answers.
    ConfigurationError
        If librdkafka does not take the settings.
    """
    # a consumer that asked would create the topic where brokers do so by themselves, with one partition
    client = _admin(kafka)
    try:
        topics = client.list_topics(timeout=ANSWER_S).topics
    except KafkaException as error:
        raise _away(error) from error
    finally:
        client.poll(0)  # what it said meanwhile goes to the log
    return len(topics[kafka.topic].partitions) if kafka.topic in topics else 0


def create_topic(kafka: Kafka, *, partitions: int, replicas: int) -> None:
    """Create the topic, unless it is there.

    Raises
    ------
    UnavailableError
        If no broker answers, or they refuse.
    """
    if count_partitions(kafka):
        return
    wanted = NewTopic(kafka.topic, num_partitions=partitions, replication_factor=replicas)
    client = _admin(kafka)  # to be kept until it has answered
    try:
        client.create_topics([wanted])[kafka.topic].result(ANSWER_S)
    except KafkaException as error:
        raise _away(error) from error
    finally:
        client.poll(0)


def existing_partitions(kafka: Kafka) -> int:
    """Return how many partitions the topic has.

    Raises
    ------
    UnavailableError
        If no broker answers, or the topic is not there (yet).
    """
    partitions = count_partitions(kafka)
    if not partitions:
        raise UnavailableError(
            f"There is no topic {kafka.topic!r}.",
            hint="Create it as docs/kafka.md says, or let `sojourn bridge --partitions 64 --replicas 3` do it.",
        )
    return partitions


def _admin(kafka: Kafka) -> AdminClient:
    try:
        return AdminClient(kafka.client())
    except KafkaException as error:
        said = str(error.args[0].str()).rstrip(".")
        hint = "Look at SOJOURN_KAFKA_SETTINGS; the names are librdkafka's."
        raise ConfigurationError(f"The Kafka settings cannot be used: {said}.", hint=hint) from error


def _away(error: KafkaException) -> UnavailableError:
    said = str(error.args[0].str()).rstrip(".") if error.args else str(error)
    return UnavailableError(f"Kafka cannot be used: {said}.", hint="Is it running, and is SOJOURN_KAFKA right?")
