"""Which anchors to compare, and what the differences between pairs say of each anchor."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

PARTNERS: Final = 4
"""Anchors that each one is compared with at least: closing circles need more than one, and a lie is outvoted."""
CLOSING_US: Final = 50_000
"""Pairs and blocks further off what the others say contradict them; half of the dead band."""
_ROUNDS: Final = 30
_SOFT: Final = 1e-3


class Pairs(NamedTuple):
    """Differences between anchors: what `one` has more than `other`; int64 (pairs,) twice, float64 (pairs,)."""

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    apart: NDArray[np.float64]

    @classmethod
    def of(cls, told: list[tuple[int, int, float]]) -> "Pairs":
        """Make columns of rows."""
        one, other, apart = zip(*told, strict=True) if told else ((), (), ())
        return cls(np.array(one, np.int64), np.array(other, np.int64), np.array(apart, np.float64))

    def where(self, chosen: NDArray[np.bool_]) -> "Pairs":
        """Return some of them."""
        return Pairs(self.one[chosen], self.other[chosen], self.apart[chosen])


def partners(together: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which anchors to compare, int64 (pairs, 2), the smaller first.

    Each with those that hear most of the same devices, and a spanning tree of the most company (Prim), so that what
    can be joined is joined.

    together : int64 (anchors, anchors), symmetric
    """
    anchors = len(together)
    chosen = np.zeros((anchors, anchors), np.bool_)
    best = np.argsort(-together, axis=1, kind="stable")[:, :PARTNERS]
    np.put_along_axis(chosen, best, values=True, axis=1)
    left = np.ones(anchors, np.bool_)
    reach = np.full(anchors, -1, np.int64)  # the most company with the tree so far, and whose
    nearest = np.zeros(anchors, np.int64)
    for _ in range(anchors):
        place = int(np.argmax(np.where(left, reach, -2)))
        if reach[place] > 0:
            chosen[place, nearest[place]] = True
        left[place] = False
        more = together[place] > reach
        reach[more] = together[place][more]
        nearest[more] = place
    return np.argwhere(np.triu(chosen | chosen.T, 1) & (together > 0))


def join(pairs: Pairs, anchors: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Make one value for each anchor out of differences between pairs: what each has more than some one of them.

    Pairs that contradict the others are left out, and so is an anchor of which not most pairs agree. What is not
    joined with the largest part of the store stays 0 and unknown.

    Returns
    -------
    float64 (anchors,), bool (anchors,)
        Values, and which are known.
    """
    kept = pairs
    while True:
        part = _largest_part(kept, anchors)
        kept = kept.where(part[kept.one] & part[kept.other])
        if not len(kept.one):
            return np.zeros(anchors), np.zeros(anchors, np.bool_)
        value = _solve(kept, anchors)
        closes = np.abs(value[kept.one] - value[kept.other] - kept.apart) <= CLOSING_US
        if closes.all():
            return value, _degree(kept, anchors) > 0
        trusted = _degree(kept.where(closes), anchors) > _degree(kept.where(~closes), anchors)
        kept = kept.where(closes & trusted[kept.one] & trusted[kept.other])


def _degree(pairs: Pairs, anchors: int) -> NDArray[np.int64]:
    return np.bincount(np.concatenate((pairs.one, pairs.other)), minlength=anchors)


def _largest_part(pairs: Pairs, anchors: int) -> NDArray[np.bool_]:
    """Return which anchors belong to the largest connected part, the first among equals."""
    part = np.arange(anchors)
    while True:  # the smallest number spreads along the pairs
        least = np.minimum(part[pairs.one], part[pairs.other])
        spread = part.copy()
        np.minimum.at(spread, pairs.one, least)
        np.minimum.at(spread, pairs.other, least)
        if (spread == part).all():
            largest: NDArray[np.bool_] = part == np.bincount(part).argmax()
            return largest
        part = spread


def _solve(pairs: Pairs, anchors: int) -> NDArray[np.float64]:
    """Least absolute deviations by reweighted least squares."""
    value = np.zeros(anchors)
    weight = np.ones(len(pairs.one))
    for _ in range(_ROUNDS):
        laplacian = np.zeros((anchors, anchors))
        np.add.at(laplacian, (pairs.one, pairs.other), -weight)
        np.add.at(laplacian, (pairs.other, pairs.one), -weight)
        np.fill_diagonal(laplacian, -laplacian.sum(axis=1))
        right = np.zeros(anchors)
        np.add.at(right, pairs.one, weight * pairs.apart)
        np.add.at(right, pairs.other, -weight * pairs.apart)
        free = laplacian.diagonal() > 0
        free[np.flatnonzero(free)[0]] = False  # one clock is held; which one does not matter
        value = np.zeros(anchors)
        value[free] = np.linalg.solve(laplacian[np.ix_(free, free)], right[free])
        off = np.abs(value[pairs.one] - value[pairs.other] - pairs.apart)
        weight = 1 / np.maximum(off / CLOSING_US, _SOFT)
    return value
