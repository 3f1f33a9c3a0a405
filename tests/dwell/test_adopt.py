"""Another model while visits are open: nothing that was said changes, and everything goes on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.dwell.calibration import calibrate
from core.dwell.engine import StoreEngine
from core.dwell.model import Model, prior_model
from core.errors import ModelError, SnapshotError
from core.records import SignalArray, VisitArray, VisitKind
from tests.dwell.scenes import START_NS, Walk, grid_plan, pseudonyms, random_model, walk

PLAN = grid_plan(6)
DEVICES = 4
S = 10**9


def scene(seed: int = 3) -> SignalArray:
    return walk(PLAN, seed, Walk(devices=DEVICES, stays=8, stay_s=40.0))


def engine(model: Model | None = None) -> StoreEngine:
    made = StoreEngine(PLAN, model)
    made.device_index(pseudonyms(DEVICES))
    return made


def whole(made: StoreEngine, *parts: SignalArray) -> VisitArray:
    return np.concatenate([*[made.push(part) for part in parts], made.finish()])


def rows(visits: VisitArray) -> list[bytes]:
    return sorted(visit.tobytes() for visit in visits)


@pytest.fixture(scope="module")
def learnt() -> Model:
    return calibrate(PLAN, walk(PLAN, 9, Walk(devices=20, stays=10, stay_s=30.0, path_loss=3.0)))


def test_a_model_adopted_before_the_first_signal_is_the_model_it_began_with(learnt: Model) -> None:
    late = engine()
    late.adopt(learnt)
    assert rows(whole(late, scene())) == rows(whole(engine(learnt), scene()))
    assert rows(whole(engine(), scene())) != rows(whole(engine(learnt), scene())), (
        "the two models do decode otherwise"
    )


@given(cut=st.integers(0, 1500))
@settings(max_examples=8, deadline=None)
def test_the_same_model_adopted_anywhere_changes_nothing(cut: int) -> None:
    signals = scene()
    made = engine()
    before = made.push(signals[:cut])
    made.adopt(prior_model(PLAN))
    assert rows(np.concatenate([before, whole(made, signals[cut:])])) == rows(whole(engine(), signals))


def test_what_was_open_goes_on_and_nothing_is_said_twice(learnt: Model) -> None:
    signals = scene()
    half = len(signals) // 2
    made = engine()
    before = made.push(signals[:half])
    here = made.presence()
    made.adopt(learnt)
    assert [row["device"] for row in made.presence()] == [row["device"] for row in here]
    visits = np.concatenate([before, whole(made, signals[half:])])
    stores = visits[visits["kind"] == VisitKind.STORE]
    assert sorted(stores["device"].tolist()) == list(range(DEVICES)), "one store visit each, not cut by the change"
    for device in range(DEVICES):
        own = visits[(visits["device"] == device) & (visits["kind"] == VisitKind.ZONE)]
        own = own[np.argsort(own["entered_at"])]
        assert (own["entered_at"][1:] >= own["left_at"][:-1]).all()


def test_it_is_deterministic_and_a_snapshot_knows_its_model(learnt: Model) -> None:
    signals = scene()
    third = len(signals) // 3
    one = engine()
    first = one.push(signals[:third])
    one.adopt(learnt)
    middle = one.push(signals[third : 2 * third])
    taken = one.snapshot()
    with pytest.raises(SnapshotError, match="model"):
        StoreEngine.restore(taken, PLAN)
    other = StoreEngine.restore(taken, PLAN, learnt)
    assert other.snapshot() == taken
    assert rows(whole(one, signals[2 * third :])) == rows(whole(other, signals[2 * third :]))
    again = engine()
    assert rows(again.push(signals[:third])) == rows(first)
    again.adopt(learnt)
    assert rows(again.push(signals[third : 2 * third])) == rows(middle)
    assert again.snapshot() == taken


def test_back_to_the_priors_and_on(learnt: Model) -> None:
    signals = scene()
    made = engine(learnt)
    made.adopt(prior_model(PLAN))
    assert rows(whole(made, signals)) == rows(whole(engine(), signals))


def silence_of(made: StoreEngine) -> NDArray[np.int16]:
    return made._decoder.silence.copy()


def test_a_deaf_anchor_stays_faded_under_the_new_model(learnt: Model) -> None:
    signals = walk(PLAN, 5, Walk(devices=DEVICES, stays=1, stay_s=400.0))
    loudest = int(np.bincount(signals["anchor"]).argmax())
    deaf = signals[(signals["anchor"] != loudest) | (signals["ts"] < START_NS + 60 * S)]
    made = engine()
    made.push(deaf)
    weights = made.anchor_weights
    assert weights[loudest] < 1
    made.adopt(learnt)
    assert made.anchor_weights.tolist() == weights.tolist()
    fresh = engine(learnt)
    missed = fresh._decoder.tables.missed.astype(np.int64)
    sixteenths = np.rint(weights * 16).astype(np.int64)
    expected = np.array([sum(missed[a, lane] * sixteenths[a] // 16 for a in range(6)) for lane in range(6)])
    assert silence_of(made)[:6].tolist() == (expected - expected.max()).tolist()  # the quietest spot stands at 0
    assert (silence_of(made)[:6] != silence_of(fresh)[:6]).any()


def test_a_model_of_another_plan_or_of_other_spots_is_refused_and_the_engine_goes_on() -> None:
    signals = scene()
    made = engine()
    made.push(signals[:200])
    with pytest.raises(ModelError, match="another floor plan"):
        made.adopt(prior_model(grid_plan(5)))
    with pytest.raises(ModelError, match="other spots"):
        made.adopt(random_model(PLAN, 1))
    undisturbed = engine()
    undisturbed.push(signals[:200])
    assert made.snapshot() == undisturbed.snapshot()
