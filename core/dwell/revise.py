"""Which visits stay, are corrected, withdrawn or added when the same signals, or more of them, are decoded again.

A visit found again is the one of the same device, kind and zone that it overlaps the most. It keeps its name, so that
whoever wrote the name down still finds it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.records import VISIT, VisitArray

_SAID: Final = tuple(name for name in VISIT.names or () if name not in ("device", "revision", "role", "reserved"))
"""What a visit says; `device` is an index, `revision` counts, and neither is news. Nor is `role`: it tells what was
known of the device then, by days that are not decoded again."""
_AGAIN: Final = b"sojourn-again"  # separates these hashes from any other use of BLAKE2b


@dataclass(frozen=True)
class Revisions:
    """What becomes of visits: indices into those `before` and `after`.

    `unchanged` and `corrected` have shape (k, 2), a pair a row in the order of `after`; `withdrawn` are rows of
    `before`, `added` rows of `after`, both rising.
    """

    unchanged: NDArray[np.int64]
    corrected: NDArray[np.int64]
    withdrawn: NDArray[np.int64]
    added: NDArray[np.int64]

    @property
    def changes(self) -> int:
        """How many visits do not stay as they are."""
        return len(self.corrected) + len(self.withdrawn) + len(self.added)


def revise(before: VisitArray, after: VisitArray) -> Revisions:
    """Pair the visits in force with those that decoding again gives.

    Of all pairs of one device, kind and zone that overlap, the one that overlaps the longest is taken, and so on with
    what is left; among equals the one that begins first. The order of either input does not matter to who is paired.

    Parameters
    ----------
    before, after : VISIT, shape (n,) and (m,)
        `device` is an index that both share; no two visits of one input are equal in all that they say.

    Returns
    -------
    Revisions
    """
    one, other = _candidates(before, after)
    overlap = _overlap(before[one], after[other])
    one, other, overlap = one[overlap > 0], other[overlap > 0], overlap[overlap > 0]
    left, right = before[one], after[other]
    keys = [value[name] for value in (right, left) for name in reversed(_SAID)]
    order = np.lexsort([*keys, right["entered_at"], left["entered_at"], -overlap])
    partner = np.full(len(after), -1, np.int64)
    taken = np.zeros(len(before), np.bool_)
    for place in order.tolist():
        if not taken[one[place]] and partner[other[place]] < 0:
            taken[one[place]] = True
            partner[other[place]] = one[place]
    found = np.flatnonzero(partner >= 0)
    pairs = np.stack([partner[found], found], axis=1)
    same = _same(before[pairs[:, 0]], after[pairs[:, 1]])
    return Revisions(pairs[same], pairs[~same], np.flatnonzero(~taken), np.flatnonzero(partner < 0))


def free_name(name: bytes, taken: Collection[bytes]) -> bytes:
    """Return a name for an added visit that no other visit has: its own, or one made of it.

    Its own is taken where a visit that was first reported with this entry has since been corrected to another one.
    The same name and the same taken ones always give the same.

    Parameters
    ----------
    name : bytes
        16 bytes, from zone, device and entry as for every visit.
    taken : collection of bytes
        Names that stand for other visits.
    """
    while name in taken:
        name = blake2b(name, digest_size=len(name), person=_AGAIN).digest()
    return name


def _candidates(before: VisitArray, after: VisitArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all pairs of one device, kind and zone, as indices.

    Within one of these visits do not overlap each other, so those that a visit overlaps stand together by entry:
    from the first that ends after it begins to the last that begins before it ends.
    """
    both = np.concatenate([_place(before), _place(after)])
    _, group = np.unique(both, axis=0, return_inverse=True)
    group = group.reshape(-1)
    order = np.lexsort((before["entered_at"], group[: len(before)]))
    ordered = before[order]
    of_before, of_after = group[: len(before)][order], group[len(before) :]
    # left_at of a group never falls where visits do not overlap; the running maximum keeps that true where they do
    low = np.zeros(len(after), np.int64)
    high = np.zeros(len(after), np.int64)
    for number in np.unique(of_after).tolist():
        begin, end = np.searchsorted(of_before, [number, number + 1])
        here = np.flatnonzero(of_after == number)
        through = np.maximum.accumulate(ordered["left_at"][begin:end])
        low[here] = begin + np.searchsorted(through, after["entered_at"][here], side="right")
        high[here] = begin + np.searchsorted(ordered["entered_at"][begin:end], after["left_at"][here], side="left")
    count = np.maximum(high - low, 0)
    other = np.repeat(np.arange(len(after)), count)
    within = np.arange(len(other)) - np.repeat(np.cumsum(count) - count, count)
    return order[low[other] + within], other


def _place(visits: VisitArray) -> NDArray[np.int64]:
    return np.stack([visits[name].astype(np.int64) for name in ("device", "kind", "zone")], axis=1)


def _overlap(one: VisitArray, other: VisitArray) -> NDArray[np.int64]:
    ends = np.minimum(one["left_at"], other["left_at"])
    shared: NDArray[np.int64] = ends - np.maximum(one["entered_at"], other["entered_at"])
    return shared


def _same(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    same = np.ones(len(one), np.bool_)
    for name in _SAID:
        same &= one[name] == other[name]
    return same
