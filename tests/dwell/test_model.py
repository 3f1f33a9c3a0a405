"""Priors, and models as artefacts."""

import json
from hashlib import blake2b

import msgspec
import numpy as np
import pytest

from core.dwell.engine import StoreEngine
from core.dwell.model import check_fits, dump, load, plan_fingerprint, prior_model
from core.errors import ModelError
from core.floorplan import StorePlan
from core.floorplan import load as load_plan
from tests.dwell.scenes import grid_plan, random_model


def plan_of(**changes: object) -> StorePlan:
    plan = {
        "id": "s",
        "timezone": "UTC",
        "zones": [{"id": "a"}, {"id": "b"}],
        "anchors": [{"id": "1", "zone": "a", "x": 0, "y": 0}, {"id": "2", "zone": "b", "x": 10, "y": 0}],
    }
    return load_plan(json.dumps({"stores": [plan | changes]})).stores[0]


def test_two_levels_where_no_places_are_known() -> None:
    model = prior_model(grid_plan(3, places=False))
    own, other = model.level_dbm[0, 0], model.level_dbm[0, 1]
    assert own > other + 8
    assert model.level_dbm[1].tolist() == [other, own, other]
    assert model.detection[0, 0] > model.detection[0, 1]
    assert model.decodable.all()


def test_levels_fall_with_distance_and_floors() -> None:
    level = prior_model(grid_plan(3)).level_dbm
    assert level[0, 0] > level[0, 1] > level[0, 2]
    upstairs = plan_of(
        anchors=[
            {"id": "1", "zone": "a", "x": 0, "y": 0, "floor": 0},
            {"id": "2", "zone": "b", "x": 3, "y": 0, "floor": 1},
        ]
    )
    flat = plan_of(anchors=[{"id": "1", "zone": "a", "x": 0, "y": 0}, {"id": "2", "zone": "b", "x": 3, "y": 0}])
    assert prior_model(upstairs).level_dbm[0, 1] < prior_model(flat).level_dbm[0, 1] - 10


def test_an_anchor_that_covers_several_zones_counts_for_each() -> None:
    plan = plan_of(anchors=[{"id": "1", "zone": "a", "covers": ["b"]}])
    model = prior_model(plan)
    assert model.level_dbm[0, 0] == model.level_dbm[1, 0]
    assert model.decodable.all()


def test_an_outline_gives_a_place_to_a_zone_without_anchor() -> None:
    outline = [[18.0, -2.0], [22.0, -2.0], [22.0, 2.0], [18.0, 2.0]]
    zones = [{"id": "a"}, {"id": "b"}, {"id": "c", "outline": outline}, {"id": "d"}]
    model = prior_model(plan_of(zones=zones))
    assert model.decodable.tolist() == [True, True, True, False]
    assert model.level_dbm[2, 1] > model.level_dbm[2, 0]


def test_a_flat_outline_does_not_break_the_prior() -> None:
    zones = [{"id": "a", "outline": [[0, 0], [1, 0], [2, 0]]}, {"id": "b"}]
    assert np.isfinite(prior_model(plan_of(zones=zones)).level_dbm).all()


def test_a_model_comes_back_as_it_went() -> None:
    plan = grid_plan(5, 2)
    model = random_model(plan, 3)
    again = load(dump(model), plan)
    assert dump(again) == dump(model)
    assert (again.level_dbm == model.level_dbm).all()
    assert (again.decodable == model.decodable).all()


def test_a_model_of_another_plan_is_refused() -> None:
    plan = grid_plan(5)
    data = dump(prior_model(plan))
    moved = grid_plan(5, 2)
    with pytest.raises(ModelError, match="another floor plan"):
        load(data, moved)
    with pytest.raises(ModelError, match="another floor plan"):
        StoreEngine(moved, prior_model(plan))
    with pytest.raises(ModelError, match="another floor plan"):
        check_fits(prior_model(plan), moved)


def test_names_and_outlines_do_not_make_another_plan() -> None:
    named = plan_of(name="The shop", zones=[{"id": "a", "name": "Shoes"}, {"id": "b"}])
    assert plan_fingerprint(named) == plan_fingerprint(plan_of())
    assert plan_fingerprint(plan_of(id="t")) != plan_fingerprint(plan_of())


HALL = [[-4.0, -6.0], [16.0, -6.0], [16.0, 6.0], [-4.0, 6.0]]
IN_HALL = [{"id": str(i), "zone": "a", "x": 6.0 * i, "y": 0} for i in range(3)]
BESIDE = {"id": "9", "zone": "b", "x": 30, "y": 0}


def hall(outline: list[list[float]] | None, right_m: float = 0, beside: list[list[float]] | None = None) -> StorePlan:
    """A hall of several spots beside a zone of one, counted from `right_m` further to the left."""
    moved = [[x + right_m, y] for x, y in outline] if outline else None
    zones = [
        {"id": "a"} | ({"outline": moved} if moved else {}),
        {"id": "b"} | ({"outline": beside} if beside else {}),
    ]
    anchors = [one | {"x": float(str(one["x"])) + right_m} for one in [*IN_HALL, BESIDE]]
    return plan_of(zones=zones, anchors=anchors)


