"""Devices that are forgotten leave the table, and no visit says so."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.dwell.engine import StoreEngine
from core.dwell.settings import Settings
from core.records import SIGNAL, SignalArray
from tests.dwell.scenes import START_NS, grid_plan, pseudonyms, random_model
from tests.kernels import PLAIN_PYTHON

pytestmark = pytest.mark.kernels

HOUR_NS = 3600 * 10**9
PLAN = grid_plan(3)
MODEL = random_model(PLAN, 4)
RULES = Settings(forget_ns=2 * HOUR_NS)
NAMES = pseudonyms(40)
few = settings(max_examples=5 if PLAIN_PYTHON else 30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def days(seed: int, visits: int = 60) -> SignalArray:
    """Short visits of some devices over some days; most come back after hours or not at all."""
    rng = np.random.default_rng(seed)
    parts = []
    for device in rng.integers(0, len(NAMES), visits):
        signals = np.zeros(int(rng.integers(1, 30)), SIGNAL)
        begin = START_NS + int(rng.integers(0, 40 * HOUR_NS))
        signals["ts"] = begin + np.cumsum(rng.integers(0, 3 * 10**9, len(signals)))
        signals["device"] = device
        signals["anchor"] = rng.integers(0, len(PLAN.anchors), len(signals))
        signals["rssi_dbm"] = rng.integers(-95, -50, len(signals))
        parts.append(signals)
    made = np.concatenate(parts)
    return made[np.argsort(made["ts"], kind="stable")]


def run(
    engine: StoreEngine, signals: SignalArray, cuts: list[int], *, forget: bool, restore: bool = False
) -> tuple[list[Any], StoreEngine]:
    """Push parts as ingest does: devices are named for each push, visits are read before the next."""
    if not forget:
        engine._forget = lambda: None  # type: ignore[method-assign]
    found: list[Any] = []
    for part in np.split(signals, sorted(min(cut, len(signals)) for cut in cuts)):
        found += told(engine, engine.push(named(engine, part)))
        if restore:
            again = StoreEngine.restore(engine.snapshot(), PLAN, MODEL, engine.settings)
            assert again.snapshot() == engine.snapshot()
            engine = again
    return sorted(found + told(engine, engine.finish())), engine


def named(engine: StoreEngine, part: SignalArray) -> SignalArray:
    different, place = np.unique(part["device"], return_inverse=True)
    renamed = part.copy()
    renamed["device"] = engine.device_index(NAMES[different])[place]
    return renamed


def told(engine: StoreEngine, visits: NDArray[Any]) -> list[Any]:
    names = engine.pseudonyms(visits["device"])
    plain = visits.copy()
    plain["device"] = 0
    return [(visit.tobytes(), name.tobytes()) for visit, name in zip(plain, names, strict=True)]


@few
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, 900), max_size=30), restore=st.booleans())
def test_forgetting_changes_no_visit(seed: int, cuts: list[int], restore: bool) -> None:
    signals = days(seed)
    kept, whole = run(StoreEngine(PLAN, MODEL, RULES), signals, [], forget=False)
    forgot, engine = run(StoreEngine(PLAN, MODEL, RULES), signals, cuts, forget=True, restore=restore)
    assert forgot == kept
    assert engine.counts == whole.counts


def test_the_table_holds_only_who_can_still_be_remembered() -> None:
    engine = StoreEngine(PLAN, MODEL, RULES)
    most = 0
    for day in range(40):
        names = pseudonyms(10, seed=day)
        signals = np.zeros(100, SIGNAL)
        signals["device"] = engine.device_index(names)[np.arange(100) % 10]
        signals["ts"] = START_NS + day * 24 * HOUR_NS + np.arange(100) * 10**8
        signals["rssi_dbm"] = -60
        engine.push(signals)
        most = max(most, len(engine._devices))
    assert most == 30  # who may come back, who came in the last push, who is named for the next
    assert engine.forgotten == 380
    records = most * engine._decoder.state.itemsize
    assert len(engine.snapshot()) < len(StoreEngine(PLAN, MODEL, RULES).snapshot()) + records + 24 * 1024


def test_an_index_stays_good_until_data_time_has_passed_since_it_was_asked_for() -> None:
    engine = StoreEngine(PLAN, MODEL, RULES)
    index = engine.device_index(NAMES[:3])
    beat = np.zeros(1, SIGNAL)
    beat["device"] = index[0]
    beat["rssi_dbm"] = -60
    hours = [0, 1, 1.5, 2, 2.9]
    for hour in hours:
        beat["ts"] = START_NS + int(hour * HOUR_NS)
        engine.push(beat)
    assert engine.forgotten == 0
    assert (engine.pseudonyms(index) == NAMES[:3]).all()
    for hour in [4, 5, 6]:
        beat["ts"] = START_NS + int(hour * HOUR_NS)
        engine.push(beat)
    assert engine.forgotten == 2
    other = engine.device_index(NAMES[10:12])
    assert sorted(other.tolist()) == sorted(index[1:].tolist())
    assert (engine.device_index(NAMES[:1]) == index[:1]).all()


def test_who_is_held_is_not_forgotten() -> None:
    """A backlog of days: the device of the newest signals waits while the watermark passes days."""
    engine = StoreEngine(PLAN, MODEL, RULES)
    for source in (1, 2):
        engine.expect(source)
    ahead = np.zeros(20, SIGNAL)
    ahead["device"] = engine.device_index(NAMES[:1])
    ahead["ts"] = START_NS + 30 * HOUR_NS + np.arange(20) * 10**9
    ahead["rssi_dbm"] = -60
    engine.push(ahead, source=1, arrived_at=START_NS)
    found = []
    for hour in range(30):
        signals = np.zeros(20, SIGNAL)
        signals["device"] = engine.device_index(NAMES[hour + 1 : hour + 2])
        signals["ts"] = START_NS + hour * HOUR_NS + np.arange(20) * 10**9
        signals["rssi_dbm"] = -60
        found += told(engine, engine.push(signals, source=2, arrived_at=START_NS))
    assert engine.forgotten > 0
    found += told(engine, engine.finish())
    assert {name for _, name in found} == {name.tobytes() for name in NAMES[:31]}
