"""Small counts stay hidden: no figure speaks of fewer than K_PEOPLE people, alone or as a difference of two others.

Three rules, all of which depend on the data of one day alone:

1. *Primary*: a cell (a day or an hour of a store, a zone or a move) with 1 to k - 1 people is hidden. An empty cell
   is no secret.
2. *Complementary*: the day and its hours are both told, so the hidden hours of a day could be had by subtraction.
   Who is in one hour may be in the next, so hours that are hidden together have as many people for sure as the one
   with most. Where none of them has k, or they are fewer than two, the next smallest hours are hidden too. So it is
   with hours of a crowd, with moves that begin or end in a zone, and with paths.
3. *Differencing*: what is told of a longer range is made of the cells that are told by themselves, whole days or
   hours. So the difference of any two answers is again a sum of cells with k people each, or of the complement in 2.
   So it is with how dwell is spread: between two lengths that are told of a range lie 0 or k visits of each day.

After Hundepool et al., Statistical Disclosure Control (Wiley, 2012), chapter 4. People are counted, not visits: one
person may visit a zone thirty times a day.
"""

from collections.abc import Sequence
from typing import Final

K_PEOPLE: Final = 10
"""What statistical offices and health services use for tables that anybody may see (UK and US practice: 5 to 11)."""

LEFT_OUT_MOST: Final = 0.1
"""A quiet day among thirty would else join the bars of all. With a tenth of the visits gone no share moves by more
than ten points, which is less than days of a week differ."""


def hidden(people: Sequence[int], k: int = K_PEOPLE) -> list[bool]:
    """Return which cells have too few people to be told; an empty one may."""
    return [0 < count < k for count in people]


def hidden_with_complement(people: Sequence[int], k: int = K_PEOPLE) -> list[bool]:
    """Return which cells are hidden where their total is told too.

    Parameters
    ----------
    people : sequence of int
        Fewest people that each cell has for sure. People of two cells may be the same.
    k : int
        Fewest people of a figure.

    Returns
    -------
    list of bool
        True where hidden: either none, or at least two cells, one of them with k people; all, where that takes all.
    """
    found = hidden(people, k)
    if not any(found):
        return found
    # smallest first; of equals the earlier one, so that the choice is the same each time
    spare = iter(
        sorted((place for place, hid in enumerate(found) if not hid and people[place]), key=lambda one: people[one])
    )
    while sum(found) < 2 or max(count for count, hid in zip(people, found, strict=True) if hid) < k:
        place = next(spare, None)
        if place is None:
            break
        found[place] = True
    return found


def is_few(people: int, k: int = K_PEOPLE) -> bool:
    """Return whether a figure of so many people may not be told; what counts otherwise may come out negative."""
    return 0 < abs(people) < k


def hidden_with_rest(people: Sequence[int], whole: int, k: int = K_PEOPLE) -> list[bool]:
    """Return which cells are hidden where each person is in one cell at most and the whole is told.

    Parameters
    ----------
    people : sequence of int
        People in each cell.
    whole : int
        People of all, also of no cell.
    k : int
        Fewest people of a figure.

    Returns
    -------
    list of bool
        True where hidden: what is told leaves nobody of the whole or k people, unless nothing is told.
    """
    found = hidden(people, k)
    told = [place for place, hid in enumerate(found) if not hid and people[place]]
    if told and is_few(whole - sum(people[place] for place in told), k):
        found[min(told, key=lambda place: people[place])] = True
    return found


def told_beside(at_least: Sequence[int], k: int = K_PEOPLE) -> list[bool]:
    """Return which of several counts of longer and longer visits may be told beside each other.

    Parameters
    ----------
    at_least : sequence of int
        Visits of at least so long, the most wanted first.
    k : int
        Fewest visits of a figure.

    Returns
    -------
    list of bool
        The difference of any two that are told, and so every band between two of these lengths, is 0 or at least k.
    """
    told: list[bool] = []
    known = {0}
    for count in at_least:
        told.append(not any(is_few(count - other, k) for other in known))
        if told[-1]:
            known.add(count)
    return told


def told_of_days(days: Sequence[Sequence[int]], k: int = K_PEOPLE) -> tuple[list[bool], list[bool]]:
    """Return which lengths are told of several days together, and which days are left out of it.

    What is told is a sum of what each day tells by itself (`told_beside`), so no two ranges that overlap differ by
    less. A length that some day does not tell can be told of the other days alone: those days are left out as a whole
    if that takes LEFT_OUT_MOST of the visits in all; if it takes more, the length is not told.

    Parameters
    ----------
    days : sequence of sequence of int
        Of each day its visits of at least each length, the most wanted first; the first are all visits.
    k : int
        Fewest visits of a figure.

    Returns
    -------
    (list of bool, list of bool)
        Of each length whether it is told, and of each day whether it is left out.
    """
    told = [told_beside(day, k) for day in days]
    left_out = [False] * len(days)
    spare = LEFT_OUT_MOST * sum(day[0] for day in days)
    found: list[bool] = []
    for place in range(len(days[0]) if days else 0):
        without = [number for number, of_day in enumerate(told) if not of_day[place] and not left_out[number]]
        cost = sum(days[number][0] for number in without)
        found.append(cost <= spare)
        if found[-1]:
            spare -= cost
            for number in without:
                left_out[number] = True
    return found, left_out


def enough_beyond(visits: int, share: float, k: int = K_PEOPLE) -> bool:
    """Return whether at least k visits lie on either side of a quantile: else it tells the dwell of a few."""
    return visits * min(share, 1 - share) >= k - 1e-9
