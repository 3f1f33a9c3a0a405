"""How many faults of each kind, and in which order: a seed gives the same schedule every time."""

import random
from dataclasses import dataclass
from typing import Final

FAILPOINTS: Final = (
    "before_commit",
    "in_commit",
    "after_commit",
    "between_acknowledgements",
    "before_engine",
    "in_derive",
    "after_derive",
    "in_snapshot",
)
"""Names of `tests.ingest.killed_worker.PLACES`."""
CLOCKS: Final = ("+1 h", "-1 h", "-1 day", "DST")
LINES: Final = ("cut", "reset", "half-open", "delay", "refuse", "stall")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Faults of one run."""

    failpoints: int = 2
    """Of each of FAILPOINTS."""
    edge: int = 8
    broker: int = 8
    database: int = 8
    api: int = 8
    frozen: int = 3
    lines: int = 6
    full: int = 2
    clocks: int = 4
    snapshots: int = 2


@dataclass(frozen=True)
class Fault:
    """One thing to go wrong; `variant` says how."""

    kind: str
    variant: str = ""


@dataclass(frozen=True)
class Schedule:
    """What goes wrong, lane by lane: a lane does one thing after the other, lanes run beside each other."""

    worker: tuple[Fault, ...]
    servers: tuple[Fault, ...]
    edges: tuple[Fault, ...]
    lines: tuple[Fault, ...]
    api: tuple[Fault, ...]

    @property
    def faults(self) -> tuple[Fault, ...]:
        return (*self.worker, *self.servers, *self.edges, *self.lines, *self.api)


def schedule(seed: int, counts: Counts) -> Schedule:
    """Draw the order of the faults and their variants."""
    rng = random.Random(seed)

    def several(kind: str, count: int, variants: tuple[str, ...]) -> list[Fault]:
        first = rng.randrange(len(variants))
        return [Fault(kind, variants[(first + n) % len(variants)]) for n in range(count)]

    def shuffled(*parts: list[Fault]) -> tuple[Fault, ...]:
        together = [fault for part in parts for fault in part]
        rng.shuffle(together)
        return tuple(together)

    # a place is passed two to six times before it is deadly: something has been under way by then
    kills = [
        Fault("worker", f"{place}:{rng.randint(2, 6)}") for place in FAILPOINTS for _ in range(counts.failpoints)
    ]
    return Schedule(
        worker=shuffled(kills, several("snapshot", counts.snapshots, ("torn", "flipped"))),
        servers=shuffled(
            several("broker", counts.broker, ("keeps its state", "loses its state")),
            several("database", counts.database, ("",)),
            several("frozen", counts.frozen, ("",)),
        ),
        edges=shuffled(
            several("edge", counts.edge, ("north", "south")),
            several("full", counts.full, ("north", "south")),
            several("clock", counts.clocks, CLOCKS),
        ),
        lines=shuffled(several("line", counts.lines, LINES)),
        api=tuple(several("api", counts.api, ("",))),
    )
