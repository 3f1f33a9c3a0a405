"""Small counts stay hidden: no figure speaks of fewer than K_PEOPLE people, alone or as a difference of two others.

Three rules, all of which depend on the data of one day alone and never on what was asked:

1. *Primary*: a cell (a day or an hour of a store, a zone or a move) with 1 to k - 1 people is hidden. An empty cell
   is no secret.
2. *Complementary*: the day and its hours are both told, so the hidden hours of a day could be had by subtraction.
   Where they are fewer than two, or have fewer than k people together, the next smallest hours are hidden too.
3. *Differencing*: what is told of a longer range is made of the cells that are told by themselves, whole days or
   hours. So the difference of any two answers is again a sum of cells with k people each, or of the complement in 2.

After Hundepool et al., Statistical Disclosure Control (Wiley, 2012), chapter 4. People are counted, not visits: one
person may visit a zone thirty times a day.
"""

from collections.abc import Sequence
from typing import Final

K_PEOPLE: Final = 10
"""What statistical offices and health services use for tables that anybody may see (UK and US practice: 5 to 11)."""


def hidden(people: Sequence[int], k: int = K_PEOPLE) -> list[bool]:
    """Return which cells have too few people to be told; an empty one may."""
    return [0 < count < k for count in people]


def hidden_with_complement(people: Sequence[int], k: int = K_PEOPLE) -> list[bool]:
    """Return which cells are hidden where their total is told too.

    Parameters
    ----------
    people : sequence of int
        People in each cell.
    k : int
        Fewest people of a figure.

    Returns
    -------
    list of bool
        True where hidden: either none, or at least two cells with k people together; all, where that takes all.
    """
    found = hidden(people, k)
    if not any(found):
        return found
    # smallest first; of equals the earlier one, so that the choice is the same each time
    spare = iter(sorted((place for place, count in enumerate(people) if count >= k), key=lambda place: people[place]))
    while sum(found) < 2 or sum(count for count, hide in zip(people, found, strict=True) if hide) < k:
        place = next(spare, None)
        if place is None:
            break
        found[place] = True
    return found


def joined(counts: Sequence[int], k: int = K_PEOPLE) -> list[tuple[int, int]]:
    """Return runs of bands [first, last] that hold at least k each, so that no bar of a histogram stands for few.

    Empty without enough visits for one bar.
    """
    runs: list[tuple[int, int]] = []
    first = held = 0
    for place, count in enumerate(counts):
        held += count
        if held >= k:
            runs.append((first, place))
            first, held = place + 1, 0
    if runs and first < len(counts):  # what is left over is too small to stand alone
        runs[-1] = (runs[-1][0], len(counts) - 1)
    return runs


def enough_beyond(visits: int, share: float, k: int = K_PEOPLE) -> bool:
    """Return whether at least k visits lie on either side of a quantile: else it tells the dwell of a few."""
    return visits * min(share, 1 - share) >= k - 1e-9
