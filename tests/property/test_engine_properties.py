"""What the engine promises whatever comes in: chunks, order, repetition, index order, sources, snapshots."""

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import structs
from numpy.typing import NDArray

from core.dwell.engine import StoreEngine
from core.dwell.settings import Settings
from core.floorplan import StorePlan
from core.records import SignalArray, VisitArray
from tests.dwell.comparing import rows_of, told
from tests.dwell.scenes import Walk, grid_plan, noise, pseudonyms, random_model, walk, with_words

pytestmark = pytest.mark.kernels

PLAN = grid_plan(5)
MODEL = random_model(PLAN, 11)
_AROUND = (None, "z0", "z0", None, "z3")
NESTED = structs.replace(
    PLAN, zones=tuple(structs.replace(zone, parent=around) for zone, around in zip(PLAN.zones, _AROUND, strict=True))
)
DEVICES = 3
BOUND = Settings(lateness_ns=10 * 10**9)
ALONE = Settings(deaf_nats=0)  # the oracle decodes one device at a time
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

seeds = st.integers(0, 2**32 - 1)
cuts = st.lists(st.integers(0, 400), max_size=8)


def scene(seed: int, worded: bool) -> SignalArray:
    """Walks and nonsense in turn, at most some hundred signals; `worded` with words of apps among them."""
    if seed % 2:
        signals = walk(PLAN, seed, Walk(devices=DEVICES, stays=3, stay_s=15.0, absences=True))[:300]
    else:
        signals = noise(PLAN, seed, 200, devices=DEVICES, gap_s=[0.1, 1.0, 6.0][seed % 3])
    return with_words(signals, seed) if worded else signals


def engine_with(
    plan: StorePlan = PLAN, order: NDArray[np.int64] | None = None
) -> tuple[StoreEngine, NDArray[np.int32]]:
    """An engine that has met all devices in some order, and where each device's index went."""
    engine = StoreEngine(plan, MODEL, BOUND)
    names = pseudonyms(DEVICES)
    engine.device_index(names[order] if order is not None else names)
    return engine, engine.device_index(names)


def all_visits(engine: StoreEngine, parts: list[tuple[SignalArray, int]]) -> list[tuple[object, ...]]:
    """Push parts and finish; visits with pseudonyms for indices, as a sorted list."""
    found = [engine.push(part, source) for part, source in parts]
    return told_apart(engine, np.concatenate([*found, engine.finish()]))


def told_apart(engine: StoreEngine, visits: VisitArray) -> list[tuple[object, ...]]:
    names = engine.pseudonyms(visits["device"])
    plain = visits.copy()
    plain["device"] = 0
    return sorted((visit.tobytes(), name.tobytes()) for visit, name in zip(plain, names, strict=True))


def split(signals: SignalArray, at: list[int]) -> list[tuple[SignalArray, int]]:
    return [(part, 0) for part in np.split(signals, sorted(min(cut, len(signals)) for cut in at))]


def shuffled_within(signals: SignalArray, seed: int, bound_ns: int) -> SignalArray:
    """Delay each signal by up to the bound: none then comes behind a newest that is further ahead."""
    delay = np.random.default_rng(seed).integers(0, bound_ns, len(signals))
    return signals[np.argsort(signals["ts"] + delay, kind="stable")]


@few
@given(seed=seeds, worded=st.booleans(), at=cuts)
def test_cutting_into_pushes_changes_nothing(seed: int, worded: bool, at: list[int]) -> None:
    signals = scene(seed, worded)
    whole, _ = engine_with()
    cut, _ = engine_with()
    assert all_visits(cut, split(signals, at)) == all_visits(whole, [(signals, 0)])
    assert cut.counts == whole.counts


@few
@given(seed=seeds, worded=st.booleans(), at=cuts)
def test_shuffling_within_the_lateness_bound_changes_nothing(seed: int, worded: bool, at: list[int]) -> None:
    signals = scene(seed, worded)
    in_order, _ = engine_with()
    shuffled, _ = engine_with()
    mixed = shuffled_within(signals, seed, BOUND.lateness_ns)
    assert all_visits(shuffled, split(mixed, at)) == all_visits(in_order, [(signals, 0)])
    assert shuffled.counts.late == 0


@few
@given(seed=seeds, worded=st.booleans(), at=cuts)
def test_repetition_changes_nothing_and_is_counted(seed: int, worded: bool, at: list[int]) -> None:
    signals = scene(seed, worded)
    once, _ = engine_with()
    twice, _ = engine_with()
    rng = np.random.default_rng(seed)
    again = signals[rng.random(len(signals)) < 0.3]
    both = np.concatenate([signals, again])
    both = shuffled_within(both[np.argsort(both["ts"], kind="stable")], seed, BOUND.lateness_ns)
    plain = all_visits(once, [(signals, 0)])
    assert all_visits(twice, split(both, at)) == plain
    assert twice.counts.late + twice.counts.repeated == once.counts.repeated + len(again)


