"""Trials of a policy: halves that are drawn fairly, and intervals that hold the truth as often as they say."""

import math
from random import Random
from statistics import mean, variance
from uuid import UUID

import pytest
from scipy import stats

from core.journey.trials import FEWEST_A_HALF, Outcome, effects, tries


def drawn(chance: Random, count: int, *, longer: float, more: float) -> list[Outcome]:
    return [
        Outcome(
            tried=tried,
            dwell_s=chance.lognormvariate(6.5, 0.8) * (longer if tried else 1),
            bought=chance.random() < 0.3 + (more if tried else 0),
            returned=None if number % 3 == 0 else chance.random() < 0.5,
        )
        for number, tried in ((number, chance.random() < 0.5) for number in range(count))
    ]


def test_halves_are_even_lasting_and_unlike_those_of_another_trial() -> None:
    people = [UUID(int=number).bytes for number in range(4000)]
    one, other = (bytes([salt]) * 16 for salt in (1, 2))
    first = [tries(one, person) for person in people]
    assert first == [tries(one, person) for person in people]
    assert 1900 < sum(first) < 2100
    both = sum(a and b for a, b in zip(first, (tries(other, person) for person in people), strict=True))
    assert 900 < both < 1100, "a new trial draws anew"


def test_intervals_hold_the_truth_in_95_of_100_trials() -> None:
    chance = Random(11)
    held = {"dwell": 0, "bought": 0, "none": 0}
    for _ in range(200):
        found = effects(drawn(chance, 160, longer=1.2, more=0.15))
        assert found.dwell is not None
        assert found.bought is not None
        assert found.returned is not None
        held["dwell"] += found.dwell.low <= 1.2 <= found.dwell.high
        held["bought"] += found.bought.low <= 0.15 <= found.bought.high
        held["none"] += found.returned.low <= 0 <= found.returned.high
    for name, count in held.items():
        assert 180 <= count <= 199, (name, count)  # 190 expected, 3.1 the standard deviation


def test_known_figures() -> None:
    # Newcombe (1998), table II, example (a): 56/70 beside 48/80 is 0.2, 0.0524 to 0.3339
    outcomes = [Outcome(tried=True, dwell_s=60, bought=n < 56, returned=None) for n in range(70)]
    outcomes += [Outcome(tried=False, dwell_s=60, bought=n < 48, returned=None) for n in range(80)]
    found = effects(outcomes)
    assert found.bought is not None
    assert [found.bought.change, found.bought.low, found.bought.high] == pytest.approx(
        [0.2, 0.0524, 0.3339], abs=5e-5
    )
    assert found.dwell is not None
    assert found.dwell.kept == pytest.approx(60)
    assert [found.dwell.change, found.dwell.low, found.dwell.high] == [1, 1, 1]
    assert found.returned is None, "nobody's month is over"


def test_too_few_say_nothing() -> None:
    few = [Outcome(tried=n < FEWEST_A_HALF - 1, dwell_s=60, bought=True, returned=True) for n in range(99)]
    found = effects(few)
    assert (found.dwell, found.bought, found.returned) == (None, None, None)
    assert effects([]).customers == 0


def test_halves_of_unlike_spread_and_size_are_compared_by_welch_as_a_common_spread_would_claim_too_much() -> None:
    """A policy that sends some off and keeps others long spreads dwell, and a half may be small: pooled, it hides."""
    chance = Random(5)
    logs = [[chance.gauss(6.5, spread) for _ in range(count)] for count, spread in ((FEWEST_A_HALF, 1.5), (400, 0.3))]
    outcomes = [
        Outcome(tried=tried, dwell_s=math.exp(log), bought=False, returned=None)
        for tried, half in zip((True, False), logs, strict=True)
        for log in half
    ]
    found = effects(outcomes).dwell
    assert found is not None
    # Welch (1947) with Satterthwaite's degrees of freedom, written out
    shares = [variance(half) / len(half) for half in logs]
    freedom = sum(shares) ** 2 / sum(share**2 / (len(half) - 1) for share, half in zip(shares, logs, strict=True))
    reach = stats.t.ppf(0.975, freedom) * sum(shares) ** 0.5
    change = mean(logs[0]) - mean(logs[1])
    assert [math.log(found.low), math.log(found.high)] == pytest.approx([change - reach, change + reach])
    pooled = sum(variance(half) * (len(half) - 1) for half in logs) / (sum(map(len, logs)) - 2)
    assert reach > 2 * 1.96 * (pooled * sum(1 / len(half) for half in logs)) ** 0.5, "pooled, half as wide"
