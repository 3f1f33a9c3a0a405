"""Small counts stay hidden: no figure speaks of fewer than K_PEOPLE people, nor a difference of two of one formula.

Three rules, all of which depend on the data of one day alone:

1. *Primary*: a cell (a day or an hour of a store, a zone or a move) with 1 to k - 1 people is hidden. An empty cell
   is no secret.
2. *Complementary*: the day and its hours are both told, so the hidden hours of a day could be had by subtraction.
   Who is in one hour may be in the next, so hours that are hidden together have as many people for sure as the one
   with most. Where none of them has k, or they are fewer than two, the next smallest hours are hidden too. So it is
   with hours of a crowd, with moves that begin or end in a zone, and with paths.
3. *Differencing*: what is told of a longer range is made of the cells that are told by themselves, whole days or
   hours. So the difference of two answers of one formula is again a sum of cells with k people each, or of the
   complement in 2. So it is with how dwell is spread: between two lengths that are told of a range lie 0 or k visits
   of each day. Of a share both sides are made of the same days; where more than LEFT_OUT_MOST of its whole is left
   out because the part is of few, it is hidden (`stands_for_all`).

Each formula is looked at by itself. Figures of two formulas of the same day, beside each other, may differ by what
one person did: 29 people moved from a zone to another, 28 of them are told as the path that ended there, and the one
went on. To rule that out, every formula, cell and zone of a day would have to be hidden together (an audit of all
linear combinations), and paths of a store with many ways would hardly ever be told. docs/metrics.md, "Not covered",
says what that means. Nor does it hold for figures under two sets of exclusions: those of small groups are an admin's
to change (`core.metrics.exclusions.SMALL_GROUPS`).

After Hundepool et al., Statistical Disclosure Control (Wiley, 2012), chapter 4. People are counted, not visits: one
person may visit a zone thirty times a day.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

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


def told_beside(at_least: NDArray[np.int64], k: int = K_PEOPLE) -> NDArray[np.bool_]:
    """Return which of each day's counts of longer and longer visits may be told beside each other.

    Parameters
    ----------
    at_least : int64, shape (days, lengths)
        Visits of at least so long, the most wanted length first.
    k : int
        Fewest visits of a figure.

    Returns
    -------
    bool, shape (days, lengths)
        The difference of any two that are told of a day, and so every band between these lengths, is 0 or at least k.
    """
    told = np.zeros(at_least.shape, bool)
    for place in range(at_least.shape[1]):
        here = at_least[:, place]
        between = np.abs(at_least[:, :place] - here[:, np.newaxis])
        few = ((between > 0) & (between < k) & told[:, :place]).any(axis=1) | ((here > 0) & (here < k))
        told[:, place] = ~few
    return told


def told_of_days(at_least: NDArray[np.int64], k: int = K_PEOPLE) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which lengths are told of several days together, and which days are left out of it.

    What is told is a sum of what each day tells by itself (`told_beside`), so no two ranges that overlap differ by
    less. A length that some day does not tell can be told of the other days alone: those days are left out as a whole
    if that takes LEFT_OUT_MOST of the visits in all; if it takes more, the length is not told.

    Parameters
    ----------
    at_least : int64, shape (days, lengths)
        Visits of each day of at least each length, the most wanted first; the first are all visits.
    k : int
        Fewest visits of a figure.

    Returns
    -------
    (bool, bool), of shape (lengths,) and (days,)
        Whether each length is told, and whether each day is left out.
    """
    told, visits = told_beside(at_least, k), at_least[:, 0]
    left_out = np.zeros(len(at_least), bool)
    spare = LEFT_OUT_MOST * float(visits.sum())
    found = np.zeros(at_least.shape[1], bool)
    for place in range(at_least.shape[1]):
        without = ~told[:, place] & ~left_out
        cost = float(visits[without].sum())
        if cost <= spare:
            spare -= cost
            left_out |= without
            found[place] = True
    return found, left_out


def stands_for_all(told: float, left_out: float) -> bool:
    """Return whether a share of what is told may stand for a range of which some is left out for its part.

    A day is left out of a share where its part is of few people. What stays are days whose part was nobody or k
    people, so the more are left out, the more the hiding alone decides what the share comes to: 0 % for a zone that
    everybody passes now and then. Both figures are of wholes that may be told, so a share that is told, or not, says
    nothing of the parts that are hidden.

    Parameters
    ----------
    told : float
        The whole of the days that make up the share, in people.
    left_out : float
        The whole of those whose part alone may not be told.
    """
    return left_out <= LEFT_OUT_MOST * (told + left_out)


def enough_beyond(visits: int, share: float, k: int = K_PEOPLE) -> bool:
    """Return whether at least k visits lie on either side of a quantile: else it tells the dwell of a few."""
    return visits * min(share, 1 - share) >= k - 1e-9
