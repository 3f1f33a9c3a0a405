"""One visit of a customer where two of her devices made one each: phone and watch walk together.

All times are int nanoseconds since the epoch, UTC.
"""

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

import msgspec

T = TypeVar("T")


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when a device was where; `place` is anything that tells stores and whose device it is apart."""

    place: Hashable
    entered_at: int
    left_at: int


def walks(visits: Iterable[T], span: Callable[[T], Span]) -> list[list[T]]:
    """Return store visits by walk: those of one place whose times overlap, directly or by another one.

    The first of each walk is its longest one (of equally long ones the first to begin) and stands for all: its times,
    bounds and stays were seen by one device and fit each other. A device's own visits never overlap, so that one
    alone makes as many walks as visits.

    Parameters
    ----------
    visits : iterable
        In any order.
    span : callable
        Gives the span of a visit.

    Returns
    -------
    list of list
        In the order in which the walks begin, places mixed.
    """
    found: list[list[tuple[Span, T]]] = []
    last: dict[Hashable, tuple[list[tuple[Span, T]], int]] = {}
    for one in sorted(((span(visit), visit) for visit in visits), key=lambda one: one[0].entered_at):
        begun, left_at = last.get(one[0].place, ([], one[0].left_at))
        if begun and one[0].entered_at <= left_at:
            begun.append(one)
        else:
            begun, left_at = [one], one[0].left_at
            found.append(begun)
        last[one[0].place] = (begun, max(left_at, one[0].left_at))
    for begun in found:
        begun.sort(key=lambda one: one[0].entered_at - one[0].left_at)
    return [[visit for _, visit in begun] for begun in found]
