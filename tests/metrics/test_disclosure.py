"""Small counts: what an attacker who subtracts answers may learn."""

from hypothesis import given
from hypothesis import strategies as st

from core.metrics.disclosure import K_PEOPLE, enough_beyond, hidden, hidden_with_complement, joined

cells = st.lists(st.integers(0, 30), max_size=24)


def test_few_are_hidden_and_nobody_is_not() -> None:
    assert hidden([0, 1, 9, 10, 11]) == [False, True, True, False, False]


def test_one_hidden_hour_takes_another_with_it() -> None:
    assert hidden_with_complement([20, 3, 12, 40]) == [False, True, True, False]
    assert hidden_with_complement([20, 3, 4, 40]) == [True, True, True, False], "3 + 4 people are still too few"
    assert hidden_with_complement([20, 6, 7, 40]) == [False, True, True, False]
    assert hidden_with_complement([3]) == [True]
    assert hidden_with_complement([20, 0, 40]) == [False, False, False]


@given(cells)
def test_subtracting_the_told_hours_from_the_day_leaves_nobody_or_k_people(people: list[int]) -> None:
    found = hidden_with_complement(people)
    left = [count for count, hide in zip(people, found, strict=True) if hide]
    assert not any(0 < count < K_PEOPLE and not hide for count, hide in zip(people, found, strict=True))
    told = [count for count, hide in zip(people, found, strict=True) if not hide and count]
    if left and told:
        assert len(left) >= 2
        assert sum(left) >= K_PEOPLE
    # and what is hidden does not depend on anything but the cells
    assert found == hidden_with_complement(list(people))


@given(cells)
def test_no_bar_of_a_histogram_stands_for_few(counts: list[int]) -> None:
    runs = joined(counts)
    assert all(sum(counts[first : last + 1]) >= K_PEOPLE for first, last in runs)
    if sum(counts) >= K_PEOPLE:
        assert [place for first, last in runs for place in range(first, last + 1)] == list(range(len(counts)))
    else:
        assert runs == []


def test_a_quantile_needs_k_visits_on_either_side() -> None:
    assert (enough_beyond(19, 0.5), enough_beyond(20, 0.5)) == (False, True)
    assert (enough_beyond(99, 0.9), enough_beyond(100, 0.9)) == (False, True)
    assert (enough_beyond(199, 0.95), enough_beyond(200, 0.95)) == (False, True)
