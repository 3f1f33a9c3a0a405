"""Presence uses signals at once and forgets who has left."""

from typing import Any

import numpy as np
import pytest

from core.dwell import presence
from core.dwell.decoder import Decoder
from core.dwell.engine import StoreEngine
from core.dwell.model import prior_model
from core.dwell.presence import _begun
from core.dwell.reorder import Reorder
from core.dwell.settings import Settings
from core.records import SIGNAL, VisitKind
from tests.dwell.scenes import START_NS, Walk, grid_plan, heard, pseudonyms, walk, world_of
from tests.oracle.paths import Device, Rules
from tests.oracle.viterbi import leader

pytestmark = pytest.mark.kernels


def ring(zone: int, at_s: float, device: int = 0) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Thirty adverts, one a second, heard loudly by one zone's anchor."""
    signals = np.zeros(30, SIGNAL)
    signals["ts"] = START_NS + int(at_s * 1e9) + 10**9 * np.arange(30)
    signals["device"] = device
    signals["anchor"] = zone
    signals["rssi_dbm"] = -60
    return signals


def engine_for(zones: int = 4, devices: int = 3) -> StoreEngine:
    engine = StoreEngine(grid_plan(zones), settings=Settings(deaf_nats=0))
    engine.device_index(pseudonyms(devices))
    return engine


def test_one_signal_is_enough_to_be_present() -> None:
    engine = engine_for()
    engine.push(ring(2, 0)[:1])
    [row] = engine.presence()
    assert (row["device"], row["zone"]) == (0, 2)
    assert row["arrived_at"] == row["in_zone_since"] == row["last_signal_at"] == START_NS
    assert 0 < row["confidence"] <= 1


def test_a_move_shows_before_the_lateness_bound_has_passed() -> None:
    engine = engine_for()
    engine.push(ring(0, 0))
    engine.push(ring(3, 30)[:6])
    [row] = engine.presence()
    assert row["zone"] == 3
    assert START_NS + 29 * 10**9 <= row["in_zone_since"] <= START_NS + 31 * 10**9
    assert row["arrived_at"] == START_NS


def test_who_is_silent_for_longer_than_the_timeout_disappears() -> None:
    engine = engine_for()
    engine.push(ring(0, 0, device=0))
    engine.push(
        ring(1, 60, device=1)[:30]
    )  # the newest is 60 s after the last of device 0: not longer than the timeout
    assert engine.presence()["device"].tolist() == [0, 1]
    engine.push(ring(1, 90, device=1)[:2])
    assert engine.presence()["device"].tolist() == [1]


@pytest.mark.parametrize(("gap_s", "arrived_s"), [(60.0, 0), (60.000001, 89.000001)])
def test_who_comes_back_after_the_timeout_has_arrived_anew(gap_s: float, arrived_s: float) -> None:
    engine = engine_for()
    engine.push(ring(0, 0))
    engine.push(ring(0, 29 + gap_s)[:1])
    [row] = engine.presence()
    assert row["arrived_at"] == START_NS + round(arrived_s * 1e9)


@pytest.mark.parametrize(("gap_s", "visits"), [(60.0, 1), (60.000001, 2)])
def test_nobody_is_closed_while_a_signal_may_still_come_in_time(gap_s: float, visits: int) -> None:
    engine = StoreEngine(grid_plan(4), settings=Settings(deaf_nats=0, lateness_ns=0))
    engine.device_index(pseudonyms(2))
    back = ring(0, 29 + gap_s)
    other = ring(2, 29 + gap_s, device=1)[:1]  # moves the watermark to where device 0 comes back
    found = [engine.push(part) for part in (ring(0, 0), other, back)]
    stays = np.concatenate([*found, engine.finish()])
    assert np.count_nonzero((stays["device"] == 0) & (stays["kind"] == VisitKind.STORE)) == visits


