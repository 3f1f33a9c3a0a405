"""A day of a store decoded again from its signal log, in order of time, so that no signal is late any more.

The same engine, with the models and the words about anchors that held then. What it gives is cut into spells of
presence (core.dwell.spells): a spell is decoded again as a whole, from a silence before it to a silence after it, or
not at all. An engine always begins LEAD_NS before the UTC day in which a spell begins, whoever asks for which window,
so that the same log gives the same visits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.dwell.clocks import in_store_time
from core.dwell.devices import DeviceTable
from core.dwell.engine import DEFAULT, StoreEngine
from core.dwell.heartbeats import Heartbeats
from core.dwell.model import Model, load, prior_model
from core.dwell.spells import BEFORE_ALL_NS, CLOCKS_NS, Spells, SpellTable
from core.errors import ModelError
from core.floorplan import StorePlan
from core.limits import NS_PER_S, NS_PER_US
from core.records import SIGNAL, VISIT, ClosedBy, SignalArray, VisitArray
from ingest.feed import decodes_otherwise
from ingest.heard import Heard, Source
from storage.connect import Connection
from storage.instants import to_ns
from storage.log.edge_status import edge_changes
from storage.log.signals import first_row, heard_until
from storage.models import PRIORS, adopted_models, load_model
from storage.occupancy import progress as engine_progress
from storage.stores import adopted_plans

DAY_NS: Final = 24 * 3600 * NS_PER_S
LEAD_NS: Final = 12 * 3600 * NS_PER_S
"""How long the engine runs before the day: a shop's opening hours, so that whoever is inside at midnight has come
meanwhile, and devices' own levels and gaps are learnt."""
SLICE_NS: Final = 300 * NS_PER_S
"""Read and pushed at a time: 300,000 signals (5 MB) of a store with 1,000 a second."""
GAP_NS: Final = DEFAULT.silence_max_ns
"""No visit lasts over such a silence, whatever the model."""
_SETTINGS: Final = replace(DEFAULT, lateness_ns=SLICE_NS + CLOCKS_NS)
"""As live, but for lateness: slices are sorted, and only anchors' clocks move signals from one into another."""
_PLACE_ROWS: Final = 512
"""Rows of the log that are looked at for the time at which a model was adopted: those of some seconds."""


@dataclass(frozen=True)
class ModelFrom:
    """A model and the time of the data (ns) from which on it decodes."""

    from_ns: int
    version: int
    model: Model | None


@dataclass(frozen=True)
class Ground:
    """What may be decoded again of a store, and with what.

    Rows after `after`, from when the floor plan's zones and anchors were as now; everything is heard from `since_ns`
    on (BEFORE_ALL_NS where the log begins there). The live engine has decided everything before `through_ns`.
    """

    store_no: int
    plan: StorePlan
    after: int
    since_ns: int
    through_ns: int
    models: tuple[ModelFrom, ...]
    heartbeats: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Decoded:
    """A day decoded again; `device` of visits and spells is an index into `devices`.

    `versions` are the models of the visits. `late_spell` holds for each (row of the log, device) in `late_row` with
    late signals the spell that they belong to, -1 where it is not known. `over` says of
    which spells the silence after them was read.
    """

    day_ns: int
    visits: VisitArray
    versions: NDArray[np.int32]
    devices: DeviceTable
    spells: SpellTable
    over: NDArray[np.bool_]
    late_row: NDArray[np.int64]
    late_spell: NDArray[np.int64]


def ground(connection: Connection, store_no: int, version: int | None = None) -> Ground | None:
    """Return what may be decoded again of a store; None where the live engine has decided nothing yet.

    Parameters
    ----------
    connection : Connection
    store_no : int
    version : int, optional
        Decode all under this model; by default each time under the one that was in use.

    Raises
    ------
    ModelError
        If there is no such version or it does not fit the plan in use.
    """
    done = engine_progress(connection, store_no)
    plans = adopted_plans(connection, store_no)
    if done is None or done.decided_through is None or not plans:
        return None
    since = plans[-1]
    for earlier in reversed(plans[:-1]):
        if decodes_otherwise(earlier.plan, since.plan):
            break
        since = replace(earlier, plan=since.plan)
    plan = plans[-1].plan
    if version is not None:
        models = [ModelFrom(BEFORE_ALL_NS, version, load_model(connection, store_no, plan, version))]
    else:
        models = _models_in_use(connection, store_no, plan, since.log_no)
    return Ground(
        store_no=store_no,
        plan=plan,
        after=since.log_no,
        since_ns=_heard_since(connection, store_no, since.log_no),
        through_ns=to_ns(done.decided_through),
        models=tuple(models),
        heartbeats=_heartbeats(connection, store_no, plan),
    )


