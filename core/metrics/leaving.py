"""Counts that leave the house, put together from cells of which each may be told.

A cell is the finest thing that several reports are made of, in a month of a store: a mood with a feeling, a tag in a
zone. Cells of fewer than K_PEOPLE people are hidden, and so are others where one could be had by subtraction from
what else is told of the same month and store. Every report is a sum of told cells, of longer times, of all stores and
along either of its words: so no difference of two answers speaks of fewer people than a cell does
(`core.metrics.disclosure`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from core.metrics.disclosure import K_PEOPLE, hidden_with_complement

Group: TypeAlias = tuple[str, ...]
"""The month and the store: whatever has a total of its own that is told elsewhere."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """Notes of some words together, and of how many people they are."""

    group: Group
    words: tuple[str, ...]
    count: int
    people: int


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A word with the count of its told cells, None where all are hidden; `hidden` groups have cells that are."""

    word: str
    count: int | None
    hidden: int


def told(cells: Iterable[tuple[Group, str, int, int]], k: int = K_PEOPLE) -> list[Told]:
    """Return what may be told of each word, the most first, hidden ones last.

    Parameters
    ----------
    cells : iterable of (group, word, count, people)
        Of words of which everything counted has one.
    k : int
        Fewest people of a cell.
    """
    found = [Cell(group=group, words=(word,), count=count, people=people) for group, word, count, people in cells]
    return summed(kept(found, k), 0)


def kept(cells: Iterable[Cell], k: int = K_PEOPLE) -> list[tuple[Cell, bool]]:
    """Return cells, each with whether it may be told, where everything counted is in one cell of its group.

    Which ones depends on the cells alone, so reports along different words leave out the same.
    """
    found: list[tuple[Cell, bool]] = []
    for rows in _by_group(cells).values():
        hides = hidden_with_complement([row.people for row in rows], k)
        found += [(row, not hide) for row, hide in zip(rows, hides, strict=True)]
    return found


def kept_tags(
    cells: Iterable[Cell], places: Mapping[tuple[Group, str], tuple[int, int]], k: int = K_PEOPLE
) -> list[tuple[Cell, bool]]:
    """Return cells of (place, tag), each with whether it may be told; what is counted has any number of tags.

    Beside a tag its place and the whole group are told, so those *without* the tag could be had by subtraction: they
    are nobody or k people too, in each place and in all together.

    Parameters
    ----------
    cells : iterable of Cell
        `words` are a place and a tag.
    places : mapping
        Of each group and place: what was counted in all, and its people, tags or not.
    k : int
        Fewest people of a figure.
    """
    by_place: dict[tuple[Group, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        by_place[cell.group, cell.words[0]].append(cell)
    found = [
        (cell, tell and _leaves_enough(cell, places[place], k))
        for place, rows in by_place.items()
        for cell, tell in kept(rows, k)
    ]
    wholes: dict[Group, dict[str, tuple[int, int]]] = defaultdict(dict)
    for (group, name), whole in places.items():
        wholes[group][name] = whole
    by_tag: dict[tuple[Group, str], list[Cell]] = defaultdict(list)
    for cell, tell in found:
        if tell:
            by_tag[cell.group, cell.words[1]].append(cell)
    given_away = {
        min(tells, key=lambda cell: (cell.people, cell.words))
        for (group, _), tells in by_tag.items()
        if _rest_is_few(wholes[group], tells, k)
    }
    return [(cell, tell and cell not in given_away) for cell, tell in found]


def summed(cells: Iterable[tuple[Cell, bool]], axis: int) -> list[Told]:
    """Return what is told along one of the words of the cells, the most first, hidden ones last."""
    counts: dict[str, int] = defaultdict(int)
    shown: set[str] = set()
    left_out: dict[str, set[Group]] = defaultdict(set)
    for cell, tell in cells:
        word = cell.words[axis]
        if tell:
            counts[word] += cell.count
            shown.add(word)
        else:
            left_out[word].add(cell.group)
    found = [
        Told(word=word, count=counts[word] if word in shown else None, hidden=len(left_out[word]))
        for word in shown | left_out.keys()
    ]
    return sorted(found, key=lambda one: (one.count is None, -(one.count or 0), one.word))


def _by_group(cells: Iterable[Cell]) -> dict[Group, list[Cell]]:
    """Return the cells of each group in the order of their words: of equals the same is left out each time."""
    found: dict[Group, list[Cell]] = defaultdict(list)
    for cell in sorted(cells, key=lambda one: one.words):
        found[cell.group].append(cell)
    return found


def _leaves_enough(cell: Cell, whole: tuple[int, int], k: int) -> bool:
    """Return whether those without the tag are nobody or k; who is with and without it is not counted for sure."""
    count, people = whole
    return count == cell.count or people - cell.people >= k


def _rest_is_few(places: Mapping[str, tuple[int, int]], tells: list[Cell], k: int) -> bool:
    """Return whether what is not told of a tag is of few; people of two places may be the same."""
    of_place = {cell.words[0]: cell for cell in tells}
    rests = [
        (count - of_place[place].count, people - of_place[place].people) if place in of_place else (count, people)
        for place, (count, people) in places.items()
    ]
    left = [people for count, people in rests if count]
    return bool(left) and max(left) < k
