"""Rhythm, standing, and the two kinds of visits: said only where the data support it."""

import random

import numpy as np
import pytest

from core.journey.habits import DAY_NS, occasions, rhythm, standing
from core.journey.shoppers import browses, dwell_kinds

START = 20_000 * DAY_NS


def weekly(visits: int) -> list[int]:
    return [START + 7 * DAY_NS * number for number in range(visits)]


def test_usually_weekly_not_seen_for_five_weeks() -> None:
    last = weekly(8)[-1]
    for away, unusual in ((7, False), (21, False), (22, True), (35, True)):
        found = rhythm(weekly(8), as_of=last + away * DAY_NS)
        assert found is not None
        assert (found.usual_days, found.unusual) == (7.0, unusual)
        assert found.expected_at == last + 7 * DAY_NS


def test_who_once_stayed_away_for_long_is_not_unusual_before_that() -> None:
    visits = [*weekly(5), *(at + 60 * DAY_NS for at in weekly(9)[5:])]
    found = rhythm(visits, as_of=max(visits) + 50 * DAY_NS)
    assert found is not None
    assert not found.unusual


def test_too_few_visits_have_no_rhythm_and_order_does_not_matter() -> None:
    assert rhythm(weekly(4), as_of=START * 2) is None
    assert rhythm([], as_of=START) is None
    mixed = weekly(9)
    random.Random(3).shuffle(mixed)
    assert rhythm(mixed, as_of=START + 70 * DAY_NS) == rhythm(weekly(9), as_of=START + 70 * DAY_NS)


def test_coming_back_for_the_umbrella_is_the_same_occasion() -> None:
    assert occasions([START, START + DAY_NS // 4, START + DAY_NS]) == [START, START + DAY_NS]


def test_where_a_value_stands() -> None:
    found = standing(30.0, [10.0, 20.0, 30.0, 40.0])
    assert found is not None
    assert (found.among, found.middle, found.share_below) == (4, 25.0, 0.625)
    assert standing(30.0, [1.0, 2.0, 3.0]) is None


def dwells(seed: int, *kinds: tuple[int, float, float]) -> list[float]:
    chance = np.random.default_rng(seed)
    return [
        float(value) for count, middle, spread in kinds for value in chance.lognormal(np.log(middle), spread, count)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_two_kinds_are_found_where_there_are_two(seed: int) -> None:
    found = dwell_kinds(dwells(seed, (600, 240.0, 0.4), (400, 2_400.0, 0.5)))
    assert found is not None
    assert found.share_short == pytest.approx(0.6, abs=0.05)
    assert (found.short_s, found.long_s) == pytest.approx((240, 2_400), rel=0.15)


@pytest.mark.parametrize("seed", range(10))
def test_one_kind_is_not_made_into_two(seed: int) -> None:
    assert dwell_kinds(dwells(seed, (1_000, 600.0, 0.8))) is None


def test_few_or_equal_or_rare_dwells_support_no_kinds() -> None:
    assert dwell_kinds(dwells(1, (120, 240.0, 0.4), (79, 2_400.0, 0.5))) is None
    assert dwell_kinds([60.0] * 500) is None
    assert dwell_kinds(dwells(1, (980, 240.0, 0.4), (20, 9_000.0, 0.1))) is None


def test_a_customer_is_told_after_five_visits() -> None:
    kinds = dwell_kinds(dwells(2, (600, 240.0, 0.4), (400, 2_400.0, 0.5)))
    assert kinds is not None
    assert browses(kinds, [250.0] * 4) is None
    quick, slow, between = (browses(kinds, [value] * 5) for value in (250.0, 2_300.0, 700.0))
    both = {short: browses(kinds, [250.0] * short + [2_300.0] * (6 - short)) for short in (2, 3, 4)}
    assert all(found is not None and 0.1 < found < 0.9 for found in both.values()), both
    assert both[2] > both[3] > both[4]  # type: ignore[operator]  # none is None
    assert quick is not None
    assert slow is not None
    assert between is not None
    assert quick < 0.01 < between < slow
    assert slow > 0.9, "where the default policy acts; five visits are not a hundred"


@pytest.mark.parametrize("seed", range(5))
def test_two_parts_that_overlap_are_no_two_kinds_however_much_better_they_describe_it(seed: int) -> None:
    """Ashman's D is 2 where parts begin to stand apart: below it nobody could say which kind a visit is of.

    A narrow and a wide part around one middle are far better than one normal (BIC), and tell no two kinds.
    """
    assert dwell_kinds(dwells(seed, (500, 600.0, 0.2), (500, 700.0, 1.2))) is None
    assert dwell_kinds(dwells(seed, (500, 300.0, 0.5), (500, 300.0 * np.exp(3.0 * 0.5), 0.5))) is not None, "D 3"
