"""What edges say about themselves and their anchors, beside what the signals say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dwell.coverage import HOUR_US, Coverage
from core.dwell.engine import StoreEngine
from core.dwell.heartbeats import TOLD_MOST, Heartbeats
from core.dwell.model import Model, prior_model
from core.dwell.settings import Settings
from core.errors import InputError
from core.records import NO_ZONE, SIGNAL, SignalArray, VisitArray, VisitKind
from tests.dwell.scenes import START_NS, Walk, grid_plan, pseudonyms, walk
from tests.dwell.test_watch import standing

pytestmark = pytest.mark.kernels
PLAN = grid_plan(6)
S = 10**9
ONE = np.array([1])


def engine(how: Settings | None = None) -> StoreEngine:
    made = StoreEngine(PLAN, settings=how if how is not None else Settings())
    made.device_index(pseudonyms(4))
    return made


def zones(visits: VisitArray) -> list[int]:
    return sorted(visits["zone"][visits["kind"] == VisitKind.ZONE].tolist())


def rows(visits: VisitArray) -> list[bytes]:
    return sorted(visit.tobytes() for visit in visits)


def at(second: float) -> int:
    return START_NS + int(second * S)


def test_who_stands_before_an_anchor_that_is_told_to_be_down_goes_nowhere() -> None:
    """Zones that only the first anchor tells apart: without it, its silence says that everybody has gone."""
    plan = grid_plan(3)
    prior = prior_model(plan)
    model = Model(
        spot_zone=prior.spot_zone,
        level_dbm=np.array([[-65, -80, -75], [-80, -65, -75], [-80, -80, -75]], np.float32),
        detection=np.array([[0.9, 0.3, 0.8], [0.1, 0.35, 0.8], [0.1, 0.3, 0.8]], np.float32),
        spread_db=6.0,
        decodable=prior.decodable,
        origin="calibrated",
        signals=1,
        plan_fingerprint=prior.plan_fingerprint,
    )
    rng = np.random.default_rng(2)
    heard = [
        (at(second), 0, anchor, level)
        for second in range(1500)
        for anchor, level, share in ((0, -65, 0.9), (2, -75, 0.8))
        if rng.random() < share and not (anchor == 0 and 400 <= second < 1000)
    ]
    signals = np.array(heard, SIGNAL)
    found = []
    for said in (False, True):
        made = StoreEngine(plan, model, Settings(deaf_nats=0))  # the signals alone are not asked
        made.device_index(pseudonyms(1))
        if said:
            made.heartbeat(np.array([0]), alive=False, at=at(400))
            made.heartbeat(np.array([0]), alive=True, at=at(1000))
        found.append(zones(np.concatenate([made.push(signals), made.finish()])))
    unaware, told = found
    assert len(unaware) == 3, "to another zone and back"
    assert told == [0]


def test_an_anchor_that_is_told_to_be_down_weighs_nothing_at_once_and_all_again_when_it_is_back() -> None:
    signals = standing(1, 200, (0, 0))
    made = engine(Settings(deaf_nats=0))
    made.push(signals[signals["ts"] < at(100)])
    whole = made._decoder.silence.copy()
    assert made.anchor_weights[1] == 1.0
    made.heartbeat(ONE, alive=False)
    assert made.anchors_down.tolist() == [False, True, False, False, False, False], "what was said last"
    made.push(signals[(signals["ts"] >= at(100)) & (signals["ts"] < at(110))])
    assert made.anchor_weights.tolist() == [1, 0, 1, 1, 1, 1]
    tables = made._decoder.tables
    without = tables.missed.astype(np.int64).sum(axis=0) - tables.missed[1]
    expected = (without - without[tables.able].max())[tables.able]  # the quietest spot stands at 0
    assert made._decoder.silence[tables.able].tolist() == expected.tolist()
    assert made._decoder.silence.tolist() != whole.tolist()
    assert not made.anchors_deaf.any(), "down, and not deaf"
    made.heartbeat(ONE, alive=True)
    made.push(signals[signals["ts"] >= at(110)])
    assert made.anchor_weights.tolist() == [1] * 6
    assert made._decoder.silence.tolist() == whole.tolist()


def test_what_it_missed_while_it_was_down_is_not_held_against_it() -> None:
    signals = standing(1, 300, (100, 300))
    made = engine()
    made.heartbeat(ONE, alive=False, at=at(100))
    made.heartbeat(ONE, alive=True, at=at(200))
    made.push(signals[signals["ts"] < at(231)])  # decoded up to 201 s
    assert made.anchor_weights[1] > 0.5
    made.push(signals[signals["ts"] >= at(231)])
    assert made.anchor_weights[1] == 0.0, "alive and deaf, it fades by what it misses"
    assert made.anchors_deaf.tolist() == [False, True, False, False, False, False]


def test_that_it_lives_does_not_help_an_anchor_that_fades() -> None:
    signals = standing(1, 300, (100, 300))
    silent, alive = engine(), engine()
    for second in range(100, 300, 10):
        alive.heartbeat(ONE, alive=True, at=at(second))
    assert rows(silent.push(signals)) == rows(alive.push(signals))
    assert alive.anchor_weights[1] == silent.anchor_weights[1] == 0.0


@pytest.mark.compiled
@given(cuts=st.lists(st.integers(0, 900), max_size=6), told=st.integers(0, 100), back=st.booleans())
@settings(max_examples=12, deadline=None)
def test_it_holds_from_its_time_on_however_the_signals_are_cut_and_whenever_it_was_said(
    cuts: list[int], told: int, back: bool
) -> None:
    signals = walk(PLAN, 4, Walk(devices=3, stays=6, stay_s=30.0))
    from_ns = int(signals["ts"][len(signals) // 2])
    parts = np.split(signals, sorted(cuts))

    def decoded(before: int, pieces: list[SignalArray]) -> list[bytes]:
        made = engine()
        visits = [made.push(signals[:before])]
        made.heartbeat(np.array([0, 2, 4]), alive=False, at=from_ns)
        if back:
            made.heartbeat(np.array([2]), alive=True, at=from_ns + 20 * S)
        visits += [made.push(piece) for piece in pieces]
        return rows(np.concatenate([*visits, made.finish()]))

    assert decoded(0, [signals]) == decoded(0, parts) == decoded(told, [signals[told:]])


@pytest.mark.compiled
@given(
    cuts=st.lists(st.integers(0, 1160), max_size=8),
    gone_s=st.integers(50, 200),
    down_s=st.integers(100, 400),
    back_s=st.integers(250, 600),
)
@settings(max_examples=30, deadline=None)
def test_who_left_before_an_anchor_went_down_has_left_however_the_signals_are_cut(
    cuts: list[int], gone_s: int, down_s: int, back_s: int
) -> None:
    """Between the sweeps somebody who has left is not closed yet: the anchor that goes down later is no excuse."""
    times = [(n * S, 0, 0) for n in range(1000)]  # somebody keeps the time
    times += [(n * S + S // 20, 1, 1) for n in range(1000) if n < gone_s or back_s <= n < back_s + 60]
    signals = np.sort(
        np.array([(START_NS + at, who, at_anchor, -70) for at, who, at_anchor in times], SIGNAL), order="ts"
    )

    def decoded(pieces: list[SignalArray]) -> list[bytes]:
        made = engine()
        made.heartbeat(np.array([1]), alive=False, at=START_NS + down_s * S)
        return rows(np.concatenate([*map(made.push, pieces), made.finish()]))

    assert decoded([signals]) == decoded(np.split(signals, sorted(cuts))) == decoded(np.array_split(signals, 200))


def test_a_line_that_was_cut_takes_back_what_the_last_will_said() -> None:
    signals = standing(1, 300, (0, 0))
    unaware, told = engine(), engine()
    before = signals["ts"] < at(120)
    first = rows(told.push(signals[before]))
    told.heartbeat(ONE, alive=False, at=at(110))
    told.heartbeat(ONE, alive=True, at=at(110))
    assert not told.anchors_down.any()
    assert first == rows(unaware.push(signals[before]))
    assert rows(told.push(signals[~before])) == rows(unaware.push(signals[~before]))
    assert told.snapshot() != unaware.snapshot() or told.coverage() == unaware.coverage()
    assert rows(told.finish()) == rows(unaware.finish())


def test_a_snapshot_keeps_what_was_said_and_is_not_decoded_yet() -> None:
    signals = standing(1, 400, (150, 400))
    made = engine()
    made.push(signals[signals["ts"] < at(140)], source=3)
    made.heartbeat(ONE, alive=False, at=at(150))
    made.source_down(3, drained=True)
    taken = made.snapshot()
    again = StoreEngine.restore(taken, PLAN)
    assert again.snapshot() == taken
    rest = signals[signals["ts"] >= at(140)]
    assert rows(np.concatenate([made.push(rest, source=4), made.finish()])) == rows(
        np.concatenate([again.push(rest, source=4), again.finish()])
    )
    assert made.coverage() == again.coverage()


def test_an_anchor_that_is_not_there_is_refused() -> None:
    for index in (-1, 6):
        with pytest.raises(InputError, match="6 anchors"):
            engine().heartbeat(np.array([index]), alive=False)


def test_too_many_changes_hold_at_once() -> None:
    made = engine()
    for number in range(TOLD_MOST + 2):
        made._heartbeats.tell(at(10**6 + number) // 1000, number % 6, down=number % 2 == 0)
    made.push(standing(1, 60, (0, 0)))
    assert len(made._heartbeats.waiting) <= TOLD_MOST


def test_what_was_said_for_later_is_taken_back_for_that_anchor_alone() -> None:
    told = Heartbeats()
    told.tell(10, 1, down=True)
    told.tell(20, 2, down=True)
    told.tell(30, 1, down=False)
    told.tell(10, 1, down=False)
    assert told.waiting == [(10, 1, 0), (20, 2, 1)]
    assert told.last() == {1: False, 2: True}
    assert (told.due_us(10), told.due_us(11)) == (None, 10)


def two_edges(seconds: int) -> tuple[SignalArray, SignalArray]:
    """One edge hears the anchors 0 to 2, the other 3 to 5, of devices that walk about."""
    rng = np.random.default_rng(5)
    signals = np.zeros(seconds * 6, SIGNAL)
    signals["ts"] = START_NS + np.arange(seconds * 6) * S // 6
    signals["device"] = np.arange(seconds * 6) % 2
    signals["anchor"] = rng.integers(0, 6, seconds * 6)
    signals["rssi_dbm"] = np.where(signals["anchor"] == 0, -55, -85)
    return signals[signals["anchor"] < 3], signals[signals["anchor"] >= 3]


def live(made: StoreEngine, signals: SignalArray, source: int, begin: int, end: int) -> None:
    """A batch a second, arriving as it is heard."""
    for second in range(begin, end):
        inside = (signals["ts"] >= at(second)) & (signals["ts"] < at(second + 1))
        if inside.any():
            made.push(signals[inside], source=source, arrived_at=at(second + 1))


def decided_s(made: StoreEngine) -> float:
    return float(made._frontier_us - START_NS / 1000) / 1e6


@pytest.mark.parametrize("drained", [True, False])
def test_who_stopped_with_nothing_left_is_not_waited_for_and_who_vanished_is(drained: bool) -> None:
    one, two = two_edges(400)
    made = engine()
    made.push(two[two["ts"] < at(1)], source=2, arrived_at=at(1))
    for second in range(100):
        live(made, one, 1, second, second + 1)
        live(made, two, 2, second, second + 1)
    made.source_down(2, drained=drained)
    live(made, one, 1, 100, 150)
    assert decided_s(made) == pytest.approx(120 if drained else 70, abs=2)
    live(made, one, 1, 150, 300)
    assert decided_s(made) == pytest.approx(270, abs=2), "and nobody longer than the patience"


def test_who_comes_back_after_a_cut_line_brings_nothing_late() -> None:
    one, two = two_edges(400)
    made = engine()
    for second in range(100):
        live(made, one, 1, second, second + 1)
        live(made, two, 2, second, second + 1)
    made.source_down(2, drained=False)
    live(made, one, 1, 100, 210)
    made.source_up(2)
    backlog = two[(two["ts"] >= at(100)) & (two["ts"] < at(210))]
    for part in np.array_split(backlog, 11):
        made.push(part, source=2, arrived_at=at(210))
    assert made.counts.late == 0
    live(made, two, 2, 210, 260)
    assert made.counts.late == 0


def test_who_starts_again_after_a_stop_is_waited_for_again() -> None:
    one, two = two_edges(400)
    made = engine()
    for second in range(100):
        live(made, one, 1, second, second + 1)
        live(made, two, 2, second, second + 1)
    made.source_down(2, drained=True)
    live(made, one, 1, 100, 130)
    made.source_up(2)
    for second in range(130, 160):
        live(made, two, 2, second, second + 1)
        live(made, one, 1, second, second + 1)
    assert made.counts.late == 0
    live(made, one, 1, 160, 200)
    assert decided_s(made) == pytest.approx(130, abs=2), "it fell silent without a word"


def test_who_never_spoke_and_stops_does_not_hold_up_the_others() -> None:
    one, _ = two_edges(100)
    made = engine()
    made.expect(1)
    made.expect(2)
    made.source_down(2, drained=True)
    live(made, one, 1, 0, 60)
    assert decided_s(made) == pytest.approx(30, abs=2)


@pytest.mark.compiled
def test_coverage_is_told_by_hours_of_the_data_and_does_not_depend_on_when_it_is_asked() -> None:
    signals = walk(PLAN, 6, Walk(devices=3, stays=20, stay_s=400.0, advert_s=4.0))
    made, asked = engine(), engine()
    half = (int(signals["ts"][0]) + int(signals["ts"][-1])) // 2
    for one in (made, asked):
        one.heartbeat(np.array([0, 1, 2]), alive=False, at=half)
    for part in np.array_split(signals, 20):
        made.push(part)
        asked.push(part)
        asked.coverage()
    hours = made.coverage()
    assert hours == asked.coverage()
    assert [hour.covered_us for hour in hours[1:-1]] == [HOUR_US] * (len(hours) - 2)
    assert hours[0].share == pytest.approx(1.0, abs=0.05)
    assert hours[-1].share == pytest.approx(0.5, abs=0.05)
    made.forget_coverage()
    assert made.coverage() == hours[-1:]


def test_an_engine_of_another_plan_goes_on_with_what_is_known_of_its_anchors() -> None:
    made = engine()
    made.push(standing(1, 60, (0, 0)))
    made.heartbeat(np.array([1, 5]), alive=False)
    smaller = StoreEngine(grid_plan(5))
    before = made.coverage()
    smaller.succeed(made)
    assert smaller.anchors_down.tolist() == [False, True, False, False, False]
    assert smaller.coverage() == before


def test_a_long_pause_is_told_for_its_last_week_only() -> None:
    coverage = Coverage()
    coverage.cover(0, 1, 2)
    coverage.cover(400 * 24 * HOUR_US, 1, 2)
    assert len(coverage.hours) == 7 * 24
    assert {hour.share for hour in coverage.told()} == {0.5}


@pytest.mark.parametrize(("told_s", "departures"), [(3, 0), (None, 2)])
def test_nobody_leaves_when_the_only_anchor_that_hears_a_zone_is_told_to_be_down(
    told_s: int | None, departures: int
) -> None:
    """Ten minutes off. Who hears nothing else has no advert in which it would show, and two may as well have left."""
    plan = grid_plan(1)
    engine = StoreEngine(plan)
    engine.device_index(pseudonyms(2))
    second = np.concatenate([np.arange(300), np.arange(900, 1200)])
    signals = np.zeros(2 * len(second), SIGNAL)
    signals["ts"] = START_NS + np.repeat(second, 2) * 10**9 + np.tile(np.arange(2), len(second)) * 10**8
    signals["device"] = np.tile(np.arange(2), len(second))
    signals["rssi_dbm"] = -60
    if told_s is not None:
        engine.heartbeat(np.array([0]), alive=False, at=START_NS + (300 + told_s) * 10**9)
        engine.heartbeat(np.array([0]), alive=True, at=START_NS + 899 * 10**9)
    visits = np.concatenate([engine.push(signals), engine.finish()])
    assert np.count_nonzero(visits["zone"] == NO_ZONE) == 2 + departures
