"""One simulated store in real time: shoppers whose tags are heard by real edge agents.

It starts with a history, which the agents deliver as backlog as after an outage, and then goes on with the clock.
What was sent and what really happened is written down, so that the far end can be checked.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec
import numpy as np
import polars as pl
import structlog
from numpy.typing import NDArray

from core.floorplan import StorePlan
from core.limits import NS_PER_S, NS_PER_US
from core.records import SignalArray
from edge.agent import Accepted, Agent, AgentSettings
from edge.broker import Broker
from edge.clock import Clock
from edge.pseudonyms import KeyRing, Pseudonyms
from edge.readings import ReadingQueue, Readings
from simulators.store import EDGES, StoreSimulation, edge_of_anchor

TICK_S: Final = 0.25
"""How often scanners hand over what they heard."""
HEARTBEAT_S: Final = 10.0
"""How often a gateway says that it lives, at most: as often as its edge tells its status."""
HISTORY_S: Final = 1200.0
"""A page that shows a store needs visits that ended: twenty minutes hold a thousand."""
DRAIN_S: Final = 30.0
"""Longest wait at the end for the database to have everything."""
_HISTORY_CHUNK_S: Final = 30.0  # of history handed over at once: 30,000 signals of 150 shoppers
_DAY_NS: Final = 86_400 * NS_PER_S

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class LiveStore:
    """What to simulate and where to put it."""

    plan: StorePlan
    broker: Broker
    folder: Path
    """Takes the outboxes, `journal.jsonl`, `truth.parquet` and `state.json`."""
    keys: Path
    """Key folder of the edges, with the list of consented devices."""
    credentials: Path | None = None
    """Folder with a folder of credentials for each edge, by its id; None: the broker asks for none."""
    seed: int = 1
    shoppers: int = 150
    members: int = 0
    history_s: float = HISTORY_S

    def broker_of(self, edge: str) -> Broker:
        """Return the broker as an edge of the store knows it."""
        return self.broker if self.credentials is None else self.broker.with_credentials(self.credentials / edge)


def edges_of(plan: StorePlan) -> tuple[str, ...]:
    """Return the ids of the edges that a store is simulated with."""
    return tuple(f"edge-{number + 1}" for number in range(min(EDGES, len(plan.anchors))))


class Sent(msgspec.Struct, frozen=True):
    """One line of the journal: a batch that an edge accepted and that has to reach the database."""

    edge: str
    boot: str
    sequence: int
    signals: int
    sha256: str


class State(msgspec.Struct, frozen=True):
    """How the simulation fares, rewritten about once a second; `live_from_us` is where history ends."""

    live_from_us: int
    signals: int
    inside: int
    backlog: int


class Journal:
    """Appends what edges accepted, from any thread."""

    def __init__(self, path: Path) -> None:
        self.signals = 0
        self._file = path.open("ab", buffering=0)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, accepted: Accepted) -> None:
        """Note one batch."""
        line = Sent(accepted.edge, accepted.boot.hex(), accepted.sequence, accepted.signals, accepted.sha256.hex())
        with self._lock:
            self._file.write(msgspec.json.encode(line) + b"\n")
            self.signals += accepted.signals


def read_journal(path: Path) -> list[Sent]:
    """Return the lines of a journal."""
    return [msgspec.json.decode(line, type=Sent) for line in path.read_bytes().splitlines()]


def run(store: LiveStore, stop: threading.Event, clock: Clock | None = None) -> int:
    """Simulate until told to stop, then deliver what is left.

    Parameters
    ----------
    store : LiveStore
    stop : threading.Event
    clock : Clock

    Returns
    -------
    int
        Messages that the database is not known to have after DRAIN_S; 0 if all went well.

    Raises
    ------
    FloorPlanError, ConfigurationError, UnavailableError
        If plan, folders or keys are not usable.
    """
    clock = clock if clock is not None else Clock()
    store.folder.mkdir(parents=True, exist_ok=True)
    live_from_ns = clock.now_ns()
    simulation = StoreSimulation(
        store.plan,
        store.seed,
        shoppers=store.shoppers,
        members=store.members,
        start_ns=live_from_ns - int(store.history_s * NS_PER_S),
    )
    with Journal(store.folder / "journal.jsonl") as journal:
        edges = _Edges(store, journal, clock)

        def tell(backlog: int) -> None:
            state = State(live_from_ns // NS_PER_US, journal.signals, simulation.inside, backlog)
            _replace(store.folder / "state.json", msgspec.json.encode(state))

        edges.start()
        tell(0)
        try:
            until_s = _deliver_history(store, simulation, edges, stop)
            while not stop.wait(TICK_S):
                until_s = (clock.now_ns() - simulation.start_ns) / NS_PER_S
                edges.hear(simulation, until_s, stop)
                tell(edges.backlog)
        finally:
            left = edges.stop()
        end_ns = simulation.start_ns + int(until_s * NS_PER_S)
        true_visits(simulation, end_ns, store.keys, clock).write_parquet(store.folder / "truth.parquet")
        tell(left)
    if left:
        log.warning("stopped before the database had everything", messages=left)
    return left


def _deliver_history(store: LiveStore, simulation: StoreSimulation, edges: "_Edges", stop: threading.Event) -> float:
    until_s = 0.0
    while until_s < store.history_s and not stop.is_set():
        until_s = min(until_s + _HISTORY_CHUNK_S, store.history_s)
        edges.hear(simulation, until_s, stop)
    return until_s


def _replace(path: Path, content: bytes) -> None:
    """Write a file in one step: a reader sees the old or the new one."""
    draft = path.with_name(f".{path.name}")
    draft.write_bytes(content)
    draft.replace(path)


class _Edges:
    """The agents of the store, each with its anchors."""

    def __init__(self, store: LiveStore, journal: Journal, clock: Clock) -> None:
        self._edge_of = edge_of_anchor(store.plan, min(EDGES, len(store.plan.anchors)))
        self._anchors = tuple(anchor.id for anchor in store.plan.anchors)
        self._queues: list[ReadingQueue] = []
        self._agents: list[Agent] = []
        for edge in range(int(self._edge_of.max()) + 1):
            name = f"edge-{edge + 1}"
            queue = ReadingQueue()
            settings = AgentSettings(
                store=store.plan.id,
                edge=name,
                anchors=tuple(self._anchors[place] for place in np.flatnonzero(self._edge_of == edge)),
                broker=store.broker_of(name),
                keys=store.keys,
                outbox=store.folder / f"{name}.sqlite3",
                heartbeat_s=HEARTBEAT_S,
            )
            self._queues.append(queue)
            self._agents.append(Agent(settings, queue, clock=clock, on_accepted=journal.write))

    @property
    def backlog(self) -> int:
        return sum(agent.backlog for agent in self._agents)

    def start(self) -> None:
        for agent in self._agents:
            agent.start()

    def hear(self, simulation: StoreSimulation, until_s: float, stop: threading.Event) -> None:
        """Hand what is heard until then to the agents; waits for them, unless told to stop."""
        heard = simulation.readings(until_s)
        edge = self._edge_of[heard["anchor"]]
        for number, queue in enumerate(self._queues):
            self._agents[number].alive(self._anchors)
            part = _readings(heard[edge == number], simulation.identities, self._anchors)
            while len(part.ts) and not queue.put(part, wait_s=1.0):
                if stop.is_set():
                    return

    def stop(self) -> int:
        """Stop all agents at the same time; return how many messages are left."""
        left = [0] * len(self._agents)

        def drain(number: int) -> None:
            left[number] = self._agents[number].stop(DRAIN_S)

        threads = [threading.Thread(target=drain, args=(number,)) for number in range(len(self._agents))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(left)


def _readings(heard: SignalArray, identities: Sequence[bytes], anchors: tuple[str, ...]) -> Readings:
    devices, device = np.unique(heard["device"], return_inverse=True)
    rssi_dbm: NDArray[np.int16] = heard["rssi_dbm"]
    return Readings(
        heard["ts"].astype(np.int64),
        heard["anchor"].astype(np.int64),
        device.astype(np.int64),
        rssi_dbm,
        anchors,
        tuple(identities[place] for place in devices.tolist()),
    )


def true_visits(simulation: StoreSimulation, until_ns: int, keys: Path, clock: Clock) -> pl.DataFrame:
    """Return the truth under the pseudonyms that the edges gave: cut at midnight UTC, where pseudonyms change.

    Days whose key is destroyed are left out: nobody can name their devices any more.
    """
    pseudonyms = Pseudonyms(KeyRing(keys), clock)
    parts = []
    for day in range(simulation.start_ns // _DAY_NS, until_ns // _DAY_NS + 1):
        names = []
        for identity in simulation.identities:
            name = pseudonyms.of(identity, day)
            names.append(name.hex() if name is not None else "")
        part = simulation.true_visits(day * _DAY_NS, min((day + 1) * _DAY_NS, until_ns), names)
        parts.append(part.filter(pl.col("device") != ""))
    return pl.concat(parts)
