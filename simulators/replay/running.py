"""Offline replay: a recording in, visits out; no broker, no database.

Recordings of any size: rows come in batches, stores are decoded side by side, and only devices, open stays and
finished visits stay in memory.
"""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from core.dwell.engine import StoreEngine
from core.dwell.model import Model, never_reported
from core.dwell.settings import Settings
from core.floorplan import FloorPlan, StorePlan
from core.limits import NS_PER_US
from core.records import SignalArray, VisitArray, VisitKind
from simulators.recordings.leaps import Leap
from simulators.recordings.reading import open_recording
from simulators.recordings.rejects import Reason, Rejects
from simulators.recordings.rows import Recording
from simulators.recordings.signals import StoreRows
from simulators.recordings.visits import VISITS_SCHEMA, check_ending, visits_frame, write_visits
from simulators.replay.calibrate import learn
from simulators.replay.devices import LastingDevices
from simulators.replay.files import keep_apart, read_plan
from simulators.replay.lanes import Progress, no_progress, run, threads
from simulators.replay.models import read_models


@dataclass(frozen=True, kw_only=True)
class ReplayReport:
    """What a replay took in and gave out."""

    rows: int
    """Rows of the recording."""
    rejected: Mapping[Reason, int]
    """Rows that were no signals, by reason."""
    late: int
    """Signals that came after the lateness bound and were left out."""
    repeated: int
    """Signals that came twice and counted once."""
    forced: int
    """Stays that a bound decided rather than agreement."""
    stores: int
    """Stores that were heard of."""
    devices: int
    """Devices, counted per store."""
    zone_visits: int
    store_visits: int
    calibrated: bool
    """Whether the replay calibrated itself on the recording."""
    never_reported: tuple[tuple[str, str], ...]
    """Store and zone where no anchor covers the zone and nothing tells where it is."""
    unsurveyed: tuple[StorePlan, ...]
    """Stores of which nothing but the floor plan says where zones lie."""
    leaps: tuple[tuple[str, Leap], ...]
    """Store and row that lies far ahead of its neighbours."""
    clocks_off: int
    """Anchors whose clock was corrected."""
    first_at: int | None
    """Earliest signal, ns; None without one."""
    last_at: int | None
    """Latest signal, ns."""
    took_s: float
    """Seconds from the first row to the written visits."""

    @property
    def signals(self) -> int:
        """Rows that were signals, late and repeated ones included."""
        return self.rows - sum(self.rejected.values())


def replay(
    recording: Path,
    floorplan: Path,
    out: Path,
    *,
    model: Path | None = None,
    calibrate: bool = True,
    rejects: Path | None = None,
    progress: Progress = no_progress,
) -> ReplayReport:
    """Decode a recording into visits.

    Parameters
    ----------
    recording : Path
        CSV or Parquet in order of arrival, see `simulators.recordings.reading`.
    floorplan : Path
        JSON with all stores of the recording.
    out : Path
        VISITS, CSV or Parquet by its ending; replaced as a whole at the end.
    model : Path, optional
        A calibration as `calibrate_recording` wrote it.
    calibrate : bool
        Without `model`: whether to calibrate on the recording itself first, or to trust priors only.
    rejects : Path, optional
        CSV for rows that are no signals, with the reason.
    progress : Progress

    Raises
    ------
    RecordingError, FloorPlanError, ModelError
        If an input cannot be read at all or `out` cannot be written.
    """
    began = time.perf_counter()
    check_ending(out)
    keep_apart([out, rejects], [recording, floorplan, model])
    plan = read_plan(floorplan)
    source = open_recording(recording)
    known = _models(source, plan, model, calibrate=calibrate, progress=progress)
    lanes: dict[str, _ReplayLane] = {}

    def lane_of(store: StorePlan) -> _ReplayLane:
        lanes[store.id] = lane = _ReplayLane(store, known.get(store.id))
        return lane

    with Rejects(rejects) as refused:
        rows = run(source, plan, lane_of, refused, lambda share: progress("replay", share))
    with ThreadPoolExecutor(threads()) as pool:
        visits = pl.concat([VISITS_SCHEMA.to_frame(), *pool.map(_ReplayLane.finish, lanes.values())])
    write_visits(visits, out)
    kinds = dict(visits["kind"].value_counts().iter_rows())
    counts = [lane.engine.counts for lane in lanes.values()]
    heard = [lane for lane in lanes.values() if lane.first_at is not None]
    return ReplayReport(
        rows=rows,
        rejected=dict(refused.counts),
        late=sum(count.late for count in counts),
        repeated=sum(count.repeated for count in counts),
        forced=sum(count.forced for count in counts),
        stores=len(heard),
        devices=sum(len(lane.rows.devices) for lane in lanes.values()),
        zone_visits=kinds.get(VisitKind.ZONE.word, 0),
        store_visits=kinds.get(VisitKind.STORE.word, 0),
        calibrated=model is None and calibrate,
        never_reported=tuple(
            (lane.store.id, zone) for lane in heard for zone in never_reported(lane.store, lane.engine.model)
        ),
        unsurveyed=tuple(lane.store for lane in heard if not lane.engine.model.survey_signals),
        leaps=tuple((lane.store.id, lane.rows.leap) for lane in heard if lane.rows.leap is not None),
        clocks_off=sum(lane.clocks_off for lane in lanes.values()),
        first_at=min((lane.first_at for lane in heard if lane.first_at is not None), default=None),
        last_at=max((lane.last_at for lane in heard if lane.last_at is not None), default=None),
        took_s=time.perf_counter() - began,
    )


@dataclass
class _ReplayLane:
    """Decodes one store."""

    store: StorePlan
    model: Model | None
    first_at: int | None = None
    last_at: int | None = None
    engine: StoreEngine = field(init=False)
    devices: LastingDevices = field(init=False)
    rows: StoreRows = field(init=False)
    visits: list[VisitArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = StoreEngine(self.store, self.model, _settings_for(self.model))
        self.devices = LastingDevices(self.engine)
        self.rows = StoreRows(self.store, self.devices.number)

    @property
    def clocks_off(self) -> int:
        """How many anchors' clocks are corrected."""
        clocks = self.engine.model.clocks
        return 0 if clocks is None else int(np.count_nonzero(clocks.off))

    def take(self, signals: SignalArray) -> None:
        """See `Lane.take`."""
        if not len(signals):
            return
        first, last = int(signals["ts"].min()), int(signals["ts"].max())
        self.first_at = first if self.first_at is None else min(first, self.first_at)
        self.last_at = last if self.last_at is None else max(last, self.last_at)
        self.visits.append(self.devices.push(signals))

    def finish(self) -> pl.DataFrame:
        """Close what is open and return all visits of the store."""
        return visits_frame(self.store, self.rows.devices, np.concatenate([*self.visits, self.devices.finish()]))


def _settings_for(model: Model | None) -> Settings:
    """Return the settings of a replay: it waits longer by as much as the clocks are apart.

    A recording is often sorted by the anchors' own times. Corrected, those are out of order by the difference of two
    clocks; live, arrival is by the one clock of whoever takes signals in.
    """
    settings = Settings()
    if model is None or model.clocks is None:
        return settings
    ahead_us = model.clocks.ahead_us
    return replace(settings, lateness_ns=settings.lateness_ns + int(np.ptp(ahead_us)) * NS_PER_US)


def _models(
    source: Recording, plan: FloorPlan, model: Path | None, *, calibrate: bool, progress: Progress
) -> dict[str, Model]:
    if model is not None:
        return read_models(model, plan)
    return learn(source, plan, progress).models if calibrate else {}
