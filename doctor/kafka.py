"""Kafka between bridge and ingests: do brokers answer, is the topic whole, who is in the group, how far behind."""

from collections.abc import Mapping
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core.errors import SojournError
from doctor.findings import Finding, fail, ok, warn
from telemetry.identifiers import without_identifiers_in

if TYPE_CHECKING:
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import AdminClient, TopicMetadata  # type: ignore[attr-defined]

PATIENCE_S: Final = 5.0
BEHIND: Final = 100_000
"""Records: a minute of the thousand stores that docs/kafka.md plans for (1,600 a second)."""
_CREATE: Final = "Create it as docs/kafka.md says, or let `sojourn bridge --partitions 64 --replicas 3` do it."
_START: Final = "Start `sojourn ingest --source kafka`, or look at its log."
_DESCRIBE: Final = "Let this user DESCRIBE the group and the topic, or ask kafka-consumer-groups.sh --describe."


@dataclass(frozen=True, kw_only=True)
class KafkaPlace:
    """Where the topic is, as bridge and ingests have it; `client` are the settings of librdkafka."""

    client: Mapping[str, Any]
    topic: str
    group: str


class _Silent:
    """Takes in what librdkafka says and tells nobody: the findings say it."""

    def log(self, *_said: object) -> None:
        pass


def check_kafka(place: KafkaPlace | SojournError) -> list[Finding]:
    """Ask the brokers; a place that cannot be used is a finding too."""
    if isinstance(place, SojournError):
        what = str(getattr(place, "what", place))
        return [fail("Kafka", what, place.hint or "Look at SOJOURN_KAFKA and SOJOURN_KAFKA_SETTINGS.")]
    from confluent_kafka import KafkaException  # noqa: PLC0415 - an extra
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    errors: list[KafkaError] = []
    try:
        settings: dict[str, Any] = {**place.client, "logger": _Silent(), "error_cb": errors.append}
        client = AdminClient(settings)
    except KafkaException as error:
        says = f"The settings cannot be used: {_said(error)}."
        return [fail("Kafka", says, "Look at SOJOURN_KAFKA_SETTINGS; the names are librdkafka's.")]
    try:
        told = client.list_topics(timeout=PATIENCE_S)
    except KafkaException:
        client.poll(0)  # calls errors.append
        return [_away(errors)]
    topic = told.topics.get(place.topic)
    found = [ok("Kafka", f"{_counted(len(told.brokers), 'broker')} answer.")]
    if topic is None:
        says = "It is not there, or this user may not see it."
        return [*found, fail("topic of Kafka", says, f"Is SOJOURN_KAFKA_TOPIC right? {_CREATE}")]
    return [*found, _topic(topic), *_group(client, place, sorted(topic.partitions))]


def _away(errors: list["KafkaError"]) -> Finding:
    from confluent_kafka import KafkaError  # noqa: PLC0415

    codes = {error.code() for error in errors}
    if KafkaError._AUTHENTICATION in codes:
        return fail("Kafka", "It answers and refuses us.", "Look at sasl.* in SOJOURN_KAFKA_SETTINGS.")
    if KafkaError._SSL in codes:
        return fail("Kafka", "TLS with it fails.", "Look at security.protocol and ssl.* in SOJOURN_KAFKA_SETTINGS.")
    if KafkaError._RESOLVE in codes:
        return fail("Kafka", "Its host is not known here.", "Is the host in SOJOURN_KAFKA right?")
    return fail(
        "Kafka",
        f"No broker answers within {PATIENCE_S:.0f} s.",
        "Is it running, is SOJOURN_KAFKA right, and security.protocol in SOJOURN_KAFKA_SETTINGS what it speaks?",
    )


def _topic(topic: "TopicMetadata") -> Finding:
    partitions = topic.partitions.values()
    leaderless = sum(partition.leader < 0 for partition in partitions)
    copies = min((len(partition.replicas) for partition in partitions), default=0)
    says = f"{_counted(len(partitions), 'partition')}, each on {_counted(copies, 'broker')}."
    if leaderless:
        return fail(
            "topic of Kafka",
            f"{says} {leaderless} of them have no leader and take nothing.",
            "A broker is away: start it. Nothing is lost, edges keep what is not in the database.",
        )
    behind = sum(len(partition.isrs) < len(partition.replicas) for partition in partitions)
    if behind:
        return warn("topic of Kafka", f"{says} Of {behind} some copies are behind.", "Look at the brokers' disks.")
    return ok("topic of Kafka", says)


def _group(client: "AdminClient", place: KafkaPlace, partitions: list[int]) -> list[Finding]:
    from confluent_kafka import KafkaException  # noqa: PLC0415

    try:
        members = _members(client, place.group)
        lag = _lag(client, place, partitions)
    except (KafkaException, NotInTime) as error:
        return [warn("group of Kafka", f"It cannot be asked for: {_said(error)}.", _DESCRIBE)]
    return [judge_members(members, len(partitions)), judge_lag(lag)]


def judge_members(members: int | None, partitions: int) -> Finding:
    """Judge how many ingests share the partitions; None where the brokers do not tell."""
    if members is None:
        return warn("group of Kafka", "Its brokers do not tell who is in it just now.", "Ask again in a minute.")
    if members == 0:
        return fail("group of Kafka", "No ingest is in it.", _START)
    if members > partitions:
        says = f"{members} ingests share {_counted(partitions, 'partition')}; {members - partitions} do nothing."
        return warn("group of Kafka", says, "Stop them, or add partitions (docs/kafka.md).")
    return ok("group of Kafka", f"{_counted(members, 'ingest')} in it.")


def judge_lag(lag: int) -> Finding:
    """Judge how many records no ingest has committed yet."""
    says = f"{_counted(lag, 'record')} in the topic are not in the database yet."
    if lag > BEHIND:
        return warn("lag of Kafka", says, "If it grows, start another `sojourn ingest --source kafka`.")
    return ok("lag of Kafka", says)


def lag_of(committed: Mapping[int, int], first: Mapping[int, int], end: Mapping[int, int]) -> int:
    """Count the records behind what was committed; of a partition where nothing was (negative), all that it keeps."""
    return sum(
        max(end[number] - (committed.get(number, -1) if committed.get(number, -1) >= 0 else first[number]), 0)
        for number in end
    )


def _members(client: "AdminClient", group: str) -> int | None:
    from confluent_kafka import ConsumerGroupState  # noqa: PLC0415

    told = client.describe_consumer_groups([group], request_timeout=PATIENCE_S)[group].result(PATIENCE_S)
    if not told.members and told.state not in {ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD}:
        return None
    return len(told.members)


def _lag(client: "AdminClient", place: KafkaPlace, partitions: list[int]) -> int:
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition  # noqa: PLC0415
    from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # noqa: PLC0415

    places = [TopicPartition(place.topic, number) for number in partitions]
    asked = client.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(place.group, places)], request_timeout=PATIENCE_S
    )
    committed = {one.partition: one.offset for one in asked[place.group].result(PATIENCE_S).topic_partitions}

    def offsets(which: OffsetSpec) -> dict[int, int]:
        told = client.list_offsets(dict.fromkeys(places, which), request_timeout=PATIENCE_S)
        return {one.partition: answer.result(PATIENCE_S).offset for one, answer in told.items()}

    first, end = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
    return lag_of(committed, offsets(first), offsets(end))


def _said(error: BaseException) -> str:
    said = error.args[0].str() if error.args and hasattr(error.args[0], "str") else "no answer in time"
    return without_identifiers_in(str(said)).rstrip(".")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
