"""When a store visit ends, and why: a silent phone has not left, and every reason is told by some visit."""

from collections.abc import Sequence

import numpy as np
import pytest

from core.dwell.engine import StoreEngine
from core.records import APP_ENTER, APP_EXIT, NO_ZONE, SIGNAL, ClosedBy, SignalArray, VisitArray, VisitKind
from tests.dwell.scenes import START_NS, grid_plan, pseudonyms

pytestmark = pytest.mark.kernels
PLAN = grid_plan(3)
S = 10**9
HOUR_S = 3600
LONG_AFTER = range(100 * HOUR_S, 100 * HOUR_S + 20)


def heard(seconds: Sequence[float], rssi_dbm: int = -60, anchor: int = 0, device: int = 0) -> SignalArray:
    signals = np.zeros(len(seconds), SIGNAL)
    signals["ts"] = START_NS + (np.array(seconds) * S).astype(np.int64)
    signals["device"], signals["anchor"], signals["rssi_dbm"] = device, anchor, rssi_dbm
    return signals


def store_visits(*parts: SignalArray) -> list[tuple[float, float, ClosedBy]]:
    """The first device's store visits: entered and left in seconds, why; somebody else is heard long after."""
    signals = np.concatenate([*parts, heard(LONG_AFTER, device=1)])
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(2))
    visits = np.concatenate([engine.push(signals[np.argsort(signals["ts"], kind="stable")]), engine.finish()])
    own = visits[(visits["kind"] == VisitKind.STORE) & (visits["device"] == 0)]
    return [
        ((int(v["entered_at"]) - START_NS) / S, (int(v["left_at"]) - START_NS) / S, ClosedBy(v["closed_by"]))
        for v in own
    ]


def test_a_phone_that_sends_every_ten_seconds_is_silent_for_ninety_and_has_not_left() -> None:
    assert store_visits(heard(range(0, 300, 10)), heard(range(380, 700, 10))) == [(0, 690, ClosedBy.SILENCE)]


def test_of_a_phone_that_sends_every_second_the_same_silence_is_a_departure() -> None:
    assert store_visits(heard(range(300)), heard(range(389, 700))) == [
        (0, 299, ClosedBy.SILENCE), (389, 699, ClosedBy.SILENCE)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("every_s", "visits"), [(5 * 60, 1), (15 * 60, 1), (16 * 60, 4)], ids=["5 min", "15 min", "16 min"]
)
def test_an_app_that_said_it_is_inside_may_sleep_in_the_background_for_a_quarter_of_an_hour(
    every_s: int, visits: int
) -> None:
    """iOS wakes an app for some seconds and lets it sleep; without its word each of these would be a visit."""
    last = 10
    wakes = [heard(range(begin, begin + last + 1)) for begin in range(0, 4 * (every_s + last), every_s + last)]
    said = heard([0.5], APP_ENTER)
    found = store_visits(said, *wakes)
    assert len(found) == visits
    if visits == 1:
        assert found == [(0, 3 * (every_s + last) + last, ClosedBy.SILENCE)]
    assert len(store_visits(*wakes)) == 4


def test_an_app_that_said_it_left_is_not_waited_for() -> None:
    before, after = heard(range(31)), heard(range(300, 331))
    assert len(store_visits(heard([0.5], APP_ENTER), before, after)) == 1
    assert store_visits(heard([0.5], APP_ENTER), before, heard([55], APP_EXIT), after) == [
        (0, 30, ClosedBy.APP_EXIT), (300, 330, ClosedBy.SILENCE)
    ]  # fmt: skip


def behind_a_dead_anchor(engine: StoreEngine) -> list[VisitArray]:
    """Its anchor goes down; what is heard next door is too weak to have moved."""
    found = [engine.push(heard(range(60)))]
    engine.heartbeat(np.array([0]), alive=False, at=START_NS + 60 * S)
    return [*found, engine.push(heard(range(60, 80), -85, anchor=1)), engine.push(heard(LONG_AFTER, device=1))]


@pytest.mark.parametrize(("back", "waits_s"), [(None, 900), (200, 200 - 59 + 60)])
def test_who_went_while_nobody_listened_is_waited_for_no_longer_than_others_once_somebody_does(
    back: int | None, waits_s: int
) -> None:
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(2))
    engine.push(heard(range(60)))
    engine.heartbeat(np.array([0]), alive=False, at=START_NS + 70 * S)
    if back is not None:
        engine.heartbeat(np.array([0]), alive=True, at=START_NS + back * S)
    sees = range(100, 1100, 10)
    gone = [second for second in sees if len(engine.push(heard([second], anchor=2, device=1)))]
    late_s = engine.settings.lateness_ns // S + 20  # until a time is decoded, and between two looks
    assert waits_s + 59 <= gone[0] <= waits_s + 59 + late_s


