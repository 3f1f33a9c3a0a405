"""Counts that leave the house, put together from cells of which each may be told.

A cell is a word in a month of a store. Cells of fewer than K_PEOPLE people are hidden, and so are others where one
could be had by subtraction from what other reports tell of the same month and store. What is told of longer times or
of all stores is the sum of told cells: so no difference of two answers speaks of fewer people than a cell does
(`core.metrics.disclosure`).
"""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from core.metrics.disclosure import K_PEOPLE, hidden_with_complement


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A word with the count of its told cells, None where all are hidden; `hidden` says how many are left out."""

    word: str
    count: int | None
    hidden: int


def told(cells: Iterable[tuple[tuple[str, ...], str, int, int]], k: int = K_PEOPLE) -> list[Told]:
    """Return what may be told of each word, the most first, hidden ones last.

    Parameters
    ----------
    cells : iterable of (group, word, count, people)
        `group` is the month and the store: whatever has a total of its own that is told elsewhere.
    k : int
        Fewest people of a cell.
    """
    by_group: dict[tuple[str, ...], list[tuple[str, int, int]]] = defaultdict(list)
    for group, word, count, people in cells:
        by_group[group].append((word, count, people))
    counts: dict[str, int] = defaultdict(int)
    shown: set[str] = set()
    left_out: dict[str, int] = defaultdict(int)
    for rows in by_group.values():
        rows.sort()
        for (word, count, _), hide in zip(rows, hidden_with_complement([row[2] for row in rows], k), strict=True):
            if hide:
                left_out[word] += 1
            else:
                counts[word] += count
                shown.add(word)
    found = [
        Told(word=word, count=counts[word] if word in shown else None, hidden=left_out[word])
        for word in shown | left_out.keys()
    ]
    return sorted(found, key=lambda one: (one.count is None, -(one.count or 0), one.word))
