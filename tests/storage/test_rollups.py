"""Counted days equal recomputation from the visits, whatever is written, corrected, withdrawn or frozen."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.metrics.bins import EDGES_S
from core.records import Role
from storage.connect import connect
from storage.metric_queries import counted_rows, due_days, moves_rows, snapshot
from storage.rollups import FLOW_GAP_S, freeze, refresh
from storage.stores import load_plans
from tests.api.seeding import device
from tests.fix_api import SeededStore
from tests.metrics.visiting import Stay, insert, shoppers

pytestmark = pytest.mark.servers
FIRST, LAST = date(2026, 10, 24), date(2026, 10, 26)  # clocks go back in the night to the 25th
ALL_ROLES = [int(role) for role in Role]


def by_hand(store: SeededStore) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Count visits one by one, as slowly and plainly as can be."""
    zone = ZoneInfo("Europe/Berlin")
    inside = {place for place, found in enumerate(store.plan.zones) if found.kind not in {"entrance", "staff_only"}}
    found: dict[Any, list[tuple[Any, float]]] = defaultdict(list)
    stays: dict[Any, list[Any]] = defaultdict(list)
    rows = store.connection.execute(
        "select zone_no, role, device, entered_at, left_at, dwell_s, visit_id from zone_visit where not withdrawn"
        " union all select -1, role, device, entered_at, left_at, dwell_s, visit_id from store_visit"
        " where not withdrawn"
    ).fetchall()
    for scope, role, who, entered_at, left_at, dwell_s, name in rows:
        local = entered_at.astimezone(zone)
        day = local.date()
        begins = datetime.combine(day, datetime.min.time(), zone).astimezone(UTC)
        hour = entered_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for one in (scope, *([-2] if scope in inside else [])):
            found[day, begins, False, one, role].append((who, dwell_s))
            found[day, hour, True, one, role].append((who, dwell_s))
        if scope >= 0 and role == Role.VISITOR:
            stays[day, who].append((entered_at, name, scope, left_at))
    counted = {}
    for key, visits in found.items():
        bins: dict[int, int] = defaultdict(int)
        for _, dwell_s in visits:
            bins[max(place for place, edge in enumerate(EDGES_S) if edge <= dwell_s)] += 1
        dwell_ms = sum(round(dwell_s * 1000) for _, dwell_s in visits)
        counted[key] = (len(visits), len({who for who, _ in visits}), dwell_ms, dict(bins))
    moves: dict[Any, list[Any]] = defaultdict(list)
    for (day, who), walk in stays.items():
        walk.sort()
        for (_, _, here, left_at), (next_at, _, there, _) in pairwise(walk):
            if here != there and next_at - left_at <= timedelta(seconds=FLOW_GAP_S):
                moves[day, here, there].append(who)
    return counted, {key: (len(who), len(set(who))) for key, who in moves.items()}


def as_stored(store: SeededStore) -> tuple[dict[Any, Any], dict[Any, Any]]:
    (stored,) = load_plans(store.connection, ["marktplatz"])
    counted = {}
    with snapshot(store.connection):
        for hourly in (False, True):
            scopes = [-2, -1, *range(len(stored.plan.zones))]
            for row in counted_rows(
                store.connection, stored, FIRST, LAST, hourly=hourly, scopes=scopes, roles=ALL_ROLES
            ):
                one = row.counted
                bins = dict(zip(one.bins, one.counts, strict=True))
                key = (row.day, row.begins_at.astimezone(UTC), hourly, row.scope, row.role)
                assert key not in counted
                counted[key] = (one.visits, one.people, one.dwell_ms, bins)
        moves = {
            (row.day, row.from_zone, row.to_zone): (row.moves, row.people)
            for row in moves_rows(store.connection, stored, FIRST, LAST)
        }
    return counted, moves


