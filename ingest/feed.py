"""The engine of one store and the second transaction: visits, presence and progress.

The engine takes in exactly what the log's order holds: rows of the signal log (one push each), edges when they are
first heard and when they or their anchors go or come back, changes of the floor plan and of the model. So a snapshot
and the rows after it give the same engine, and whatever was not written yet when a process was killed is derived
again.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final, TypeAlias

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray

from core.dwell import snapshot as snapshots
from core.dwell.devices import Erased
from core.dwell.engine import Part, StoreEngine
from core.dwell.model import load, prior_model
from core.errors import ModelError, SnapshotError
from core.floorplan import StorePlan
from core.identity import are_nobody
from core.limits import NS_PER_S, NS_PER_US
from core.records import PRESENCE, PresenceArray, VisitArray
from core.wire import decode
from ingest.logged import Logged
from ingest.rows import to_signals
from storage.connect import Connection, in_transaction
from storage.coverage import FaultWord, save_faults, save_hours
from storage.live import SAMPLED_SIGNALS, LiveEvent, notify
from storage.log.edge_status import EdgeChange, edge_changes
from storage.log.late import LateBatch, save_late
from storage.log.owners import Owned, check_owned
from storage.log.signals import heard_until, read
from storage.log.snapshots import Snapshot, good_snapshots, save_snapshot
from storage.models import PRIORS, AdoptedModel, adopted_models, load_model
from storage.stores import AdoptedPlan, EdgeNumber, adopted_plans, edges_heard
from storage.visits import Progress, clear_presence, save_presence, save_progress, save_visits
from telemetry.tracing import OFF, Tracing

PRESENCE_STEP_NS: Final = 5 * NS_PER_S
"""A device that only stays is written every five seconds, not with every advertisement."""
COVERAGE_STEP_US: Final = 60_000_000
"""The running hour's coverage is written once a minute of data time."""
_ROWS_A_READ: Final = 256
"""Log rows in memory during a replay: 64 MiB in the worst case, 2 MiB as a rule."""
_SAMPLES_A_PUSH: Final = 8
_NEVER_NS: Final = 2**62  # beyond the times that a batch can hold
_LOG_END: Final = 2**63  # beyond every log number
NOTHING_BEFORE: Final = Progress(0, 0, 0, 0, None)
_ENGINE: Final = f"core.dwell {snapshots.VERSION}"

_log = structlog.get_logger()


_Event: TypeAlias = AdoptedPlan | AdoptedModel | EdgeNumber | EdgeChange
"""What the log's order holds beside batches."""


@dataclass(frozen=True)
class _Derived:
    """Visits that are not written yet, with their devices and the plan and model that they were decoded under."""

    plan: StorePlan
    model_version: int
    visits: VisitArray
    devices: NDArray[np.uint8]


