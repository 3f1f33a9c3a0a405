"""Calibration on a recording: how each store's anchors are heard in each zone, and how far their clocks are off."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from core.dwell.calibration import calibrate
from core.dwell.model import Model, prior_model
from core.dwell.sample import SIGNALS_AT_LEAST, SIGNALS_IN_ALL, Sample
from core.dwell.settings import Settings
from core.errors import SurveyError
from core.floorplan import FloorPlan, StorePlan
from core.limits import RSSI_MAX_DBM
from core.records import SignalArray
from simulators.recordings.reading import open_recording
from simulators.recordings.rejects import Reason, Rejects
from simulators.recordings.rows import Recording
from simulators.recordings.signals import StoreRows, device_id
from simulators.replay.files import keep_apart, read_plan
from simulators.replay.lanes import Progress, no_progress, run, threads
from simulators.replay.models import write_models
from simulators.replay.survey import SurveyRow, read_survey, survey_points


class CalibrationReport(NamedTuple):
    """What a calibration looked at."""

    rows: int
    """Rows of the recording."""
    rejected: Mapping[Reason, int]
    """Rows that were no signals, by reason."""
    used: Mapping[str, int]
    """Readings that were used, by store; of the stores of which the recording holds any."""
    models: Mapping[str, Model]
    """What was learnt, by store; of the stores that the recording holds."""
    stores: Mapping[str, StorePlan]
    """Those stores."""
    unheard: tuple[str, ...]
    """Stores of the plan that the recording holds no reading of; they keep what the plan alone suggests."""


class Learnt(NamedTuple):
    """Models by store id, of the stores that the recording holds."""

    models: dict[str, Model]
    report: CalibrationReport


def calibrate_recording(
    recording: Path, floorplan: Path, out: Path, *, survey: Path | None = None, progress: Progress = no_progress
) -> CalibrationReport:
    """Learn the models of all stores of a plan and write them into one file.

    Stores that the recording does not hold get the prior model.

    Parameters
    ----------
    recording, floorplan : Path
        As in `simulators.replay.running.replay`.
    out : Path
        MODEL; replaced as a whole at the end.
    survey : Path, optional
        CSV of where devices are known to have been, see `simulators.replay.survey`.
    progress : Progress

    Raises
    ------
    RecordingError, FloorPlanError
        If an input cannot be read at all or would be overwritten.
    ModelError
        If `out` cannot be written.
    SurveyError
        If a row of the survey cannot be used, saying which.
    """
    keep_apart([out], [recording, floorplan, survey])
    plan = read_plan(floorplan)
    rows = read_survey(survey, plan) if survey is not None else ()
    learnt = learn(open_recording(recording), plan, progress, rows)
    write_models({store.id: learnt.models.get(store.id, prior_model(store)) for store in plan.stores}, out)
    return learnt.report


def learn(source: Recording, plan: FloorPlan, progress: Progress, survey: Sequence[SurveyRow] = ()) -> Learnt:
    """Learn the models of the stores of a recording; SurveyError if it does not hold what was surveyed."""
    limit = max(SIGNALS_AT_LEAST, SIGNALS_IN_ALL // len(plan.stores))
    lanes: list[_SampleLane] = []

    def lane_of(store: StorePlan) -> _SampleLane:
        lanes.append(_SampleLane(store, limit, [row for row in survey if row.store == store.id]))
        return lanes[-1]

    with Rejects(None) as refused:
        rows = run(source, plan, lane_of, refused, lambda share: progress("calibrate", share))
    heard = {lane.store.id: lane.store for lane in lanes}
    for row in survey:
        if row.store not in heard:
            raise SurveyError(f"The recording holds no signal of store {row.store!r}.", where=row.where)
    with ThreadPoolExecutor(threads()) as pool:
        learnt = dict(zip((lane.store.id for lane in lanes), pool.map(_SampleLane.learn, lanes), strict=True))
    readings = {lane.store.id: int((lane.sample.signals()["rssi_dbm"] <= RSSI_MAX_DBM).sum()) for lane in lanes}
    used = {store: count for store, count in readings.items() if count}  # what apps say is no reading
    unheard = tuple(store.id for store in plan.stores if store.id not in used)
    return Learnt(learnt, CalibrationReport(rows, dict(refused.counts), used, learnt, heard, unheard))


class _SampleLane:
    """Collects what one store is calibrated on."""

    def __init__(self, store: StorePlan, limit: int, survey: Sequence[SurveyRow]) -> None:
        self.store = store
        self._survey = survey
        self.sample = Sample(limit, frozenset(device_id(row.device) for row in survey))
        self.rows = StoreRows(store, self.sample.number)

    def take(self, signals: SignalArray) -> None:
        """See `Lane.take`."""
        self.sample.add(signals)

    def learn(self) -> Model:
        """Calibrate on what was collected."""
        signals = self.sample.signals()
        points = survey_points(self._survey, self.store, self.rows.devices, signals)
        return calibrate(self.store, signals, Settings(), points)
