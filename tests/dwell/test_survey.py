"""Survey points: what people saw corrects a plan that is wrong."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from core.dwell.calibration import calibrate
from core.dwell.model import Model, dump, prior_model
from core.dwell.survey import SURVEY, SurveyArray, pin
from core.errors import SurveyError
from core.floorplan import StorePlan, load
from core.records import SIGNAL, SignalArray, VisitKind
from tests.dwell.comparing import run
from tests.dwell.scenes import START_NS, Walk, grid_plan, walk_with_truth

PLAN = grid_plan(6)
SHOPPERS = Walk(devices=12, stays=6, stay_s=40.0)
SURVEYOR = 12
MINUTES = 5


def replanned(zones: list[str], *, places: bool) -> StorePlan:
    """The same anchors, said to stand in other zones."""
    anchors = [
        {"id": anchor.id, "zone": zone} | ({"x": anchor.x, "y": anchor.y} if places else {})
        for anchor, zone in zip(PLAN.anchors, zones, strict=True)
    ]
    plan = {"id": "shop", "timezone": "UTC", "zones": [{"id": f"z{zone}"} for zone in range(6)], "anchors": anchors}
    return load(json.dumps({"stores": [plan]})).stores[0]


def surveyed(seed: int) -> tuple[SignalArray, SurveyArray]:
    """Somebody stands in every zone for a sixth of five minutes with one device."""
    rng = np.random.default_rng([seed, 3])
    places = np.array([[anchor.x, anchor.y] for anchor in PLAN.anchors], np.float64)
    points = np.zeros(6, SURVEY)
    rows: list[tuple[int, int, int, int]] = []
    each_ns = MINUTES * 60 * 10**9 // 6
    for zone in range(6):
        begin = START_NS + zone * (each_ns + 10**10)
        points[zone] = (begin, begin + each_ns, SURVEYOR, zone, b"")
        for second in range(each_ns // 10**9):
            metres = np.hypot(*(places - places[zone] - rng.normal(0, 1.5, 2)).T)
            level = -62 - 24 * np.log10(np.maximum(metres, 1)) + rng.normal(0, 4, 6)
            for anchor in np.flatnonzero((level > -92) & (rng.random(6) > 0.2)):
                at = begin + second * 10**9 + int(rng.integers(0, 30_000_000))
                rows.append((at, SURVEYOR, int(anchor), round(level[anchor])))
    signals = np.array(rows, SIGNAL)
    return signals[np.argsort(signals["ts"], kind="stable")], points


def right_share(plan: StorePlan, signals: SignalArray, truth: NDArray[np.int64], model: Model) -> float:
    visits = run(plan, signals, model)
    right = 0
    for visit in visits[visits["kind"] == VisitKind.ZONE]:
        inside = (signals["device"] == visit["device"]) & (signals["ts"] // 1000 * 1000 >= visit["entered_at"])
        right += int((truth[inside & (signals["ts"] // 1000 * 1000 <= visit["left_at"])] == visit["zone"]).sum())
    return right / len(signals)


@pytest.mark.parametrize(
    ("zones", "places", "before"),
    [
        (["z1", "z0", "z2", "z3", "z5", "z4"], False, 0.6),  # two pairs of anchors swapped, and no places
        (["z1", "z2", "z3", "z4", "z5", "z0"], True, 0.1),  # every anchor said to stand in the next zone
    ],
)
def test_five_minutes_of_survey_mend_a_wrong_plan(zones: list[str], places: bool, before: float) -> None:
    plan = replanned(zones, places=places)
    signals, truth = walk_with_truth(PLAN, 1, SHOPPERS)
    heard, points = surveyed(1)
    both = np.concatenate([signals, heard])
    blind = calibrate(plan, both)
    told = calibrate(plan, both, survey=points)
    assert blind.survey_signals == 0
    assert told.survey_signals == len(heard)
    assert right_share(plan, signals, truth, blind) < before
    assert right_share(plan, signals, truth, told) > 0.85


def test_a_survey_does_no_harm_to_a_plan_that_is_right() -> None:
    signals, truth = walk_with_truth(PLAN, 1, SHOPPERS)
    heard, points = surveyed(1)
    both = np.concatenate([signals, heard])
    blind = right_share(PLAN, signals, truth, calibrate(PLAN, both))
    assert right_share(PLAN, signals, truth, calibrate(PLAN, both, survey=points)) > blind - 0.01


def test_a_zone_without_anchor_and_place_is_reported_once_it_is_surveyed() -> None:
    plan = replanned(["z0", "z1", "z2", "z3", "z4", "z4"], places=True)  # nothing stands in z5
    signals, _ = walk_with_truth(PLAN, 1, SHOPPERS)
    heard, points = surveyed(1)
    assert not prior_model(plan).decodable[5]
    assert not calibrate(plan, np.concatenate([signals, heard])).decodable[5]
    assert calibrate(plan, np.concatenate([signals, heard]), survey=points).decodable[5]
    short = points.copy()
    short["ends_at"][5] = short["begins_at"][5] + 10**10
    assert not calibrate(plan, np.concatenate([signals, heard]), survey=short).decodable[5]


def test_the_order_of_signals_and_points_does_not_matter() -> None:
    heard, points = surveyed(2)
    model = calibrate(PLAN, heard, survey=points)
    mixed = np.random.default_rng(2).permutation(heard)
    assert dump(calibrate(PLAN, mixed, survey=points[::-1])) == dump(model)


def test_only_what_lies_within_is_labelled_and_the_fitting_spot_is_taken() -> None:
    halls = load(
        json.dumps(
            {
                "stores": [
                    {
                        "id": "s",
                        "timezone": "UTC",
                        "zones": [{"id": "hall"}, {"id": "till"}],
                        "anchors": [
                            {"id": "a", "zone": "hall"},
                            {"id": "b", "zone": "hall"},
                            {"id": "c", "zone": "till"},
                        ],
                    }
                ]
            }
        )
    ).stores[0]
    model = prior_model(halls)
    assert model.spot_zone.tolist() == [0, 0, 1]
    signals = np.zeros(6, SIGNAL)  # microseconds: near a for ten seconds, then near b
    signals["ts"] = [9, 10, 12, 10_000_010, 10_000_012, 20_000_010]
    signals["anchor"] = [0, 0, 0, 1, 1, 1]
    signals["rssi_dbm"] = -60
    points = np.zeros(1, SURVEY)
    points["begins_at"], points["ends_at"] = 10_000, 20_000_010_000
    spot, weight = np.full(6, -1, np.int64), np.ones(6)
    assert pin(points, signals, model, spot, weight) == 4
    assert spot.tolist() == [-1, 0, 0, 1, 1, -1]
    assert weight[0] == weight[5] == 1
    assert (weight[1:5] > 1).all()
    with pytest.raises(SurveyError, match="two places"):
        pin(np.concatenate([points, points]), signals, model, spot, weight)


def test_a_survey_of_a_device_that_was_not_heard_changes_nothing() -> None:
    heard, points = surveyed(3)
    points["device"] = 3
    assert dump(calibrate(PLAN, heard, survey=points)) == dump(calibrate(PLAN, heard))
