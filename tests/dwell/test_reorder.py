"""The watermark: what is late, what waits, and for whom."""

import numpy as np
import pytest

from core.dwell import reorder_kernels as kernels
from core.dwell.reorder import Reorder, in_order_of_time
from core.dwell.settings import Settings
from core.records import SIGNAL

pytestmark = pytest.mark.kernels
S = 10**9
SETTINGS = Settings(lateness_ns=30 * S, patience_ns=300 * S)


def at(*seconds: float) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    signals = np.zeros(len(seconds), SIGNAL)
    signals["ts"] = [int(second * S) for second in seconds]
    return signals


def seconds(signals: np.ndarray[tuple[int], np.dtype[np.void]]) -> list[float]:
    return [float(ts) / 1e6 for ts in signals["ts"]]


@pytest.mark.parametrize(("second", "late"), [(69.999999, 1), (70.0, 0), (70.000001, 0)])
def test_a_signal_at_the_watermark_minus_1_the_watermark_and_plus_1(second: float, late: int) -> None:
    reorder = Reorder(SETTINGS)
    reorder.push(at(100, second), 0)
    assert reorder.late == late


def test_what_lies_before_the_watermark_is_released_in_order() -> None:
    reorder = Reorder(SETTINGS)
    reorder.push(at(60, 50, 55, 89, 90, 90.5), 0)
    assert seconds(reorder.release()) == [50, 55, 60]
    assert seconds(reorder.release()) == []
    assert seconds(reorder.preview()) == [89, 90, 90.5]
    reorder.push(at(200), 0)
    assert seconds(reorder.release()) == [89, 90, 90.5]
    assert seconds(reorder.flush()) == [200]


def test_a_slow_source_is_waited_for() -> None:
    reorder = Reorder(SETTINGS)
    reorder.push(at(10), 1)
    reorder.push(at(200), 0)
    assert seconds(reorder.release()) == []
    reorder.push(at(50), 1)
    assert seconds(reorder.release()) == [10]
    assert reorder.late == 0


@pytest.mark.parametrize(("newest", "released"), [(309.999, []), (310, []), (310.001, [10])])
def test_a_source_is_given_up_at_the_patience_minus_1_the_patience_and_plus_1(
    newest: float, released: list[int]
) -> None:
    reorder = Reorder(SETTINGS)
    reorder.push(at(10), 1)
    reorder.push(at(newest), 0)
    assert seconds(reorder.release()) == released


def test_an_expected_source_holds_everything_until_it_speaks() -> None:
    reorder = Reorder(SETTINGS)
    reorder.expect(1)
    reorder.push(at(10, 200), 0)
    assert seconds(reorder.release()) == []
    reorder.push(at(5, 60), 1)
    assert seconds(reorder.release()) == [5, 10]
    assert reorder.late == 0


def test_an_expected_source_that_never_speaks_is_given_up() -> None:
    reorder = Reorder(SETTINGS)
    reorder.expect(1)
    reorder.push(at(10, 310), 0)
    assert seconds(reorder.release()) == []
    reorder.push(at(310.5), 0)
    assert seconds(reorder.release()) == [10]


def test_a_source_expected_later_holds_what_is_not_yet_released() -> None:
    reorder = Reorder(SETTINGS)
    reorder.push(at(10, 100), 0)
    reorder.expect(1)
    reorder.push(at(200), 0)
    assert seconds(reorder.release()) == [10]
    reorder.push(at(80), 1)
    assert reorder.late == 0


def test_a_source_expected_later_is_waited_for_from_then_on() -> None:
    reorder = Reorder(SETTINGS)
    reorder.push(at(10, 400), 0)
    assert seconds(reorder.release()) == [10]
    reorder.expect(1)
    reorder.push(at(500), 0)
    assert seconds(reorder.release()) == []
    reorder.push(at(701), 0)
    assert seconds(reorder.release()) == [400, 500]


def test_exact_repetitions_are_removed_and_counted_others_not() -> None:
    reorder = Reorder(SETTINGS)
    signals = at(1, 1, 1, 1, 1, 2)
    signals["device"] = [3, 3, 1, 3, 3, 3]
    signals["anchor"] = [2, 2, 2, 1, 2, 2]
    signals["rssi_dbm"] = [-60, -60, -60, -60, -61, -60]
    reorder.push(signals, 0)
    held = reorder.flush()
    assert sorted((s["device"].item(), s["anchor"].item(), s["rssi_dbm"].item()) for s in held) == [
        (1, 2, -60),
        (3, 1, -60),
        (3, 2, -61),
        (3, 2, -60),
        (3, 2, -60),
    ]
    assert reorder.repeated == 1


