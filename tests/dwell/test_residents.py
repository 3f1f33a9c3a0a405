"""Tags on shelves and staff are no visitors."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dwell.decoder import STAY
from core.dwell.engine import StoreEngine
from core.dwell.residents import Residents
from core.dwell.settings import Settings
from core.errors import ConfigurationError
from core.floorplan import StorePlan, load
from core.records import NO_ZONE, Role, SignalArray, VisitArray
from tests.dwell.scenes import START_NS, Walk, grid_plan, pseudonyms, walk
from tests.oracle.residing import DAY, role

pytestmark = pytest.mark.kernels
PLAN = grid_plan(6)
S = 10**9
HOUR_S = 3600
DEPARTMENT = load(
    json.dumps(
        {
            "stores": [
                {
                    "id": "s",
                    "timezone": "UTC",
                    "zones": [
                        {"id": "entrance"},
                        {"id": "shoes"},
                        {"id": "boots", "parent": "shoes"},
                        {"id": "sandals", "parent": "shoes"},
                    ],
                    "anchors": [
                        {"id": f"g{place}", "zone": zone, "x": 8 * place, "y": 0}
                        for place, zone in enumerate(("entrance", "shoes", "boots", "sandals"))
                    ],
                }
            ]
        }
    )
).stores[0]
SHELVES = frozenset({2, 3})


def day_of(places: list[tuple[int, int]], begin_s: int = 0, every_s: int = 20) -> SignalArray:
    """One device before anchors for so many seconds each, an advert every 20 s."""
    parts = []
    at_s = begin_s
    for anchor, duration_s in places:
        part = walk(PLAN, 0, Walk(devices=1, stays=1, stay_s=1.0))[:1].repeat(max(1, duration_s // every_s))
        part["ts"] = START_NS + (at_s + every_s * np.arange(len(part))) * S
        part["anchor"] = anchor
        part["rssi_dbm"] = -55
        parts.append(part)
        at_s += duration_s
    return np.concatenate(parts)


def visits_of(signals: SignalArray, plan: StorePlan = PLAN) -> VisitArray:
    engine = StoreEngine(plan)
    engine.device_index(pseudonyms(1))
    return np.concatenate([engine.push(signals), engine.finish()])


def store_roles(visits: VisitArray) -> list[Role]:
    return [Role(value) for value in visits["role"][visits["zone"] == NO_ZONE]]


def test_a_tag_that_never_moves_is_a_fixture_and_gets_a_visit_a_day() -> None:
    visits = visits_of(day_of([(2, 50 * HOUR_S)]))
    assert store_roles(visits) == [Role.FIXTURE] * 3
    assert set(visits["zone"][visits["zone"] != NO_ZONE].tolist()) == {2}


def test_who_works_in_many_zones_is_staff_and_known_again_the_next_morning() -> None:
    shift = [(zone % 6, 900) for zone in range(24)]
    morning = day_of([(0, 600), (1, 600)], begin_s=24 * HOUR_S)
    visits = visits_of(np.concatenate([day_of(shift), morning]))
    assert store_roles(visits) == [Role.STAFF, Role.STAFF]
    assert visits["role"].min() == Role.VISITOR  # in the first hours nobody could know


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([2, 3], Role.FIXTURE),
        ([2, 1], Role.STAFF),
        ([2, 0], Role.STAFF),
        ([1, 2, 3], Role.STAFF),
        ([2, 3] * 8 + [0], Role.STAFF),
        ([2, 3] * 17 + [0], Role.FIXTURE),
    ],
    ids=["two shelves", "shelf and floor", "shelf and entrance", "a whole department", "94% there", "97% there"],
)
def test_a_tag_between_two_shelves_of_a_department_is_a_fixture(places: list[int], expected: Role) -> None:
    hours = [(place, 300) for place in places * (72 // len(places) if len(places) < 9 else 60 // len(places) + 1)]
    visits = visits_of(day_of(hours), DEPARTMENT)
    assert store_roles(visits) == [expected]
    engine = StoreEngine(DEPARTMENT)
    engine.device_index(pseudonyms(1))
    engine.push(day_of(hours))
    assert engine.presence()["role"].tolist() == [expected]


def test_a_customer_who_comes_every_day_is_none() -> None:
    days = [day_of([(0, 1200), (3, 2400)], begin_s=24 * HOUR_S * day) for day in range(6)]
    visits = visits_of(np.concatenate(days))
    assert store_roles(visits) == [Role.VISITOR] * 6


def test_who_has_been_there_for_long_is_known_while_the_visit_runs() -> None:
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(1))
    engine.push(day_of([(2, 3 * HOUR_S)]))
    assert engine.presence()["role"].tolist() == [Role.VISITOR]
    engine.push(day_of([(2, 3 * HOUR_S)], begin_s=3 * HOUR_S))
    assert engine.presence()["role"].tolist() == [Role.FIXTURE]


def test_who_worked_there_once_is_a_visitor_two_weeks_later_from_the_first_signal() -> None:
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(1))
    engine.push(day_of([(zone % 6, 900) for zone in range(20)]))
    assert engine.presence()["role"].tolist() == [Role.STAFF]
    engine.push(day_of([(0, 120)], begin_s=24 * HOUR_S))
    assert engine.presence()["role"].tolist() == [Role.STAFF]
    engine.push(day_of([(0, 120)], begin_s=14 * 24 * HOUR_S))
    assert engine.presence()["role"].tolist() == [Role.VISITOR]


@pytest.mark.parametrize(
    ("absence_s", "let_go", "expected"),
    [(36 * HOUR_S, False, Role.STAFF), (36 * HOUR_S + 1, False, Role.VISITOR), (38 * HOUR_S, True, Role.VISITOR)],
)
@pytest.mark.parametrize("pushes", [1, 200])
def test_whether_the_table_has_let_go_of_a_device_shows_in_no_role(
    absence_s: int, let_go: bool, expected: Role, pushes: int
) -> None:
    names = pseudonyms(2)
    shift = day_of([(zone % 6, 900) for zone in range(32)])
    back = day_of([(0, 600)])
    back["ts"] += shift["ts"][-1] + absence_s * S - START_NS
    others = day_of([(1, 40 * HOUR_S)], begin_s=9 * HOUR_S, every_s=60)
    others["device"] = 1
    signals = np.concatenate([shift, others, back])
    signals = signals[np.argsort(signals["ts"], kind="stable")]
    engine = StoreEngine(PLAN)
    roles = []
    for part in [*np.array_split(signals, pushes), signals[:0]]:
        present, place = np.unique(part["device"], return_inverse=True)
        named = part.copy()
        named["device"] = engine.device_index(names[present])[place]
        visits = engine.push(named) if len(part) else engine.finish()
        own = (engine.pseudonyms(visits["device"]) == names[0]).all(axis=1)
        roles += store_roles(visits[own])
    assert engine.forgotten == (let_go and pushes > 1)
    assert roles == [Role.STAFF, expected]


@pytest.mark.parametrize(("stay_s", "expected"), [(4 * HOUR_S, Role.FIXTURE), (4 * HOUR_S - 20, Role.VISITOR)])
def test_the_bound_is_four_hours(stay_s: int, expected: Role) -> None:
    visits = visits_of(day_of([(2, stay_s + 20)]))
    assert store_roles(visits) == [expected]
    with pytest.raises(ConfigurationError, match="resident_ns"):
        Settings(resident_ns=0)


@settings(max_examples=200, deadline=None)
@given(
    drawn=st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 12), st.sampled_from([0, 0, 0, DAY // 2, DAY // 2 + 1, DAY, 2 * DAY])
        ),
        min_size=1, max_size=12,
    ),
    cut=st.integers(0, 12),
    forget=st.sampled_from([DAY // 2, DAY * 3 // 2]),
)  # fmt: skip
def test_the_kernel_equals_the_oracle(drawn: list[tuple[int, int, int]], cut: int, forget: int) -> None:
    rules = Settings(resident_ns=20_000, forget_ns=1000 * forget)
    told = []
    at = 5 * DAY
    for zone, duration, pause in drawn:
        at += pause
        told.append((zone, at, at + duration))
        at += duration
    stays = np.zeros(len(told), STAY)
    stays["zone"], stays["entered_at"], stays["left_at"] = np.array(told).T
    residents = Residents(DEPARTMENT, rules)
    residents.judge(stays[:cut], 1)
    again = Residents(DEPARTMENT, rules)
    again.memory = residents.rows(1).copy()
    again.judge(stays[cut:], 1)
    assert stays["role"].tolist() == [role(told[: count + 1], 20, forget, SHELVES) for count in range(len(told))]
