import numpy as np
import pytest
from numpy.typing import NDArray

from core.errors import FloorPlanError
from core.floorplan import load
from simulators.shoppers import Manner, Walk, walk
from simulators.shoppers_floor import Floor
from tests.simulators.demo_plan import demo_store


@pytest.fixture(scope="module")
def floor() -> Floor:
    return Floor(demo_store())


def walks(floor: Floor, manner: Manner, count: int = 60) -> list[Walk]:
    return [walk(floor, manner, np.random.default_rng(seed)) for seed in range(count)]


def inside(
    outline: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64], slack_m: float = 1e-6
) -> bool:
    """Whether all points lie in a convex outline."""
    ahead = np.roll(outline, -1, axis=0) - outline
    cross = ahead[:, 0] * (y[:, None] - outline[:, 1]) - ahead[:, 1] * (x[:, None] - outline[:, 0])
    length = np.hypot(ahead[:, 0], ahead[:, 1])
    return bool(((cross / length >= -slack_m).all(axis=1) | (cross / length <= slack_m).all(axis=1)).all())


@pytest.mark.parametrize("manner", list(Manner))
def test_everybody_is_always_where_they_are_said_to_be(floor: Floor, manner: Manner) -> None:
    for way in walks(floor, manner):
        at_s = np.linspace(0, way.t_s[-1], 2000)
        leg = way.leg_at(at_s)
        x, y = np.interp(at_s, way.t_s, way.x), np.interp(at_s, way.t_s, way.y)
        for zone in np.unique(way.zone[leg]):
            there = way.zone[leg] == zone
            assert inside(floor.outlines[zone], x[there], y[there]), floor.plan.zones[zone].id


@pytest.mark.parametrize("manner", list(Manner))
def test_people_move_between_neighbours_at_the_speed_of_people(floor: Floor, manner: Manner) -> None:
    near = floor.plan.adjacency
    assert near is not None
    for way in walks(floor, manner):
        changes = np.flatnonzero(np.diff(way.zone))
        assert near[way.zone[changes], way.zone[changes + 1]].all()
        assert (np.diff(way.stay) == (np.diff(way.zone) != 0)).all()
        takes_s = np.diff(way.t_s)
        assert (takes_s > 0).all()
        speed = np.hypot(np.diff(way.x), np.diff(way.y)) / takes_s
        assert speed.max() <= 1.6 + 1e-9
        assert way.zone[0] == way.zone[-1] == floor.entrance
        assert [way.x[0], way.y[0]] == [way.x[-1], way.y[-1]] == floor.street_door.tolist()


def test_shoppers_do_not_go_where_only_staff_may(floor: Floor) -> None:
    for manner in (Manner.BROWSER, Manner.GRAB_AND_GO):
        for way in walks(floor, manner):
            assert "staff_only" not in {floor.kinds[zone] for zone in way.zone}
    assert "staff_only" in {floor.kinds[zone] for way in walks(floor, Manner.STAFF) for zone in way.zone}


def test_manners_differ_as_meant(floor: Floor) -> None:
    median_s = {manner: np.median([way.t_s[-1] for way in walks(floor, manner)]) for manner in Manner}
    assert 60 < median_s[Manner.GRAB_AND_GO] < 300
    assert 300 < median_s[Manner.BROWSER] < 900
    assert median_s[Manner.STAFF] > 2700
    paid = [any(floor.kinds[zone] == "checkout" for zone in way.zone) for way in walks(floor, Manner.GRAB_AND_GO)]
    assert np.mean(paid) > 0.75


def test_zones_keep_people_as_long_as_their_kind_does(floor: Floor) -> None:
    dwell_s: dict[str, list[float]] = {}
    for way in walks(floor, Manner.BROWSER, 300):
        first = np.flatnonzero(np.diff(way.stay, prepend=-1))
        ends = np.append(way.t_s[first[1:]], way.t_s[-1])
        for zone, stay_s in zip(way.zone[first], ends - way.t_s[first], strict=True):
            if stay_s > 20:  # not only walked through
                dwell_s.setdefault(floor.kinds[zone], []).append(float(stay_s))
    medians = {kind: float(np.median(stays)) for kind, stays in dwell_s.items()}
    assert 35 < medians["shelf"] < 90
    assert 150 < medians["fitting_room"] < 350
    assert max(medians, key=lambda kind: medians[kind]) == "fitting_room"


def test_the_same_seed_walks_the_same_way(floor: Floor) -> None:
    one, same, other = (walk(floor, Manner.BROWSER, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(one.t_s, same.t_s)
    assert np.array_equal(one.x, same.x)
    assert np.array_equal(one.facing, same.facing)
    assert len(one.t_s) != len(other.t_s) or (one.t_s != other.t_s).any()


def plan_of(zones: str, adjacent: str = "[]") -> Floor:
    anchors = '[{"id":"a","zone":"in","x":0,"y":0}]'
    text = f'{{"stores":[{{"id":"s","timezone":"UTC","zones":{zones},"anchors":{anchors},"adjacent":{adjacent}}}]}}'
    return Floor(load(text).stores[0])


SQUARE = '{"id":"in","kind":"entrance","outline":[[0,0],[4,0],[4,4],[0,4]]}'
BESIDE = '{"id":"beside","outline":[[4,1],[8,1],[8,5],[4,5]]}'
AWAY = '{"id":"away","outline":[[20,0],[24,0],[24,4],[20,4]]}'


def test_zones_that_share_an_edge_are_neighbours_where_the_plan_names_none() -> None:
    floor = plan_of(f"[{SQUARE},{BESIDE}]")
    assert floor.way(0, 1) == [1]
    x, y = floor.doorway(0, 1, np.random.default_rng(1))
    assert x == 4
    assert 1.6 <= y <= 3.4


def test_neighbours_across_a_gap_are_reached() -> None:
    assert plan_of(f"[{SQUARE},{AWAY}]", '[["in","away"]]').way(0, 1) == [1]


def test_a_zone_out_of_reach_is_named() -> None:
    with pytest.raises(FloorPlanError, match="Nobody can walk from the entrance to zone 'away'"):
        plan_of(f"[{SQUARE},{AWAY}]")


def test_a_zone_without_an_outline_is_named() -> None:
    with pytest.raises(FloorPlanError, match="Zone 'bare' has no outline"):
        plan_of(f'[{SQUARE},{{"id":"bare"}}]')