def test_every_reason_is_told_by_some_visit() -> None:
    scenes = {
        ClosedBy.SILENCE: [heard(range(30)), heard(LONG_AFTER, device=1)],
        ClosedBy.APP_EXIT: [heard(range(30)), heard([50], APP_EXIT), heard(LONG_AFTER, device=1)],
        ClosedBy.STORE_CLOSED: [heard(range(0, 25 * HOUR_S, 20))],
        ClosedBy.END_OF_RECORDING: [heard(range(30))],
    }
    told = {}
    for reason, parts in scenes.items():
        engine = StoreEngine(PLAN)
        engine.device_index(pseudonyms(2))
        told[reason] = [*map(engine.push, parts), engine.finish()]
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(2))
    told[ClosedBy.ANCHOR_DOWN] = [*behind_a_dead_anchor(engine), engine.finish()]
    for reason, found in told.items():
        own = np.concatenate(found)
        first = own[own["device"] == 0][:2]  # the store visit and the stay that it ended with
        assert sorted(first["kind"].tolist()) == [VisitKind.ZONE, VisitKind.STORE], reason
        assert [ClosedBy(value) for value in first["closed_by"]] == [reason, reason]
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(2))
    moved = np.concatenate(
        [engine.push(heard(range(60))), engine.push(heard(range(60, 120), anchor=2)), engine.finish()]
    )
    zones = moved[moved["kind"] == VisitKind.ZONE]
    told[ClosedBy.MOVED_ON] = [moved]
    assert [ClosedBy(value) for value in zones["closed_by"]] == [ClosedBy.MOVED_ON, ClosedBy.END_OF_RECORDING]
    assert set(told) == set(ClosedBy)


@pytest.mark.parametrize("every_s", [61, 90, 300])
def test_a_tag_that_advertises_seldom_is_heard_once_and_then_waited_for(every_s: int) -> None:
    signals = np.zeros(40, SIGNAL)
    signals["ts"] = START_NS + np.arange(40) * every_s * 10**9
    signals["rssi_dbm"] = -55
    engine = StoreEngine(grid_plan(4))
    engine.device_index(pseudonyms(1))
    visits = np.concatenate([engine.push(signals), engine.finish()])
    stores = visits[visits["zone"] == NO_ZONE]
    assert len(stores) == 1
    assert stores["left_at"][0] - stores["entered_at"][0] == 38 * every_s * 10**9


def test_who_was_heard_more_than_once_and_comes_back_is_not_taken_for_a_slow_tag() -> None:
    signals = np.zeros(20, SIGNAL)
    signals["ts"] = START_NS + (np.arange(20) + np.repeat([0, 600], 10)) * 10**9
    signals["rssi_dbm"] = -55
    engine = StoreEngine(grid_plan(4))
    engine.device_index(pseudonyms(1))
    visits = np.concatenate([engine.push(signals), engine.finish()])
    assert np.count_nonzero(visits["zone"] == NO_ZONE) == 2


def exit_of_last_zone(*parts: SignalArray) -> tuple[float, float]:
    """When the first device left the last zone it was in: at the earliest, and as reported, in seconds."""
    signals = np.concatenate([*parts, heard(LONG_AFTER, device=1)])
    engine = StoreEngine(grid_plan(2))
    engine.device_index(pseudonyms(2))
    visits = np.concatenate([engine.push(signals[np.argsort(signals["ts"], kind="stable")]), engine.finish()])
    store = visits[(visits["kind"] == VisitKind.STORE) & (visits["device"] == 0)]
    zones = visits[(visits["kind"] == VisitKind.ZONE) & (visits["device"] == 0)]
    last = zones[zones["left_at"].argmax()]
    assert (store["left_earliest"] == store["left_at"]).all(), "in the store it was until its last signal"
    return (int(last["left_earliest"]) - START_NS) / S, (int(last["left_at"]) - START_NS) / S


def between(seconds: Sequence[float], rssi_dbm: int = -70) -> SignalArray:
    """Both anchors hear each advert alike: it says nothing of the zone."""
    return np.concatenate([heard(seconds, rssi_dbm, anchor) for anchor in (0, 1)])


def test_who_is_heard_clearly_to_the_end_left_the_zone_within_the_last_few_adverts_at_the_earliest() -> None:
    earliest, left = exit_of_last_zone(heard(range(60)))
    assert left == 59
    assert 55 <= earliest <= 59


def test_seconds_on_the_way_to_the_door_that_are_no_stay_may_have_been_outside_of_the_zone() -> None:
    earliest, left = exit_of_last_zone(heard(range(60)), between(range(60, 66)))
    assert left == 65
    assert 55 <= earliest <= 59


def test_clear_signals_after_a_doubtful_stretch_say_that_it_had_not_left() -> None:
    earliest, left = exit_of_last_zone(heard(range(60)), between(range(60, 80)), heard(range(80, 100)))
    assert left == 99
    assert 95 <= earliest <= 99


def test_of_who_was_never_heard_clearly_nobody_knows_that_it_stayed() -> None:
    earliest, left = exit_of_last_zone(between(range(40)))
    assert (earliest, left) == (0, 39), "never before the first signal"
