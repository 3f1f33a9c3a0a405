"""Who walks to where no anchor listens, because the one there is told to be down, has not left."""

from collections.abc import Sequence

import numpy as np
import pytest

from core.dwell.emission import tables
from core.dwell.engine import StoreEngine
from core.dwell.model import prior_model
from core.dwell.places import neighbours
from core.dwell.settings import Settings
from core.records import ClosedBy, SignalArray, VisitArray
from tests.dwell.scenes import START_NS, grid_plan, pseudonyms
from tests.dwell.test_deserted import before, stores

pytestmark = pytest.mark.kernels
PLAN = grid_plan(15)  # five rows of three cells of 8 m
DEAD, NEXT, FAR = 4, 1, 14
S = 10**9


def engine(*words: tuple[bool, int], devices: int = 8) -> StoreEngine:
    made = StoreEngine(PLAN)
    made.device_index(pseudonyms(devices))
    for alive, second in words:
        made.heartbeat(np.array([DEAD]), alive=alive, at=START_NS + second * S)
    return made


def decoded(made: StoreEngine, *parts: SignalArray, pieces: int = 40) -> VisitArray:
    signals = np.concatenate(parts)
    signals = signals[np.argsort(signals["ts"], kind="stable")]
    return np.concatenate([*(made.push(part) for part in np.array_split(signals, pieces)), made.finish()])


OFF_AND_ON = ((False, 600), (True, 1200))


@pytest.mark.parametrize("away_s", [90, 450, 540])
@pytest.mark.parametrize("every_s", [1.0, 10.0])
def test_who_walks_to_a_gateway_that_is_down_and_comes_back_has_not_left(away_s: int, every_s: float) -> None:
    walking = before(NEXT, 2, [(0, 700), (700 + away_s, 1800)], every_s=every_s)
    visits = decoded(engine(*OFF_AND_ON), walking, before(FAR, 2, [(0, 1800)], first=2))
    assert len(stores(visits, range(2))) == 2
    if away_s > 14 * every_s:  # no silence of its own
        assert len(stores(decoded(engine(), walking, before(FAR, 2, [(0, 1800)], first=2)), range(2))) == 4


def first_seen_s(made: StoreEngine, signals: SignalArray, device: int) -> int:
    """At which second of data a device's store visit is reported."""
    for second in range(0, 3000, 10):
        inside = (signals["ts"] >= START_NS + second * S) & (signals["ts"] < START_NS + (second + 10) * S)
        visits = made.push(signals[inside])
        if (visits["device"] == device).any():
            return second
    raise AssertionError("it was never reported")


@pytest.mark.parametrize(
    ("anchor", "words", "waits_s"),
    [
        (FAR, OFF_AND_ON, 60),
        (NEXT, OFF_AND_ON, 1200 + 60 - 700),
        (NEXT, ((False, 600),), 900),
        (NEXT, (), 60),
    ],
    ids=["far from it", "until it is back", "for ever down", "never down"],
)
def test_who_really_leaves_is_seen_to_leave(anchor: int, words: Sequence[tuple[bool, int]], waits_s: int) -> None:
    """Far off at once; beside it a minute after it is back, at the latest after a quarter of an hour."""
    signals = np.concatenate([before(anchor, 1, [(0, 700)]), before(6, 2, [(0, 3000)], first=1)])
    signals = signals[np.argsort(signals["ts"], kind="stable")]
    lateness_s = Settings().lateness_ns // S
    assert 0 <= first_seen_s(engine(*words), signals, 0) - 700 - waits_s <= lateness_s + 20
    (left,) = stores(decoded(engine(*words), signals), range(1))
    assert 695 <= left[1] <= 700
    assert left[2] == (ClosedBy.SILENCE if waits_s == 60 else ClosedBy.ANCHOR_DOWN)


def test_who_is_heard_beside_it_goes_on_learning_how_often_it_is_heard() -> None:
    """One whose gaps are long is waited for by them once the anchor is back, though it came while that was down."""
    comes = before(NEXT, 1, [(650, 1000), (1090, 1800)], every_s=20.0, loss=0)
    beside = decoded(engine((False, 600), (True, 1010)), comes, before(FAR, 2, [(0, 1800)], first=1))
    assert len(stores(beside, range(1))) == 1


def test_neighbours_are_those_with_nobody_between() -> None:
    grid = np.array([(8.0 * (i % 3), 8.0 * (i // 3), 0) for i in range(9)])
    beside = neighbours(grid)
    assert np.flatnonzero(beside[4]).tolist() == [1, 3, 5, 7]
    assert np.flatnonzero(beside[0]).tolist() == [1, 3]
    upstairs = grid.copy()
    upstairs[1, 2] = 1
    assert np.flatnonzero(neighbours(upstairs)[0]).tolist() == [2, 3]
    unknown = grid.copy()
    unknown[1, 0] = np.nan
    assert not neighbours(unknown)[1].any()
    twins = np.array([(0.0, 0.0, 0), (1.0, 0.0, 0), (8.0, 0.0, 0)])
    assert neighbours(twins)[0].tolist() == [False, True, True], "a twin is in nobody's way"


def test_what_the_prior_guesses_of_an_anchors_reach_is_no_fault_of_the_anchor() -> None:
    """Of people next door it ought to hear, by the prior; in a store with shelves it never does."""
    made = StoreEngine(PLAN)
    made.device_index(pseudonyms(12))
    signals = np.concatenate([before(DEAD, 1, [(0, 60)], first=11), before(NEXT, 11, [(0, 600)])])
    made.push(signals[np.argsort(signals["ts"], kind="stable")])
    assert not made.anchors_deaf.any()
    table = tables(prior_model(PLAN), Settings())
    assert (np.count_nonzero(table.alarm[:, :15], axis=0) == 1).all(), "one witness each: who stands before it"
