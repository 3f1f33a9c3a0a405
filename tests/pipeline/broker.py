"""A broker and its network: sessions, QoS 1, retained messages; losing, repeating and reordering as it is told.

Every connection keeps its order, as TCP does, and takes with it what is on its way when it is cut.
"""

import threading
from collections import deque
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from core.errors import UnavailableError
from ingest.subscriber import Message
from tests.pipeline.clock import Time, WallClock
from tests.pipeline.database import BrokenPromiseError

if TYPE_CHECKING:
    from collections import Counter

_DELAY_S: Final = (0.002, 0.15)
_RECEIVE_MOST: Final = 16
TAKEN: Final = ReasonCode(PacketTypes.PUBACK, "Success")
NOBODY: Final = ReasonCode(PacketTypes.PUBACK, "No matching subscribers")


class Published(NamedTuple):
    """A message as somebody published it."""

    topic: str
    payload: bytes


class Wire:
    """One direction of one connection."""

    def __init__(self, time: Time, random: Random) -> None:
        self._time = time
        self._random = random
        self._last_s = 0.0
        self.cut = False
        self.silent = False  # half open: nothing arrives, and nobody is told

    def carry(self, arrive: Callable[[], None]) -> None:
        """Let something arrive after a while, behind what was sent before."""
        at_s = max(self._time.now_s + self._random.uniform(*_DELAY_S), self._last_s)
        self._last_s = at_s

        def arrives() -> None:
            if not self.cut and not self.silent:
                arrive()

        self._time.after(at_s - self._time.now_s, arrives)


class IngestLink:
    """Stands in for `ingest.subscriber._Connection`: one connection of ingest."""

    def __init__(self, broker: "Broker", messages: Any) -> None:
        self.lost = threading.Event()
        self.dropped = 0
        self.dropped_by_broker = None
        self.client = self
        self._broker = broker
        self._messages = messages
        self._received: deque[int] = deque()
        self.up = Wire(broker.time, broker.random)
        self.down = Wire(broker.time, broker.random)

    def open(self) -> None:
        """Connect and subscribe."""
        if not self._broker.running:
            raise UnavailableError("The broker is away.")
        self._broker.ingest_connects(self)

    def close(self) -> None:
        """End the connection; the session stays."""
        self.end()

    def end(self) -> None:
        """Lose whatever is on its way."""
        self.up.cut = self.down.cut = True
        self.lost.set()

    def receive(self, message: Published, mid: int) -> None:
        """Queue a message as paho's callback does."""
        received_at = self._broker.ingest_clock.time_ns()
        self._received.append(mid)
        self._messages.put_nowait(Message(message.topic, message.payload, received_at, mid, 1, self))  # type: ignore[arg-type]

    def ack(self, mid: int, _qos: int) -> None:
        """Tell the broker that it may forget a message."""
        self._broker.moment("acknowledge")
        self._broker.hear_ack(mid)
        if not self._received or self._received.popleft() != mid:
            raise BrokenPromiseError("acknowledged in another order than that of receipt (MQTT 5, 4.6)")
        self.up.carry(lambda: self._broker.release(mid))

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:  # noqa: ARG002
        """Send a retained message."""
        self._broker.moment("tell")
        self.up.carry(lambda: self._broker.tell_edges(topic, payload))


