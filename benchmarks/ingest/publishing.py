"""The edges of some stores in a process of their own: real paho clients, none of whose CPU counts as product.

    python -m benchmarks.ingest.publishing SETTINGS          (JSON of `Publish`)

Each edge sends on while fewer of its batches than `window` are uncommitted, so the rate is what gets committed; or,
with a `rate`, no faster than that. Says once a second, as a line of JSON, how it fares; ends when stdin ends and
everything is committed.
"""

import hashlib
import itertools
import os
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from benchmarks.ingest.air import HEARD_BY, SIGNALS, Heard, StoreAir, nothing, store_id
from core.wire import encode

_LEFT_S: Final = 120.0
"""Longest wait at the end for the last commit."""
_TICK_S: Final = 0.005
_TOPICS_AT_ONCE: Final = 100
_FULLEST_TICK_S: Final = 1.0
"""With a rate: what is due is sent in portions of a second at most, also after a standstill."""


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """What one process of edges is to do. `rate` is in signals a second over its stores, 0: as much as is committed.

    `connections` 0: one for each edge; else the edges share so many, because a thousand threads in one process would
    only measure themselves.
    """

    url: str
    stores: tuple[int, ...]
    edges: int
    devices: int
    window: int
    rate: float = 0.0
    connections: int = 0
    certificate: str = ""


class Sent(msgspec.Struct, frozen=True):
    """What one edge sent: sequences 1 to `batches` of `boot`; `digest` is the SHA-256 of all payloads' SHA-256."""

    store: str
    edge: str
    boot: str
    batches: int
    signals: int
    digest: str


class Told(msgspec.Struct, frozen=True):
    """How far they are; bytes are payload and topic, as published. `sent` comes with the last line only."""

    signals: int
    committed: int
    wire_bytes: int
    waiting: int
    sent: tuple[Sent, ...] = ()


class Connection:
    """One client, of one edge or of several."""

    def __init__(self, publish: Publish, name: str) -> None:
        self._edges: dict[str, Edge] = {}
        self._connected = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv5)
        self._client.max_inflight_messages_set(1000)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._where = urlsplit(publish.url)
        sign_in(self._client, self._where)
        if publish.certificate:
            self._client.tls_set_context(ssl.create_default_context(cafile=publish.certificate))

    def add(self, edge: "Edge") -> None:
        """Let an edge use it, before it is opened."""
        self._edges[f"{edge.topic}/committed"] = edge

    def open(self) -> None:
        """Connect, and wait until the broker answers."""
        self._client.connect(str(self._where.hostname), self._where.port or 1883, keepalive=60)
        self._client.loop_start()
        if not self._connected.wait(30):
            raise TimeoutError("the broker does not answer")

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1."""
        self._client.publish(topic, payload, qos=1, retain=retain)

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, *_told: Any) -> None:
        topics = [(topic, SubscribeOptions(qos=1)) for topic in self._edges]
        for start in range(0, len(topics), _TOPICS_AT_ONCE):
            client.subscribe(topics[start : start + _TOPICS_AT_ONCE])
        self._connected.set()

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        edge = self._edges.get(message.topic)
        if edge is not None:
            edge.hear_committed(msgspec.json.decode(message.payload)["boots"])


class Edge:
    """One edge: what it sent, and what of it is committed."""

    def __init__(self, store: int, number: int, connection: Connection, news: threading.Condition) -> None:
        self.store, self.number = store_id(store), number
        self.topic = f"sojourn/1/{self.store}/edge-{number}"
        self.boot = os.urandom(16)
        self.sequence = self.committed = self.wire_bytes = 0
        self.rest = nothing()
        self._digest = hashlib.sha256()
        self._news = news
        self._connection = connection
        connection.add(self)

    def say_hello(self, anchors: tuple[str, ...]) -> None:
        """Tell the status as an edge does at its start."""
        status = {"state": "online", "boot": self.boot.hex(), "at_us": time.time_ns() // 1000, "anchors": anchors}
        self._connection.publish(f"{self.topic}/status", msgspec.json.encode(status), retain=True)

    def send(self, payload: bytes) -> None:
        """Publish the batch of the next sequence."""
        self.sequence += 1
        topic = f"{self.topic}/signals"
        self._digest.update(hashlib.sha256(payload).digest())
        self.wire_bytes += len(payload) + len(topic)
        self._connection.publish(topic, payload)

    def hear_committed(self, boots: dict[str, int]) -> None:
        """Take in what ingest says."""
        with self._news:
            self.committed = max(self.committed, boots.get(self.boot.hex(), 0))
            self._news.notify()

    def sent(self) -> Sent:
        """Return the account of this edge."""
        signals = self.sequence * SIGNALS
        digest = self._digest.hexdigest()
        return Sent(self.store, f"edge-{self.number}", self.boot.hex(), self.sequence, signals, digest)


def sign_in(client: paho.Client, where: SplitResult) -> None:
    """Take the name and password of a broker's URL, where it has them."""
    if where.username is not None:
        client.username_pw_set(unquote(where.username), None if where.password is None else unquote(where.password))


