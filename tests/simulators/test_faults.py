import numpy as np

from core.records import SIGNAL
from simulators.faults import Outage, outlived, skewed


def test_an_outage_begins_with_its_first_instant_and_ends_before_its_last() -> None:
    signals = np.zeros(8, SIGNAL)
    signals["ts"] = [9, 10, 19, 20, 9, 10, 19, 20]
    signals["anchor"] = [1, 1, 1, 1, 0, 0, 0, 0]
    heard = outlived(signals, [Outage(1, 10, 20)])
    assert heard.tolist() == [True, False, False, True, True, True, True, True]


def test_a_clock_that_is_ahead_stamps_later_and_rows_keep_their_order() -> None:
    signals = np.zeros(3, SIGNAL)
    signals["ts"] = [1_000_000_000, 2_000_000_000, 3_000_000_000]
    signals["anchor"] = [0, 1, 0]
    stamped = skewed(signals, np.array([1.5, -0.25]))
    assert stamped["ts"].tolist() == [2_500_000_000, 1_750_000_000, 4_500_000_000]
    assert signals["ts"][0] == 1_000_000_000