def redecode(
    source: Source,
    on: Ground,
    day_ns: int,
    *,
    progress: Callable[[float], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Decoded | None:
    """Decode the spells again that begin in a UTC day; None if it was stopped.

    Memory is bounded by what the source needs for 60 hours, the spells and visits of these hours, and SLICE_NS of
    signals.

    Parameters
    ----------
    source : Source
        Where signals are read from.
    on : Ground
    day_ns : int
        A multiple of DAY_NS.
    progress : callable
        Told the share that is done.
    stopped : callable
        Asked between two slices.

    Raises
    ------
    UnavailableError
        If the database is away.
    """
    begin = max(day_ns - LEAD_NS, on.since_ns)
    end = min(day_ns + 2 * DAY_NS, on.through_ns)
    run, through = _Run(source.heard(on.plan, on.after, begin, end), on, begin), end
    for start in range(begin // SLICE_NS * SLICE_NS, end, SLICE_NS):
        if stopped():
            return None
        if start >= day_ns + DAY_NS and not run.awaited(start, before=day_ns + DAY_NS):
            through = start
            break
        run.take(max(start, begin), min(start + SLICE_NS, end))
        progress(min((start - begin) / max(min(day_ns + DAY_NS, end) - begin, 1), 1.0))
    progress(1.0)
    return run.end(day_ns, through)


class _Run:
    """One engine on its way through the slices, and what came of them."""

    def __init__(self, heard: Heard, on: Ground, begin_ns: int) -> None:
        self._heard = heard
        self._on = on
        self._models = list(on.models)
        self._version = PRIORS
        first = self._due(begin_ns)
        self._engine = StoreEngine(on.plan, first.model if first is not None else None, _SETTINGS)
        self._heartbeats = list(on.heartbeats)
        # nothing came before the log's first signal, but something may have come before the day's
        self._spells = Spells(GAP_NS, max(on.since_ns, begin_ns))
        self._devices = DeviceTable()
        self._visits: list[VisitArray] = [np.empty(0, VISIT)]
        self._versions: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
        self._late: list[NDArray[np.int64]] = [np.empty((0, 3), np.int64)]

    def awaited(self, at_ns: int, *, before: int) -> bool:
        """Whether at `at_ns` a whole spell that began before `before` may still go on."""
        table = self._spells.table()
        return bool(np.any(table.whole & (table.begin < before) & (table.end + GAP_NS + 2 * CLOCKS_NS > at_ns)))

    def take(self, start: int, stop: int) -> None:
        """Decode the signals of `start` <= t < `stop`."""
        new = self._due(start - _SETTINGS.lateness_ns)
        if new is not None:
            self._engine.adopt(new.model if new.model is not None else prior_model(self._on.plan))
        self._tell(stop)
        signals = np.concatenate([np.empty(0, SIGNAL), *self._read(start, stop)])
        if not len(signals):
            return
        signals = signals[np.argsort(signals["ts"], kind="stable")]
        own = self._own(signals["device"])
        kept = in_store_time(signals, self._engine.model.clocks, NS_PER_US).copy()
        kept["device"] = own
        kept["ts"] = kept["ts"] // NS_PER_US * NS_PER_US
        self._spells.add(kept)
        self._keep(self._engine.push(signals))

    def end(self, day_ns: int, through_ns: int) -> Decoded:
        """Return what was found for the day that was asked for; all that was heard before `through_ns` was taken."""
        # who fell silent before a night in which nobody is heard has left, as the next signals would say
        self._keep(self._engine.finish(ClosedBy.SILENCE))
        visits, table = np.concatenate(self._visits), self._spells.table()
        late = np.concatenate(self._late)
        return Decoded(
            day_ns=day_ns,
            visits=visits,
            versions=np.concatenate(self._versions),
            devices=self._devices,
            spells=table,
            over=table.end + GAP_NS + CLOCKS_NS <= through_ns,
            late_row=late[:, 0],
            late_spell=table.holding(late[:, 1], late[:, 2], late[:, 2]),
        )

    def _read(self, start: int, stop: int) -> list[SignalArray]:
        parts = []
        for log_no, late, signals in self._heard.pieces(start, stop, self._engine):
            parts.append(signals)
            if late and len(signals):
                devices = self._own(signals["device"]).astype(np.int64)
                said = np.stack([np.full(len(signals), log_no), devices, signals["ts"]], axis=1)
                self._late.append(np.unique(said, axis=0))
        return parts

    def _own(self, index: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return indices that are never given anew for those of the engine."""
        few, back = np.unique(index, return_inverse=True)
        return self._devices.index(self._engine.pseudonyms(few))[back.reshape(-1)]

    def _keep(self, visits: VisitArray) -> None:
        if len(visits):
            visits = visits.copy()
            visits["device"] = self._own(visits["device"])
            self._visits.append(visits)
            self._versions.append(np.full(len(visits), self._version, np.int32))

    def _tell(self, stop: int) -> None:
        while self._heartbeats and self._heartbeats[0][0] * NS_PER_US < stop:
            at_us, anchor, down = self._heartbeats.pop(0)
            self._engine.heartbeat(np.array([anchor], np.int64), not down, at_us * NS_PER_US)

    def _due(self, at_ns: int) -> ModelFrom | None:
        """Return the model that came into use up to a time, if another one did."""
        found = None
        while self._models and self._models[0].from_ns <= at_ns:
            found = self._models.pop(0)
            self._version = found.version
        return found


def _models_in_use(connection: Connection, store_no: int, plan: StorePlan, after: int) -> list[ModelFrom]:
    """Return the models that were adopted, with the time the engine had then come to.

    That time is not in the log, but nearly: the newest signal before the adoption, less the lateness bound.
    """
    found: list[ModelFrom] = []
    for adopted in adopted_models(connection, store_no):
        try:
            model = None if adopted.model is None else load(adopted.model, plan)
        except ModelError:
            continue  # the live engine passed it over as well, or it belongs to an earlier plan
        heard = None if adopted.log_no <= after else heard_until(connection, store_no, adopted.log_no, _PLACE_ROWS)
        at = BEFORE_ALL_NS if heard is None else heard - DEFAULT.lateness_ns
        found.append(ModelFrom(max([at, *(before.from_ns for before in found[-1:])]), adopted.version, model))
    return found


def _heard_since(connection: Connection, store_no: int, after: int) -> int:
    """Return from when on all is heard of a store by the rows after a log number.

    Nothing came before the first row of a log if that holds the first batch of an edge; where older rows are gone or
    were read against another plan, something may have.
    """
    first = first_row(connection, store_no, after=after)
    before = heard_until(connection, store_no, after, _PLACE_ROWS)
    if before is not None:
        return before
    return BEFORE_ALL_NS if first is None or first[0] == 1 else first[1]


def _heartbeats(connection: Connection, store_no: int, plan: StorePlan) -> tuple[tuple[int, int, int], ...]:
    """Return what was said of anchors as (µs, anchor, down), what was taken back left out."""
    told = Heartbeats()
    for change in edge_changes(connection, store_no, after=-1):
        for anchors, down in ((change.anchors_down, True), (change.anchors_up, False)):
            for anchor in anchors:
                if anchor in plan.anchor_index:
                    told.tell(change.at // NS_PER_US, plan.anchor_index[anchor], down=down)
    return tuple(told.waiting)


def days(from_ns: int, until_ns: int) -> Sequence[int]:
    """Return the UTC days (their beginnings, ns) that a window touches."""
    return range(from_ns // DAY_NS * DAY_NS, until_ns, DAY_NS)
