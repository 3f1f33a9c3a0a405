"""Which reported visit is which true one."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """One visit's time, and where it stands in its table."""

    entered_at: int
    left_at: int
    row: int


def match(true: Sequence[Span], reported: Sequence[Span]) -> list[tuple[int, int]]:
    """Pair true and reported visits of one device in one zone, one-to-one, at an overlap over union of 1/2.

    The bound is that of temporal action detection.

    The best pair is taken first. That gives as many pairs as any assignment could, as long as the visits of each side
    do not overlap each other: a pair with overlap o and lengths a, b agrees if o >= (a + b - o) / 2, so a + b <= 3 o.
    Let b agree with both a1 and a2, which are apart, so that o1 + o2 <= b. As o1 <= a1, 2 o1 >= b >= o1 + o2, so
    o1 >= o2, likewise o2 >= o1; then b = 2 o and a1 = a2 = o: both lie wholly in b, each touches no other visit, and
    whichever is taken, one pair is all there is. Otherwise every visit has one candidate at most.

    Parameters
    ----------
    true, reported : sequence of Span
        In any order.

    Returns
    -------
    list of (int, int)
        Rows of the true and of the reported visit.
    """
    candidates = sorted(
        (-overlap / union if union else -1.0, one.entered_at, other.entered_at, one.row, other.row)
        for one, other, overlap, union in _touching(true, reported)
        if 2 * overlap >= union
    )
    pairs: list[tuple[int, int]] = []
    taken_true: set[int] = set()
    taken_reported: set[int] = set()
    for *_, one_row, other_row in candidates:
        if one_row not in taken_true and other_row not in taken_reported:
            taken_true.add(one_row)
            taken_reported.add(other_row)
            pairs.append((one_row, other_row))
    return pairs


def shared_ns(true: Sequence[Span], reported: Sequence[Span]) -> int:
    """Return how long both sides are there at the same time; time is counted once however many visits cover it."""
    return sum(overlap for *_, overlap, _ in _touching(_merged(true), _merged(reported)))


def covered_ns(spans: Sequence[Span]) -> int:
    """Return the time that some visits cover, counted once."""
    return sum(span.left_at - span.entered_at for span in _merged(spans))


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.entered_at <= merged[-1].left_at:
            merged[-1] = merged[-1]._replace(left_at=max(merged[-1].left_at, span.left_at))
        else:
            merged.append(span)
    return merged


def _touching(true: Sequence[Span], reported: Sequence[Span]) -> Iterator[tuple[Span, Span, int, int]]:
    """Yield pairs that share time or are the same instant, with overlap and union in ns."""
    later = sorted(reported)
    begin = 0
    longest = max((span.left_at - span.entered_at for span in later), default=0)
    for one in sorted(true):
        while begin < len(later) and later[begin].entered_at + longest < one.entered_at:
            begin += 1
        for place in range(begin, len(later)):
            other = later[place]
            if other.entered_at > one.left_at:
                break
            overlap = min(one.left_at, other.left_at) - max(one.entered_at, other.entered_at)
            union = max(one.left_at, other.left_at) - min(one.entered_at, other.entered_at)
            if overlap > 0 or union == 0:
                yield one, other, overlap, union
