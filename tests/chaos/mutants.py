"""Ways to get it wrong that look right: the checker is worth something because it catches each of them.

CHAOS_MUTANT names one; it is patched into a process of a test, the product knows nothing of it.
"""

import os
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray
from paho.mqtt import client as mqtt
from paho.mqtt.subscribeoptions import SubscribeOptions

import edge.publisher
import ingest.commit
import ingest.subscriber
import ingest.worker
import storage.visits
from core import wire
from edge.outbox import Outbox
from ingest.cursors import Arranged
from ingest.messages import Arrival
from ingest.subscriber import Message, Subscriber
from ingest.topics import SUBSCRIPTIONS
from storage.log.signals import CursorKey
from tests.edge.outbox_mutants import MUTANTS as OUTBOX_MUTANTS


def apply() -> None:
    """Become the mutant that the environment names, if any."""
    name = os.environ.get("CHAOS_MUTANT", "")
    if name in OUTBOX_MUTANTS:
        _put(Outbox, *OUTBOX_MUTANTS[name])
    elif name:
        MUTANTS[name]()


def ack_before_commit() -> None:
    """The broker may forget a message as soon as it was received."""
    acknowledge, take_in = Subscriber.acknowledge, ingest.worker._Worker._take_in

    def eager(self: Any, connection: Any, messages: list[Message]) -> None:
        acknowledge(self._source, messages)
        take_in(self, connection, messages)

    _put(Subscriber, "acknowledge", lambda *_: None)
    _put(ingest.worker._Worker, "_take_in", eager)


def highest_cursor() -> None:
    """The cursor is the highest sequence that came, whatever is missing before it."""

    def arrange(
        arrivals: Iterable[tuple[CursorKey, Arrival]], _parked: object, committed: dict[CursorKey, int]
    ) -> Arranged[CursorKey, Arrival]:
        cursors = dict(committed)
        ready: list[tuple[CursorKey, Arrival]] = []
        repeated: list[tuple[CursorKey, Arrival]] = []
        for key, arrival in arrivals:
            (ready if arrival.last > cursors[key] else repeated).append((key, arrival))
            cursors[key] = max(cursors[key], arrival.last)
        return Arranged(tuple(ready), tuple(repeated), {}, cursors)

    _put(ingest.commit, "arrange", arrange)


def delete_on_puback() -> None:
    """An edge takes the broker's acknowledgement for the database's."""
    client_of = edge.publisher.Publisher._client

    def trusting(self: edge.publisher.Publisher, link: Any) -> mqtt.Client:
        client = client_of(self, link)
        publish, told = client.publish, cast("Callable[..., None]", client.on_publish)
        sent: dict[int, tuple[bytes, int]] = {}

        def publishing(topic: str, payload: Any = None, *given: Any, **named: Any) -> mqtt.MQTTMessageInfo:
            info = publish(topic, payload, *given, **named)
            if topic == self._topics.signals:
                batch = wire.decode(payload)
                sent[info.mid] = (batch.boot, batch.sequence)
            return info

        def acknowledged(of: mqtt.Client, data: Any, mid: int, reason: Any, properties: Any) -> None:
            told(of, data, mid, reason, properties)
            if mid in sent and reason.value == 0:
                boot, sequence = sent.pop(mid)
                with link._changed:
                    link._committed[boot] = max(sequence, link._committed.get(boot, 0))
                link.notify()

        _put(client, "publish", publishing)
        client.on_publish = acknowledged
        return client

    _put(edge.publisher.Publisher, "_client", trusting)


def visits_inserted_anew() -> None:
    """A visit that is derived again is another visit: its id is this process's own."""
    visit_ids = storage.visits.visit_ids
    salt = os.getpid().to_bytes(8, "little")

    def salted(*given: Any) -> NDArray[np.uint8]:
        ids = visit_ids(*given)
        made = b"".join(blake2b(one.tobytes() + salt, digest_size=16).digest() for one in ids)
        return np.frombuffer(made, np.uint8).reshape(-1, 16)

    _put(storage.visits, "visit_ids", salted)


def stale_acks() -> None:
    """One client for all connections, which reconnects by itself: an acknowledgement goes to whatever stands now."""
    connection = ingest.subscriber._Connection
    begin, on_connect = connection.__init__, connection._on_connect

    def begun(self: Any, *given: Any) -> None:
        begin(self, *given)
        self.client._reconnect_on_failure = True
        self.client.reconnect_delay_set(1, 1)

    def connected(self: Any, client: mqtt.Client, *told: Any) -> None:
        again = self._connected.is_set()
        on_connect(self, client, *told)
        if again:
            client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in SUBSCRIPTIONS])

    _put(connection, "__init__", begun)
    _put(connection, "_on_connect", connected)
    _put(connection, "_on_disconnect", lambda *_: None)


def _put(owner: Any, name: str, other: Any) -> None:
    """Put something else in the place of a function of the product, in this process."""
    setattr(owner, name, other)


MUTANTS: Final[dict[str, Callable[[], None]]] = {
    "ack_before_commit": ack_before_commit,
    "highest_cursor": highest_cursor,
    "delete_on_puback": delete_on_puback,
    "visits_inserted_anew": visits_inserted_anew,
    "stale_acks": stale_acks,
}
