from dataclasses import replace

import numpy as np
import pytest

from core.errors import FloorPlanError
from core.floorplan import Anchor, StorePlan, Zone
from simulators.radio import Radio, RadioSettings
from simulators.shoppers import Walk

QUIET = RadioSettings(
    shadowing_db=0, fading_db=0, body_db=0, wall_db=0, device_db=0, loss=0, sensitivity_dbm=-120, jitter_s=0
)


def hall(*anchors: tuple[str, float]) -> StorePlan:
    """Two rooms and anchors along the x axis, each in the room that is named."""
    return StorePlan(
        id="hall",
        timezone="UTC",
        zones=(Zone(id="floor"), Zone(id="cabin", kind="fitting_room")),
        anchors=tuple(Anchor(id=f"a{n}", zone=zone, x=x, y=0.0) for n, (zone, x) in enumerate(anchors)),
    )


def standing(for_s: float, zone: int = 0, facing: float = 0.0) -> Walk:
    """Somebody who stands at the origin."""
    zero = np.zeros(2)
    return Walk(
        np.array([0.0, for_s]), zero, zero, np.array([zone], np.int16), np.zeros(1, np.int32), np.array([facing])
    )


def heard(plan: StorePlan, settings: RadioSettings, walk: Walk, seed: int = 1) -> dict[int, np.ndarray]:
    signals = Radio(plan, settings).hear(walk, np.random.default_rng(seed))
    return {anchor: signals[signals["anchor"] == anchor] for anchor in range(len(plan.anchors))}


def test_the_level_falls_with_the_logarithm_of_distance() -> None:
    plan = hall(("floor", 1), ("floor", 10), ("floor", 20), ("floor", 0.1))
    level = {anchor: set(rows["rssi_dbm"].tolist()) for anchor, rows in heard(plan, QUIET, standing(20)).items()}
    assert level[0] == {-59}
    assert level[1] == {-59 - 24}
    assert level[2] == {-59 - 31}  # 24 lg 20 = 31.2
    assert level[3] == {-59}  # nobody comes nearer than a metre


def test_noise_has_the_spread_that_is_set() -> None:
    settings = replace(QUIET, fading_db=4.0)
    rssi = heard(hall(("floor", 3)), settings, standing(4000))[0]["rssi_dbm"]
    assert np.std(rssi) == pytest.approx(4.0, abs=0.2)
    assert np.mean(rssi) == pytest.approx(-59 - 24 * np.log10(3), abs=0.3)


def test_shadowing_lasts_for_a_stay_and_differs_between_stays() -> None:
    settings = replace(QUIET, shadowing_db=6.0)
    levels = [
        set(heard(hall(("floor", 3)), settings, standing(30), seed)[0]["rssi_dbm"].tolist()) for seed in range(20)
    ]
    assert all(len(level) == 1 for level in levels)
    assert len(set.union(*levels)) > 8


def test_packets_are_lost_and_weak_ones_are_not_heard() -> None:
    settings = replace(QUIET, loss=0.3)
    count = len(heard(hall(("floor", 3)), settings, standing(5000))[0])
    assert count == pytest.approx(3500, rel=0.05)
    deaf = replace(QUIET, sensitivity_dbm=-85.0)
    rows = heard(hall(("floor", 10), ("floor", 20)), deaf, standing(50))
    assert len(rows[0]) >= 50
    assert len(rows[1]) == 0


def test_walls_take_their_share_both_ways_and_not_within() -> None:
    settings = replace(QUIET, wall_db=5.0)
    plan = hall(("floor", 1), ("cabin", -1))
    outside = heard(plan, settings, standing(10, zone=0))
    within = heard(plan, settings, standing(10, zone=1))
    assert set(outside[0]["rssi_dbm"].tolist()) == {-59}
    assert set(outside[1]["rssi_dbm"].tolist()) == {-64}
    assert set(within[0]["rssi_dbm"].tolist()) == {-64}
    assert set(within[1]["rssi_dbm"].tolist()) == {-59}


def test_a_body_takes_nothing_on_its_side_and_all_on_the_other() -> None:
    settings = replace(QUIET, body_db=8.0)
    rows = heard(hall(("floor", 1), ("floor", -1)), settings, standing(10))
    east, west = rows[0]["rssi_dbm"][0], rows[1]["rssi_dbm"][0]
    assert int(east) + int(west) == pytest.approx(2 * -59 - 8, abs=1)  # what one side gains the other loses


def test_adverts_come_at_their_interval_in_whole_microseconds_and_in_order() -> None:
    settings = replace(QUIET, jitter_s=0.01, stamp_s=0.0)
    rows = heard(hall(("floor", 3)), settings, standing(600))[0]
    gaps_s = np.diff(rows["ts"]) / 1e9
    assert gaps_s.min() >= 1.0
    assert gaps_s.max() <= 1.01
    assert (rows["ts"] % 1000 == 0).all()
    assert 0 <= rows["ts"][0] < 1e9
    assert rows["ts"][-1] <= 600e9


def test_one_advert_is_stamped_within_milliseconds_at_all_anchors() -> None:
    rows = heard(hall(("floor", 3), ("floor", 4)), QUIET, standing(100))
    assert np.abs(rows[0]["ts"] - rows[1]["ts"]).max() <= 5_000_000


def test_an_anchor_without_a_place_is_named() -> None:
    plan = StorePlan(id="s", timezone="UTC", zones=(Zone(id="z"),), anchors=(Anchor(id="lost", zone="z"),))
    with pytest.raises(FloorPlanError, match="Anchor 'lost' has no place"):
        Radio(plan, QUIET)


def test_all_tags_may_be_weaker_than_usual() -> None:
    weak = replace(QUIET, device_offset_db=-6.0)
    assert set(heard(hall(("floor", 1)), weak, standing(20))[0]["rssi_dbm"].tolist()) == {-65}
