"""What really happened in a simulated store, and how well reported visits agree with it."""

from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.floorplan import StorePlan
from core.limits import NS_PER_S
from core.records import ClosedBy, VisitKind
from simulators.shoppers import Walk

SHORTEST_VISIT_S: Final = 5.0
"""Shorter stays are passing through; the engine does not call them visits either."""
AGREES_FROM_IOU: Final = 0.5
"""Overlap over union from which a reported visit counts as the true one; from 0.5 on at most one can."""

SCHEMA: Final = pl.Schema(
    {
        "kind": pl.String,
        "store": pl.String,
        "device": pl.String,
        "zone": pl.String,
        "entered_at": pl.Int64,
        "left_at": pl.Int64,
        "entered_earliest": pl.Int64,
        "entered_latest": pl.Int64,
        "left_earliest": pl.Int64,
        "left_latest": pl.Int64,
        "dwell_s": pl.Float64,
        "confidence": pl.Float64,
        "signals": pl.Int64,
        "closed_by": pl.String,
    }
)
"""Columns of VISITS as in the contract of `sojourn replay`; a true visit has equal bounds and confidence 1."""


class Stays(NamedTuple):
    """The stays of one walk in order: zone index, times in ns, readings within; shape (k,) each."""

    zone: NDArray[np.int64]
    entered_at: NDArray[np.int64]
    left_at: NDArray[np.int64]
    signals: NDArray[np.int64]


def stays(walk: Walk, begin_ns: int, heard_at: NDArray[np.int64]) -> Stays:
    """Return every stay of a walk, however short.

    Parameters
    ----------
    walk : Walk
    begin_ns : int
        When it began, whole microseconds.
    heard_at : ndarray of int64
        Times of the walk's readings in ns, ascending.
    """
    first = np.flatnonzero(np.diff(walk.stay, prepend=-1))
    edges_us = np.round(walk.t_s[np.append(first, len(walk.zone))] * 1e6).astype(np.int64)
    edges_ns = begin_ns + edges_us * 1000
    readings = np.diff(np.searchsorted(heard_at, edges_ns))
    return Stays(walk.zone[first].astype(np.int64), edges_ns[:-1], edges_ns[1:], readings)


def rows(plan: StorePlan, device: str, of: Stays, from_ns: int, until_ns: int) -> list[tuple[object, ...]]:
    """Return the visits of one device between two times as rows of SCHEMA.

    What began before is cut at `from_ns`; what is still going on at `until_ns` is cut there and closed as
    END_OF_RECORDING. What is shorter than SHORTEST_VISIT_S is left out.
    """
    found: list[tuple[object, ...]] = []
    last = len(of.zone) - 1
    whole = (max(int(of.entered_at[0]), from_ns), min(int(of.left_at[last]), until_ns))
    if whole[1] - whole[0] < SHORTEST_VISIT_S * NS_PER_S:
        return []
    for place in range(last + 1):
        entered, left = max(int(of.entered_at[place]), from_ns), min(int(of.left_at[place]), until_ns)
        if left - entered < SHORTEST_VISIT_S * NS_PER_S:
            continue
        closed = ClosedBy.SILENCE if place == last else ClosedBy.MOVED_ON
        if of.left_at[place] > until_ns:
            closed = ClosedBy.END_OF_RECORDING
        zone = plan.zones[int(of.zone[place])].id
        readings = int(of.signals[place])
        found.append(
            _row(VisitKind.ZONE, plan.id, device, zone, times=(entered, left), signals=readings, closed=closed)
        )
    closed = ClosedBy.END_OF_RECORDING if of.left_at[last] > until_ns else ClosedBy.SILENCE
    readings = int(of.signals.sum())
    found.append(_row(VisitKind.STORE, plan.id, device, "", times=whole, signals=readings, closed=closed))
    return found


def _row(
    kind: VisitKind, store: str, device: str, zone: str, *, times: tuple[int, int], signals: int, closed: ClosedBy
) -> tuple[object, ...]:
    entered, left = times
    dwell_s = (left - entered) / NS_PER_S
    return (
        *(kind.word, store, device, zone, entered, left, entered, entered, left, left),
        *(dwell_s, 1.0, signals, closed.word),
    )


class Agreement(NamedTuple):
    """How reported zone visits agree with the truth."""

    truth: int
    """True zone visits."""
    reported: int
    """Reported zone visits."""
    matched: int
    """Pairs, one-to-one, of the same device and zone that overlap by AGREES_FROM_IOU."""
    dwell_mae_s: float
    """Mean absolute error of the dwell of the pairs, seconds; 0 without a pair."""

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        return 2 * self.matched / (self.truth + self.reported) if self.truth + self.reported else 1.0


def agree(truth: pl.DataFrame, reported: pl.DataFrame) -> Agreement:
    """Match reported zone visits with true ones, one-to-one, best overlap first.

    Parameters
    ----------
    truth, reported : polars.DataFrame
        With at least the columns kind, store, device, zone, entered_at and left_at of SCHEMA.
    """
    key = ["store", "device", "zone"]
    wanted = [*key, "entered_at", "left_at"]
    zone_visits = pl.col("kind") == VisitKind.ZONE.word
    true = truth.filter(zone_visits).select(wanted).with_row_index("true_row")
    found = reported.filter(zone_visits).select(wanted).with_row_index("found_row")
    overlap = pl.min_horizontal("left_at", "left_at_found") - pl.max_horizontal("entered_at", "entered_at_found")
    union = pl.max_horizontal("left_at", "left_at_found") - pl.min_horizontal("entered_at", "entered_at_found")
    pairs = (
        true.join(found, on=key, suffix="_found")
        .with_columns(iou=overlap / union)
        .filter(pl.col("iou") >= AGREES_FROM_IOU)
        .sort(["iou", "true_row", "found_row"], descending=[True, False, False])
    )
    taken_true: set[int] = set()
    taken_found: set[int] = set()
    errors_ns: list[int] = []
    for row in pairs.iter_rows(named=True):
        if row["true_row"] in taken_true or row["found_row"] in taken_found:
            continue
        taken_true.add(row["true_row"])
        taken_found.add(row["found_row"])
        errors_ns.append(abs((row["left_at"] - row["entered_at"]) - (row["left_at_found"] - row["entered_at_found"])))
    mae_s = sum(errors_ns) / len(errors_ns) / NS_PER_S if errors_ns else 0.0
    return Agreement(len(true), len(found), len(errors_ns), mae_s)