@few
@given(seed=seeds, worded=st.booleans(), order=st.permutations(range(DEVICES)))
def test_the_order_in_which_devices_were_met_changes_nothing(seed: int, worded: bool, order: list[int]) -> None:
    signals = scene(seed, worded)
    plain, _ = engine_with()
    other, index = engine_with(order=np.array(order))
    renamed = signals.copy()
    renamed["device"] = index[signals["device"]]
    assert all_visits(other, [(renamed, 0)]) == all_visits(plain, [(signals, 0)])


@few
@given(seed=seeds, worded=st.booleans())
def test_the_interleaving_of_sources_changes_nothing(seed: int, worded: bool) -> None:
    signals = scene(seed, worded)
    signals = signals[signals["ts"] < signals["ts"][0] + BOUND.patience_ns]
    plain, _ = engine_with()
    woven, _ = engine_with()
    rng = np.random.default_rng(seed)
    sources = 3
    for source in range(sources):
        woven.expect(source)
    owner = rng.integers(0, sources, len(signals))
    backlogs = [list(np.array_split(signals[owner == source], 6)) for source in range(sources)]
    parts = []
    while any(backlogs):
        source = int(rng.choice([name for name in range(sources) if backlogs[name]]))
        parts.append((backlogs[source].pop(0), source))
    assert all_visits(woven, parts) == all_visits(plain, [(signals, 0)])
    assert woven.counts.late == 0


@few
@given(seed=seeds, worded=st.booleans(), at=cuts, taken=st.integers(0, 400))
def test_a_snapshot_taken_anywhere_continues_byte_for_byte(
    seed: int, worded: bool, at: list[int], taken: int
) -> None:
    signals = shuffled_within(scene(seed, worded), seed, BOUND.lateness_ns)
    before, after = signals[:taken], signals[taken:]
    unbroken, _ = engine_with()
    first = [unbroken.push(part, source) for part, source in split(before, at)]
    restored = StoreEngine.restore(unbroken.snapshot(), PLAN, MODEL, BOUND)
    assert restored.snapshot() == unbroken.snapshot()
    assert restored.presence().tobytes() == unbroken.presence().tobytes()
    assert restored.decided_through == unbroken.decided_through
    for part, source in split(after, at):
        assert restored.push(part, source).tobytes() == unbroken.push(part, source).tobytes()
    assert restored.finish().tobytes() == unbroken.finish().tobytes()
    assert restored.counts == unbroken.counts
    assert restored.snapshot() == unbroken.snapshot()
    assert sum(map(len, first)) >= 0


@few
@given(seed=seeds, worded=st.booleans(), at=cuts)
def test_every_visit_that_ended_before_decided_through_was_returned(seed: int, worded: bool, at: list[int]) -> None:
    signals = scene(seed, worded)
    engine, _ = engine_with()
    promised = -(2**62)
    for part, source in split(signals, at):
        for visit in engine.push(part, source):
            assert visit["left_at"] >= promised
        assert engine.decided_through >= promised
        promised = engine.decided_through
    assert all(visit["left_at"] >= promised for visit in engine.finish())


@few
@given(seed=seeds, worded=st.booleans())
@example(seed=4286, worded=False)  # a forced decision while another path hangs on the leader's
@example(seed=110, worded=False)  # a stay that outgrows 32 bits of microseconds in the step that resets it
@example(seed=12, worded=False)  # an offset that moves between two signals of one time
def test_the_engine_equals_the_oracle(seed: int, worded: bool) -> None:
    signals = scene(seed, worded)
    engine = StoreEngine(PLAN, MODEL, ALONE)
    engine.device_index(pseudonyms(DEVICES))
    visits = np.concatenate([engine.push(signals), engine.finish()])
    for device in np.unique(signals["device"]).tolist():
        assert rows_of(visits, device) == told(PLAN, signals, MODEL, device)


@few
@given(seed=seeds, worded=st.booleans(), nested=st.booleans())
@example(seed=1041, worded=False, nested=False)
def test_the_bounds_of_a_visit_hold_its_times_and_do_not_contradict_each_other(
    seed: int, worded: bool, nested: bool
) -> None:
    plan = NESTED if nested else PLAN
    engine = StoreEngine(plan, random_model(plan, 11) if seed % 4 else None, BOUND)
    engine.device_index(pseudonyms(DEVICES))
    signals = scene(seed, worded)
    found = np.concatenate([engine.push(signals), engine.finish()])
    for first, then in (
        ("entered_earliest", "entered_at"),
        ("entered_at", "entered_latest"),
        ("left_earliest", "left_at"),
        ("left_at", "left_latest"),
        ("entered_earliest", "left_earliest"),
        ("entered_latest", "left_latest"),
    ):
        assert (found[first] <= found[then]).all(), (first, then)
