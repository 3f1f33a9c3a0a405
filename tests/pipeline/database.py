"""A database in memory: transactions, a claim, and moments at which it or its client goes away.

It answers to the names of `storage`'s functions that ingest calls (`standing_in`), with what each promises; the SQL
itself is tested against the real one in tests/storage and tests/ingest.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar
from unittest.mock import patch

from core.errors import UnavailableError
from core.floorplan import StorePlan
from ingest import commit, feed, holding, housekeeping, telling, worker
from storage.edition import Edition
from storage.log.edge_status import EdgeChange, EdgeState
from storage.log.owners import Owned
from storage.log.signals import GapEntry, LogEntry, LogRow
from storage.log.snapshots import GENERATIONS, Snapshot
from storage.stores import AdoptedPlan, EdgeNumber
from storage.visits import Progress, visit_ids

T = TypeVar("T")
STORE_NO = 1


class BrokenPromiseError(AssertionError):
    """Something happened that must never happen."""


@dataclass
class State:
    """What is committed; values are never changed in place, so that a shallow copy is a snapshot."""

    edges: dict[tuple[int, str], EdgeNumber] = field(default_factory=dict)
    cursors: dict[tuple[int, bytes], int] = field(default_factory=dict)  # in order of their last move
    log: list[tuple[int, LogEntry]] = field(default_factory=list)
    gaps: dict[tuple[int, bytes, int], GapEntry] = field(default_factory=dict)
    states: dict[int, EdgeState] = field(default_factory=dict)
    changes: list[EdgeChange] = field(default_factory=list)
    snapshots: dict[int, Snapshot] = field(default_factory=dict)
    visits: dict[bytes, bytes] = field(default_factory=dict)
    progress: dict[int, Progress] = field(default_factory=dict)

    def copy(self) -> "State":
        """Return a state that may be changed without this one noticing."""
        return State(**{one.name: getattr(self, one.name).copy() for one in fields(self)})


class Database:
    """The server.

    Parameters
    ----------
    plan : StorePlan
        Of the one store.
    moment : callable
        Told the name of every moment in a client's work; may raise.
    refuses : callable
        Whether the next transaction has to be run again.
    """

    def __init__(self, plan: StorePlan, moment: Callable[[str], None], refuses: Callable[[], bool]) -> None:
        self.running = True
        self.plan_is_loaded = True
        self.state = State()
        self.moment = moment
        self.refuses = refuses
        self.adopted = AdoptedPlan(STORE_NO, 1, 1, plan)
        self.last_no = 1
        self.sessions = 0

    def stop(self) -> None:
        """End every connection."""
        self.running = False
        self.sessions += 1

    def connect(self) -> "Connection":
        """Return a connection."""
        if not self.running:
            raise UnavailableError("The database is away.")
        return Connection(self)


class Connection:
    """One connection; its methods are the functions of `storage` that take one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session = database.sessions
        self._working: State | None = None

    @property
    def _state(self) -> State:
        return self._working if self._working is not None else self._database.state

    def reach(self, what: str) -> None:
        """Pass a moment; UnavailableError where the connection has ended."""
        self._database.moment(what)
        if self._session != self._database.sessions:
            raise UnavailableError("The database does not answer.")

    def in_transaction(self, work: Callable[["Connection"], T]) -> T:
        try:
            if self._database.refuses():  # a conflict with somebody else's transaction: all of it once more
                self._working = self._database.state.copy()
                work(self)
            self._working = self._database.state.copy()
            result = work(self)
            self.reach("before commit")
            self._database.state = self._working
        finally:
            self._working = None
        self.reach("after commit")
        return result

    # stores and edges

    def adopt_plans(self, _ids: Sequence[str] | None = None, *, owned: Owned = None) -> list[AdoptedPlan]:  # noqa: ARG002
        return [self._database.adopted] if self._database.plan_is_loaded else []

    def adopted_plans(self, _store_no: int, *, after: int = -1) -> list[AdoptedPlan]:
        return [self._database.adopted] if after < self._database.adopted.log_no else []

    def plan_versions(self) -> dict[str, int]:
        return {adopted.plan.id: adopted.version for adopted in self.adopt_plans()}

    def edge_numbers(self, edges: Sequence[tuple[int, str]]) -> dict[tuple[int, str], EdgeNumber]:
        for key in edges:
            if key not in self._state.edges:
                self._state.edges[key] = EdgeNumber(len(self._state.edges) + 1, self._draw())
        return {key: self._state.edges[key] for key in edges}

    def edges_heard(self, _store_no: int, *, after: int) -> list[EdgeNumber]:
        return sorted((e for e in self._state.edges.values() if e.log_no > after), key=lambda edge: edge.log_no)

    def edge_states(self, edges: Collection[int]) -> dict[int, EdgeState]:
        return {edge: self._state.states.get(edge, EdgeState()) for edge in edges}

    def save_edge_states(self, states: dict[int, EdgeState]) -> None:
        self._state.states.update(states)

    def append_changes(self, changes: Sequence[EdgeChange]) -> list[int]:
        numbers = [self._draw() for _ in changes]
        self._state.changes.extend(replace(c, log_no=no) for c, no in zip(changes, numbers, strict=True))
        return numbers

    def edge_changes(self, _store_no: int, *, after: int) -> list[EdgeChange]:
        return [change for change in self._state.changes if change.log_no > after]

    # log and cursors

    def lock_cursors(self, keys: Collection[tuple[int, bytes]]) -> dict[tuple[int, bytes], int]:
        return {key: self._state.cursors.setdefault(key, 0) for key in sorted(keys)}

    def advance_cursors(self, committed: dict[tuple[int, bytes], int]) -> None:
        cursors = self._state.cursors
        for key, at in committed.items():
            if cursors[key] < at:
                del cursors[key]
                cursors[key] = at

    def newest_cursors(self, edges: Collection[int], most: int) -> dict[int, dict[bytes, int]]:
        moved = list(reversed(self._state.cursors.items()))
        return {edge: dict([(boot, at) for (e, boot), at in moved if e == edge][:most]) for edge in edges}

    def append(self, entries: Sequence[LogEntry]) -> list[int]:
        numbers = [self._draw() for _ in entries]
        self._state.log.extend(zip(numbers, entries, strict=True))
        return numbers

    def save_gaps(self, gaps: Sequence[GapEntry]) -> None:
        for gap in gaps:
            self._state.gaps.setdefault((gap.edge_no, gap.boot, gap.last), gap)

    def read(self, _store_no: int, *, after: int, most: int) -> list[LogRow]:
        rows = [LogRow(no, e.edge_no, e.received_at, e.batch) for no, e in self._state.log if no > after]
        return rows[:most]

    def _draw(self) -> int:
        self._database.last_no += 1  # as a sequence: what is rolled back is not given back
        return self._database.last_no

    # what the engines find

    def save_visits(self, store_no: int, plan: StorePlan, visits: Any, devices: Any, *, model_version: int) -> int:  # noqa: ARG002
        for name, row in named_visits(plan, visits, devices).items():
            if self._state.visits.setdefault(name, row) != row:
                raise BrokenPromiseError("a visit was written before and has changed since")
        return len(visits)

    def save_progress(self, store_no: int, progress: Progress) -> None:
        self._state.progress[store_no] = progress

    def save_snapshot(self, _store_no: int, snapshot: Snapshot) -> None:
        kept = self._state.snapshots
        kept[snapshot.log_no] = snapshot
        for log_no in sorted(kept)[:-GENERATIONS]:
            del kept[log_no]

    def good_snapshots(self, _store_no: int) -> Iterator[Snapshot]:
        yield from (self._state.snapshots[log_no] for log_no in sorted(self._state.snapshots, reverse=True))