def test_an_advert_that_very_many_anchors_hear_leaves_presence_as_the_decoder_has_it() -> None:
    """Scores are settled after every 16 signals, on either way."""
    plan = grid_plan(4, 12)
    signals = np.zeros(40 * 48, SIGNAL)
    signals["ts"] = START_NS + np.repeat(np.arange(40), 48) * 10**9 + np.tile(np.arange(48), 40) * 10**6
    signals["anchor"] = np.tile(np.arange(48), 40)
    signals["rssi_dbm"] = np.where(signals["anchor"] // 12 == np.repeat(np.arange(40) // 20 * 3, 48), -50, -118)
    held = StoreEngine(plan, settings=Settings(deaf_nats=0))
    decoded = StoreEngine(plan, settings=Settings(deaf_nats=0, lateness_ns=0))
    for engine in (held, decoded):
        engine.device_index(pseudonyms(1))
        engine.push(signals)
    assert held.presence().tobytes() == decoded.presence().tobytes()
    assert held.presence()["zone"].tolist() == [3]


def test_presence_changes_no_visit() -> None:
    plan = grid_plan(6)
    signals = walk(plan, 8, Walk(devices=2, absences=True))
    silent, asked = engine_for(6), engine_for(6)
    for part in np.array_split(signals, 20):
        asked.presence()
        asked.push(part)
        silent.push(part)
    assert asked.finish().tobytes() == silent.finish().tobytes()
    assert not len(asked.presence())


@pytest.mark.parametrize("seed", range(5))
def test_presence_is_the_causal_lead_of_the_oracle(seed: int) -> None:
    plan = grid_plan(6)
    signals = walk(plan, seed, Walk(devices=2, stays=2))
    signals = signals[: len(signals) * (seed + 1) // 6]
    engine = engine_for(6)
    for part in np.array_split(signals, 5):
        engine.push(part)
    rows = {int(row["device"]): row for row in engine.presence()}
    for device in np.unique(signals["device"]).tolist():
        oracle = Device(world_of(prior_model(plan)), Rules())
        for signal in sorted(heard(signals, device)):
            oracle.hear(signal)
        scores = {zone: lane.score for zone, lane in oracle.lanes.items()}
        assert rows[device]["zone"] == leader(scores, -1)
        assert rows[device]["arrived_at"] == oracle.arrived_at * 1000
        assert rows[device]["in_zone_since"] == oracle.lanes[int(rows[device]["zone"])].stays[-1].start * 1000


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.compiled) for seed in (1, 2, 3))])
def test_what_presence_keeps_for_the_next_question_changes_no_answer(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signals up to 1.5 s behind, as a rule behind what is kept, and now and then one from before it."""
    plan = grid_plan(6)
    signals = walk(plan, seed, Walk(devices=6, absences=True))
    rng = np.random.default_rng([seed, 3])
    behind = rng.uniform(0, 1.5e9, len(signals)) + 2.4e9 * (rng.random(len(signals)) < 0.02)
    signals = signals[np.argsort(signals["ts"] + behind.astype(np.int64), kind="stable")]
    settings = Settings(deaf_nats=0, offset_limit_db=0, lateness_ns=4 * 10**9)  # nothing is learnt meanwhile

    def answers() -> list[bytes]:
        engine = StoreEngine(plan, settings=settings)
        index = np.empty(0, np.int32)
        found = []
        for part in np.array_split(signals, len(signals) // 8):
            index = engine.device_index(pseudonyms(max(len(index), int(part["device"].max()) + 1)))
            engine.push(part)
            found.append(engine.presence().tobytes())
        return found

    begun = []

    def counted(decoder: Decoder, reorder: Reorder) -> Any:
        begun.append(reorder.newest_us)
        return _begun(decoder, reorder)

    monkeypatch.setattr(presence, "_begun", counted)
    afresh = answers()
    worked_out = len(begun)
    assert worked_out == len(afresh)
    monkeypatch.setattr(presence, "_KEPT_FROM", 0)
    assert answers() == afresh
    begun_anew = len(begun) - worked_out
    assert 5 < begun_anew < worked_out / 2, "what was kept was of use, and was given up when it had to be"


@pytest.mark.parametrize("behind_s", [0.0, 0.5])
def test_what_is_worked_out_again_is_as_long_as_signals_come_behind(
    behind_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five questions a second of data: what every answer is worked out from anew shrinks to what may still change."""
    looked_at: list[int] = []
    preview = Reorder.preview

    def counted(reorder: Reorder, since_us: int) -> Any:
        found = preview(reorder, since_us)
        looked_at.append(len(found))
        return found

    monkeypatch.setattr(presence, "_KEPT_FROM", 0)
    monkeypatch.setattr(Reorder, "preview", counted)
    a_second, questions = 200, 300
    signals = np.zeros(questions // 5 * a_second, SIGNAL)
    signals["ts"] = START_NS + np.arange(len(signals)) * (10**9 // a_second)
    signals["rssi_dbm"] = -60
    arrival = signals["ts"] + (np.arange(len(signals)) % 7 == 0) * int(behind_s * 1e9)
    signals = signals[np.argsort(arrival, kind="stable")]
    engine = engine_for()
    for part in np.array_split(signals, questions):
        engine.push(part)
        engine.presence()
    newest = float(np.median(looked_at[-50:])) / a_second
    assert newest < 0.2 + 2 * behind_s + 0.2, "seconds of signals: the new ones, and twice how far they come behind"
    assert newest > behind_s
    assert np.median(looked_at[20:40]) / a_second > newest


def test_a_store_visit_of_more_than_a_day_is_cut() -> None:
    engine = StoreEngine(grid_plan(1), settings=Settings(silence_ns=1_000 * 10**9, silence_max_ns=1_000 * 10**9))
    engine.device_index(pseudonyms(1))
    signals = np.zeros(200, SIGNAL)
    signals["ts"] = START_NS + 900 * 10**9 * np.arange(200)
    signals["rssi_dbm"] = -60
    visits = np.concatenate([engine.push(signals), engine.finish()])
    stores = visits[visits["kind"] == 1]
    assert (stores["left_at"] - stores["entered_at"]).max() < 24 * 3600 * 10**9
    assert [v.item() for v in stores["closed_by"]] == [4, 4, 5]


def test_who_had_left_when_the_recording_ended_is_closed_by_silence() -> None:
    engine = StoreEngine(grid_plan(4), settings=Settings(lateness_ns=0, deaf_nats=0))
    engine.device_index(pseudonyms(2))
    engine.push(ring(0, 0, device=0))
    engine.push(ring(1, 60, device=1))  # at the end the silence of device 0 is just as long as its timeout
    visits = engine.finish()
    closed = visits["closed_by"][(visits["kind"] == 1) & (visits["device"] == 0)]
    assert closed.tolist() == [1]
