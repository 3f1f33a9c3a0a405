"""What an anchor missed while it was dead teaches a calibration nothing."""

import numpy as np
import pytest

from core.dwell.calibration import calibrate
from core.dwell.engine import StoreEngine
from core.dwell.model import Model
from core.dwell.outages import BLOCK_US, BLOCKS_MOST, SILENT_ADVERTS, block_of, working
from core.records import SignalArray
from tests.dwell.scenes import Walk, grid_plan, pseudonyms, walk

PLAN = grid_plan(9)
SHOPPERS = Walk(devices=20, stays=8, stay_s=60.0)
DEAD = 4


def without(signals: SignalArray, share: float) -> SignalArray:
    """The signals of a store whose middle anchor is dead for that share of the time, at the end."""
    begin, end = int(signals["ts"].min()), int(signals["ts"].max())
    kept: SignalArray = signals[(signals["anchor"] != DEAD) | (signals["ts"] < end - share * (end - begin))]
    return kept


def learnt(share: float) -> Model:
    return calibrate(PLAN, without(walk(PLAN, 1, SHOPPERS), share))


@pytest.mark.parametrize("share", [0.3, 0.9, 1.1], ids=["at the end", "nearly always", "never heard"])
def test_an_anchor_that_died_meanwhile_is_expected_to_hear_as_much_as_one_that_lived(share: float) -> None:
    usual, model = learnt(0.0), learnt(share)
    assert np.abs(model.detection[:, DEAD] - usual.detection[:, DEAD]).max() < 0.2
    assert np.abs(model.level_dbm[:, DEAD] - usual.level_dbm[:, DEAD]).max() < 4
    others = np.arange(9) != DEAD
    assert np.abs(model.detection[:, others] - usual.detection[:, others]).max() < 0.05


def test_an_anchor_that_was_dead_in_the_sample_and_still_is_is_called_deaf() -> None:
    engine = StoreEngine(PLAN, learnt(1.1))
    engine.device_index(pseudonyms(20))
    deaf = []
    for part in np.array_split(without(walk(PLAN, 2, SHOPPERS), 1.1), 20):
        engine.push(part)
        deaf.append(engine.anchors_deaf)
    assert np.any(deaf, axis=0).tolist() == [anchor == DEAD for anchor in range(9)]


def test_an_anchor_that_hears_little_all_the_time_is_taken_at_its_word() -> None:
    signals = walk(PLAN, 1, SHOPPERS)
    kept = (signals["anchor"] != DEAD) | (np.random.default_rng(1).random(len(signals)) < 0.1)
    model = calibrate(PLAN, signals[kept])
    assert model.detection[DEAD, DEAD] < 0.2


def blocks(expected: list[float], heard: list[int]) -> list[float]:
    worked: list[float] = working(np.array([expected]).T, np.array([heard]).T)[:, 0].tolist()
    return worked


def test_a_silence_counts_as_an_outage_beyond_the_adverts_that_ought_to_have_been_heard() -> None:
    ten = SILENT_ADVERTS / 6
    assert blocks([ten] * 12, [99] * 3 + [0] * 6 + [99] * 3) == [1] * 12
    assert blocks([ten] * 13, [99] * 3 + [0] * 7 + [99] * 3) == [1] * 3 + [0] * 7 + [1] * 3
    assert blocks([ten] * 13, [0] * 7 + [99] * 6) == [0] * 7 + [1] * 6
    assert blocks([ten] * 13, [99] * 6 + [0] * 7) == [1] * 6 + [0] * 7
    assert blocks([ten] * 13, [99, 0] * 6 + [99]) == [1] * 13
    assert blocks([ten] * 3 + [0.0] * 99, [99] * 3 + [0] * 99) == [1] * 102  # nobody was there


def test_who_was_never_heard_tells_nothing() -> None:
    assert blocks([1.0, 1.0], [0, 0]) == [0, 0]


def test_blocks_are_ten_seconds_long_or_as_long_as_keeps_them_few() -> None:
    assert block_of(np.array([5, 4 + BLOCK_US, 5 + BLOCK_US])).tolist() == [0, 0, 1]
    week_us = 7 * 86_400_000_000
    assert block_of(np.array([0, week_us])).tolist() == [0, BLOCKS_MOST - 1]
