"""The kernels against the slow oracles, to the last microsecond and quantum."""

from dataclasses import replace

import numpy as np
import pytest

from core.dwell.engine import StoreEngine
from core.dwell.model import prior_model
from core.dwell.settings import Settings
from core.floorplan import StorePlan
from core.records import SIGNAL, ClosedBy, VisitKind
from tests.dwell.comparing import FOREVER, rows_of, run, told
from tests.dwell.scenes import Walk, grid_plan, heard, noise, pseudonyms, random_model, walk, with_words, world_of
from tests.oracle.paths import Rules
from tests.oracle.viterbi import best_path, stays_on

pytestmark = pytest.mark.kernels


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("zones", [1, 2, 5, 9])
def test_walks_are_decoded_as_the_oracle_decodes_them(zones: int, seed: int) -> None:
    plan = grid_plan(zones)
    model = prior_model(plan)
    signals = walk(plan, seed, Walk(absences=seed % 2 == 1))
    visits = run(plan, signals, model)
    for device in range(2):
        assert rows_of(visits, device) == told(plan, signals, model, device)
    assert len(visits)


@pytest.mark.parametrize("seed", range(12))
def test_senseless_signals_under_a_senseless_model_are_decoded_exactly(seed: int) -> None:
    plan = grid_plan(1 + seed, 1 + seed % 3)
    model = random_model(plan, seed)
    # what the oracle costs grows with the square of the zones
    signals = noise(plan, seed, 400 if seed < 6 else 200, gap_s=[0.05, 0.5, 3.0][seed % 3])
    visits = run(plan, signals, model)
    for device in range(2):
        assert rows_of(visits, device) == told(plan, signals, model, device)


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_words_of_apps_are_decoded_as_the_oracle_decodes_them(seed: int, share: float) -> None:
    plan = grid_plan(2 + seed, 1 + seed % 2)
    senseless = seed % 2 == 1
    model = random_model(plan, seed) if senseless else prior_model(plan)
    plain = noise(plan, seed, 300, gap_s=0.5) if senseless else walk(plan, seed, Walk(absences=True))
    signals = with_words(plain, seed, share)
    visits = run(plan, signals, model)
    for device in range(2):
        assert rows_of(visits, device) == told(plan, signals, model, device)


