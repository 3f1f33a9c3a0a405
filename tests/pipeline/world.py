"""One simulation: a store with two edges, and what happens to it; all of it from a seed."""

import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from structlog.testing import capture_logs

from core.errors import WireError
from core.wire import decode
from ingest.settings import Settings
from tests.pipeline import hearing
from tests.pipeline.broker import Broker, Published
from tests.pipeline.checker import check
from tests.pipeline.clock import Time, WallClock
from tests.pipeline.database import STORE_NO, BrokenPromiseError, Database, State
from tests.pipeline.edge import Accepted, Edge
from tests.pipeline.faults import DRAWN, FAULTS
from tests.pipeline.ingest import Ingest, on_fake_servers

BATCHES: Final = (16, 16, 16, 16, 16, 16, 16, 48)
"""Of each edge: with 16 shoppers change zones, with 48 an edge can be away longer than engines wait."""
LONGEST_S: Final = 3_600.0
"""A window doubles its patience up to five minutes; whoever has not delivered after an hour never will."""
_PLAN_COMES_LATE: Final = 1 / 3
"""Share of runs whose floor plan is loaded only when edges speak of the store already."""
_ANCHORS_NAMED: Final = 1 / 6
"""Share of runs in which edges name their anchors. These are then down while an edge is gone, which visits show:
there is no run without faults to compare with, only a cold replay."""
_HEARD_LATE: Final = 1 / 4
"""Share of runs in which an edge says hello and brings its first batch when the others are further by more than the
lateness bound (30 s), and before the patience (120 s) is over."""
_MEMORY: Final = Path("/dev/shm")  # where there is one, outboxes cost no disk


