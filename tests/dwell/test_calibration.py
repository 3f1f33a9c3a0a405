"""Calibration without labels."""

import numpy as np
import pytest
from numpy.typing import NDArray

from core.dwell.calibration import calibrate
from core.dwell.engine import StoreEngine
from core.dwell.model import Model, dump, load, prior_model
from core.errors import InputError
from core.floorplan import StorePlan
from core.records import SIGNAL, SignalArray, VisitKind
from tests.dwell.comparing import run
from tests.dwell.scenes import Walk, grid_plan, pseudonyms, rest, walk, walk_with_truth

pytestmark = pytest.mark.kernels
PLAN = grid_plan(6)
SHOPPERS = Walk(devices=12, stays=6, stay_s=40.0)


def right_share(plan: StorePlan, signals: SignalArray, truth: NDArray[np.int64], model: Model | None) -> float:
    """Share of signals that lie in a visit to the zone they were sent from."""
    visits = run(plan, signals, model)
    visits = visits[visits["kind"] == VisitKind.ZONE]
    right = 0
    for visit in visits:
        inside = (
            (signals["device"] == visit["device"])
            & (signals["ts"] // 1000 * 1000 >= visit["entered_at"])
            & (signals["ts"] // 1000 * 1000 <= visit["left_at"])
        )
        right += int((truth[inside] == visit["zone"]).sum())
    return right / len(signals)


@pytest.mark.compiled
@pytest.mark.parametrize("offset_db", [-6.0, 6.0])
def test_weaker_and_stronger_devices_decode_as_well(offset_db: float) -> None:
    signals, truth = walk_with_truth(PLAN, 1, SHOPPERS)
    usual = right_share(PLAN, signals, truth, calibrate(PLAN, signals))
    other = Walk(**(vars(SHOPPERS) | {"offset_db": offset_db}))
    signals, truth = walk_with_truth(PLAN, 1, other)
    assert usual > 0.9
    assert right_share(PLAN, signals, truth, calibrate(PLAN, signals)) > usual - 0.04


def test_a_weak_device_is_learnt_while_decoding() -> None:
    learnt = []
    for seed in range(5):
        told = []
        for offset_db in (0.0, -8.0):
            signals = walk(PLAN, seed, Walk(devices=1, stays=12, stay_s=60.0, offset_db=offset_db))
            engine = StoreEngine(PLAN, prior_model(PLAN))
            engine.device_index(pseudonyms(1))
            engine.push(signals)
            engine.finish()
            told.append(int(engine._decoder.state["offset_db"][0]))
        learnt.append(told[1] - told[0])
    assert np.median(learnt) == pytest.approx(-8, abs=3), learnt


@pytest.mark.compiled
def test_another_path_loss_is_found_and_used() -> None:
    spans = []
    for path_loss in (1.8, 2.4, 3.2):
        signals, truth = walk_with_truth(PLAN, 3, Walk(**(vars(SHOPPERS) | {"path_loss": path_loss})))
        model = calibrate(PLAN, signals)
        spans.append(float(np.diag(model.level_dbm).mean() - model.level_dbm[0, 2]))
        assert right_share(PLAN, signals, truth, model) >= right_share(PLAN, signals, truth, None) - 0.02
    assert spans[0] + 2 < spans[1] < spans[2] - 2


@pytest.mark.compiled
@pytest.mark.parametrize("tags", [1, 6])
def test_weak_tags_that_lie_still_teach_a_store_nothing_wrong(tags: int) -> None:
    how = Walk(devices=20, stays=6, stay_s=60.0, advert_s=10.0)
    signals, truth = walk_with_truth(PLAN, 2, how)
    still = rest(PLAN, 2, how.devices + np.arange(tags), lasts_s=3600.0, offset_db=-16.0)
    usual = right_share(PLAN, signals, truth, calibrate(PLAN, signals))
    model = calibrate(PLAN, np.concatenate([signals, still]))
    assert usual > 0.8
    assert right_share(PLAN, signals, truth, model) > usual - 0.04


@pytest.mark.compiled
def test_a_tag_tells_in_a_day_what_it_tells_in_an_hour() -> None:
    shoppers = walk(PLAN, 3, SHOPPERS)
    day = rest(PLAN, 3, np.array([SHOPPERS.devices]), lasts_s=86_400.0, offset_db=-12.0, advert_s=10.0)
    hour = day[day["ts"] < day["ts"][0] + 3600 * 10**9]
    one, other = (calibrate(PLAN, np.concatenate([shoppers, still])) for still in (hour, day))
    assert np.abs(one.level_dbm - other.level_dbm).max() < 1
    assert np.abs(one.detection - other.detection).max() < 0.05


def test_no_places_are_needed() -> None:
    plan = grid_plan(6, places=False)
    signals, truth = walk_with_truth(plan, 4, SHOPPERS)
    assert right_share(plan, signals, truth, calibrate(plan, signals)) > 0.9


def test_the_order_of_signals_does_not_matter() -> None:
    signals = walk(PLAN, 5)
    mixed = np.random.default_rng(5).permutation(np.concatenate([signals, signals[:9]]))
    assert dump(calibrate(PLAN, mixed)) == dump(calibrate(PLAN, signals))


def test_a_calibration_is_an_artefact_that_fits_its_plan() -> None:
    signals = walk(PLAN, 6)
    model = calibrate(PLAN, signals)
    assert model.origin == "calibrated"
    assert model.signals > 0
    assert dump(load(dump(model), PLAN)) == dump(model)


def test_without_signals_it_is_the_prior() -> None:
    assert dump(calibrate(PLAN, np.zeros(0, SIGNAL))) == dump(prior_model(PLAN))


def test_few_signals_change_little() -> None:
    prior = prior_model(PLAN)
    model = calibrate(PLAN, walk(PLAN, 7, Walk(devices=1, stays=1, stay_s=10.0)))
    assert np.abs(model.level_dbm - prior.level_dbm).max() < 12


def test_an_anchor_that_is_not_in_the_plan_is_refused() -> None:
    signals = walk(PLAN, 8)
    signals["anchor"][0] = 6
    with pytest.raises(InputError, match="anchor"):
        calibrate(PLAN, signals)
