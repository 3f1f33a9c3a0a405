"""Clocks of anchors: found where signals tell, left alone where they do not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.dwell import clock_kernels as kernels
from core.dwell.calibration import calibrate
from core.dwell.clock_graph import Pairs, join, partners
from core.dwell.clocks import (
    COMPARISONS_PER_PAIR,
    Clocks,
    ahead_by_arrival,
    estimate_clocks,
    in_store_time,
    no_clocks,
)
from core.dwell.engine import StoreEngine
from core.dwell.model import dump, load, prior_model
from core.dwell.settings import Settings
from core.errors import ModelError, SnapshotError
from core.records import APP_ENTER, SIGNAL, SignalArray, VisitKind
from tests.dwell.scenes import START_NS, Walk, grid_plan, pseudonyms, walk, walk_with_truth

PLAN = grid_plan(6)
SHOPPERS = Walk(devices=12, stays=6, stay_s=40.0)
SKEWS_US = np.array([0, 19_700_000, -20_000_000, 0, 7_345_000, -90_000], np.int64)
STEP_US = 100_000


def skewed(signals: SignalArray, ahead_us: NDArray[np.int64], ppm: NDArray[np.float64] | None = None) -> SignalArray:
    """The same signals as stamped by clocks that are off, in order of arrival."""
    made = signals.copy()
    made["ts"] += 1000 * ahead_us[signals["anchor"]]
    if ppm is not None:
        middle = (int(signals["ts"].min()) + int(signals["ts"].max())) // 2
        made["ts"] += np.rint((signals["ts"] - middle) * ppm[signals["anchor"]] * 1e-6).astype(np.int64)
    return made


def compared(signals: SignalArray, anchors: int = 6) -> Clocks:
    by_us = signals.copy()
    by_us["ts"] //= 1000
    return estimate_clocks(by_us[np.lexsort((by_us["ts"], by_us["device"]))], anchors, STEP_US)


def tags(
    seed: int,
    devices: int,
    minutes: float,
    *,
    jitter_us: int = 10_000,
    stamp_us: int = 5_000,
    interval_us: int = 1_000_000,
) -> SignalArray:
    """Devices that all send so often, plus a jitter, each to four anchors of which any may miss it."""
    rng = np.random.default_rng([seed, 5])
    parts = []
    for device in range(devices):
        count = int(minutes * 60_000_000 / interval_us)
        at = rng.integers(0, 600_000_000) + np.cumsum(interval_us + rng.integers(0, jitter_us + 1, count))
        for anchor in range(4):
            heard = at[rng.random(count) < 0.6]
            part = np.zeros(len(heard), SIGNAL)
            part["ts"] = START_NS + 1000 * (heard + rng.integers(0, stamp_us + 1, len(heard)))
            part["device"], part["anchor"], part["rssi_dbm"] = device, anchor, -60
            parts.append(part)
    signals = np.concatenate(parts)
    return signals[np.argsort(signals["ts"], kind="stable")]


def test_clocks_that_are_off_by_tens_of_seconds_are_found_to_some_milliseconds() -> None:
    clocks = compared(skewed(walk(PLAN, 1, SHOPPERS), SKEWS_US))
    assert clocks.known.all()
    assert not clocks.drift_ppb.any()
    expected = np.where(np.abs(SKEWS_US) < 100_000, 0, SKEWS_US)
    assert clocks.ahead_us.tolist() == pytest.approx(expected.tolist(), abs=5_000)
    assert clocks.ahead_us[5] == 0  # 90 ms off: less than what is one advert


def test_clocks_that_agree_are_not_touched() -> None:
    signals = walk(PLAN, 1, SHOPPERS)
    clocks = compared(signals)
    assert clocks.known.all()
    assert not clocks.off.any()
    assert in_store_time(signals, clocks, 1000) is signals
    jittered = compared(skewed(signals, np.array([0, 40_000, -40_000, 20_000, 0, 0])))
    assert jittered.known.all()
    assert not jittered.off.any()


@pytest.mark.parametrize("seed", range(3))
def test_a_second_of_interval_and_ten_milliseconds_of_jitter_do(seed: int) -> None:
    ahead_us = np.array([0, 0, 12_345_000, -3_015_000])  # three intervals: the times alone would agree as well
    clocks = compared(skewed(tags(seed, 20, 10), ahead_us), 4)
    assert clocks.ahead_us.tolist() == pytest.approx(ahead_us.tolist(), abs=5_000)


@pytest.mark.parametrize("seed", range(3))
def test_one_device_of_such_a_kind_does_after_some_minutes_and_says_nothing_before(seed: int) -> None:
    ahead_us = np.array([0, 0, 12_345_000, -3_015_000])
    clocks = compared(skewed(tags(seed, 1, 20), ahead_us), 4)
    assert clocks.ahead_us.tolist() == pytest.approx(ahead_us.tolist(), abs=5_000)
    few = compared(skewed(tags(seed, 1, 0.5), ahead_us), 4)
    assert not few.known.any()
    assert not few.off.any()


def test_a_device_that_sends_ten_times_a_second_is_not_compared_with_all_that_is_in_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted: list[int] = []

    def counting(*arguments: Any) -> None:
        agreement(*arguments)
        counted.append(int(arguments[-1][kernels.COMPARED, -1].sum()))

    agreement = kernels.agreement
    monkeypatch.setattr(kernels, "agreement", counting)
    ahead_us = np.array([0, 0, 12_345_000, -3_015_000])
    clocks = compared(skewed(tags(1, 1, 15, interval_us=100_000), ahead_us), 4)
    assert clocks.ahead_us.tolist() == pytest.approx(ahead_us.tolist(), abs=5_000)
    assert not clocks.drift_ppb.any()
    assert sum(counted) < 1.1 * COMPARISONS_PER_PAIR * 6, "of six pairs"


@pytest.mark.parametrize(
    "scene",
    [
        {"jitter_us": 0},  # every second is like the next
        {"jitter_us": 0, "stamp_us": 0},
        {"jitter_us": 10_000, "stamp_us": 300_000},  # the stamps drown the jitter
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_where_every_interval_looks_alike_nothing_is_corrected(scene: dict[str, int], seed: int) -> None:
    clocks = compared(skewed(tags(seed, 40, 10, **scene), np.array([0, 0, 12_345_000, -3_000_000])), 4)
    assert not clocks.known.any()
    assert not clocks.off.any()


@pytest.mark.parametrize("grain_us", [10_000, 100_000, 1_000_000])
def test_times_in_coarse_grains_do_not_mislead(grain_us: int) -> None:
    ahead_us = np.array([0, 0, 12_345_678, -3_033_333])
    signals = skewed(tags(2, 40, 20), ahead_us)
    signals["ts"] -= signals["ts"] % (1000 * grain_us)
    clocks = compared(signals, 4)
    right = np.abs(clocks.ahead_us - ahead_us) <= grain_us
    assert (right | ~clocks.off).all()


def test_drift_is_found_over_an_hour() -> None:
    signals = walk(PLAN, 4, Walk(devices=6, stays=90, stay_s=40.0))
    ppm = np.array([0.0, 30.0, -40.0, 0.0, 0.0, 0.0])
    ahead_us = np.array([0, 5_000_000, 0, 0, 0, 0])
    clocks = compared(skewed(signals, ahead_us, ppm))
    assert clocks.known.all()
    assert (clocks.drift_ppb / 1000).tolist() == pytest.approx(ppm.tolist(), abs=3)
    back = in_store_time(skewed(signals, ahead_us, ppm), clocks, 1000)
    assert np.abs(back["ts"] - signals["ts"]).max() < 50_000_000


def test_a_clock_that_was_set_meanwhile_is_left_alone() -> None:
    signals = walk(PLAN, 4, Walk(devices=6, stays=90, stay_s=40.0))
    middle = (int(signals["ts"].min()) + int(signals["ts"].max())) // 2
    signals["ts"][(signals["anchor"] == 2) & (signals["ts"] > middle)] += 9_000_000_000
    clocks = compared(signals)
    assert not clocks.known[2]
    assert clocks.known.sum() == 5
    assert not clocks.off.any()


def test_what_an_app_says_comes_by_the_phones_clock() -> None:
    signals = walk(PLAN, 1, SHOPPERS)
    known = Clocks(SKEWS_US, np.zeros(6, np.int64), np.ones(6, np.bool_), 0)
    signals["rssi_dbm"][::7] = APP_ENTER
    moved = signals["ts"] - in_store_time(signals, known, 1000)["ts"]
    assert not moved[::7].any()
    assert moved[1] == 1000 * SKEWS_US[signals["anchor"][1]]


def test_beacons_that_phones_hear_share_no_adverts() -> None:
    signals = tags(3, 12, 10)
    signals["ts"] += signals["anchor"].astype(np.int64) * 1000 * 7_777  # so that each sends at times of its own
    rng = np.random.default_rng(3)
    signals["ts"] += 1000 * rng.integers(0, 10_000, len(signals))
    clocks = compared(signals, 4)
    assert not clocks.off.any()


# --- the engine and the model -----------------------------------------------------------------


def f1_of(visits: NDArray[np.void], signals: SignalArray, truth: NDArray[np.int64]) -> float:
    """F1 of zone visits of 5 s and more at IoU >= 1/2, beside the stays that the signals were sent from."""
    matched = true = 0
    found = visits[visits["kind"] == VisitKind.ZONE]
    for device in np.unique(signals["device"]):
        own = signals["device"] == device
        at, zone = signals["ts"][own], truth[own]
        begins = np.flatnonzero(np.r_[True, zone[1:] != zone[:-1]])
        for begin, end in zip(begins, np.r_[begins[1:], len(zone)] - 1, strict=True):
            if at[end] - at[begin] < 5 * 10**9:
                continue
            true += 1
            same = found[(found["device"] == device) & (found["zone"] == zone[begin])]
            both = np.minimum(same["left_at"], at[end]) - np.maximum(same["entered_at"], at[begin])
            either = np.maximum(same["left_at"], at[end]) - np.minimum(same["entered_at"], at[begin])
            matched += int((2 * both >= either).any())
    return 2 * matched / (true + len(found))


def decoded(
    signals: SignalArray, clocks: Clocks | None, lateness_s: int = 30
) -> tuple[NDArray[np.void], StoreEngine]:
    engine = StoreEngine(PLAN, replace(prior_model(PLAN), clocks=clocks), Settings(lateness_ns=lateness_s * 10**9))
    engine.device_index(pseudonyms(int(signals["device"].max()) + 1))
    pushed = [engine.push(part) for part in np.array_split(signals, 50)]
    return np.concatenate([*pushed, engine.finish()]), engine


def test_visits_of_a_skewed_store_are_as_good_as_those_of_a_good_one() -> None:
    signals, truth = walk_with_truth(PLAN, 1, SHOPPERS)
    stamped = skewed(signals, SKEWS_US)
    good, _ = decoded(signals, None)
    bad, _ = decoded(stamped, None)
    mended, engine = decoded(stamped, compared(stamped))
    assert f1_of(good, signals, truth) > 0.9
    assert f1_of(bad, signals, truth) < f1_of(good, signals, truth) - 0.1
    assert f1_of(mended, signals, truth) > f1_of(good, signals, truth) - 0.03
    assert engine.counts.late == 0


def test_lateness_is_judged_by_the_corrected_time() -> None:
    ahead_us = np.array([0, -25_000_000, 0, 0, 0, 0])
    signals = walk(PLAN, 1, SHOPPERS)
    stamped = skewed(signals, ahead_us)
    known = Clocks(ahead_us, np.zeros(6, np.int64), np.ones(6, np.bool_), 0)
    _, uncorrected = decoded(stamped, None, lateness_s=5)
    visits, corrected = decoded(stamped, known, lateness_s=5)
    assert uncorrected.counts.late > 0
    assert corrected.counts.late == 0
    assert visits.tobytes() == decoded(signals, None, lateness_s=5)[0].tobytes()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_any_shuffle_within_the_bound_gives_the_same_visits(seed: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    signals = walk(PLAN, seed, Walk(devices=2, stays=3, stay_s=15.0))[:300]
    ahead_us, ppb = rng.integers(-30_000_000, 30_000_001, 6), rng.integers(-100_000, 100_001, 6)
    clocks = Clocks(ahead_us, ppb, np.ones(6, np.bool_), int(signals["ts"][0]) // 1000)
    stamped = signals.copy()
    stamped["ts"] += 2 * signals["ts"] - in_store_time(signals, clocks, 1000)["ts"] - signals["ts"]
    expected, _ = decoded(stamped, clocks)
    delay = rng.integers(0, 29 * 10**9, len(signals))
    mixed = stamped[np.argsort(in_store_time(stamped, clocks, 1000)["ts"] + delay, kind="stable")]
    engine = StoreEngine(PLAN, replace(prior_model(PLAN), clocks=clocks))
    engine.device_index(pseudonyms(2))
    pushed = [engine.push(part) for part in np.split(mixed, sorted(min(cut, len(mixed)) for cut in cuts))]
    visits = np.concatenate([*pushed, engine.finish()])
    assert engine.counts.late == 0
    assert sorted(map(bytes, visits)) == sorted(map(bytes, expected))


def test_calibration_finds_clocks_before_it_learns_levels() -> None:
    signals = walk(PLAN, 1, SHOPPERS)
    model = calibrate(PLAN, skewed(signals, SKEWS_US))
    plain = calibrate(PLAN, signals)
    assert model.clocks is not None
    assert model.clocks.known.all()
    assert np.abs(model.level_dbm - plain.level_dbm).max() < 1.0
    assert plain.clocks is not None
    assert not plain.clocks.off.any()
    mixed = np.random.default_rng(5).permutation(skewed(signals, SKEWS_US))
    assert dump(calibrate(PLAN, mixed)) == dump(model)


@pytest.mark.parametrize("ahead_s", [62, 600, 3600, -300])
def test_a_clock_that_is_minutes_off_is_found_by_the_order_of_arrival_and_makes_nobody_late(ahead_s: int) -> None:
    good = walk(PLAN, 1, SHOPPERS)
    ahead_us = np.array([0, ahead_s * 1_000_000 + 345_000, 0, 0, -20_000_000, 0], np.int64)
    bad = skewed(good, ahead_us)
    model = calibrate(PLAN, bad)
    assert model.clocks is not None
    assert model.clocks.known.all()
    assert model.clocks.ahead_us.tolist() == pytest.approx(ahead_us.tolist(), abs=30_000)  # within the dead band
    lost = {}
    for told in (model, prior_model(PLAN)):
        engine = StoreEngine(PLAN, told)
        engine.device_index(pseudonyms(SHOPPERS.devices))
        engine.push(bad)
        engine.finish()
        lost[told.origin] = engine.counts.late
    assert lost["calibrated"] == 0
    assert lost["prior"] > len(bad) / 10, "the scene is not hard"


def test_an_order_that_is_not_that_of_arrival_says_nothing_of_clocks() -> None:
    bad = skewed(walk(PLAN, 1, SHOPPERS), np.array([0, 62_000_000, 0, 0, 0, 0], np.int64))
    in_time = bad[np.argsort(bad["ts"], kind="stable")]
    in_time["ts"] //= 1000
    assert not ahead_by_arrival(in_time, 6).any()
    mixed = bad[np.random.default_rng(1).permutation(len(bad))]
    mixed["ts"] //= 1000
    assert not ahead_by_arrival(mixed, 6).any()


def test_two_of_many_clocks_that_agree_by_chance_are_not_the_stores() -> None:
    plan = grid_plan(7)
    ahead_us = np.array([-19_000_000, 5_000_000, -19_020_000, 11_000_000, -7_000_000, 2_000_000, 15_000_000])
    clocks = compared(skewed(walk(plan, 1, SHOPPERS), ahead_us), 7)
    assert clocks.known.all()
    assert clocks.ahead_us.tolist() == pytest.approx((ahead_us - 2_000_000).tolist(), abs=30_000)


def test_clocks_that_were_put_right_before_do_not_agree_because_of_it() -> None:
    roughly_us = np.array([10, 20, 30, 41, 50, 60]) * 1_000_000
    by_us = walk(PLAN, 1, SHOPPERS)
    by_us["ts"] //= 1000
    clocks = estimate_clocks(by_us[np.lexsort((by_us["ts"], by_us["device"]))], 6, STEP_US, roughly_us)
    assert clocks.ahead_us.tolist() == pytest.approx((roughly_us - 30_000_000).tolist(), abs=30_000)


def test_a_model_keeps_its_clocks_and_a_snapshot_belongs_to_them() -> None:
    clocks = Clocks(SKEWS_US, np.arange(6), np.array([True] * 5 + [False]), 1_760_000_000_000_000)
    model = replace(prior_model(PLAN), clocks=clocks, survey_signals=7)
    again = load(dump(model), PLAN)
    assert again.clocks is not None
    assert again.survey_signals == 7
    assert [part.tolist() for part in again.clocks[:3]] == [part.tolist() for part in clocks[:3]]
    assert again.clocks.at_us == clocks.at_us
    assert dump(again) == dump(model)
    assert load(dump(prior_model(PLAN)), PLAN).clocks is None
    taken = StoreEngine(PLAN, model).snapshot()
    with pytest.raises(SnapshotError, match="model"):
        StoreEngine.restore(taken, PLAN, replace(model, clocks=no_clocks(6)))


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"ahead_us": np.array([1 << 50] + [0] * 5)}, "cannot be"),
        ({"drift_ppb": np.array([-(10**9)] + [0] * 5)}, "cannot be"),
        ({"at_us": -1}, "cannot be"),
        ({"known": np.ones(5, np.bool_)}, "size"),
    ],
)
def test_impossible_clocks_are_refused(changed: dict[str, object], word: str) -> None:
    model = replace(prior_model(PLAN), clocks=no_clocks(6)._replace(**changed))  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=word):
        load(dump(model), PLAN)


# --- the graph --------------------------------------------------------------------------------


def pairs_of(clock: list[float], edges: list[tuple[int, int]]) -> list[tuple[int, int, float]]:
    return [(one, other, clock[one] - clock[other]) for one, other in edges]


@given(st.lists(st.integers(-30_000_000, 30_000_000), min_size=2, max_size=9), st.integers(0, 2**32 - 1))
def test_pairs_that_close_give_back_the_clocks(clock: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = len(clock)
    edges = {(int(rng.integers(place)), place) for place in range(1, count)}
    edges |= {(one, other) for one in range(count) for other in range(one + 1, count) if rng.random() < 0.4}
    value, known = join(Pairs.of(pairs_of([float(at) for at in clock], sorted(edges))), count)
    assert known.all()
    assert (value - value[0]).tolist() == pytest.approx([at - clock[0] for at in clock], abs=1)


def test_a_pair_that_lies_is_outvoted() -> None:
    clock = [0.0, 1e6, -2e6, 7e6, 3e6]
    lies = pairs_of(clock, [(a, b) for a in range(5) for b in range(a + 1, 5)])
    lies[3] = (*lies[3][:2], lies[3][2] + 5e6)
    value, known = join(Pairs.of(lies), 5)
    assert known.all()
    assert (value - value[0]).tolist() == pytest.approx(clock, abs=1)


def test_a_circle_that_does_not_close_tells_nothing() -> None:
    value, known = join(Pairs.of([(0, 1, 0.0), (1, 2, 0.0), (0, 2, 5e6)]), 3)
    assert not known.any() or known.sum() == 2
    assert (np.abs(value[known] - value[known].min(initial=0)) < 1).all()


def test_parts_that_nothing_joins_stay_unknown() -> None:
    value, known = join(Pairs.of([(0, 1, 1e6), (1, 2, 1e6), (3, 4, 9e6)]), 6)
    assert known.tolist() == [True, True, True, False, False, False]
    assert not value[3:].any()


def test_every_anchor_in_company_is_compared_and_all_are_joined() -> None:
    rng = np.random.default_rng(1)
    together = np.zeros((30, 30), np.int64)
    for place in range(29):  # a chain
        together[place, place + 1] = together[place + 1, place] = rng.integers(1, 99)
    found = partners(together)
    assert sorted(map(tuple, found.tolist())) == [(place, place + 1) for place in range(29)]
    assert len(partners(np.zeros((5, 5), np.int64))) == 0
