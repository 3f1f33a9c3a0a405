"""Calibration on a recording: how each store's anchors are heard in each zone, learnt without a survey."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from core.dwell.calibration import calibrate
from core.dwell.model import Model, prior_model
from core.dwell.sample import SIGNALS_AT_LEAST, SIGNALS_IN_ALL, Sample
from core.dwell.settings import Settings
from core.floorplan import FloorPlan, StorePlan
from core.records import SignalArray
from simulators.recordings import open_recording
from simulators.recordings_rejects import Reason, Rejects
from simulators.recordings_rows import Recording
from simulators.recordings_signals import StoreRows
from simulators.replay_files import keep_apart, read_plan
from simulators.replay_lanes import Progress, no_progress, run, threads
from simulators.replay_models import write_models


class CalibrationReport(NamedTuple):
    """What a calibration looked at."""

    rows: int
    """Rows of the recording."""
    rejected: Mapping[Reason, int]
    """Rows that were no signals, by reason."""
    used: Mapping[str, int]
    """Signals that were used, by store."""


class Learnt(NamedTuple):
    """Models by store id, of the stores that the recording holds."""

    models: dict[str, Model]
    report: CalibrationReport


def calibrate_recording(
    recording: Path, floorplan: Path, out: Path, *, progress: Progress = no_progress
) -> CalibrationReport:
    """Learn the models of all stores of a plan and write them into one file.

    Stores that the recording does not hold get the prior model.

    Parameters
    ----------
    recording, floorplan : Path
        As in `simulators.replay.replay`.
    out : Path
        MODEL; replaced as a whole at the end.
    progress : Progress

    Raises
    ------
    RecordingError, FloorPlanError
        If an input cannot be read at all or would be overwritten.
    ModelError
        If `out` cannot be written.
    """
    keep_apart([out], [recording, floorplan])
    plan = read_plan(floorplan)
    learnt = learn(open_recording(recording), plan, progress)
    unheard = [store for store in plan.stores if store.id not in learnt.models]
    write_models({**learnt.models, **{store.id: prior_model(store) for store in unheard}}, out)
    return learnt.report


def learn(source: Recording, plan: FloorPlan, progress: Progress) -> Learnt:
    """Learn the models of the stores of a recording."""
    limit = max(SIGNALS_AT_LEAST, SIGNALS_IN_ALL // len(plan.stores))
    lanes: list[_SampleLane] = []

    def lane_of(store: StorePlan) -> _SampleLane:
        lanes.append(_SampleLane(store, limit))
        return lanes[-1]

    with Rejects(None) as refused:
        rows = run(source, plan, lane_of, refused, lambda share: progress("calibrate", share))
    with ThreadPoolExecutor(threads()) as pool:
        learnt = dict(zip((lane.store.id for lane in lanes), pool.map(_SampleLane.learn, lanes), strict=True))
    used = {lane.store.id: len(lane.sample.signals()) for lane in lanes}
    return Learnt(learnt, CalibrationReport(rows, dict(refused.counts), used))


class _SampleLane:
    """Collects what one store is calibrated on."""

    def __init__(self, store: StorePlan, limit: int) -> None:
        self.store = store
        self.sample = Sample(limit)
        self.rows = StoreRows(store, self.sample.number)

    def take(self, signals: SignalArray) -> None:
        """See `Lane.take`."""
        self.sample.add(signals)

    def learn(self) -> Model:
        """Calibrate on what was collected."""
        return calibrate(self.store, self.sample.signals(), Settings())
