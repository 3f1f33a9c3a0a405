"""Hysteresis and the seasonal baseline."""

import pytest

from core.errors import InputError
from core.metrics.alerts import KINDS, Kind, Rule, Watch, checked, deviation, step, told, usual_clear

RULE = Rule(kind="occupancy", opens_at=100, clears_at=90, for_s=30)


def walked(values: list[float | None], every_s: float = 10) -> list[bool]:
    watch, told = Watch(), []
    for number, value in enumerate(values):
        watch = step(RULE, watch, value, number * every_s)
        told.append(watch.is_open)
    return told


def test_a_value_must_stay_beyond_before_anything_is_told() -> None:
    assert walked([100, 100, 100, 99, 100, 100, 100, 100]) == [False] * 7 + [True]


def test_between_the_bounds_an_alert_stays_as_it_is() -> None:
    opened = [100.0] * 4
    assert walked([*opened, 95, 91, 99, 95])[3:] == [True] * 5, "a value at the limit does not flicker"
    assert walked([*opened, 90, 90, 90, 90])[3:] == [True] * 4 + [False]
    assert walked([95.0] * 8) == [False] * 8


def test_what_is_not_known_changes_nothing() -> None:
    assert walked([100, 100, 100, None, 100, 100, 100, 100])[-2:] == [False, True]
    assert walked([100, 100, 100, 100, None, None])[-1]


def test_bounds_must_fit() -> None:
    for rule in (
        Rule(kind="occupancy", opens_at=100, clears_at=100, for_s=0),
        Rule(kind="occupancy", opens_at=0, clears_at=-1, for_s=0),
    ):
        with pytest.raises(InputError):
            checked(rule)


def test_a_wait_is_told_as_the_step_that_it_reached() -> None:
    assert [told("queue_wait", wait_s) for wait_s in (0, 59.9, 60, 299.9, 300, 599, 777, 7199, 90_000)] == [
        0, 0, 60, 180, 300, 300, 600, 5400, 7200,
    ]  # fmt: skip
    assert [told("occupancy", people) for people in (0, 1, 9, 10, 11)] == [0, None, None, 10, 11]
    assert told("anchor_down", 1) == 1


@pytest.mark.parametrize("kind", KINDS.values())
def test_usual_bounds_fit_and_so_do_those_in_proportion(kind: Kind) -> None:
    for opens_at in {kind.opens_at, kind.least, kind.most, 600 if kind.kind == "queue_wait" else kind.least}:
        checked(Rule(kind=kind.kind, opens_at=opens_at, clears_at=usual_clear(kind, opens_at), for_s=kind.for_s))
    assert usual_clear(kind, kind.opens_at) == kind.clears_at
    for beyond in (kind.least * 0.99, kind.most * 1.01):
        with pytest.raises(InputError):
            checked(Rule(kind=kind.kind, opens_at=beyond, clears_at=0, for_s=0))


def test_usual_is_what_the_same_hour_was() -> None:
    history = [60.0, 62, 58, 61, 59, 300]  # one odd week does not make it usual
    assert deviation(60, history) == pytest.approx(0.5 / 6.05, abs=0.1)
    assert (deviation(300, history) or 0) > 3.5
    assert deviation(60, [60.0, 61, 62]) is None
    assert (deviation(64, [60.0] * 8) or 9) < 3.5, "hours that were all alike make nothing unusual"
