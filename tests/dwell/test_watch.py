"""A dead gateway is not a departed customer."""

import numpy as np
import pytest

from core.dwell.engine import StoreEngine
from core.dwell.settings import Settings
from core.records import SIGNAL, ClosedBy, SignalArray, VisitArray, VisitKind
from tests.dwell.scenes import START_NS, Walk, grid_plan, pseudonyms, walk_with_truth

pytestmark = pytest.mark.kernels
PLAN = grid_plan(6)
S = 10**9


def standing(zone: int, seconds: int, deaf: tuple[int, int], seed: int = 0, devices: int = 3) -> SignalArray:
    """Devices that stand in one zone, heard there and next door; its anchor is deaf from second to second."""
    rng = np.random.default_rng([seed, 3])
    rows = []
    for device in range(devices):
        for second in range(seconds):
            at = START_NS + second * S + int(rng.integers(0, S // 2))
            for anchor in range(6):
                near = anchor == zone
                if near and deaf[0] <= second < deaf[1]:
                    continue
                if rng.random() < (0.8 if near else 0.6):
                    rows.append((at, device, anchor, int((-72 if near else -84) + rng.normal(0, 4))))
    signals = np.array(rows, SIGNAL)
    return signals[np.argsort(signals["ts"], kind="stable")]


def visits_under(settings: Settings, signals: SignalArray) -> tuple[VisitArray, StoreEngine]:
    engine = StoreEngine(PLAN, settings=settings)
    engine.device_index(pseudonyms(int(signals["device"].max()) + 1))
    return np.concatenate([engine.push(signals), engine.finish()]), engine


def test_a_gateway_that_is_off_for_ten_minutes_moves_nobody_and_nobody_leaves() -> None:
    signals = standing(1, 1500, (400, 1000))
    visits, _ = visits_under(Settings(), signals)
    stores = visits[visits["kind"] == VisitKind.STORE]
    zones = visits[visits["kind"] == VisitKind.ZONE]
    assert len(stores) == 3
    assert zones["zone"].tolist() == [1, 1, 1]


def test_an_anchor_fades_while_it_is_deaf_and_comes_back_with_its_first_signal() -> None:
    signals = standing(1, 600, (200, 500))
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(3))
    seen = []
    for second in range(0, 600, 20):
        inside = (signals["ts"] >= START_NS + second * S) & (signals["ts"] < START_NS + (second + 20) * S)
        engine.push(signals[inside])
        seen.append(float(engine.anchor_weights[1]))
    engine.finish()
    assert seen[8] == 1.0
    assert min(seen) == 0.0
    assert engine.anchor_weights[1] == 1.0


def test_an_anchor_before_which_nobody_stands_does_not_fade() -> None:
    plan = grid_plan(9)  # anchor 8 is 23 m from zone 0: out of reach by the prior
    signals = standing(0, 300, (0, 0))
    engine = StoreEngine(plan)
    engine.device_index(pseudonyms(3))
    engine.push(signals)
    engine.finish()
    assert engine.anchor_weights[8] == 1.0


def test_fading_can_be_switched_off() -> None:
    _, engine = visits_under(Settings(deaf_nats=0), standing(1, 300, (100, 300)))
    assert engine.anchor_weights.tolist() == [1.0] * 6


def test_who_falls_silent_before_a_deaf_anchor_is_waited_for_and_the_reason_told() -> None:
    deaf = standing(1, 300, (100, 300))
    others = standing(4, 600, (0, 0), seed=2)
    others["device"] += 3
    others = others[others["anchor"] != 1]
    signals = np.concatenate([deaf, others])
    signals = signals[np.argsort(signals["ts"], kind="stable")]
    visits, engine = visits_under(Settings(), signals)
    assert engine.counts.late == 0
    lost = visits[(visits["kind"] == VisitKind.STORE) & (visits["device"] < 3)]
    assert set(lost["closed_by"].tolist()) == {ClosedBy.END_OF_RECORDING}  # 300 s of silence: still waited for
    far = others.copy()
    far["ts"] += 1200 * S
    signals = np.concatenate([signals, far])
    visits, _ = visits_under(Settings(), signals[np.argsort(signals["ts"], kind="stable")])
    lost = visits[(visits["kind"] == VisitKind.STORE) & (visits["device"] < 3)]
    assert set(lost["closed_by"].tolist()) == {ClosedBy.ANCHOR_DOWN}


def test_cutting_into_pushes_changes_nothing_while_anchors_fade() -> None:
    signals, _ = walk_with_truth(PLAN, 3, Walk(devices=4, stays=4))
    signals = signals[~((signals["anchor"] == 2) & (signals["ts"] > signals["ts"][len(signals) // 3]))]
    whole, _ = visits_under(Settings(), signals)
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(4))
    parts = [engine.push(part) for part in np.array_split(signals, 37)]
    cut = np.concatenate([*parts, engine.finish()])
    assert sorted(visit.tobytes() for visit in cut) == sorted(visit.tobytes() for visit in whole)