class Broker:
    """What stands between the edges and ingest.

    Parameters
    ----------
    most_queued : int
        Messages that the session of ingest holds beyond those on their way; further ones are dropped silently.
    """

    def __init__(self, time: Time, random: Random, ingest_clock: WallClock, seen: "Counter[str]", most_queued: int):
        self.time, self.random, self.ingest_clock, self.seen = time, random, ingest_clock, seen
        self.running = True
        self.edges: dict[str, Any] = {}  # client of each edge that is connected
        self.moment: Callable[[str], None] = lambda _: None
        self.on_release: Callable[[Published], None] = lambda _: None
        self.repeats = self.swaps = 0.0
        self._most_queued = most_queued
        self._retained: dict[str, bytes] = {}
        self._forget_session()
        self._ingest: IngestLink | None = None

    def _forget_session(self) -> None:
        self._session = False
        self._queue: deque[Published] = deque()
        self._inflight: dict[int, Published] = {}

    def stop(self, *, wipe: bool) -> None:
        """End every connection; `wipe`: forget sessions and retained messages too."""
        self.running = False
        for client in list(self.edges.values()):
            client.lose("the broker went away")
        if self._ingest is not None:
            self._ingest.end()
        if wipe:
            self._forget_session()
            self._retained.clear()

    def cut_ingest(self) -> None:
        """Cut the connection of ingest."""
        if self._ingest is not None:
            self._ingest.end()

    def silence_ingest(self) -> None:
        """Let nothing through any more without anybody being told."""
        if self._ingest is not None:
            self._ingest.up.silent = self._ingest.down.silent = True

    # what edges do

    def receive(self, topic: str, payload: bytes, *, retain: bool, answer: Callable[[ReasonCode], None]) -> None:
        """Take a message of an edge and answer with its PUBACK."""
        if not self.running:
            return
        if retain:
            self._retained[topic] = payload
        if not self._session:
            self.seen["nobody subscribed"] += 1
            answer(NOBODY)
            return
        answer(TAKEN)
        self._take(Published(topic, payload))

    def retained(self, topic: str) -> bytes | None:
        """Return the retained message of a topic."""
        return self._retained.get(topic)

    def _take(self, message: Published) -> None:
        if len(self._queue) >= self._most_queued:
            self.seen["broker dropped"] += 1
            return
        self._queue.append(message)
        if self.random.random() < self.repeats:
            self._queue.append(message)
            self.seen["broker repeated"] += 1
        if len(self._queue) > 1 and self.random.random() < self.swaps:
            self._queue[-1], self._queue[-2] = self._queue[-2], self._queue[-1]
            self.seen["broker reordered"] += 1
        self._send_on()

    # what ingest does

    def ingest_connects(self, link: IngestLink) -> None:
        """Take a connection of ingest: redeliver what was not acknowledged, then go on."""
        if self._ingest is not None:
            self._ingest.end()
        self._ingest = link
        if self._session and self._inflight:
            self.seen["redelivered"] += len(self._inflight)
        new = not self._session
        self._session = True
        for mid, message in self._inflight.items():
            self._deliver(message, mid)
        if new:
            self._queue.extend(Published(t, p) for t, p in sorted(self._retained.items()) if t.endswith("/status"))
        self._send_on()

    def hear_ack(self, mid: int) -> None:
        """Look at an acknowledgement when it is given, whether it will arrive or not."""
        if mid in self._inflight:
            self.on_release(self._inflight[mid])

    def release(self, mid: int) -> None:
        """Forget a message that was acknowledged."""
        self._inflight.pop(mid, None)
        self._send_on()

    def tell_edges(self, topic: str, payload: bytes) -> None:
        """Keep a message of ingest and pass it on."""
        self._retained[topic] = payload
        client = self.edges.get(topic.split("/")[3])
        if client is not None:
            client.hear(topic, payload, retain=False)

    def _send_on(self) -> None:
        while (
            self._ingest is not None
            and not self._ingest.up.cut
            and self._queue
            and len(self._inflight) < _RECEIVE_MOST
        ):
            # a broker may choose any that is free: with the lowest, ids of old connections soon mean something else
            mid = min(set(range(1, _RECEIVE_MOST + 1)) - self._inflight.keys())
            self._inflight[mid] = self._queue.popleft()
            self._deliver(self._inflight[mid], mid)

    def _deliver(self, message: Published, mid: int) -> None:
        link = self._ingest
        if link is not None:
            link.down.carry(lambda: link.receive(message, mid))
