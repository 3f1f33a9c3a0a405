"""Zones that nothing tells apart."""

import json
from typing import Any

from core.dwell.alike import sounding_alike
from core.floorplan import StorePlan, load
from tests.dwell.scenes import grid_plan

ABC: list[dict[str, Any]] = [{"id": zone} for zone in "abc"]


def plan_of(anchors: list[dict[str, Any]], zones: list[dict[str, Any]] = ABC) -> StorePlan:
    store = {"id": "s", "timezone": "UTC", "zones": zones, "anchors": anchors}
    return load(json.dumps({"stores": [store]})).stores[0]


def test_anchors_at_one_place_make_their_zones_alike() -> None:
    heap = [{"id": f"g{zone}", "zone": zone, "x": 3, "y": 4} for zone in "abc"]
    assert sounding_alike(plan_of(heap)) == (("a", "b", "c"),)
    assert sounding_alike(plan_of([*heap[:2], heap[2] | {"x": 11}])) == (("a", "b"),)


def test_one_anchor_that_serves_two_zones_makes_them_alike() -> None:
    assert sounding_alike(plan_of([{"id": "g", "zone": "a", "covers": ["b"]}, {"id": "h", "zone": "c"}])) == (
        ("a", "b"),
    )


def test_places_or_none_at_all_and_zones_that_are_never_reported_are_no_reason() -> None:
    assert sounding_alike(grid_plan(9)) == ()
    assert sounding_alike(grid_plan(6, 3)) == ()
    assert sounding_alike(grid_plan(6, places=False)) == ()
    assert sounding_alike(plan_of([{"id": "g", "zone": "a"}])) == ()


def test_outlines_tell_zones_apart_though_their_anchors_hang_together() -> None:
    corners = [[0.0, 0.0], [5.0, 0.0], [5.0, 5.0], [0.0, 5.0]]
    far = [[x + 20, y] for x, y in corners]
    zones: list[dict[str, Any]] = [{"id": "a", "outline": corners}, {"id": "b", "outline": far}]
    anchors = [{"id": "1", "zone": "a", "x": 0, "y": 0}, {"id": "2", "zone": "b", "x": 0, "y": 0}]
    assert sounding_alike(plan_of(anchors, zones)) == ()
