"""Small counts: what an attacker who subtracts answers may learn."""

from itertools import combinations
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.metrics.disclosure import (
    K_PEOPLE,
    LEFT_OUT_MOST,
    enough_beyond,
    hidden,
    hidden_with_complement,
    hidden_with_rest,
    told_beside,
    told_of_days,
)

cells = st.lists(st.integers(0, 30), max_size=24)


def test_few_are_hidden_and_nobody_is_not() -> None:
    assert hidden([0, 1, 9, 10, 11]) == [False, True, True, False, False]


def test_one_hidden_hour_takes_another_with_it() -> None:
    assert hidden_with_complement([20, 3, 12, 40]) == [False, True, True, False]
    assert hidden_with_complement([20, 6, 7, 40]) == [True, True, True, False], "maybe the 6 are among the 7"
    assert hidden_with_complement([12, *[1] * 10]) == [True] * 11, "ten hours of one person are one person"
    assert hidden_with_complement([3]) == [True]
    assert hidden_with_complement([20, 0, 40]) == [False, False, False]


@given(st.lists(st.sets(st.integers(0, 30)), max_size=24))
def test_subtracting_the_told_hours_from_the_day_leaves_nobody_or_k_people(hours: list[set[int]]) -> None:
    """People come again in other hours, as they like: who is left over is counted, not added up."""
    people = [len(hour) for hour in hours]
    found = hidden_with_complement(people)
    assert not any(0 < count < K_PEOPLE and not hide for count, hide in zip(people, found, strict=True))
    told = [hour for hour, hide in zip(hours, found, strict=True) if not hide and hour]
    left = [hour for hour, hide in zip(hours, found, strict=True) if hide]
    if left and told:
        assert len(left) >= 2
        assert len(set[int]().union(*left)) >= K_PEOPLE
    # and what is hidden does not depend on anything but the cells
    assert found == hidden_with_complement(list(people))


@given(cells, st.integers(0, 20))
def test_the_people_of_no_told_cell_are_nobody_or_k(people: list[int], elsewhere: int) -> None:
    whole = sum(people) + elsewhere
    found = hidden_with_rest(people, whole)
    told = [count for count, hide in zip(people, found, strict=True) if not hide and count]
    assert all(count >= K_PEOPLE for count in told)
    assert not told or whole == sum(told) or whole - sum(told) >= K_PEOPLE


@given(st.lists(st.integers(0, 25), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_no_band_between_two_told_lengths_holds_few(bands: list[int], chance: Random) -> None:
    at_least = [sum(bands), *chance.sample([sum(bands[place:]) for place in range(len(bands))], len(bands))]
    told = [count for count, tell in zip(at_least, told_beside(np.array([at_least]))[0], strict=True) if tell]
    assert all(one == other or abs(one - other) >= K_PEOPLE for one, other in combinations(told, 2))
    assert all(count == 0 or count >= K_PEOPLE for count in told)
    if at_least[0] >= K_PEOPLE:
        assert told[0] == at_least[0], "all visits of a day that is told are told"


@given(
    st.lists(
        st.lists(st.integers(0, 25), min_size=5, max_size=5).filter(lambda day: sum(day) >= K_PEOPLE), min_size=1
    ),
    st.permutations(range(1, 5)),
)
def test_what_is_told_of_a_range_is_told_of_each_of_its_days(days: list[list[int]], order: list[int]) -> None:
    """So whoever subtracts ranges is left with sums of bands that hold 0 or ten visits of a day."""
    counts = [[sum(day[place:]) for place in (0, *order)] for day in days]
    told, left_out = told_of_days(np.array(counts))
    kept = [day for day, out in zip(counts, left_out, strict=True) if not out]
    assert kept
    assert told[0]
    for day in kept:
        shown = [count for count, tell in zip(day, told, strict=True) if tell]
        assert all(one == other or abs(one - other) >= K_PEOPLE for one, other in combinations([0, *shown], 2))
    visits = sum(day[0] for day in counts)
    assert visits - sum(day[0] for day in kept) <= LEFT_OUT_MOST * visits


def test_a_quiet_day_among_many_does_not_join_the_bars_of_all() -> None:
    busy, quiet = [300, 100, 40], [12, 11, 3]

    def told(*days: list[int]) -> tuple[list[bool], list[bool]]:
        lengths, left_out = told_of_days(np.array(days))
        return lengths.tolist(), left_out.tolist()

    assert told(*[busy] * 9, quiet) == ([True, True, True], [False] * 9 + [True])
    assert told(busy, [120, 119, 40]) == ([True, False, True], [False, False]), "too many to leave out"
    assert told(quiet) == ([True, False, False], [False])
    assert told_of_days(np.zeros((0, 3), np.int64))[0].all(), "of no day nothing is hidden"


def test_a_quantile_needs_k_visits_on_either_side() -> None:
    assert (enough_beyond(19, 0.5), enough_beyond(20, 0.5)) == (False, True)
    assert (enough_beyond(99, 0.9), enough_beyond(100, 0.9)) == (False, True)
    assert (enough_beyond(199, 0.95), enough_beyond(200, 0.95)) == (False, True)