def test_a_model_is_refused_where_the_outline_under_its_spots_is_another_one() -> None:
    model = prior_model(hall(HALL))
    assert np.count_nonzero(model.spot_zone == 0) > 3
    for other in ([[-4.0, -6.0], [16.0, -6.0], [16.0, 16.0], [-4.0, 6.0]], HALL[:3]):
        with pytest.raises(ModelError, match="the outline of zone 'a' of store 's' has changed"):
            load(dump(model), hall(other))
        with pytest.raises(ModelError, match="outline of zone 'a'"):
            StoreEngine(hall(other), model)


def test_outlines_that_lie_under_no_spots_that_moved_with_the_plan_or_that_are_not_told_change_nothing() -> None:
    model = prior_model(hall(HALL))
    nearly = [[x + 0.5, y] for x, y in HALL]
    square = [[28.0, -2.0], [32.0, -2.0], [32.0, 2.0], [28.0, 2.0]]
    for plan in (hall(HALL, 100.0), hall(nearly), hall(None), hall(HALL, beside=square)):
        assert dump(load(dump(model), plan)) == dump(model)
        StoreEngine(plan, model)
    told = msgspec.msgpack.decode(dump(model))
    before = {name: value for name, value in told.items() if name not in ("outlines", "checksum")}
    assert load(altered(msgspec.msgpack.encode(before | {"checksum": b""}), {}), hall(HALL[:3])).outlines is None
    with pytest.raises(ModelError, match="size"):
        load(altered(dump(model), {"outlines": bytes(8)}), hall(HALL))


def altered(data: bytes, changes: dict[str, object]) -> bytes:
    """A model with other fields and a checksum that fits them."""
    told = msgspec.msgpack.decode(data) | changes | {"checksum": b""}
    checksum = blake2b(msgspec.msgpack.encode(told), digest_size=16).digest()
    return msgspec.msgpack.encode(told | {"checksum": checksum})


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("version", 1, "version 1, not 3"),
        ("places", bytes(24), "size"),
        ("level_dbm", b"\x00", "size"),
        ("spread_db", 0.0, "cannot be"),
        ("decodable", bytes(3), "no zone"),
        ("level_dbm", np.full(9, np.nan, "<f4").tobytes(), "cannot be"),
        ("detection", np.ones(9, "<f4").tobytes(), "cannot be"),
    ],
)
def test_an_impossible_model_is_refused(field: str, value: object, word: str) -> None:
    plan = grid_plan(3)
    with pytest.raises(ModelError, match=word):
        load(altered(dump(prior_model(plan)), {field: value}), plan)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", b"hello"])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load(data, grid_plan(3))


def test_a_single_changed_bit_is_noticed_wherever_it_is() -> None:
    plan = grid_plan(3)
    data = dump(prior_model(plan))
    assert altered(data, {}) == data
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(ModelError):
            load(bytes(changed), plan)


def test_a_model_of_before_there_were_checksums_is_read() -> None:
    plan = grid_plan(3)
    told = msgspec.msgpack.decode(dump(prior_model(plan)))
    kept = {name: value for name, value in told.items() if name not in ("places", "checksum")} | {"version": 2}
    model = load(msgspec.msgpack.encode(kept), plan)
    assert model.places is None
    assert (model.level_dbm == prior_model(plan).level_dbm).all()
    assert dump(load(dump(model), plan)) == dump(model)
    StoreEngine(grid_plan(3, places=False), model)


def standing_at(*x: float, y: float = 0.0, floor: int | None = None) -> StorePlan:
    last = len(x) - 1
    anchors = [
        {"id": str(place), "zone": "a", "x": at, "y": y}
        | ({"floor": floor if place == last else 0} if floor is not None else {})
        for place, at in enumerate(x)
    ]
    return plan_of(anchors=anchors)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (standing_at(0, 10, 22.1), "2 by 2.1 m"),
        (standing_at(0, 25, 5), "1 by 15.0 m, 2 by 15.0 m"),
        (standing_at(0, 10, 20, floor=1), "2 to another floor"),
    ],
)
def test_a_model_is_refused_where_anchors_have_moved_and_they_are_named(now: StorePlan, told: str) -> None:
    model = prior_model(standing_at(0, 10, 20, floor=0))
    for use in (lambda: load(dump(model), now), lambda: StoreEngine(now, model), lambda: check_fits(model, now)):
        with pytest.raises(ModelError, match=f"have moved: {told}."):
            use()


@pytest.mark.parametrize(
    "now", [standing_at(0, 11.9, 20), standing_at(100, 110, 120, y=-50.0), plan_of(anchors=[
        {"id": "0", "zone": "a"}, {"id": "1", "zone": "a"}, {"id": "2", "zone": "a", "x": 20, "y": 0}])]
)  # fmt: skip
def test_what_sounds_the_same_another_corner_to_count_from_and_places_left_out_are_no_move(now: StorePlan) -> None:
    model = prior_model(standing_at(0, 10, 20, floor=0))
    assert dump(load(dump(model), now)) == dump(model)
    StoreEngine(now, model)
