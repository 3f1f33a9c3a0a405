"""Anchors die and come back, alone or together, and no cutting, restoring or order of devices changes a visit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.dwell.engine import StoreEngine
from core.dwell.settings import Settings
from core.records import SIGNAL, SignalArray
from tests.dwell.scenes import START_NS, grid_plan, pseudonyms

pytestmark = pytest.mark.kernels
PLAN = grid_plan(9)
DEVICES = 8
S = 10**9
SHORT = Settings(lateness_ns=2 * S, silence_max_ns=200 * S)  # so that all that can happen happens within minutes


def dying(seed: int) -> SignalArray:
    """Devices before three anchors, each heard by its own alone; anchors are off for a while, devices away."""
    rng = np.random.default_rng([seed, 6])
    rows = []
    off = {anchor: sorted(rng.integers(0, 600, 4)) for anchor in (0, 2, 8)}
    if rng.random() < 0.5:
        off = dict.fromkeys(off, off[0])
    for device in range(DEVICES):
        anchor = int(rng.choice([0, 0, 2, 8]))
        away = sorted(rng.integers(0, 900, 2)) if rng.random() < 0.4 else [0, 0]
        at = np.arange(rng.uniform(0, 20), 600, rng.choice([1.0, 1.5, 4.0]))
        at = at[rng.random(len(at)) < 0.8]
        dead = off[anchor]
        for second in at:
            if dead[0] <= second < dead[1] or dead[2] <= second < dead[3] or away[0] <= second < away[1]:
                continue
            rows.append((START_NS + int(second * S), device, anchor, int(rng.normal(-65, 4))))
    signals = np.array(rows, SIGNAL)
    return signals[np.argsort(signals["ts"], kind="stable")]


def visits(signals: SignalArray, cuts: list[int], order: list[int], *, restored: bool) -> list[bytes]:
    """All visits under the pseudonyms of the devices, in a fixed order."""
    names = pseudonyms(DEVICES)
    engine = StoreEngine(PLAN, settings=SHORT)
    engine.device_index(names[order])
    renamed = signals.copy()
    renamed["device"] = engine.device_index(names)[signals["device"]]
    found = []
    for part in np.split(renamed, sorted(cuts)):
        found.append(engine.push(part))
        if restored:
            engine = StoreEngine.restore(engine.snapshot(), PLAN, settings=SHORT)
    found.append(engine.finish())
    plain = np.concatenate(found)
    who = engine.pseudonyms(plain["device"])
    plain["device"] = 0
    return sorted(visit.tobytes() + name.tobytes() for visit, name in zip(plain, who, strict=True))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(0, 4000), max_size=40),
    order=st.permutations(range(DEVICES)),
    restored=st.booleans(),
)
@example(seed=1, cuts=list(range(0, 4000, 7)), order=list(range(DEVICES)), restored=False)
def test_dying_anchors_do_not_let_visits_depend_on_how_signals_are_cut(
    seed: int, cuts: list[int], order: list[int], restored: bool
) -> None:
    signals = dying(seed)
    assert visits(signals, cuts, order, restored=restored) == visits(
        signals, [], list(range(DEVICES)), restored=False
    )