class Store:
    """The edges of one store and what they hear."""

    def __init__(
        self, publish: Publish, number: int, connections: Iterator[Connection], news: threading.Condition
    ) -> None:
        self.edges = [Edge(number, edge, next(connections), news) for edge in range(publish.edges)]
        self._air = StoreAir(number, devices=publish.devices, edges=publish.edges)
        self._window = publish.window
        self._heard_until_ns = time.time_ns()

    def greet(self) -> None:
        """Tell the statuses."""
        for edge in self.edges:
            edge.say_hello(self._air.anchors(edge.number))

    def ready(self) -> bool:
        """Whether every edge may send more."""
        return all(edge.sequence - edge.committed < self._window for edge in self.edges)

    def hear(self, signals: int) -> int:
        """Let devices advertise until now, about so many signals; send full batches; return their signals."""
        now_ns = time.time_ns()
        heard = self._air.hear(max(signals // HEARD_BY, 1), self._heard_until_ns, now_ns)
        self._heard_until_ns = now_ns
        return sum(self._send(edge, fresh) for edge, fresh in zip(self.edges, heard, strict=True))

    def _send(self, edge: Edge, fresh: Heard) -> int:
        held = edge.rest.then(fresh)
        full = len(held) // SIGNALS * SIGNALS
        for start in range(0, full, SIGNALS):
            rows = held.rows(slice(start, start + SIGNALS))
            edge.send(encode(self._air.batch(rows, edge.number, edge.boot, edge.sequence + 1)))
        edge.rest = held.rows(slice(full, None))
        return full


def main(publish: Publish) -> int:
    """Publish until stdin ends; 0 when all that was sent is committed."""
    news = threading.Condition()
    count = publish.connections or len(publish.stores) * publish.edges
    connections = [Connection(publish, f"edges-{publish.stores[0]}-{number}") for number in range(count)]
    turns = itertools.cycle(connections)
    stores = [Store(publish, number, turns, news) for number in publish.stores]
    edges = [edge for store in stores for edge in store.edges]
    for connection in connections:
        connection.open()
    for store in stores:
        store.greet()
    over = threading.Event()
    threading.Thread(target=_await_end, args=(over,), daemon=True).start()
    _publish(publish, stores, edges, news, over)
    deadline_s = time.monotonic() + _LEFT_S
    with news:
        while any(edge.committed < edge.sequence for edge in edges) and time.monotonic() < deadline_s:
            news.wait(0.2)
    left = sum(edge.sequence - edge.committed for edge in edges)
    _say(edges, tuple(edge.sent() for edge in edges))
    for connection in connections:
        connection.close()
    return 1 if left else 0


def _publish(
    publish: Publish, stores: list[Store], edges: list[Edge], news: threading.Condition, over: threading.Event
) -> None:
    portion = publish.edges * SIGNALS
    begun_s, said_s, heard = time.monotonic(), 0.0, 0.0
    while not over.is_set():
        sent = 0
        if publish.rate:
            due = min(publish.rate * (time.monotonic() - begun_s) - heard, publish.rate * _FULLEST_TICK_S)
            heard += due
            for store in stores:
                sent += store.hear(int(due / len(stores))) if store.ready() else 0
            over.wait(0.05)
        else:
            for store in stores:
                sent += store.hear(portion) if store.ready() else 0
        if time.monotonic() - said_s >= 1:
            said_s = time.monotonic()
            _say(edges)
        if not sent:
            with news:
                news.wait(_TICK_S)


def _await_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def _say(edges: list[Edge], sent: tuple[Sent, ...] = ()) -> None:
    told = Told(
        sum(edge.sequence for edge in edges) * SIGNALS,
        sum(edge.committed for edge in edges) * SIGNALS,
        sum(edge.wire_bytes for edge in edges),
        sum(edge.sequence - edge.committed for edge in edges),
        sent,
    )
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main(msgspec.json.decode(sys.argv[1], type=Publish)))
