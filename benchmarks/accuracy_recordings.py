"""The methods on real recordings, beside the anchor figures: SAL-RB (a door) and TETAM (twelve receivers).

A visit counts from 3 s on, on both sides, as for the anchor figures; zone accuracy is the share of the true time that
is reported in the right zone. Sources and licences: simulators.recordings.salrb and simulators.recordings.tetam.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks import accuracy_peers as peers
from benchmarks.accuracy_methods import CALIBRATED, ORACLE, PRIORS
from core.floorplan import StorePlan
from core.limits import RSSI_MAX_DBM, RSSI_MIN_DBM
from core.records import SIGNAL, SignalArray, VisitArray, VisitKind
from simulators.recordings.converted import Converted, write_converted
from simulators.recordings.salrb import convert_salrb
from simulators.recordings.tetam import convert_tetam
from simulators.recordings.visits import read_visits
from simulators.replay.running import replay
from simulators.score.scoring import KindScore, score

SHORTEST_S: Final = 3.0

RECORDINGS: Final[dict[str, Callable[[Path], Converted]]] = {
    "SAL-RB walks": convert_salrb,
    "SAL-RB cars": lambda folder: convert_salrb(folder, "car"),
    "TETAM, 4 zones": convert_tetam,
    "TETAM, 12 receivers": lambda folder: convert_tetam(folder, "receivers"),
}


class Figures(NamedTuple):
    """What is compared on a recording; None where it is not known."""

    zone_accuracy: float | None
    recall: float | None
    precision: float | None
    f1: float | None
    dwell_mae_s: float | None
    dwell_median_s: float | None


ANCHORS: Final = {
    "SAL-RB walks": (0.914, 0.90, 0.82, 1.3),
    "SAL-RB cars": (0.758, 0.78, 0.74, 8.7),
    "TETAM, 4 zones": (0.798, 0.73, 0.45, 4.5),
    "TETAM, 12 receivers": (0.469, 0.30, 0.18, 5.4),
}
"""Zone accuracy, recall, precision and mean dwell error (s) of the anchor figures: the strongest anchor by a 5 s
causal median, then a 5 s majority. They came with the recordings and were not measured here."""
ANCHOR_FIGURE: Final = "anchor figure (5 s median + majority)"


def folder() -> Path | None:
    """Return where the recordings are, None where SOJOURN_RECORDINGS does not say."""
    named = os.environ.get("SOJOURN_RECORDINGS")
    return Path(named) if named else None


def measure(name: str, data: Path) -> dict[str, Figures]:
    """Return the figures of every method on one recording."""
    converted = RECORDINGS[name](data)
    found = {ANCHOR_FIGURE: _anchor_figure(name)}
    for method, visits in _reported(converted).items():
        found[method] = _figures(score(visits, converted.truth, shortest_s=SHORTEST_S).zone)
    return found


def _anchor_figure(name: str) -> Figures:
    accuracy, recall, precision, dwell_mae_s = ANCHORS[name]
    return Figures(accuracy, recall, precision, 2 * recall * precision / (recall + precision), dwell_mae_s, None)


def _figures(of: KindScore) -> Figures:
    return Figures(of.time_right, of.recall, of.precision, of.f1, of.dwell.mae_s, of.dwell.median_s)


def _reported(converted: Converted) -> dict[str, pl.DataFrame]:
    plan = converted.plan.stores[0]
    signals, devices = _signals(converted, plan)
    given = peers.ordered(plan, signals)
    by_peers = {
        "latest signal": peers.latest_signal(given),
        "strongest of 5 s": peers.strongest_of_window(given),
        "median + hysteresis": peers.median_hysteresis(given, 1.0),
        "EMA + hysteresis": peers.ema_hysteresis(given, 1.0),
    }
    found = {name: _frame(visits, plan, devices) for name, visits in by_peers.items()}
    with tempfile.TemporaryDirectory() as place:
        files = write_converted(converted, Path(place))
        for name, calibrates in ((PRIORS, False), (CALIBRATED, True)):
            out = Path(place) / "visits.parquet"
            replay(files.recording, files.plan, out, calibrate=calibrates)
            found[name] = read_visits(out)
    zone = _true_zones(converted.truth, plan, signals, devices)
    known = zone >= 0
    oracle = peers.oracle(peers.ordered(plan, signals[known]), zone[known])
    return {**found, ORACLE: _frame(oracle, plan, devices)}


def _signals(converted: Converted, plan: StorePlan) -> tuple[SignalArray, list[str]]:
    """Return the possible readings as SIGNAL, and the names of devices."""
    rows = converted.signals.filter(pl.col("rssi_dbm").is_between(RSSI_MIN_DBM, RSSI_MAX_DBM))
    devices = rows["device"].unique().sort().to_list()
    signals = np.zeros(len(rows), SIGNAL)
    signals["ts"] = rows["ts"].to_numpy()
    signals["rssi_dbm"] = np.round(rows["rssi_dbm"].to_numpy())
    signals["anchor"] = rows["anchor"].replace_strict(plan.anchor_index, return_dtype=pl.Int16).to_numpy()
    numbers = {name: number for number, name in enumerate(devices)}
    signals["device"] = rows["device"].replace_strict(numbers, return_dtype=pl.Int32).to_numpy()
    return signals, devices


def _true_zones(truth: pl.DataFrame, plan: StorePlan, signals: SignalArray, devices: list[str]) -> NDArray[np.int64]:
    """Return where each signal was sent from, -1 where the truth does not say."""
    zone = np.full(len(signals), -1, np.int64)
    for number, name in enumerate(devices):
        own = truth.filter((pl.col("kind") == VisitKind.ZONE.word) & (pl.col("device") == name))
        rows = np.flatnonzero(signals["device"] == number)
        for zone_id, entered_at, left_at in own.select("zone", "entered_at", "left_at").iter_rows():
            ts = signals["ts"][rows]
            zone[rows[(ts >= entered_at) & (ts < left_at)]] = plan.zone_index[zone_id]
    return zone


def _frame(visits: VisitArray, plan: StorePlan, devices: list[str]) -> pl.DataFrame:
    zones = visits[visits["kind"] == VisitKind.ZONE]
    columns: dict[str, Any] = {
        "kind": [VisitKind.ZONE.word] * len(zones),
        "store": [plan.id] * len(zones),
        "device": [devices[number] for number in zones["device"].tolist()],
        "zone": [plan.zones[number].id for number in zones["zone"].tolist()],
        "entered_at": np.ascontiguousarray(zones["entered_at"]),
        "left_at": np.ascontiguousarray(zones["left_at"]),
    }
    return pl.DataFrame(columns)
