"""Batches from Kafka: several ingests in one consumer group, each with the stores of its partitions.

Offsets follow the database: they are committed after the transaction that holds the messages, and only save work;
what counts is the cursor in the database. Rebalances are cooperative, so stores that stay are not disturbed. The
group says who shall have a store, the epoch in the database (`storage.log.owners`) who may write for it.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from core.errors import UnavailableError
from core.limits import NS_PER_MS, NS_PER_S
from ingest import topics
from ingest.kafka.teller import Teller
from ingest.kafka.topic import HEADER, Kafka, existing_partitions, partition_of
from ingest.settings import Settings
from ingest.source import Parting

SESSION_MS: Final = 10_000
"""Stores of an ingest that died are taken over after so long; a commit that waits for a disk takes a second."""
HEARTBEAT_MS: Final = 1_000
"""How soon members hear of a rebalance."""
PREFETCHED_KB: Final = 32_768
"""What waits in memory to be taken, for all partitions together; the rest waits at the brokers."""
AHEAD_NS: Final = 3_600 * NS_PER_S
"""A bridge whose clock is off by more than an hour cannot say when it got what."""
BEHIND_NS: Final = 31 * 86_400 * NS_PER_S
"""Longer than any topic keeps batches that nobody has taken (docs/kafka.md plans for one day)."""
_QUIET: Final = (KafkaError._PARTITION_EOF, KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT)
"""What librdkafka mends by itself."""

_log = structlog.get_logger()


def when_received(timestamp: tuple[int, int], now_ns: int) -> int:
    """Return when the bridge got a record, in ns, by its timestamp as confluent_kafka has it: (kind, ms).

    A time that no bridge of today can have written says nothing, whoever wrote it: then it is `now_ns`.
    """
    kind, at_ms = timestamp
    said_ns = at_ms * NS_PER_MS
    return said_ns if kind and now_ns - BEHIND_NS <= said_ns <= now_ns + AHEAD_NS else now_ns


@dataclass(frozen=True)
class Record:
    """One message as Kafka brought it; `received_at` is when the bridge got it, ns."""

    topic: str
    payload: bytes
    received_at: int
    partition: int
    offset: int


class KafkaSource:
    """A member of the consumer group; all methods are to be called from one thread.

    Parameters
    ----------
    kafka : Kafka
    mqtt_url : str
        Where edges are told what is in the database.
    settings : Settings
    credentials : Path, optional
        Folder with our certificate at the MQTT broker.
    session_ms : int
        After how long without a word the group takes this ingest for dead.
    """

    shared = True
    dropped_by_broker = None

    def __init__(
        self,
        kafka: Kafka,
        mqtt_url: str,
        settings: Settings,
        credentials: Path | None = None,
        *,
        session_ms: int = SESSION_MS,
    ) -> None:
        self._kafka = kafka
        self._settings = settings
        self._session_ms = session_ms
        self._teller = Teller(mqtt_url, settings, credentials)
        self._consumer: Consumer | None = None
        self._parting: Parting = lambda _: None
        self._held: set[int] = set()
        self._partitions = 0
        self._gained = False
        self._kept: list[Message] = []  # came with a rebalance: its stores are to be taken over first
        self._failed = ""
        self._strays = 0

    @property
    def connected(self) -> bool:
        """Whether this ingest is a member, or about to become one."""
        return self._consumer is not None and not self._failed

    @property
    def queued(self) -> int:
        """Messages behind the newest that was taken, as far as the brokers have told."""
        if self._consumer is None:
            return 0
        lag = 0
        for place in self._consumer.position([TopicPartition(self._kafka.topic, no) for no in self._held]):
            _, end = self._consumer.get_watermark_offsets(place, cached=True)
            lag += max(end - place.offset, 0) if place.offset >= 0 else 0
        return lag

    def connect(self, parting: Parting) -> None:
        """Join the group; stores come with the first `take`.

        Raises
        ------
        UnavailableError
            If no broker answers, or there is no topic.
        """
        self.drop()
        self._partitions = existing_partitions(self._kafka)
        self._parting = parting
        self._failed = ""
        settings = self._kafka.client(
            group_id=self._kafka.group,
            client_id="sojourn-ingest",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy="cooperative-sticky",
            session_timeout_ms=self._session_ms,
            heartbeat_interval_ms=min(HEARTBEAT_MS, self._session_ms // 5),
            queued_max_messages_kbytes=PREFETCHED_KB,
        )
        consumer = Consumer({**settings, "error_cb": self._on_error})
        consumer.subscribe(
            [self._kafka.topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        self._consumer = consumer

    def holds(self, store: str) -> bool:
        """Whether the store's partition is assigned to this ingest."""
        return bool(self._partitions) and partition_of(store, self._partitions) in self._held

    def gained(self) -> bool:
        """Whether partitions were assigned since this was asked last."""
        gained, self._gained = self._gained, False
        return gained

    def take(self, *, wait_s: float, gather_s: float) -> list[Record]:
        """Return the next messages, at most one commit's worth; none where stores are to be taken over first.

        Waits up to `wait_s` for the first and `gather_s` for more to come.
        """
        taken, self._kept = self._kept, []
        if not taken:
            taken = self._poll(wait_s, gather_s)
        if self._gained:
            self._kept = taken
            return []
        return [record for record in map(self._read, taken) if record is not None]

    def acknowledge(self, messages: Sequence[Record]) -> None:
        """Let the group begin behind these messages, should somebody else have to go on."""
        behind: dict[int, int] = {}
        for record in messages:
            behind[record.partition] = max(behind.get(record.partition, 0), record.offset + 1)
        if self._consumer is not None and behind:
            places = [TopicPartition(self._kafka.topic, no, offset) for no, offset in behind.items()]
            self._consumer.commit(offsets=places, asynchronous=True)

    def publish(self, topic: str, payload: bytes) -> None:
        """Tell edges; see `Teller.publish`."""
        self._teller.publish(topic, payload)

    def drop(self) -> None:
        """Leave the group; what was not acknowledged comes to whoever gets its partition."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()  # calls _on_revoke
        self._held.clear()
        self._kept = []
        self._gained = False

    def stop(self) -> None:
        """Leave the group and the edges for good."""
        self.drop()
        self._teller.stop()

    def _poll(self, wait_s: float, gather_s: float) -> list[Message]:
        consumer = self._consumer
        if consumer is None:
            return []
        try:
            first = consumer.poll(wait_s)
            if first is None or self._gained:
                return [] if first is None else [first]
            return [first, *consumer.consume(self._settings.commit_messages - 1, gather_s)]
        except KafkaException as error:
            self._failed = str(error)
            _log.warning("Kafka has let this ingest go; it joins again", why=self._failed)
            return []

    def _read(self, message: Message) -> Record | None:
        """Return what a message carries; None where it is not for this ingest."""
        error = message.error()
        partition, offset, key = message.partition(), message.offset(), message.key()
        if error is not None:
            self._on_error(error)
            return None
        if partition is None or offset is None or partition not in self._held:
            return None  # its partition went elsewhere in the meantime, and comes again there
        topic = dict(message.headers() or []).get(HEADER)
        text = topic.decode(errors="replace") if isinstance(topic, bytes) else ""
        parsed = topics.parse(text)
        if parsed is None or key != parsed.store.encode() or not self._is_home(parsed.store, partition):
            self._stray(text, partition)
            return None
        received_at = when_received(message.timestamp(), time.time_ns())
        return Record(text, bytes(message.value() or b""), received_at, partition, offset)

    def _is_home(self, store: str, partition: int) -> bool:
        return partition_of(store, self._partitions) == partition

    def _stray(self, topic: str, partition: int) -> None:
        """Pass over a record that no bridge of today would have put there; the edge still has what it carries."""
        self._strays += 1
        if self._strays & (self._strays - 1) == 0:  # 1, 2, 4, … : a topic full of them does not fill the disk
            _log.warning(
                "records in the wrong partition are passed over; their edges send again",
                records=self._strays,
                topic=topic,
                partition=partition,
                hint="Were partitions added, or does something else write to this topic?",
            )

    def _on_assign(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        if not places:
            return
        self._gained = True
        self._held |= {place.partition for place in places}
        try:
            partitions = existing_partitions(self._kafka)
        except UnavailableError as error:  # it stays as it was when this ingest joined
            _log.warning("the number of partitions is not known anew", why=str(error))
            return
        if partitions != self._partitions:  # stores have moved
            self._partitions = partitions
            self._parting(True)

    def _on_revoke(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        self._lose(places, in_time=True)

    def _on_lost(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        self._lose(places, in_time=False)

    def _lose(self, places: list[TopicPartition], *, in_time: bool) -> None:
        self._held -= {place.partition for place in places}
        self._kept = [message for message in self._kept if message.partition() in self._held]
        self._parting(in_time)

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._failed = error.str()
        if error.code() != KafkaError._PARTITION_EOF:
            level = logging.INFO if error.code() in _QUIET else logging.WARNING
            self._kafka.library_log.tell(level, error.name(), "consumer", error.str())
