"""Zones within zones on pages: who is at a shelf is counted in its department, a walk goes by the inner stays."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from api.profiles.page import StayLine, _numbered
from api.stores.models import people_by_zone
from core.floorplan import StorePlan, load
from storage.occupancy import Occupancy

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def plan() -> StorePlan:
    zones = [{"id": "shelf", "parent": "shoes"}, {"id": "shoes", "parent": "hall"}, {"id": "hall"}, {"id": "door"}]
    store = {"id": "shop", "timezone": "Europe/Berlin", "zones": zones, "anchors": [{"id": "a", "zone": "shelf"}]}
    return load(json.dumps({"stores": [store]})).stores[0]


def line(zone: str, begin_s: int, dwell_s: float) -> StayLine:
    return StayLine(
        number=0, stay_id=uuid4(), zone=zone, name=zone, entered_at=NOON + timedelta(seconds=begin_s),
        dwell_s=dwell_s, bounds_s=None, confidence=0.9, closed_by=None,
    )  # fmt: skip


def test_a_zone_counts_everybody_within_it_once() -> None:
    now = Occupancy(people={0: 3, 1: 2, 3: 1}, as_of=NOON)
    assert {row.zone: row.people for row in people_by_zone(plan(), now)} == {
        "shelf": 3, "shoes": 5, "hall": 5, "door": 1
    }  # fmt: skip
    assert now.total == 6


def test_a_walk_goes_by_the_inner_stays() -> None:
    lines = [line("door", 0, 20), line("shoes", 20, 100), line("shelf", 30, 50), line("door", 130, 9)]
    assert [stay.number for stay in _numbered(lines, plan())] == [1, None, 2, 3]


def test_a_department_without_a_stay_at_a_shelf_is_a_stop() -> None:
    lines = [line("shoes", 0, 20), line("door", 20, 10), line("shelf", 40, 50)]
    assert [stay.number for stay in _numbered(lines, plan())] == [1, 2, 3]