@pytest.mark.parametrize("seed", range(8))
def test_the_stream_gives_the_offline_viterbi_path(seed: int) -> None:
    plan = grid_plan(6)
    model = random_model(plan, seed)
    signals = noise(plan, seed, 300, devices=1, gap_s=0.3)
    never_leave = Settings(
        silence_ns=1_000 * 10**9,
        silence_max_ns=1_000 * 10**9,
        stay_min_ns=0,
        undecided_stays=4096,
        undecided_ns=10**15,
        offset_limit_db=0,
        deaf_nats=0,
    )
    visits = run(plan, signals, model, never_leave, cuts=[50, 51, 200])
    zones = visits[visits["kind"] == VisitKind.ZONE]
    zones = zones[np.argsort(zones["left_at"])]
    mine = [
        tuple(int(x) for x in (v["zone"], v["entered_at"] // 1000, v["left_at"] // 1000, v["signals"])) for v in zones
    ]
    theirs = stays_on(best_path(heard(signals, 0), world_of(model)), heard(signals, 0), world_of(model))
    assert mine == theirs
    assert not zones["forced"].any()


@pytest.mark.compiled
def test_a_large_store_is_decoded_exactly() -> None:
    plan = grid_plan(40, 2)
    model = random_model(plan, 5)
    signals = noise(plan, 5, 60)
    visits = run(plan, signals, model)
    for device in range(2):
        assert rows_of(visits, device) == told(plan, signals, model, device)


@pytest.mark.compiled
def test_256_zones_and_1024_anchors_fit() -> None:
    plan = grid_plan(256, 4)
    signals = walk(plan, 1, Walk(devices=1, stays=2))
    visits = run(plan, signals)
    assert (visits["kind"] == VisitKind.STORE).sum() == 1


@pytest.fixture(scope="module")
def largest() -> StorePlan:
    return grid_plan(256, 4)


@pytest.mark.compiled
@pytest.mark.parametrize("sense", [True, False], ids=["prior", "senseless model"])
def test_the_largest_store_is_decoded_as_the_oracle_decodes_it(largest: StorePlan, sense: bool) -> None:
    """256 zones and 1,024 anchors, all of which hear some adverts, at every level that there is."""
    model = prior_model(largest)
    assert model.level_dbm.shape == (256, 1024)
    if not sense:
        rng = np.random.default_rng([3, 7])
        model = replace(
            model,
            level_dbm=rng.uniform(-95, -55, model.level_dbm.shape).astype(np.float32),
            detection=rng.uniform(0.02, 0.97, model.level_dbm.shape).astype(np.float32),
        )
    walked = walk(largest, 3, Walk(devices=1, stays=3, stay_s=12.0))
    full = np.zeros(3 * 1024, SIGNAL)
    full["anchor"] = np.tile(np.arange(1024), 3)
    full["ts"] = int(walked["ts"][-1]) + 2 * 10**9 * (1 + np.arange(3)).repeat(1024) + full["anchor"] * 10_000
    full["rssi_dbm"] = np.random.default_rng(3).integers(-120, 21, len(full))
    strange = noise(largest, 3, 60, devices=1, gap_s=0.5)
    strange["ts"] += int(full["ts"][-1]) + 10**9 - int(strange["ts"][0])
    signals = with_words(np.concatenate([walked, full, strange]), 3, 0.05)
    visits = run(largest, signals, model)
    assert rows_of(visits, 0) == told(largest, signals, model, 0)
    assert len(visits) >= 2


@pytest.mark.parametrize("seed", range(4))
def test_a_stretch_that_stays_ambiguous_is_forced_and_says_so(seed: int) -> None:
    plan = grid_plan(3)
    model = random_model(plan, seed)
    signals = noise(plan, seed, 500, devices=1, gap_s=0.5)
    settings = Settings(undecided_ns=8 * 10**9, undecided_stays=4096, deaf_nats=0)
    visits = run(plan, signals, model, settings)
    assert rows_of(visits, 0) == told(plan, signals, model, 0, Rules(undecided_us=8_000_000))


def test_forced_decisions_are_counted() -> None:
    plan = grid_plan(3)
    engine = StoreEngine(plan, random_model(plan, 1), Settings(undecided_ns=10**9, undecided_stays=8))
    engine.device_index(pseudonyms(1))
    visits = np.concatenate([engine.push(noise(plan, 1, 500, devices=1, gap_s=0.5)), engine.finish()])
    assert engine.counts.forced > 0
    assert visits["forced"].sum() > 0


def test_the_arena_grows_and_gets_everything_back() -> None:
    plan = grid_plan(9)
    engine = StoreEngine(plan, random_model(plan, 2), FOREVER)
    engine.device_index(pseudonyms(300))
    engine.push(noise(plan, 2, 3000, devices=300, gap_s=0.02))
    engine.finish()
    decoder = engine._decoder
    assert decoder.cursor[2] == len(decoder.nodes) == len(decoder.free)
    assert sorted(decoder.free.tolist()) == list(range(len(decoder.nodes)))


@pytest.mark.parametrize(("gap_us", "store_visits"), [(59_999_999, 1), (60_000_000, 1), (60_000_001, 2)])
def test_departure_at_gap_minus_1_gap_and_gap_plus_1(gap_us: int, store_visits: int) -> None:
    plan = grid_plan(1)
    first = 1000 * np.arange(0, 10_000_000, 500_000)
    signals = np.zeros(2 * len(first), walk(plan, 0, Walk(stays=1)).dtype)
    signals["ts"] = 10**18 + np.concatenate([first, first[-1] + 1000 * gap_us + first])
    signals["rssi_dbm"] = -65
    visits = run(plan, signals)
    stores = visits[visits["kind"] == VisitKind.STORE]
    assert len(stores) == store_visits
    if store_visits == 2:
        assert stores["left_at"][0] == 10**18 + first[-1]
        assert stores["closed_by"].tolist() == [ClosedBy.SILENCE, ClosedBy.END_OF_RECORDING]


@pytest.mark.parametrize(("stay_us", "found"), [(4_999_999, 0), (5_000_000, 2), (5_000_001, 2)])
def test_a_stay_at_the_least_minus_1_the_least_and_plus_1(stay_us: int, found: int) -> None:
    plan = grid_plan(1)
    signals = np.zeros(2, walk(plan, 0, Walk(stays=1)).dtype)
    signals["ts"] = [10**18, 10**18 + 1000 * stay_us]
    signals["rssi_dbm"] = -65
    assert len(run(plan, signals)) == found


@pytest.mark.parametrize(("apart_us", "steps"), [(99_999, 1), (100_000, 2)])
def test_signals_within_100_ms_are_one_advertisement(apart_us: int, steps: int) -> None:
    plan = grid_plan(1)
    engine = StoreEngine(plan)
    engine.device_index(pseudonyms(1))
    signals = np.zeros(2, walk(plan, 0, Walk(stays=1)).dtype)
    signals["ts"] = [10**18, 10**18 + 1000 * apart_us]
    signals["rssi_dbm"] = -65
    engine.push(signals)
    engine._decoder.decode(engine._reorder.flush())
    assert engine._decoder.state["gap_steps"][0] == steps - 1


def test_a_sparse_advertiser_does_not_leave_between_its_adverts() -> None:
    plan = grid_plan(2)
    signals = walk(plan, 3, Walk(devices=1, stays=1, stay_s=3000, advert_s=10, loss=0.8))
    widest = np.diff(signals["ts"]).max() / 1e9
    assert widest > 60, "the scene is not hard"
    visits = run(plan, signals)
    assert (visits["kind"] == VisitKind.STORE).sum() == 1


def test_a_zone_without_anchor_and_place_is_never_reported() -> None:
    plan = grid_plan(3, places=False)
    lone = type(plan)(id=plan.id, timezone=plan.timezone, zones=plan.zones, anchors=plan.anchors[:2])
    assert prior_model(lone).decodable.tolist() == [True, True, False]
    visits = run(lone, walk(lone, 1))
    assert set(visits["zone"].tolist()) <= {-1, 0, 1}


def test_left_at_is_the_last_signal_and_bounds_hold_the_estimate() -> None:
    plan = grid_plan(6)
    signals = walk(plan, 4, Walk(devices=3, stays=6))
    visits = run(plan, signals)
    for visit in visits:
        own = signals["ts"][signals["device"] == visit["device"]] // 1000 * 1000
        assert visit["left_at"] in own
        assert visit["entered_at"] in own
        assert visit["entered_earliest"] <= visit["entered_at"] <= visit["entered_latest"]
        assert visit["left_earliest"] <= visit["left_at"] <= visit["left_latest"]
        assert 0 < visit["confidence"] <= 1


@pytest.mark.parametrize("seed", range(3))
def test_stays_longer_than_32_bits_of_microseconds_keep_their_start(seed: int) -> None:
    plan = grid_plan(4)
    model = random_model(plan, seed + 40)
    signals = noise(plan, seed, 300, devices=1, gap_s=40.0)
    assert (signals["ts"][-1] - signals["ts"][0]) / 1e9 > 6 * 3600
    never_leave = Settings(
        silence_ns=1_000 * 10**9,
        silence_max_ns=1_000 * 10**9,
        undecided_ns=10**15,
        undecided_stays=4096,
        deaf_nats=0,
    )
    rules = Rules(silence_us=1_000_000_000, silence_max_us=1_000_000_000, undecided_us=10**12)
    assert rows_of(run(plan, signals, model, never_leave), 0) == told(plan, signals, model, 0, rules)


def test_more_stays_than_the_output_holds_come_out_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels stop before a step that might not find room, and go on."""
    plan = grid_plan(4)
    signals = walk(plan, 2, Walk(devices=60, stays=8, stay_s=12.0, absences=True))
    engine = StoreEngine(plan)
    engine.device_index(pseudonyms(60))
    expected = engine.push(signals).tobytes() + engine.finish().tobytes()
    monkeypatch.setattr("core.dwell.decoder._STAYS_AT_ONCE", 1)
    small = StoreEngine(plan)
    small.device_index(pseudonyms(60))
    room = len(small._decoder._out)
    assert small.push(signals).tobytes() + small.finish().tobytes() == expected
    assert len(expected) > 3 * room * 72
