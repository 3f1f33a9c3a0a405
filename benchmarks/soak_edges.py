"""The edges of a soak in a process of their own: real agents that hear as many signals a second as they are told.

    python -m benchmarks.soak_edges STORE MQTT_URL FOLDER RATE     (RATE 0: as many as are committed)

Says once a second, as a line of JSON, how it fares; ends in order when stdin ends.
"""

import sys
import threading
import time
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import structlog

from core.limits import NS_PER_S
from edge.agent import Accepted, Agent, AgentSettings
from edge.broker import Broker
from edge.readings import ReadingQueue, Readings

EDGES: Final = 4
ZONES: Final = 16
DEVICES: Final = 500  # heard by each edge
_STAY_S: Final = 120
_TICK_S: Final = 0.25
_MOST_ROWS: Final = 64
"""With RATE 0: an edge hears on once fewer batches than these are uncommitted, so that nothing waits in vain."""
_CHUNK: Final = 8192  # signals of a tick with RATE 0


class Told(msgspec.Struct, frozen=True):
    """How the edges fare: signals in the outboxes since the start, batches, messages that wait, bytes on disk."""

    accepted: int
    batches: int
    rows: int
    outbox_bytes: int
    turned_away: int


class _Edge:
    """One agent and what it hears."""

    def __init__(self, store: str, number: int, broker: Broker, folder: Path) -> None:
        self.readings = ReadingQueue()
        self.accepted = self.batches = 0
        self.outbox = folder / f"soak-{number}.sqlite3"
        self._random = np.random.default_rng(number)
        per_edge = ZONES // EDGES
        self._zones = range(number * per_edge, (number + 1) * per_edge)
        self._anchors = tuple(f"a{zone}" for zone in self._zones)
        self._identities = tuple(b"soak %d %d" % (number, device) for device in range(DEVICES))
        settings = AgentSettings(
            store=store,
            edge=f"edge-{number}",
            anchors=self._anchors,
            broker=broker,
            keys=folder / "keys",
            outbox=self.outbox,
        )
        self.agent = Agent(settings, self.readings, on_accepted=self._count)

    def _count(self, batch: Accepted) -> None:
        self.accepted += batch.signals
        self.batches += 1

    def hear(self, signals: int, from_ns: int, until_ns: int) -> None:
        """Let devices that change zones every two minutes be heard by this edge's anchors."""
        random = self._random
        ts = np.sort(random.integers(from_ns, until_ns, signals)) // 1_000 * 1_000
        device = random.integers(0, DEVICES, signals)
        anchor = random.integers(0, len(self._anchors), signals)
        near = (device + ts // (_STAY_S * NS_PER_S)) % len(self._anchors) == anchor
        level = np.where(near, -55, -78) + random.normal(0, 4, signals)
        self.readings.put(
            Readings(ts, anchor, device, level.round().astype(np.int16), self._anchors, self._identities), wait_s=5.0
        )


def main(store: str, mqtt_url: str, folder: Path, rate: float) -> int:
    """Hear until stdin ends; return how many messages are left in the outboxes."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    broker = Broker.from_url(mqtt_url)
    edges = [_Edge(store, number, broker, folder) for number in range(EDGES)]
    for edge in edges:
        edge.agent.start()
    over = threading.Event()
    threading.Thread(target=_await_end, args=(over,), daemon=True).start()
    before_ns, heard, begun_s, said_s = time.time_ns(), 0, time.monotonic(), 0.0
    while not over.wait(_TICK_S if rate else 0.01):
        now_ns = time.time_ns()
        if rate:  # exactly the rate over time, however long a tick took
            due = int(rate * (time.monotonic() - begun_s)) - heard
            heard += due // EDGES * EDGES
            for edge in edges:
                edge.hear(due // EDGES, before_ns, now_ns)
        else:
            for edge in edges:
                if edge.agent.backlog < _MOST_ROWS and not len(edge.readings):
                    edge.hear(_CHUNK, before_ns, now_ns)
        before_ns = now_ns
        if time.monotonic() - said_s >= 1:
            said_s = time.monotonic()
            sys.stdout.buffer.write(msgspec.json.encode(_told(edges)) + b"\n")
            sys.stdout.buffer.flush()
    left = sum(edge.agent.stop(60.0) for edge in edges)
    sys.stdout.buffer.write(msgspec.json.encode(_told(edges)) + b"\n")
    return 1 if left else 0


def _await_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def _told(edges: list[_Edge]) -> Told:
    files = [path for edge in edges for path in edge.outbox.parent.glob(f"{edge.outbox.name}*")]
    return Told(
        sum(edge.accepted for edge in edges),
        sum(edge.batches for edge in edges),
        sum(edge.agent.backlog for edge in edges),
        sum(path.stat().st_size for path in files),
        sum(edge.readings.turned_away for edge in edges),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), float(sys.argv[4])))