def test_times_are_floored_to_whole_microseconds() -> None:
    reorder = Reorder(SETTINGS)
    signals = at(1, 1)
    signals["ts"] = [1_000_999, 1_000_001]
    reorder.push(signals, 0)
    assert reorder.flush()["ts"].tolist() == [1_000]
    assert reorder.repeated == 1


def test_what_comes_after_the_flush_and_lies_before_it_is_late() -> None:
    reorder = Reorder(SETTINGS)
    reorder.push(at(100), 0)
    reorder.flush()
    reorder.push(at(100), 0)
    assert reorder.late == 1


def test_after_an_outage_backlogs_come_one_after_the_other_and_nothing_is_late() -> None:
    reorder = Reorder(SETTINGS)
    minute = 60_000_000
    for source in (0, 1):
        reorder.push(at(10), source, arrived_us=10_000_000 + source)
    hour_later = 70 * minute
    for second in range(60, 3600, 60):  # the whole hour of one, then the whole hour of the other
        reorder.push(at(second), 0, arrived_us=hour_later + second)
    assert seconds(reorder.release()) == []
    for second in range(60, 3600, 60):
        reorder.push(at(second + 0.5), 1, arrived_us=hour_later + 10_000_000 + second)
    assert reorder.late == 0
    minutes = range(60, 3481, 60)  # those before the watermark, 30 s behind 3540
    assert seconds(reorder.release()) == sorted([10, *minutes, *(second + 0.5 for second in minutes)])


@pytest.mark.parametrize(("pushes", "given_up"), [(59, False), (60, False), (61, True)])
def test_a_source_is_given_up_once_the_others_were_heard_for_the_patience(pushes: int, given_up: bool) -> None:
    reorder = Reorder(SETTINGS)
    reorder.push(at(10), 1, arrived_us=0)
    for push in range(1, pushes + 1):  # every five seconds of arrival: sixty of them are the patience
        reorder.push(at(10 + 5 * push), 0, arrived_us=push * 5_000_000)
    assert (len(reorder.release()) > 0) == given_up


def test_an_expected_source_is_waited_for_by_arrival_too() -> None:
    reorder = Reorder(SETTINGS)
    reorder.expect(1)
    reorder.push(at(10, 4000), 0, arrived_us=0)
    assert seconds(reorder.release()) == []
    reorder.push(at(5, 4000), 1, arrived_us=1_000_000)
    assert seconds(reorder.release()) == [5, 10]
    assert reorder.late == 0


def test_too_much_held_is_released_without_those_who_are_behind() -> None:
    reorder = Reorder(Settings(held_signals=3))
    reorder.push(at(10), 1, arrived_us=0)
    reorder.push(at(100, 200, 300), 0, arrived_us=1)
    assert seconds(reorder.release()) == []
    reorder.push(at(301), 0, arrived_us=2)
    assert seconds(reorder.release()) == [10, 100, 200]


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_signals_at_the_far_end_of_the_ring_and_just_beyond_are_released_in_order(beyond: int) -> None:
    """The ring begins with the slot of the first signal's watermark; beyond it a slot would be taken twice."""
    first = 1000 * kernels.SLOT_US + 1
    far = first + (kernels.SLOTS + beyond) * kernels.SLOT_US
    signals = np.zeros(3, SIGNAL)
    signals["ts"] = np.array([first, far, first + 5]) * 1000
    reorder = Reorder(Settings(lateness_ns=0, patience_ns=3600 * S))
    reorder.expect(9)
    reorder.push(signals, 0)
    assert reorder.held == 3
    assert reorder.flush()["ts"].tolist() == [first, first + 5, far]


def test_many_at_one_time_and_one_far_away_are_sorted_too() -> None:
    rng = np.random.default_rng(3)
    signals = np.zeros(3000, SIGNAL)
    signals["ts"] = S * rng.integers(0, 5, len(signals))
    signals["ts"][7] = 10**9 * S
    signals["device"] = rng.permutation(len(signals))
    signals["ts"] //= 1000
    ordered, repeated = in_order_of_time(np.concatenate([signals, signals[:100]]))
    assert repeated == 100
    assert ordered["ts"].tolist() == sorted(signals["ts"].tolist())