class World:
    """Everything in it, in the state of its moment."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.random = random = Random(seed)
        self.batches = random.choice(BATCHES)
        self.time = Time()
        self.clock = WallClock(self.time)
        self.seen: Counter[str] = Counter()
        self.accepted: list[Accepted] = []
        self._strikes: list[tuple[int, Callable[[str], None]]] = []
        self._strikes_at: dict[str, Callable[[str], None]] = {}
        self._moments = 0
        self.broker = Broker(self.time, random, self.clock, self.seen, most_queued=random.choice((3, 20, 1000)))
        self.broker.repeats, self.broker.swaps = random.choice((0.0, 0.1)), random.choice((0.0, 0.1))
        self.broker.moment = self.moment
        self.broker.on_release = self._check_release
        self.database = Database(hearing.PLAN, self.moment, self._refuses)
        most_bytes = random.choice((1_200, 3_000, 1 << 20))
        named = random.random() < _ANCHORS_NAMED
        self.edges = [
            Edge(
                name, folder, self.time, random, self.broker, most_bytes,
                tuple(f"a{n}" for n in heard) if named else (), self.accepted.append,
            )
            for name, heard in hearing.HEARD_BY.items()
        ]  # fmt: skip

    def start(self) -> None:
        """Start ingest and let the edges hear, and let things go wrong."""
        random = self.random
        settings = Settings(
            client_id="ingest", gather_s=0, calibrate_every_s=None, revise_settle_s=None, snapshot_s=10, derive_s=6,
            commit_messages=random.choice((1, 4, 128)), status_s=random.choice((1, 30)),
            parked_bytes=random.choice((600, 1 << 20)),
        )  # fmt: skip
        self.ingest = Ingest(self.time, random, self.broker, self.database, settings)
        for edge in self.edges:
            for number in range(self.batches):
                heard = hearing.batch(self.seed, edge.name, number)
                at_s = (number + 1) * hearing.BATCH_S + random.uniform(0, 1)
                self.time.after(at_s, lambda edge=edge, heard=heard: edge.accept(heard))  # type: ignore[misc]
        if random.random() < _PLAN_COMES_LATE:
            self.seen["plan comes late"] += 1
            self.database.plan_is_loaded = False
            self.time.after(random.uniform(3, 20), self._load_plan)
        if random.random() < _HEARD_LATE:
            self.seen["edge heard late"] += 1
            late, away_s = self.some_edge(), random.uniform(45, 100)
            self.time.after(random.uniform(2, 6), lambda: late.cut(away_s))
        end_s = 0.95 * self.batches * hearing.BATCH_S
        for name in random.choices(DRAWN, k=random.randint(0, 12)):
            self.time.after(random.uniform(4, end_s), lambda name=name: self._fault(name))  # type: ignore[misc]

    def run(self) -> None:
        """Let everything happen, and wait until every outbox is empty."""
        end_s = self.batches * hearing.BATCH_S + 2
        while self.time.now_s < end_s or not self._drained():
            if self.time.now_s > LONGEST_S:
                left = {edge.name: edge.outbox.rows for edge in self.edges if edge.running}
                raise BrokenPromiseError(f"not delivered within an hour: {left}")
            self.time.step()
        self._strikes, self._strikes_at = [], {}

    def _drained(self) -> bool:
        fed = self.ingest.connection is not None and STORE_NO in self.ingest.worker._holding.feeds
        return fed and all(edge.running and edge.outbox.rows == 0 for edge in self.edges)

    def _fault(self, name: str) -> None:
        self.seen[name] += 1
        FAULTS[name](self)

    def some_edge(self) -> Edge:
        """Return one of the edges."""
        return self.random.choice(self.edges)

    def _load_plan(self) -> None:
        self.database.plan_is_loaded = True

    def start_database(self) -> None:
        """Let the database be there again."""
        self.database.running = True

    def start_broker(self) -> None:
        """Let the broker be there again."""
        self.broker.running = True

    def strike(self, moments: int, what: Callable[[str], None]) -> None:
        """Do something when ingest has passed so many moments from now."""
        self._strikes.append((self._moments + moments, what))

    def strike_at(self, moment: str, what: Callable[[str], None]) -> None:
        """Do something the next time that ingest passes this moment."""
        self._strikes_at[moment] = what

    def moment(self, what: str) -> None:
        """Pass a moment of ingest's work: between any two of them it may be killed or lose its database."""
        self._moments += 1
        for strike in [strike for strike in self._strikes if strike[0] <= self._moments]:
            self._strikes.remove(strike)
            strike[1](what)
        if what in self._strikes_at:
            self._strikes_at.pop(what)(what)

    def drained_boots(self, said: dict[str, int]) -> bool:
        """Whether all that these words say is true; of a boot that was never logged, none is."""
        cursors = {boot.hex(): at for (_, boot), at in self.database.state.cursors.items()}
        return all(cursors.get(boot, 0) >= at for boot, at in said.items())

    def _refuses(self) -> bool:
        refused = self.random.random() < 0.05
        self.seen["transactions run again"] += refused
        return refused

    def _check_release(self, message: Published) -> None:
        """The broker may forget a batch that is logged or waits for an earlier one, and nothing else."""
        if not message.topic.endswith("/signals"):
            return
        try:
            batch = decode(message.payload)
        except WireError:
            return  # a dead letter
        if not self.database.plan_is_loaded:
            return  # a dead letter too, until it is sent again
        edge_no = self.database.state.edges.get((STORE_NO, message.topic.split("/")[3]))
        at = 0 if edge_no is None else self.database.state.cursors.get((edge_no.edge_no, batch.boot), 0)
        first = batch.sequence if batch.gap is None else batch.gap.first
        waits = first > at + 1 and message.payload in self.ingest.read
        if batch.sequence > at and not waits:
            raise BrokenPromiseError(f"acknowledged to the broker and not logged: sequence {batch.sequence}")


class Outcome(NamedTuple):
    """What was seen, by name, and a digest of all that was logged, dropped and found."""

    seen: Counter[str]
    digest: str


def simulate(seed: int, mutant: Callable[[World], AbstractContextManager[None]] | None = None) -> Outcome:
    """Run one simulation and check it.

    Parameters
    ----------
    seed : int
        Everything follows from it: the same seed and the same code give the same simulation.
    mutant : callable, optional
        Breaks something for as long as it lasts (`tests.pipeline.mutants`).

    Raises
    ------
    BrokenPromiseError
        If something was lost, counted twice or is not what it would be without faults.
    """
    with (
        capture_logs(),
        tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder,
    ):
        world = World(seed, Path(folder))
        try:
            with on_fake_servers(world.broker, world.clock), mutant(world) if mutant is not None else nullcontext():
                world.start()
                world.run()
                check(world)
        finally:
            for edge in world.edges:
                edge.outbox.close()
        world.seen["restarts of ingest"] += world.ingest.starts - 1
        return Outcome(world.seen, _digest(world.database.state))


def _digest(state: State) -> str:
    told = (state.log, list(state.gaps.values()), state.changes, sorted(state.visits.items()))
    return sha256(repr(told).encode()).hexdigest()[:16]
