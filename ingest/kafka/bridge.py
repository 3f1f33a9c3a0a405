"""MQTT -> Kafka: each message is acknowledged to the MQTT broker once the Kafka brokers have it, in order of receipt.

The bridge remembers nothing: what was not acknowledged comes again, and what is delivered twice is logged once. How
much is under way is bounded by what the MQTT broker may have open (`Settings.receive_maximum`).
"""

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from core.errors import UnavailableError
from core.limits import NS_PER_MS
from ingest import topics
from ingest.kafka.meters import BridgeMeters
from ingest.kafka.topic import HEADER, Kafka, existing_partitions, partition_of
from ingest.settings import Settings
from ingest.subscriber import Message as Published
from ingest.subscriber import Subscriber

LINGER_MS: Final = 5
"""How long records wait for others of their partition: less than an edge's batch takes to fill."""
DELIVERY_MS: Final = 30_000
"""After so long without an answer the bridge lets go, and the MQTT broker sends again."""
RECEIVE_MAXIMUM: Final = 1_024
"""Messages under way at most: a cluster that answers in 30 ms then passes 30,000 a second; at 5 kB each it is 5 MiB,
at the largest that a batch may be 512 MiB."""
_IDLE_S: Final = 0.02
_PARTITIONS_S: Final = 60.0
"""How often the number of partitions is asked for."""
_TOLD_S: Final = 60.0
SPARE_S: Final = 60.0
"""How long a bridge rests that another has taken the session from. Without a rest the two would throw each other
out several times a second; with it one is at work, and the other takes over a minute after that one has died."""

_log = structlog.get_logger()


class _TakenOverError(UnavailableError):
    """Another bridge goes on with this one's session."""


@dataclass
class _Way:
    """A message between the two brokers."""

    message: Published
    delivered: bool = False


class Bridge:
    """Carries messages until it is stopped; servers that are away are waited for.

    Parameters
    ----------
    kafka : Kafka
    mqtt_url, client_id, settings, credentials
        As `ingest.subscriber.Subscriber` has them.
    meters : BridgeMeters, optional
    """

    def __init__(
        self,
        kafka: Kafka,
        mqtt_url: str,
        client_id: str,
        settings: Settings,
        credentials: Path | None = None,
        *,
        meters: BridgeMeters | None = None,
    ) -> None:
        self._meters = meters if meters is not None else BridgeMeters()
        self._kafka = kafka
        self._settings = settings
        self._subscriber = Subscriber(mqtt_url, client_id, settings, credentials)
        self._under_way: deque[_Way] = deque()
        self._partitions = 0
        self._failed: KafkaError | None = None
        self.carried = 0
        self._told_s = self._asked_s = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Carry messages until `stop` is set."""
        failures = 0
        while not stop.is_set():
            before = self.carried
            try:
                self._session(stop)
            except _TakenOverError as error:
                self._meters.fell()
                _log.warning("the bridge makes room for another one, for a minute; nothing is lost", why=str(error))
                stop.wait(SPARE_S)
            except UnavailableError as error:
                self._meters.fell()
                failures = 0 if self.carried > before else failures + 1
                wait_s = min(self._settings.retry_first_s * 2.0 ** min(failures, 10), self._settings.retry_most_s)
                _log.warning("the bridge waits; nothing is lost", why=str(error))
                stop.wait(wait_s)

    def _session(self, stop: threading.Event) -> None:
        self._partitions = existing_partitions(self._kafka)
        self._failed = None
        producer = Producer(
            self._kafka.client(
                client_id="sojourn-bridge",
                acks="all",
                enable_idempotence=True,  # retries neither double nor reorder
                linger_ms=LINGER_MS,
                delivery_timeout_ms=DELIVERY_MS,
                compression_type="none",  # batches are compressed already
            )
        )
        try:
            self._subscriber.connect()
            _log.info("the bridge stands", topic=self._kafka.topic, partitions=self._partitions)
            while not stop.is_set():
                self._turn(producer)
            producer.flush(self._settings.retry_most_s)
            self._acknowledge()
        except KafkaException as error:
            # such as brokers that know nothing of this producer any more: another one begins anew
            raise UnavailableError(f"Kafka does not go on with this connection: {error}.") from error
        finally:
            self._subscriber.drop()
            self._under_way.clear()
            with suppress(KafkaException):  # one that failed for good says it once more
                producer.purge()
                producer.flush(1.0)

    def _turn(self, producer: Producer) -> None:
        if not self._subscriber.connected and self._subscriber.taken_over:
            raise _TakenOverError(
                "Somebody else has connected to the MQTT broker by this bridge's name.",
                hint="Let one bridge run for each broker and topic, and give none but it its certificate.",
            )
        if not self._subscriber.connected:
            raise UnavailableError("The MQTT broker has gone.")
        for message in self._subscriber.take(
            wait_s=_IDLE_S if not self._under_way else 0.001, gather_s=self._settings.gather_s
        ):
            self._send(producer, message)
        producer.poll(0.0 if not self._under_way else 0.001)
        self._acknowledge()
        if self._failed is not None:
            raise UnavailableError(f"Kafka did not take a message: {self._failed.str()}.")
        self._meters.stands(len(self._under_way), self._subscriber.dropped_by_broker)
        self._look_around()

    def _send(self, producer: Producer, message: Published) -> None:
        way = _Way(message)
        topic = topics.parse(message.topic)
        if topic is None:
            way.delivered = True  # nothing of ours
        else:
            self._produce(producer, topic.store, way)
        self._under_way.append(way)

    def _produce(self, producer: Producer, store: str, way: _Way) -> None:
        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                way.delivered = True
            else:
                self._failed = self._failed or error

        message = way.message
        try:
            producer.produce(
                self._kafka.topic,
                message.payload,
                key=store.encode(),
                partition=partition_of(store, self._partitions),
                headers=[(HEADER, message.topic.encode())],
                timestamp=message.received_at // NS_PER_MS,
                on_delivery=delivered,
            )
        except (BufferError, KafkaException) as error:
            raise UnavailableError(f"Kafka cannot take a message: {error}.") from error

    def _acknowledge(self) -> None:
        """Acknowledge from the oldest on, up to the first that is not delivered (MQTT 5, 4.6)."""
        now_ns = time.time_ns()
        while self._under_way and self._under_way[0].delivered:
            message = self._under_way.popleft().message
            self._subscriber.acknowledge([message])
            self.carried += 1
            self._meters.carried(len(message.payload), message.received_at, now_ns)

    def _look_around(self) -> None:
        now_s = time.monotonic()
        if now_s - self._asked_s > _PARTITIONS_S:
            self._asked_s = now_s
            self._partitions = existing_partitions(self._kafka)
        if now_s - self._told_s > _TOLD_S:
            self._told_s = now_s
            _log.info("carried so far", messages=self.carried, under_way=len(self._under_way))
