import json
from typing import Any

import pytest

from core import floorplan
from core.errors import FloorPlanError


def plan(**changes: Any) -> bytes:
    store: dict[str, Any] = {
        "id": "s1",
        "timezone": "Europe/Berlin",
        "zones": [{"id": "door", "kind": "entrance"}, {"id": "shoes", "kind": "department"}],
        "anchors": [{"id": "g1", "zone": "door", "x": 1, "y": 2.5, "floor": 0}, {"id": "g2", "zone": "shoes"}],
        "adjacent": [["door", "shoes"]],
    }
    return json.dumps({"stores": [{**store, **changes}]}).encode()


def test_the_contract_is_read() -> None:
    store = floorplan.load(plan()).stores[0]
    assert store.zone_index == {"door": 0, "shoes": 1}
    assert store.anchor_index == {"g1": 0, "g2": 1}
    assert store.coverage.tolist() == [[True, False], [False, True]]
    assert store.adjacency is not None
    assert store.adjacency.all()
    assert (store.anchors[0].x, store.anchors[1].x) == (1.0, None)


def test_a_store_survives_being_written_and_read() -> None:
    store = floorplan.load(plan()).stores[0]
    assert floorplan.load_store(floorplan.dump_store(store)) == store


def test_an_anchor_may_cover_further_zones() -> None:
    store = floorplan.load(plan(anchors=[{"id": "g", "zone": "door", "covers": ["shoes"]}])).stores[0]
    assert store.coverage.tolist() == [[True], [True]]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "cannot be read"),
        (b'{"stores": 3}', "cannot be read"),
        (b'{"stores": [{"id": "\xf3"}]}', "cannot be read"),
        (b'{"stores": []}', "has no store"),
        (plan(id="a/b"), "cannot be the id of a store"),
        (plan(id="a#"), "cannot be the id of a store"),
        (plan(id=""), "cannot be the id of a store"),
        (plan(id="x" * 65), "cannot be the id of a store"),
        (plan(timezone="Berlin"), "not a time zone"),
        (plan(zones=[]), "1 to 256 zones"),
        (plan(anchors=[]), "1 to 1024 anchors"),
        (plan(zones=[{"id": str(n)} for n in range(257)]), "1 to 256 zones"),
        (plan(anchors=[{"id": str(n), "zone": "door"} for n in range(1025)]), "1 to 1024 anchors"),
        (plan(zones=[{"id": "door"}, {"id": "door"}, {"id": "shoes"}]), "stands there twice"),
        (plan(anchors=[{"id": "g", "zone": "door"}, {"id": "g", "zone": "door"}]), "stands there twice"),
        (plan(anchors=[{"id": "g", "zone": "nowhere"}]), "unknown zone 'nowhere'"),
        (plan(anchors=[{"id": "g", "zone": "door", "covers": ["nowhere"]}]), "unknown zone 'nowhere'"),
        (plan(anchors=[{"id": "g"}]), "cannot be read"),
        (plan(adjacent=[["door", "nowhere"]]), "unknown zone 'nowhere'"),
        (plan(zones=[{"id": "door", "kind": "garden"}, {"id": "shoes"}]), "unknown kind 'garden'"),
        (plan(zones=[{"id": "door", "parent": "shoes"}, {"id": "shoes", "parent": "door"}]), "lies within itself"),
        (plan(zones=[{"id": "door", "parent": "attic"}, {"id": "shoes"}]), "unknown zone 'attic'"),
    ],
)
def test_a_wrong_plan_is_refused_with_what_is_wrong(data: bytes, says: str) -> None:
    with pytest.raises(FloorPlanError, match=says):
        floorplan.load(data)


def test_stores_are_unique() -> None:
    one = json.loads(plan())["stores"][0]
    with pytest.raises(FloorPlanError, match="store id 's1' stands there twice"):
        floorplan.load(json.dumps({"stores": [one, one]}))