def change(store: SeededStore, chance: random.Random, number: int) -> None:
    """What ingest and revisions do: a late visit, a correction, a new entry, a withdrawal, its return."""
    begin = datetime(2026, 10, 24, 0, tzinfo=UTC)
    stays = [
        Stay(
            number * 10 + extra, chance.randrange(12), chance.choice([None, 0, 1, 2, 5]),
            begin + timedelta(seconds=chance.randrange(48 * 3600)), chance.choice([0.4, 29.9996, 30.0, 61.5]),
            chance.choice(list(Role)),
        )
        for extra in range(chance.randrange(1, 6))
    ]  # fmt: skip
    insert(store.connection, store.store_no, stays)
    table = chance.choice(["zone_visit", "store_visit"])
    row = store.connection.execute(
        f"select visit_id, entered_at from {table} order by md5(visit_id::text || %s) limit 1", [str(number)]
    ).fetchone()
    if row is None:
        return
    correction = chance.choice(
        ["dwell_s = dwell_s + 45.5", "withdrawn = not withdrawn", "role = (role + 1) %% 3", "delete"]
    )
    if correction == "delete":  # a revision with a new entry deletes and inserts
        store.connection.execute(f"delete from {table} where visit_id = %s and entered_at = %s", row)
    else:
        store.connection.execute(f"update {table} set {correction} where visit_id = %s and entered_at = %s", row)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), refreshes=st.lists(st.integers(0, 2), min_size=4, max_size=8))
def test_counts_equal_the_visits_after_any_changes(store: SeededStore, seed: int, refreshes: list[int]) -> None:
    store.connection.execute("delete from zone_visit")
    store.connection.execute("delete from store_visit")
    chance = random.Random(seed)
    for number, most_days in enumerate(refreshes):
        change(store, chance, number)
        refresh(store.connection, most_days=most_days)
        assert as_stored(store) == by_hand(store)
    refresh(store.connection, most_days=100)
    assert store.connection.execute("select count(*) from rollup_due").fetchone() == (0,)
    assert as_stored(store) == by_hand(store)


def test_an_open_transaction_loses_no_mark(store: SeededStore) -> None:
    at = datetime(2026, 10, 24, 10, tzinfo=UTC)
    insert(store.connection, store.store_no, [Stay(3, 3, 2, at, 50.0)])  # makes the chunk, which would lock
    with connect(store.database_url, application_name="writer") as writer, writer.transaction():
        insert(writer, store.store_no, [Stay(1, 1, 2, at, 30.0)])
        insert(store.connection, store.store_no, [Stay(2, 2, 2, at, 40.0)])
        assert refresh(store.connection, most_days=10) == 1
    (stored,) = load_plans(store.connection, ["marktplatz"])
    assert due_days(store.connection, stored, FIRST, LAST) == [FIRST]
    assert as_stored(store) == by_hand(store)
    assert refresh(store.connection, most_days=10) == 1
    assert as_stored(store) == by_hand(store)


def test_other_clocks_have_every_day_counted_again(store: SeededStore) -> None:
    insert(store.connection, store.store_no, shoppers(store.plan, FIRST, 20, seed=1))
    refresh(store.connection, most_days=10)
    store.connection.execute("update store set timezone = 'Asia/Kolkata' where id = 'marktplatz'")
    assert store.connection.execute("select count(*) from visit_rollup").fetchone() == (0,)
    refresh(store.connection, most_days=10)
    row = store.connection.execute(
        "select count(*), sum(visits) from visit_rollup where not hourly and scope = -1"
    ).fetchone()
    assert row == (1, 20)


def test_figures_do_not_tell_who_was_erased(store: SeededStore) -> None:
    insert(store.connection, store.store_no, shoppers(store.plan, FIRST, 40, seed=2))
    before = told(store)
    with store.connection.transaction():
        assert freeze(store.connection, [device(7)]) == 1
        for table in ("zone_visit", "store_visit"):
            assert store.connection.execute(f"delete from {table} where device = %s", [device(7).hex()]).rowcount
    assert told(store) == before, "what was told before is told after"
    refresh(store.connection, most_days=10)
    insert(store.connection, store.store_no, [Stay(9_000, 99, 2, datetime(2026, 10, 24, 10, tzinfo=UTC), 30.0)])
    refresh(store.connection, most_days=10)
    assert told(store) == before, "a correction that comes later would tell the difference"
    small = store.connection.execute(
        "select count(*) from visit_rollup where people < 10 and (visits > 1 or dwell_ms > 0)"
    ).fetchone()
    assert small == (0,), "what is not told is not kept either"


def told(store: SeededStore) -> list[Any]:
    counted, moves = as_stored(store)
    cells = [(key, one) for key, one in sorted(counted.items()) if one[1] >= 10]
    return [*cells, *[(key, one) for key, one in sorted(moves.items()) if one[1] >= 10]]
