"""An edge: the agent's own outbox, window and publisher, on a fake network; batches come ready-made."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import msgspec
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from core import wire
from edge.agent import gap_payload
from edge.broker import Broker as Address
from edge.broker import Topics
from edge.clock import Clock
from edge.outbox import Entry
from edge.publisher import Publisher, _Link, _LostError
from edge.window import MOST_ROWS, Step, Window
from tests.pipeline.broker import NOBODY, Broker, Wire
from tests.pipeline.clock import Time, WallClock
from tests.pipeline.database import BrokenPromiseError
from tests.pipeline.outbox import JudgedOutbox

MOST_CONNECTIONS: Final = 300
"""A run with all its faults takes less than a tenth of that."""
_NOWHERE: Final = Address("broker", 1883)


class Accepted(NamedTuple):
    """A batch of which an edge said that it will not be lost."""

    edge: str
    boot: bytes
    sequence: int
    sha256: bytes
    signals: int
    payload: bytes


class Client:
    """Stands in for paho's client: one connection of an edge."""

    def __init__(self, broker: Broker, edge: "Edge", link: _Link) -> None:
        self.up, self.down = Wire(broker.time, broker.random), Wire(broker.time, broker.random)
        self.link = link
        self._broker, self._edge = broker, edge
        self._mids = 0

    def connect(self, *_where: Any, **_how: Any) -> None:
        """Reach the broker or not."""
        if not self._broker.running or self._broker.time.now_s < self._edge.offline_until_s:
            raise OSError("refused")
        if self._edge.flaps:  # the line goes again before anything was sent
            self._edge.flaps -= 1
            self._edge.offline_until_s = self._broker.time.now_s + self._broker.random.uniform(30, 60)
            self.up.cut = self.down.cut = True
            return
        self._edge.connections += 1
        if self._edge.connections > MOST_CONNECTIONS:
            raise BrokenPromiseError(f"{self._edge.name} connects again and again")
        before = self._broker.edges.get(self._edge.name)
        if before is not None:
            before.lose("another connection of this edge")
        self._broker.edges[self._edge.name] = self

    def loop_start(self) -> None:
        """Be connected at once; the waiting is the network's."""
        self.link.connected = True

    def subscribe(self, topic: str, qos: int) -> None:  # noqa: ARG002
        """Ask for what is committed, and for the last word about it."""

        def subscribed() -> None:
            said = self._broker.retained(topic)
            if said is not None:
                self.hear(topic, said, retain=True)

        self.up.carry(subscribed)

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "Info":  # noqa: ARG002
        """Send a message at QoS 1."""
        if self.up.cut:
            return Info(MQTTErrorCode.MQTT_ERR_NO_CONN)

        def answer(reason: ReasonCode) -> None:
            self.down.carry(lambda: self.taken(topic, payload, reason))

        self.up.carry(lambda: self._broker.receive(topic, payload, retain=retain, answer=answer))
        return Info(MQTTErrorCode.MQTT_ERR_SUCCESS)

    def taken(self, topic: str, payload: bytes, reason: ReasonCode) -> None:
        """Hear a PUBACK."""
        self.link.on_publish(None, None, 0, reason, None)  # type: ignore[arg-type]
        if reason is not NOBODY and topic.endswith("/signals"):
            self._edge.on_taken(self._edge, payload)
        self._edge.wake()

    def hear(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Hear what is committed."""

        def heard() -> None:
            self.link.on_message(None, None, _Heard(topic, payload, retain))  # type: ignore[arg-type]
            self._edge.wake()

        self.down.carry(heard)

    def leave(self) -> None:
        """Say goodbye: what was sent before arrives, and the last will is not told."""

        def left() -> None:
            self.up.cut = True
            if self._broker.edges.get(self._edge.name) is self:
                del self._broker.edges[self._edge.name]

        self.down.cut = True
        self.up.carry(left)

    def lose(self, why: str, *, told: bool = True) -> None:
        """Lose the connection and all that is on its way; the broker publishes the last will."""
        if self.up.cut:
            return
        self.up.cut = self.down.cut = True
        if self._broker.edges.get(self._edge.name) is self:
            del self._broker.edges[self._edge.name]
        if told:
            self.link.connected = False
            self.link.lost = why
            self._edge.wake()
        will, topic = self._edge.status("offline"), self._edge.topics.status
        self._broker.receive(topic, will, retain=True, answer=lambda _: None)


class Info(NamedTuple):
    """What paho returns for a publication."""

    rc: MQTTErrorCode


class _Heard(NamedTuple):
    topic: str
    payload: bytes
    retain: bool


class Edge:
    """One edge machine, through its restarts.

    Parameters
    ----------
    most_bytes : int
        Bound of its outbox.
    anchors : tuple of str
        Named in its status: they are down while it is gone.
    on_accepted : callable
        Told of every batch that is on its disk.
    """

    def __init__(  # noqa: PLR0917  # what it stands on
        self, name: str, folder: Path, time: Time, random: Random, broker: Broker, most_bytes: int,
        anchors: tuple[str, ...], on_accepted: Callable[[Accepted], None],
    ) -> None:  # fmt: skip
        self.name = name
        self.topics = Topics("s1", name)
        self.clock = WallClock(time)
        self.running = False
        self.connections = 0
        self.offline_until_s = 0.0  # no network before
        self.flaps = 0  # connections that break as soon as they are there
        self.on_taken: Callable[[Edge, bytes], None] = lambda _edge, _payload: None
        self.gave_way: set[tuple[bytes, int]] = set()  # boot and sequence of what had to, through all restarts
        self._folder, self._time, self._random, self._broker = folder, time, random, broker
        self._most_bytes = most_bytes
        self._anchors = anchors
        self._on_accepted = on_accepted
        self._client: Client | None = None
        self._woken = False
        self._turns = 0
        self.start()

    def start(self) -> None:
        """Begin a boot of its own over the outbox that is there."""
        self.boot = self._random.randbytes(wire.BOOT_BYTES)
        self.sequence = 0
        self.outbox = JudgedOutbox(self._folder / f"{self.name}.db", gap_payload, self._most_bytes, self.gave_way)
        clock = Clock(self.clock.time_ns, self.clock.monotonic)
        self.publisher = Publisher(_NOWHERE, self.topics, self.outbox, clock, self.status)
        self.publisher._window = Window(self._random.choice((1, 3, MOST_ROWS)))
        self.running = True
        self._failures = 0
        self.wake()

    def crash(self) -> None:
        """Lose everything but the disk."""
        self.running = False
        if self._client is not None:
            self._client.lose("", told=False)
            self._client = None
        self.outbox.close()

    def stop(self) -> None:
        """End as an agent does: say what is left to send, and go."""
        self.running = False
        if self._client is not None:
            self._client.publish(self.topics.status, self.status("stopped"), qos=1, retain=True)
            self._client.leave()
            self._client = None
        self.outbox.close()

    def cut(self, away_s: float) -> None:
        """Lose the line for a while."""
        self.offline_until_s = self._time.now_s + away_s
        if self._client is not None:
            self._client.lose("cut")

    def status(self, state: str) -> bytes:
        """Return the message for the status topic; without anchors their silence is as without faults."""
        said = {"state": state, "boot": self.boot.hex(), "at_us": self.clock.time_ns() // 1000}
        return msgspec.json.encode(said | {"backlog": self.outbox.rows, "anchors": self._anchors})

    def accept(self, batch: wire.Batch) -> None:
        """Keep a batch, as `Agent` does, and say so."""
        if not self.running:
            return  # nobody listened
        sequence = self.sequence + 1
        payload = wire.encode(msgspec.structs.replace(batch, boot=self.boot, sequence=sequence))
        times = (int(batch.ts.min()) // 1000, int(batch.ts.max()) // 1000)
        entry = Entry(self.boot, sequence, payload, len(batch), *times)
        self.outbox.append([entry], self.clock.time_ns())
        self.sequence = sequence
        self._on_accepted(Accepted(self.name, self.boot, sequence, sha256(payload).digest(), len(batch), payload))
        self.wake()

    def wake(self) -> None:
        """Let the publisher have its turn soon."""
        if not self._woken:
            self._woken = True
            self._time.after(0.001, self._turn)

    def _turn(self) -> None:
        self._woken = False
        if not self.running:
            return
        try:
            wait_s = self._publish()
        except _LostError:
            wait_s = self._back_off()
        self._turns += 1
        turn = self._turns
        self._time.after(wait_s, lambda: self.wake() if self._turns == turn else None)

    def _publish(self) -> float:
        """Do what `Publisher._connection` and `_serve` do between two waits; return how long to wait."""
        publisher = self.publisher
        if self._client is None:
            publisher._link = _Link()
            client = Client(self._broker, self, publisher._link)
            publisher._connect(client, publisher._link)  # type: ignore[arg-type]
            self._client = client
        if publisher._turn(self._client, publisher._link) is Step.SEND_AGAIN:  # type: ignore[arg-type]
            self._client.lose("", told=False)
            self._client = None
            return 0.01
        while publisher._send(self._client):  # type: ignore[arg-type]
            pass
        return 1.0

    def _back_off(self) -> float:
        """Let go of the connection; return how long to wait for the next, as `Publisher._run` does."""
        if self._client is not None:
            self._client.lose("", told=False)
            self._client = None
        self._failures = 0 if self.publisher._link.of_use else self._failures + 1
        return self._random.uniform(0, min(0.2 * 2.0**self._failures, 8.0)) if self._failures else 0.01