class StoreFeed:
    """One store: its engine, how far it has come in the log, and what is not written yet.

    Parameters
    ----------
    adopted : AdoptedPlan
        The plan in use at `log_no`.
    engine : StoreEngine
        In the state after the place `log_no` of the log.
    log_no : int
    before : Progress, optional
        Counts of the engines under earlier plans.
    model_version : int
        Of the engine's model; 0: the priors.
    newest_ns : int
        Time of the store's newest signal; 0: none is known.
    """

    def __init__(
        self,
        adopted: AdoptedPlan,
        engine: StoreEngine,
        log_no: int,
        before: Progress = NOTHING_BEFORE,
        model_version: int = PRIORS,
        *,
        newest_ns: int = 0,
    ) -> None:
        self.log_no = log_no
        self.model_version = model_version
        self.snapshot_log_no = log_no
        self.newest_ns = newest_ns
        self.dirty = True
        self._adopted = adopted
        self._engine = engine
        self._before = before
        self._derived: list[_Derived] = []
        self._samples: list[NDArray[np.int64]] = []
        self._written = np.empty(0, PRESENCE)
        self._presence_known = False
        self._forgotten = engine.forgotten
        self._faults: dict[str, FaultWord] | None = None
        self._late: list[LateBatch] = []
        self._covered_us = 0
        self._arrived_ns: int | None = None
        self._decided_ns = 0

    @property
    def store_no(self) -> int:
        """Its number in the database."""
        return self._adopted.store_no

    @property
    def store(self) -> str:
        """Its id."""
        return self._adopted.plan.id

    @property
    def progress(self) -> Progress:
        """How far it has come and what it has counted."""
        return self._progress()

    @property
    def anchors(self) -> tuple[int, int]:
        """How many anchors its plan has, and how many of them do not work."""
        return len(self._adopted.plan.anchors), len(self._engine_faults())

    def adopt(self, adopted: AdoptedPlan) -> None:
        """Change to another plan.

        If its zones or anchors differ, open visits end at their last signal and an engine begins afresh. It keeps
        the model only where everything stands as it stood.
        """
        if adopted.log_no <= self.log_no:
            return
        if decodes_otherwise(self._adopted.plan, adopted.plan):
            self._keep(self._engine.finish())
            self._before = self._progress()
            model = self._engine.model if _sounds_alike(self._adopted.plan, adopted.plan) else None
            before = self._engine
            self._engine = StoreEngine(adopted.plan, model)
            self._engine.succeed(before)
            if model is None and self.model_version != PRIORS:
                _log.warning(
                    "the model does not fit the changed floor plan; the priors are used",
                    store=adopted.plan.id,
                    model=self.model_version,
                    hint="`sojourn model learn` makes another",
                )
                self.model_version = PRIORS
            self.forget_written()
        self._adopted = adopted
        self._moved(adopted.log_no)

    def adopt_model(self, adopted: AdoptedModel) -> None:
        """Decode under another model from here on; open visits go on."""
        if adopted.log_no <= self.log_no:
            return
        plan = self._adopted.plan
        try:
            self._engine.adopt(prior_model(plan) if adopted.model is None else load(adopted.model, plan))
            self.model_version = adopted.version
        except ModelError as error:  # it did when it was adopted: another version of the program has read it since
            _log.warning("a model is passed over", store=plan.id, model=adopted.version, why=str(error))
        self._moved(adopted.log_no)

    def expect(self, edge: EdgeNumber) -> None:
        """Wait for an edge that was heard for the first time: its older signals are then not late."""
        if edge.log_no > self.log_no:
            self._engine.expect(edge.edge_no)
            self._moved(edge.log_no)

    def hear(self, change: EdgeChange) -> None:
        """Take in that an edge or some of its anchors went or came back."""
        if change.log_no <= self.log_no:
            return
        if change.state == "online":
            self._engine.source_up(change.edge_no)
        else:
            self._engine.source_down(change.edge_no, drained=change.drained)
        known = self._adopted.plan.anchor_index
        for anchors, alive in ((change.anchors_down, False), (change.anchors_up, True)):
            index = np.array([known[anchor] for anchor in anchors if anchor in known], np.int64)
            self._engine.heartbeat(index, alive, change.at)
        self._arrived_ns = change.received_at
        self._moved(change.log_no)

    def push(self, logged: Sequence[Logged]) -> None:
        """Take in rows of the log, in its order, with nothing else of it between them."""
        new = [row for row in logged if row.log_no > self.log_no]
        if not new:
            return
        held = [row for row in new if row.batch is not None]
        signals, counts = to_signals(
            [row.batch for row in held if row.batch is not None], self._adopted.plan, self._engine
        )
        heard = [(row, signals) for row, signals in zip(held, counts, strict=True) if signals]
        if heard:
            parts = [Part(signals, row.edge_no, row.received_at) for row, signals in heard]
            visits, late = self._engine.push_parts(signals, parts)
            self._keep(visits)
            self._decided_ns = self._decided_ns or time.time_ns()  # of what is not written yet, the first
            self._late += [
                LateBatch(row.log_no, behind, row.received_at)
                for (row, _), behind in zip(heard, late, strict=True)
                if behind
            ]
            self.newest_ns = max(self.newest_ns, int(signals["ts"].max()))
            self._arrived_ns = heard[-1][0].received_at
            self._samples.append(_sample(signals["ts"], _SAMPLES_A_PUSH))
            del self._samples[:-SAMPLED_SIGNALS]
        self._moved(new[-1].log_no)

    def catch_up(self, connection: Connection, *, stopped: Callable[[], bool]) -> int:
        """Take in what the log holds beyond the engine, in its order; return how many batches that were."""
        taken = 0
        events: list[_Event] = [
            *adopted_plans(connection, self.store_no, after=self.log_no),
            *adopted_models(connection, self.store_no, after=self.log_no),
            *edges_heard(connection, self.store_no, after=self.log_no),
            *edge_changes(connection, self.store_no, after=self.log_no),
        ]
        waiting = deque(sorted(events, key=lambda event: event.log_no))
        while not stopped():
            rows = read(connection, self.store_no, after=self.log_no, most=_ROWS_A_READ)
            together: list[Logged] = []
            for row in rows:
                if waiting and waiting[0].log_no < row.log_no:
                    self.push(together)
                    together = []
                    self._take(waiting, row.log_no)
                batch = decode(row.batch) if row.batch else None
                together.append(Logged(self.store_no, row.edge_no, row.log_no, row.received_at, batch))
            self.push(together)
            taken += len(rows)
            if len(rows) < _ROWS_A_READ:
                self._take(waiting, _LOG_END)
                break
        self._samples.clear()  # what is replayed is not news
        self._decided_ns = 0
        return taken

    def forget_written(self) -> None:
        """Take presence as unknown: after a crash of the database its table is empty."""
        self._presence_known = False
        self._faults = None
        self.dirty = True

    def redact(self, erased: Erased) -> int:
        """Forget who is erased; return how many devices that were.

        What is under way of them is never written, and presence is written anew, without them.
        """
        gone = self._engine.redact(erased)
        if gone:
            self._derived = [_without(derived, erased(derived.devices)) for derived in self._derived]
            self.forget_written()
        return gone

    def write(
        self, connection: Connection, *, snapshot: bool = False, owned: Owned = None, tracing: Tracing = OFF
    ) -> int:
        """Write what is new, with a snapshot on demand, in one transaction; return the number of visits.

        Raises
        ------
        UnavailableError
            If the database is away; then everything is still there to be written later.
        FencedError
            If the store is another ingest's by now; what was not written is for that one to derive.
        """
        presence = _by_device(self._engine.presence())
        presence = presence[~are_nobody(self._engine.pseudonyms(presence["device"]))]
        if self._forgotten != self._engine.forgotten:  # an index in `_written` may be another device's by now
            self._presence_known = False
        known = self._written if self._presence_known else np.empty(0, PRESENCE)
        changed, gone = presence_changes(known, presence)
        state = self._snapshot() if snapshot else None
        together = _together(self._derived)
        visits = sum(len(derived.visits) for derived in together)
        faults = self._engine_faults()
        hours = self._engine.coverage()
        covered_us = sum(hour.covered_us for hour in hours[-1:])
        # with each snapshot, because hours that are over go from it; in between, a minute is fresh enough
        told = snapshot or len(hours) > 1 or not 0 <= covered_us - self._covered_us < COVERAGE_STEP_US
        event = self._event(visits, changed=faults != self._faults)

        def work(connection: Connection) -> None:
            check_owned(connection, owned, [self.store_no])
            for derived in together:
                save_visits(
                    connection,
                    self.store_no,
                    derived.plan,
                    derived.visits,
                    derived.devices,
                    model_version=derived.model_version,
                )
            if not self._presence_known:
                clear_presence(connection, self.store_no)
            pseudonyms = self._engine.pseudonyms
            save_presence(
                connection, self.store_no, changed, pseudonyms(changed["device"]), pseudonyms(gone["device"])
            )
            save_progress(connection, self.store_no, self._progress())
            save_late(connection, self.store_no, self._late)
            if faults != self._faults:
                save_faults(connection, self.store_no, faults, self._arrived_ns)
            if told:
                save_hours(connection, self.store_no, hours)
            if state is not None:
                save_snapshot(connection, self.store_no, state)
            if event is not None:
                with tracing.span("live event", store=self.store):
                    notify(connection, msgspec.structs.replace(event, trace=tracing.here()))

        in_transaction(connection, work)
        self._derived.clear()
        self._late.clear()
        self._samples.clear()
        self._decided_ns = 0
        self._written = merged(known, changed, gone)
        self._presence_known = True
        self._forgotten = self._engine.forgotten
        self._faults = faults
        if told:
            self._covered_us = covered_us
            self._engine.forget_coverage()
        self.dirty = False
        if state is not None:
            self.snapshot_log_no = self.log_no
        return visits

    def _moved(self, log_no: int) -> None:
        self.log_no = log_no
        self.dirty = True

    def _take(self, waiting: deque[_Event], before: int) -> None:
        while waiting and waiting[0].log_no < before:
            event = waiting.popleft()
            if isinstance(event, AdoptedPlan):
                self.adopt(event)
            elif isinstance(event, AdoptedModel):
                self.adopt_model(event)
            elif isinstance(event, EdgeChange):
                self.hear(event)
            else:
                self.expect(event)

    def _keep(self, visits: VisitArray) -> None:
        if len(visits):
            devices = self._engine.pseudonyms(visits["device"])
            derived = _Derived(self._adopted.plan, self.model_version, visits, devices)
            self._derived.append(_without(derived, are_nobody(devices)))

    def _progress(self) -> Progress:
        counts = self._engine.counts
        through = self._engine.decided_through
        return Progress(
            log_no=self.log_no,
            decoded=self._before.decoded + counts.decoded,
            late=self._before.late + counts.late,
            repeated=self._before.repeated + counts.repeated,
            decided_through=through if 0 < through < _NEVER_NS else None,
            model_version=self.model_version,
        )

    def _snapshot(self) -> Snapshot:
        before = self._before
        state = self._engine.snapshot()
        return Snapshot(self.log_no, _ENGINE, state, before.decoded, before.late, before.repeated, self.model_version)

    def _engine_faults(self) -> dict[str, FaultWord]:
        """Return the anchors that do not work: told to be down, or deaf by the signals alone."""
        down, deaf = self._engine.anchors_down, self._engine.anchors_deaf
        anchors = self._adopted.plan.anchors
        return {
            anchors[place].id: "down" if down[place] else "deaf" for place in np.flatnonzero(down | deaf).tolist()
        }

    def _event(self, visits: int, *, changed: bool) -> LiveEvent | None:
        if not self._samples and not visits and not changed:
            return None
        stamps = np.concatenate(self._samples) if self._samples else np.empty(0, np.int64)
        return LiveEvent(
            store=self._adopted.plan.id,
            as_of_us=self.newest_ns // NS_PER_US,
            sampled_signal_at_us=tuple((_sample(stamps, SAMPLED_SIGNALS) // NS_PER_US).tolist()),
            visits=visits,
            decided_at_us=self._decided_ns // NS_PER_US,
        )


def _without(derived: _Derived, gone: NDArray[np.bool_]) -> _Derived:
    if not gone.any():
        return derived
    return replace(derived, visits=derived.visits[~gone], devices=derived.devices[~gone])


def _together(derived: Sequence[_Derived]) -> list[_Derived]:
    """Join neighbours that were decoded under the same plan and model: a statement costs more than a visit."""
    joined = []
    for (plan_no, model_version), some in groupby(derived, lambda one: (id(one.plan), one.model_version)):
        del plan_no
        alike = list(some)
        visits = np.concatenate([one.visits for one in alike])
        devices = np.concatenate([one.devices for one in alike])
        joined.append(_Derived(alike[0].plan, model_version, visits, devices))
    return joined


def restore(connection: Connection, store_no: int) -> StoreFeed:
    """Return the feed of a store from its newest good snapshot, or a fresh one; the log is still to be caught up.

    The store has at least one adopted plan.
    """
    plans = adopted_plans(connection, store_no)
    for snapshot in good_snapshots(connection, store_no):
        then = [adopted for adopted in plans if adopted.log_no <= snapshot.log_no]
        try:
            model = load_model(connection, store_no, then[-1].plan, snapshot.model_version)
            engine = StoreEngine.restore(snapshot.state, then[-1].plan, model)
        except (SnapshotError, ModelError) as error:
            _log.warning("a snapshot cannot be used", store=then[-1].plan.id, log_no=snapshot.log_no, why=str(error))
            continue
        before = Progress(snapshot.log_no, snapshot.decoded, snapshot.late, snapshot.repeated, None)
        # an engine that began afresh with a changed plan has heard nothing yet; the log may still know
        newest_ns = engine.newest_at or heard_until(connection, store_no, snapshot.log_no, _ROWS_A_READ) or 0
        return StoreFeed(then[-1], engine, snapshot.log_no, before, snapshot.model_version, newest_ns=newest_ns)
    return StoreFeed(plans[0], StoreEngine(plans[0].plan), plans[0].log_no)


def presence_changes(before: PresenceArray, now: PresenceArray) -> tuple[PresenceArray, PresenceArray]:
    """Return the rows to write and the rows to remove; both inputs are in order of their devices.

    A device that stays where it was is left out until its last signal is PRESENCE_STEP_NS newer.
    """
    place = np.searchsorted(before["device"], now["device"])
    known = np.zeros(len(now), np.bool_)
    inside = place < len(before)
    known[inside] = before["device"][place[inside]] == now["device"][inside]
    same = known.copy()
    old = before[place[known]]
    new = now[known]
    same[known] = (
        (old["zone"] == new["zone"])
        & (old["in_zone_since"] == new["in_zone_since"])
        & (old["arrived_at"] == new["arrived_at"])
        & (old["role"] == new["role"])
        & (new["last_signal_at"] - old["last_signal_at"] < PRESENCE_STEP_NS)
    )
    return now[~same], before[~np.isin(before["device"], now["device"])]


def merged(before: PresenceArray, changed: PresenceArray, gone: PresenceArray) -> PresenceArray:
    """Return what the table holds after `changed` was written and `gone` removed, in order of devices."""
    replaced = np.isin(before["device"], changed["device"]) | np.isin(before["device"], gone["device"])
    return _by_device(np.concatenate([before[~replaced], changed]))


def decodes_otherwise(one: StorePlan, other: StorePlan) -> bool:
    """Whether a change from one plan to the other begins a fresh engine."""
    return (one.zones, one.anchors, one.adjacent) != (other.zones, other.anchors, other.adjacent)


def _sounds_alike(one: StorePlan, other: StorePlan) -> bool:
    """Whether a model of one plan holds for the other: only names and kinds of zones, or neighbours, may differ."""

    def places(plan: StorePlan) -> tuple[object, ...]:
        zones = [msgspec.structs.replace(zone, name=None, kind="department") for zone in plan.zones]
        return (plan.id, zones, plan.anchors)

    return places(one) == places(other)


def _by_device(presence: PresenceArray) -> PresenceArray:
    ordered: PresenceArray = presence[np.argsort(presence["device"], kind="stable")]
    return ordered


def _sample(stamps: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return up to `most` of them, evenly spread."""
    if len(stamps) <= most:
        return stamps.copy()
    return stamps[np.arange(most) * (len(stamps) - 1) // (most - 1)]
