"""Dwell counted in bins: counts of buckets add up exactly, and a quantile errs by no more than its bin is wide.

A sketch of logarithmic bins would be smaller; these bins begin at whole seconds and minutes, so that the share of
visits above a threshold people would name (30 s, 5 min) is exact as well.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.errors import InputError

_MINUTE: Final = 60
_HOUR: Final = 3600
EDGES_S: Final[tuple[int, ...]] = (
    *range(_MINUTE),  # each second
    *range(_MINUTE, 5 * _MINUTE, 5),
    *range(5 * _MINUTE, 20 * _MINUTE, 15),
    *range(20 * _MINUTE, 2 * _HOUR, _MINUTE),
    *range(2 * _HOUR, 24 * _HOUR + 1, 10 * _MINUTE),
)
"""Where each bin begins; the last is open. A visit of exactly 30 s lies in the bin that begins at 30.

Stored counts are numbered by these: a change needs a migration that has every day counted again.
A bin is at most a twelfth of its dwell wide from one minute on (1 s below), which is what the bounds of a visit
leave open as well."""
LENGTHS_S: Final[tuple[int, ...]] = (
    *(0, 300, 60, 180, 1200, 1800, 28_800, 900, 30),
    *(600, 120, 3600, 15, 7200, 420, 2700, 14_400),
)
"""Where bars of a histogram and points of a curve may begin; steps of one and a half to two, as dwell is spread over
three decades. The most wanted first, for where few visits lie between two only the earlier is told: those of the
presets, as their table asks for them, then what cuts the widest gap. One order for all answers, so that what one
leaves out is not told by another."""

_EDGES: Final = np.array(EDGES_S, np.int64)
_LENGTH_BINS: Final = np.searchsorted(_EDGES, LENGTHS_S)
BINS: Final = len(EDGES_S)


def bin_of(dwell_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bin of each dwell: int64, 0..BINS - 1; a negative dwell counts as none."""
    found: NDArray[np.int64] = np.maximum(np.searchsorted(_EDGES, dwell_s, side="right") - 1, 0)
    return found


def threshold_bin(threshold_s: int, where: str = "") -> int:
    """Return the first bin of the visits that last at least `threshold_s`.

    Raises
    ------
    InputError
        If no bin begins there: the answer would not be exact.
    """
    place = int(np.searchsorted(_EDGES, threshold_s))
    if place == BINS or EDGES_S[place] != threshold_s:
        above = min(max(place, 1), BINS - 1)
        raise InputError(
            f"{threshold_s} s is no threshold that dwell is counted by.",
            hint=f"Take {EDGES_S[above - 1]} or {EDGES_S[above]}: whole seconds up to a minute,"
            " 5 s up to 5 min, 15 s up to 20 min, whole minutes up to 2 h, 10 min up to 24 h.",
            where=where,
        )
    return place


def at_least(counts: NDArray[np.int64], threshold_s: int) -> int:
    """Return how many visits lasted at least `threshold_s`, which must be an edge. counts : int64, shape (BINS,)."""
    return int(counts[threshold_bin(threshold_s) :].sum())


def quantile_s(counts: NDArray[np.int64], share: float) -> float | None:
    """Return the dwell that `share` of the visits do not exceed, None without visits.

    It is the visit of rank ceil(share x n); visits are taken to be spread evenly over their bin, so the result errs
    by less than the width of that bin.

    Parameters
    ----------
    counts : int64, shape (BINS,)
    share : float
        0 < share < 1.
    """
    total = int(counts.sum())
    if total == 0:
        return None
    rank = max(1, int(np.ceil(share * total - 1e-9)))
    upto = np.cumsum(counts)
    place = int(np.searchsorted(upto, rank))
    before = int(upto[place]) - int(counts[place])
    begin, end = EDGES_S[place], EDGES_S[place + 1] if place + 1 < BINS else EDGES_S[place]
    return begin + (end - begin) * (rank - before - 0.5) / int(counts[place])


def width_s(dwell_s: float) -> int:
    """Return the width of the bin that a dwell lies in: by how much a quantile there may err."""
    place = int(bin_of(np.array([dwell_s]))[0])
    return EDGES_S[place + 1] - EDGES_S[place] if place + 1 < BINS else 0


def at_least_each(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many visits of each day lasted at least each of LENGTHS_S: int64, shape (days, lengths).

    counts : int64, shape (days, BINS)
    """
    upward: NDArray[np.int64] = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    return upward[:, _LENGTH_BINS]
