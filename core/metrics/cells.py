"""Counts of a bucket, and the formulas over them. Counts add up; no formula averages averages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.metrics.bins import BINS, LENGTHS_S, at_least, at_least_each, quantile_s, threshold_bin
from core.metrics.disclosure import enough_beyond, told_of_days


@dataclass(frozen=True)
class Counted:
    """The visits of one day or one hour in a store or zone: what is stored.

    `people` are distinct devices. `bins` are the bins of dwell that hold a visit (see `core.metrics.bins`), `counts`
    how many each; both are empty where nobody asked how dwell is spread.
    """

    visits: int
    people: int
    dwell_ms: int
    bins: Sequence[int] | NDArray[np.int64]
    counts: Sequence[int] | NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Cell:
    """Days or hours together. `counts` are visits by bin of dwell: int64, shape (BINS,).

    `people` are added: a pseudonym lasts a day, so a longer range knows person-days, not persons.
    """

    visits: int
    people: int
    dwell_ms: int
    counts: NDArray[np.int64]


def merged(parts: Iterable[Counted]) -> Cell:
    """Return days or hours as one cell."""
    held = list(parts)
    spread = [part for part in held if len(part.bins)]
    # all bins at once: an array for each part would cost more than the sums
    bins = _joined([part.bins for part in spread])
    weights = _joined([part.counts for part in spread]).astype(np.float64)
    return Cell(
        visits=sum(part.visits for part in held),
        people=sum(part.people for part in held),
        dwell_ms=sum(part.dwell_ms for part in held),
        # as float64 counts are exact up to 2^53
        counts=np.bincount(bins, weights, BINS).astype(np.int64),
    )


@dataclass(frozen=True, eq=False)
class Spread:
    """How dwell is spread over days, as far as each of them tells it.

    `lengths_s` rise from 0: how many visits of `cell` lasted at least so long may be told. `left_out` days, which do
    not tell it, are not in `cell`.
    """

    cell: Cell
    lengths_s: list[int]
    left_out: int


def spread(days: Sequence[Counted]) -> Spread:
    """Return how dwell is spread over days that may be told by themselves."""
    counts = np.zeros((len(days), BINS), np.int64)
    for number, day in enumerate(days):
        counts[number, day.bins] = day.counts
    told, left_out = told_of_days(at_least_each(counts))
    cell = merged(day for day, out in zip(days, left_out, strict=True) if not out)
    lengths_s = sorted(length_s for length_s, tell in zip(LENGTHS_S, told, strict=True) if tell)
    return Spread(cell, lengths_s, int(left_out.sum()))


def _joined(arrays: Sequence[Sequence[int] | NDArray[np.int64]]) -> NDArray[np.int64]:
    if not arrays:
        return np.zeros(0, np.int64)
    return np.concatenate(arrays, dtype=np.int64, casting="same_kind")


def share(part: float, whole: float) -> float | None:
    """Return part / whole, None of nothing."""
    return part / whole if whole else None


def footfall(cell: Cell, parameters: Mapping[str, int]) -> float | None:
    """Visits of at least `visit_s`."""
    return float(_lasted(cell, parameters["visit_s"]))


def people(cell: Cell, parameters: Mapping[str, int]) -> float | None:  # noqa: ARG001 - as every formula
    """People of a day, added over days."""
    return float(cell.people)


def bounce(cell: Cell, parameters: Mapping[str, int]) -> float | None:
    """Share of the visits of at least `visit_s` that were shorter than `bounce_s`."""
    visits = _lasted(cell, parameters["visit_s"])
    return share(visits - at_least(cell.counts, parameters["bounce_s"]), visits)


def engaged(cell: Cell, parameters: Mapping[str, int]) -> float | None:
    """Share of the visits of at least `visit_s` that lasted `engage_s` or more."""
    return share(at_least(cell.counts, parameters["engage_s"]), _lasted(cell, parameters["visit_s"]))


def _lasted(cell: Cell, least_s: int) -> int:
    return at_least(cell.counts, least_s) if least_s else cell.visits


def capture_dwell(cell: Cell, parameters: Mapping[str, int]) -> float | None:
    """Share of all who were heard that stayed at least `capture_s`."""
    return share(at_least(cell.counts, parameters["capture_s"]), cell.visits)


def dwell_mean(cell: Cell, parameters: Mapping[str, int]) -> float | None:  # noqa: ARG001 - as every formula
    """Mean dwell, s."""
    mean = share(cell.dwell_ms, cell.visits)
    return None if mean is None else mean / 1000


def dwell_median(cell: Cell, parameters: Mapping[str, int]) -> float | None:  # noqa: ARG001 - as every formula
    """Median dwell, s."""
    return _quantile(cell, 0.5)


def dwell_p90(cell: Cell, parameters: Mapping[str, int]) -> float | None:  # noqa: ARG001 - as every formula
    """Dwell that nine of ten visits do not exceed, s."""
    return _quantile(cell, 0.9)


def dwell_p95(cell: Cell, parameters: Mapping[str, int]) -> float | None:  # noqa: ARG001 - as every formula
    """Dwell that 19 of 20 visits do not exceed, s."""
    return _quantile(cell, 0.95)


def queue_wait(cell: Cell, parameters: Mapping[str, int]) -> float | None:
    """Median length of the stays of at least `queue_s`, s."""
    return _quantile(_waiting(cell, parameters), 0.5)


def queue_wait_p90(cell: Cell, parameters: Mapping[str, int]) -> float | None:
    """Length that nine of ten stays of at least `queue_s` do not exceed, s."""
    return _quantile(_waiting(cell, parameters), 0.9)


def queue_abandoned(cell: Cell, parameters: Mapping[str, int]) -> float | None:
    """Share of the stays of at least `queue_s` that ended before `serve_s`."""
    waiting = at_least(cell.counts, parameters["queue_s"])
    return share(max(0, waiting - at_least(cell.counts, parameters["serve_s"])), waiting)


def _waiting(cell: Cell, parameters: Mapping[str, int]) -> Cell:
    counts = cell.counts.copy()
    counts[: threshold_bin(parameters["queue_s"])] = 0
    return Cell(int(counts.sum()), cell.people, cell.dwell_ms, counts)


def people_share(part: Cell, whole: Cell) -> float | None:
    """People of a part among those of the whole."""
    return share(part.people, whole.people)


def dwell_share(part: Cell, whole: Cell) -> float | None:
    """Dwell of a part among that of the whole."""
    return share(part.dwell_ms, whole.dwell_ms)


def _quantile(cell: Cell, wanted: float) -> float | None:
    return quantile_s(cell.counts, wanted) if enough_beyond(cell.visits, wanted) else None