def named_visits(plan: StorePlan, visits: Any, devices: Any) -> dict[bytes, bytes]:
    """Return visits by their id, each as its bytes with its pseudonym in the place of its index."""
    plain = visits.copy()
    plain["device"] = 0
    names = visit_ids(plan, visits, devices)
    return {
        name.tobytes(): row.tobytes() + device.tobytes()
        for name, row, device in zip(names, plain, devices, strict=True)
    }


_ANSWERED: dict[str, Any] = {
    "pending": [], "read_edition": (Edition.APACHE, "0"), "claim": True, "late_open": 0, "wishes": {},
    "adopted_models": [], "timeline": "1", "load_model": None, "waiting": False, "watches": False, "load_plans": [],
    "erasures_wait": False, "list_version": 0, "load_suppressed": None,
}  # fmt: skip
_PASSED_OVER = (
    "prune", "make_chunks", "save_status", "save_dead_letters", "save_statuses", "clear_presence",
    "save_presence", "save_late", "save_faults", "save_hours", "notify", "check_owned",
)  # fmt: skip


@contextmanager
def standing_in() -> Iterator[None]:
    """Let ingest call this database in the place of `storage`'s functions."""
    own = [name for name, what in vars(Connection).items() if callable(what) and not name.startswith("_")]
    with ExitStack() as patches:
        for module in (worker, commit, feed, holding, housekeeping, telling):
            for name in {*own, *_ANSWERED, *_PASSED_OVER} & vars(module).keys():
                if vars(module)[name].__module__.startswith("storage."):
                    patches.enter_context(patch.object(module, name, _calling(name)))
        yield


def _calling(name: str) -> Callable[..., Any]:
    def call(connection: Connection, *given: Any, **named: Any) -> Any:
        if name != "in_transaction":
            connection.reach(name)
        if hasattr(Connection, name):
            return getattr(connection, name)(*given, **named)
        return _ANSWERED.get(name)

    return call
