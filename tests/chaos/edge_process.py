"""A whole edge in a process of its own: `python -m tests.chaos.edge_process SPEC`, commands on stdin.

Real agent, outbox and publisher; the shoppers are seeded, so that what is heard at an instant does not depend on who
was killed when. Data time runs three times as fast as the clock.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final, cast

import msgspec
import numpy as np
import structlog

import edge.agent
import edge.publisher
import edge.window
from edge.agent import Accepted, Agent, AgentSettings
from edge.batching import Batcher
from edge.broker import Broker
from edge.clock import Clock
from edge.outbox import MOST_BYTES, Dropped, Entry
from edge.readings import ReadingQueue, Readings
from tests.chaos import mutants
from tests.chaos.journal import Kind, Line, Writer
from tests.edge.watched_outbox import WatchedOutbox
from tests.ingest.world import ZONES, S

PACE: Final = 3
"""Data seconds to a second: a minute's stay passes in twenty seconds, and a batch that is sent again after the
shortened patience is still within the lateness bound."""
SHOPPERS: Final = 10
_STAY_S: Final = 20
_INSIDE_S, _CYCLE_S = 60, 150  # inside for so long of each cycle: visits of the store end by silence
_BATCH_WAIT_S: Final = 0.2
_ROOM_BYTES: Final = 3_000  # of an outbox that is to be full: some five batches


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """Who the edge is and when the world began; times in ns."""

    store: str
    edge: str
    anchors: tuple[int, ...]
    broker: str
    credentials: str
    folder: str
    seed: int
    began_ns: int
    data_began_ns: int


@dataclass
class World:
    """What may be changed from outside."""

    offset_ns: int = 0
    halted: bool = False


def heard(spec: Spec, from_ns: int, until_ns: int, offset_ns: int) -> Readings | None:
    """Return what the anchors of an edge hear between two instants of data time, stamped by its clock."""
    step_ns = S // 2
    ticks = np.arange(-(-from_ns // step_ns), -(-until_ns // step_ns), dtype=np.int64)
    rows = []
    for tick in ticks.tolist():
        at_s = (tick * step_ns - spec.data_began_ns) / S
        rng = np.random.default_rng([spec.seed, tick % 2**32])
        noise = rng.integers(-3, 4, (SHOPPERS, ZONES))
        jitter_us = rng.integers(0, 200_000, SHOPPERS)
        for device in range(SHOPPERS):
            if (at_s + 31 * device) % _CYCLE_S >= _INSIDE_S:
                continue
            zone = (device + int(at_s) // _STAY_S) % ZONES
            for anchor in spec.anchors:
                level = (-52 if anchor == zone else -78) + int(noise[device, anchor])
                rows.append((tick * step_ns + int(jitter_us[device]) * 1_000 + offset_ns, anchor, device, level))
    if not rows:
        return None
    ts, anchor_of, device_of, rssi_dbm = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return Readings(
        ts,
        anchor_of,
        device_of,
        rssi_dbm.astype(np.int16),
        tuple(f"a{n}" for n in range(ZONES)),
        tuple(f"device-{n}".encode() for n in range(SHOPPERS)),
    )


class JournaledOutbox(WatchedOutbox):
    """Notes each batch before it is kept, and each gap, with what was held, before it takes the place of rows."""

    def __init__(
        self, edge: str, writer: Writer, path: Path, gap_payload: Callable[[Dropped], bytes], most_bytes: int
    ) -> None:
        def noted(dropped: Dropped) -> bytes:
            payload = gap_payload(dropped)
            line = _line(edge, "gap", dropped, sha256(payload).digest(), payload)
            writer.write(msgspec.structs.replace(line, look=self.look))
            return payload

        self._edge, self._writer = edge, writer
        super().__init__(path, noted, most_bytes)

    def append(self, entries: Sequence[Entry], at_ns: int) -> list[bytes]:
        for entry in entries:
            self._writer.write(_line(self._edge, "attempt", entry, sha256(entry.payload).digest(), entry.payload))
        return super().append(entries, at_ns)


def _line(edge: str, kind: Kind, of: Accepted | Dropped | Entry, digest: bytes, payload: bytes = b"") -> Line:
    first, last = (of.first, of.last) if isinstance(of, Dropped) else (of.sequence, of.sequence)
    return Line(
        kind=kind,
        edge=edge,
        boot=of.boot,
        sequence=last,
        first=first,
        sha256=digest,
        signals=of.signals,
        at_ns=time.time_ns(),
        payload=payload,
    )


def data_now_ns(spec: Spec) -> int:
    return spec.data_began_ns + PACE * (time.time_ns() - spec.began_ns)


def listen(spec: Spec, world: World, readings: ReadingQueue) -> None:
    """Hear the shoppers as time goes on, until halted."""
    before_ns = data_now_ns(spec)
    pause = threading.Event()
    while not world.halted:
        pause.wait(0.1)
        now_ns = data_now_ns(spec)
        chunk = heard(spec, before_ns, now_ns, world.offset_ns)
        if chunk is not None:
            readings.put(chunk, wait_s=5.0)
        before_ns = now_ns


def main(spec: Spec) -> int:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout answers commands
    # outages here last seconds, so waits that are meant for outages of minutes are shortened in proportion
    edge.publisher._BACKOFF_S = (0.1, 1.0)  # type: ignore[misc]
    edge.publisher._KEEPALIVE_S = 3  # type: ignore[misc]
    edge.window.PATIENCE_S = (1.0, 20.0)  # type: ignore[misc]
    edge.window.REFUSED_S = 0.3  # type: ignore[misc]
    mutants.apply()
    writer = Writer(Path(spec.folder) / f"{spec.edge}.journal")
    edge.agent.Outbox = partial(JournaledOutbox, spec.edge, writer)  # type: ignore[attr-defined,assignment]
    world, readings = World(), ReadingQueue()
    folder = Path(spec.folder)

    def on_accepted(batch: Accepted) -> None:
        writer.write(_line(spec.edge, "accepted", batch, batch.sha256))

    settings = AgentSettings(
        store=spec.store,
        edge=spec.edge,
        # not told in the status: an edge that is away would be an outage of its anchors, which visits are to show,
        # so that they could not equal those of a run without outages
        anchors=(),
        broker=Broker.from_url(spec.broker, Path(spec.credentials) if spec.credentials else None),
        keys=folder / "keys",
        outbox=folder / f"{spec.edge}.sqlite3",
    )
    # the clock that stamps what is heard: by another one a day could be over, and its key gone, before it is heard
    clock = Clock(now_ns=lambda: data_now_ns(spec) + world.offset_ns)
    agent = Agent(settings, readings, clock=clock, on_accepted=on_accepted)
    agent._batcher = Batcher(wait_s=_BATCH_WAIT_S)
    outbox = cast("JournaledOutbox", agent._outbox)
    agent.start()
    source = threading.Thread(target=listen, args=(spec, world, readings), daemon=True)
    source.start()
    _say("up")
    for command in sys.stdin:
        word, *given = command.split()
        if word == "clock":
            world.offset_ns = int(given[0]) * S
        elif word == "zone":
            os.environ["TZ"] = given[0]
            time.tzset()
        elif word == "full":
            outbox.leave_room(_ROOM_BYTES)
        elif word == "roomy":
            outbox.leave_room(MOST_BYTES)
        elif word == "halt":
            world.halted = True
            source.join()
        elif word == "stop":
            left = agent.stop(float(given[0]))
            _say(f"left {left}")
            return 0
        _say(word)
    return 1


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(msgspec.json.decode(sys.argv[1], type=Spec)))
