"""Nested zones: a department is visited from its first shelf to its last."""

import json
from collections import defaultdict

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.dwell.decoder import STAY
from core.dwell.engine import StoreEngine
from core.dwell.rollup import Rollup
from core.dwell.settings import Settings
from core.floorplan import StorePlan, dump_store, load_store
from core.records import NO_ZONE, ClosedBy, SignalArray, VisitArray
from tests.dwell.scenes import START_NS, Walk, grid_plan, pseudonyms, walk
from tests.oracle.nesting import Stay, rolled_up

pytestmark = pytest.mark.kernels
FLAT = grid_plan(6)
DEVICES = 3
ALL_STAYS = Settings(stay_min_ns=0)
S = 10**9
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def nested(parents: list[int | None]) -> StorePlan:
    """The flat plan with zones put into others."""
    told = json.loads(dump_store(FLAT))
    for zone, parent in zip(told["zones"], parents, strict=True):
        zone["parent"] = None if parent is None else f"z{parent}"
    return load_store(json.dumps(told))


def decode(plan: StorePlan, signals: SignalArray, rules: Settings, cuts: tuple[int, ...] = ()) -> VisitArray:
    engine = StoreEngine(plan, settings=rules)
    engine.device_index(pseudonyms(DEVICES))
    found = []
    for part in np.split(signals, sorted(min(cut, len(signals)) for cut in cuts)):
        found.append(engine.push(part))
        engine = StoreEngine.restore(engine.snapshot(), plan, settings=rules) if cuts else engine
    return np.concatenate([*found, engine.finish()])


def told(visits: VisitArray) -> list[Stay]:
    return sorted(
        Stay(
            int(v["zone"]),
            (int(v["entered_at"]), int(v["entered_earliest"]), int(v["entered_latest"])),
            (int(v["left_at"]), int(v["left_earliest"]), int(v["left_latest"])),
            int(v["signals"]),
            int(v["closed_by"]),
        )
        for v in visits
    )


def paths(visits: VisitArray) -> list[tuple[int, list[Stay]]]:
    """By store visit: its device and its stays in order of time."""
    found: dict[tuple[int, int], list[Stay]] = defaultdict(list)
    stores = visits[visits["zone"] == NO_ZONE]
    zones = visits[visits["zone"] != NO_ZONE]
    for stay, device in zip(map(told_one, zones), zones["device"], strict=True):
        begun = stores["entered_at"][(stores["device"] == device) & (stores["entered_at"] <= stay.entered[0])].max()
        found[int(device), int(begun)].append(stay)
    return [(device, sorted(path, key=lambda stay: stay.entered[0])) for (device, _), path in found.items()]


def told_one(visit: VisitArray) -> Stay:
    return told(np.array([visit]))[0]


trees = st.lists(st.integers(-1, 4), min_size=6, max_size=6).map(
    lambda drawn: [None if parent < 0 or parent >= place else parent for place, parent in enumerate(drawn)]
)


@few
@given(parents=trees, seed=st.integers(0, 2**31), cuts=st.lists(st.integers(1, 400), max_size=3))
def test_every_zone_around_others_is_visited_from_the_first_stay_within_to_the_last(
    parents: list[int | None], seed: int, cuts: list[int]
) -> None:
    signals = walk(FLAT, seed, Walk(devices=DEVICES, stays=6, stay_s=12.0, absences=True))
    flat = decode(FLAT, signals, ALL_STAYS)
    expected = sorted(stay for _, path in paths(flat) for stay in rolled_up(path, parents))
    found = decode(nested(parents), signals, ALL_STAYS, tuple(cuts))
    assert told(found[found["zone"] != NO_ZONE]) == expected
    assert told(found[found["zone"] == NO_ZONE]) == told(flat[flat["zone"] == NO_ZONE])


def two_shelves(seconds: list[tuple[int, int]]) -> SignalArray:
    """One device before anchors for so many seconds each, an advert a second."""
    parts = []
    begin = START_NS
    for zone, duration_s in seconds:
        part = walk(FLAT, 0, Walk(devices=1, stays=1, stay_s=1.0))[:1].repeat(duration_s)
        part["ts"] = begin + np.arange(duration_s) * S
        part["anchor"] = zone
        part["rssi_dbm"] = -55
        parts.append(part)
        begin += duration_s * S
    return np.concatenate(parts)


def test_a_department_was_visited_though_no_shelf_was_for_long_enough() -> None:
    plan = nested([None, 0, 0, None, None, None])
    rules = Settings(stay_min_ns=20 * S)
    visits = decode(plan, two_shelves([(3, 40), (1, 12), (2, 12), (4, 40)]), rules)
    assert [plan.zones[zone].id for zone in visits["zone"] if zone != NO_ZONE] == ["z3", "z0", "z4"]
    department = visits[visits["zone"] == 0][0]
    assert department["left_at"] - department["entered_at"] >= 20 * S


def test_a_department_closes_as_soon_as_somebody_is_known_to_have_left_it() -> None:
    """Not only when the visit after it has ended."""
    plan = nested([None, 0, 0, None, None, None])
    engine = StoreEngine(plan)
    engine.device_index(pseudonyms(1))
    signals = two_shelves([(1, 60), (2, 60), (4, 600)])
    visits = engine.push(signals)
    assert [(int(v["zone"]), ClosedBy(v["closed_by"])) for v in visits] == [
        (0, ClosedBy.MOVED_ON), (1, ClosedBy.MOVED_ON), (2, ClosedBy.MOVED_ON)
    ]  # fmt: skip
    assert visits["left_at"].max() < engine.decided_through


def test_a_shelf_never_outlasts_its_department() -> None:
    plan = nested([None, 0, 1, None, 3, 3])
    visits = decode(plan, walk(FLAT, 5, Walk(devices=DEVICES, stays=20, stay_s=15.0)), Settings())
    by_zone = {
        zone: int((visits["left_at"] - visits["entered_at"])[visits["zone"] == zone].sum()) for zone in range(6)
    }
    assert by_zone[0] >= by_zone[1] >= by_zone[2] > 0
    assert by_zone[3] >= by_zone[4] + by_zone[5] > 0


def test_a_department_that_was_decided_by_the_bound_once_says_so() -> None:
    stays = np.zeros(3, STAY)
    stays["zone"], stays["next_zone"], stays["forced"] = [1, 2, 3], [2, 3, -1], [1, 0, 0]
    found = Rollup(nested([None, 0, 0, None, None, None])).take(stays, 1)
    assert {(int(row["zone"]), int(row["forced"])) for row in found} == {(1, 1), (2, 0), (0, 1), (3, 0)}


def test_a_plan_without_nesting_pays_nothing() -> None:
    assert StoreEngine(FLAT)._rollup.levels == 0
    assert msgspec.msgpack.decode(StoreEngine(FLAT).snapshot()[40:])["open_stays"] == b""
