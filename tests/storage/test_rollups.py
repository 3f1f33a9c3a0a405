"""Counted days equal recomputation from the visits, whatever is written, corrected, withdrawn or frozen."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.metrics.bins import EDGES_S
from core.metrics.exclusions import DEFAULT_RULES, CountedAs, OpeningHours, Rules
from core.records import Role
from storage.connect import connect
from storage.metric_queries import counted_rows, crowd_hours, crowd_known, flow_sums, path_sums
from storage.one_state import snapshot
from storage.rollups.changes import due
from storage.rollups.counting import CONVERTED_SCOPE, SPANS
from storage.rollups.keeping import freeze, refresh
from storage.rollups.rules import set_rules
from storage.rollups.sources import count_values, hour_begins, odd_hours
from storage.stores import load_plans
from tests.api.seeding import add_presence, device
from tests.fix_api import SeededStore
from tests.metrics.visiting import Stay, insert, shoppers

pytestmark = pytest.mark.servers
FIRST, LAST = date(2026, 10, 24), date(2026, 10, 26)  # clocks go back in the night to the 25th
MIGRATIONS = files("storage") / "migrations"
ALL_ROLES = [int(role) for role in CountedAs]
BERLIN = ZoneInfo("Europe/Berlin")
STOCK = 11
STRICT = Rules(
    staff=False, staff_zone_s=60, long_stay_s=7200, passer_by_s=40,
    opening_hours=(*[OpeningHours(opens_min=540, closes_min=1260)] * 6, None),
)  # fmt: skip


def counted_as(visits: list[Any], rules: Rules) -> dict[Any, int]:
    """Who counts as what, one visit at a time; `visits` are of one device on one day: (scope, role, entered, ...)."""
    in_staff_s = sum(dwell_s for scope, _, _, _, dwell_s, _ in visits if scope == STOCK)
    store_s = [dwell_s for scope, _, _, _, dwell_s, _ in visits if scope == -1]
    found = {}
    for _, role, entered_at, _, _, name in visits:
        local = entered_at.astimezone(BERLIN)
        hours = rules.opening_hours[local.weekday()] if rules.opening_hours is not None else None
        minute = local.hour * 60 + local.minute
        if role == 1 or (role == 2 and rules.staff):
            found[name] = role
        elif rules.staff_zone_s is not None and in_staff_s >= rules.staff_zone_s:
            found[name] = 2
        elif rules.long_stay_s is not None and store_s and max(store_s) >= rules.long_stay_s:
            found[name] = 3
        elif rules.passer_by_s is not None and store_s and max(store_s) < rules.passer_by_s:
            found[name] = 4
        elif rules.opening_hours is not None and (hours is None or not hours.opens_min <= minute < hours.closes_min):
            found[name] = 5
        else:
            found[name] = 0
    return found


def by_hand(store: SeededStore, rules: Rules = DEFAULT_RULES) -> list[dict[Any, Any]]:
    """Count visits one by one, as slowly and plainly as can be: cells, moves, paths, crowd."""
    inside = {place for place, found in enumerate(store.plan.zones) if found.kind not in {"entrance", "staff_only"}}
    tills = {place for place, found in enumerate(store.plan.zones) if found.kind == "checkout"}
    found: dict[Any, list[tuple[Any, float]]] = defaultdict(list)
    of_device: dict[Any, list[Any]] = defaultdict(list)
    rows = store.connection.execute(
        "select device, zone_no, role, entered_at, left_at, dwell_s, visit_id from zone_visit where not withdrawn"
        " union all select device, -1, role, entered_at, left_at, dwell_s, visit_id from store_visit"
        " where not withdrawn"
    ).fetchall()
    for who, *visit in rows:
        of_device[visit[2].astimezone(BERLIN).date(), who].append(visit)
    moves: dict[Any, list[Any]] = defaultdict(list)
    paths: dict[Any, int] = defaultdict(int)
    spans = []
    for (day, who), visits in of_device.items():
        begins = datetime.combine(day, datetime.min.time(), BERLIN).astimezone(UTC)
        kinds = counted_as(visits, rules)
        last_till = max((visit[2] for visit in visits if visit[0] in tills), default=None)
        for scope, _, entered_at, left_at, dwell_s, name in visits:
            role = kinds[name]
            hour = entered_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            for one in (scope, *([-2] if scope in inside else [])):
                found[day, begins, False, one, role].append((who, dwell_s))
                found[day, hour, True, one, role].append((who, dwell_s))
            if scope >= 0 and role == 0 and last_till is not None and last_till > entered_at:
                found[day, begins, False, -100 - scope, role].append((who, dwell_s))
            if scope == -1 and role == 0:
                spans.append((entered_at, left_at))
        walk = sorted(
            (visit[2], visit[5], visit[0], visit[3]) for visit in visits if visit[0] >= 0 and not kinds[visit[5]]
        )
        for (_, _, here, left_at), (next_at, _, there, _) in pairwise(walk):
            if here != there and next_at - left_at <= timedelta(minutes=15):
                moves[day, here, there].append(who)
        steps = [here for number, (_, _, here, _) in enumerate(walk) if not number or walk[number - 1][2] != here]
        if steps:
            paths[day, tuple(steps[:6])] += 1
    counted = {}
    for key, stays in found.items():
        bins: dict[int, int] = defaultdict(int)
        for _, dwell_s in stays:
            bins[max(place for place, edge in enumerate(EDGES_S) if edge <= dwell_s)] += 1
        dwell_ms = sum(round(dwell_s * 1000) for _, dwell_s in stays)
        counted[key] = (len(stays), len({who for who, _ in stays}), dwell_ms, dict(bins))
    crowd = {}
    for number in range(73):
        begin = datetime(2026, 10, 23, 22, tzinfo=UTC) + timedelta(hours=number)
        end = begin + timedelta(hours=1)
        overlaps = [(max(one, begin), min(other, end)) for one, other in spans if one < end and other > begin]
        most = max((sum(one <= at < other for one, other in spans) for at, _ in overlaps), default=0)
        if most:
            held = sum(((other - one).total_seconds() for one, other in overlaps), 0.0)
            crowd[begin] = (round(held / 3600, 6), most)
    return [counted, {key: (len(who), len(set(who))) for key, who in moves.items()}, dict(paths), crowd]


def as_stored(store: SeededStore) -> list[dict[Any, Any]]:
    (stored,) = load_plans(store.connection, ["marktplatz"])
    counted = {}
    with snapshot(store.connection):
        for hourly in (False, True):
            zones = range(len(stored.plan.zones))
            scopes = [-2, -1, *zones, *(CONVERTED_SCOPE - zone for zone in zones)]
            for row in counted_rows(
                store.connection, stored, FIRST, LAST, hourly=hourly, scopes=scopes, roles=ALL_ROLES
            ):
                one = row.counted
                bins = dict(zip(one.bins, one.counts, strict=True))
                key = (row.day, row.begins_at.astimezone(UTC), hourly, row.scope, row.role)
                assert key not in counted
                counted[key] = (one.visits, one.people, one.dwell_ms, bins)
            plain = counted_rows(
                store.connection, stored, FIRST, LAST, hourly=hourly, scopes=scopes, roles=ALL_ROLES, bins=False
            )
            assert {
                (row.day, row.begins_at.astimezone(UTC), hourly, row.scope, row.role): (
                    row.counted.visits,
                    row.counted.people,
                    row.counted.dwell_ms,
                )
                for row in plain
            } == {key: one[:3] for key, one in counted.items() if key[2] == hourly}, "without bins all else is equal"
        moves = {
            (day, row.from_zone, row.to_zone): (row.moves, row.people)
            for day in (FIRST, FIRST + timedelta(days=1), LAST)
            for row in flow_sums(store.connection, stored, day, day, least=1)[0]
        }
        paths = {
            (day, row.zones): row.people
            for day in (FIRST, FIRST + timedelta(days=1), LAST)
            for row in path_sums(store.connection, stored, day, day, least=1)[0]
        }
        crowd = {
            one.begins_at: (round(one.mean, 6), one.most)
            for one in crowd_hours(store.connection, stored, FIRST, LAST)
        }
    return [counted, moves, paths, crowd]


def change(store: SeededStore, chance: random.Random, number: int) -> None:
    """What ingest and revisions do: a late visit, a correction, a new entry, a withdrawal, its return."""
    begin = datetime(2026, 10, 24, 0, tzinfo=UTC)
    stays = [
        Stay(
            number * 10 + extra, chance.randrange(12), chance.choice([None, None, 0, 1, 2, 9, STOCK]),
            begin + timedelta(seconds=chance.randrange(48 * 3600)), chance.choice([0.4, 29.9996, 30.0, 61.5, 7200.5]),
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
        if number == 2:
            with store.connection.transaction():
                assert set_rules(store.connection, store.store_no, STRICT, operator="Ida", reason="a test")
        assert as_stored(store) == by_hand(store, STRICT if number >= 2 else DEFAULT_RULES)
    refresh(store.connection, most_days=100)
    assert store.connection.execute("select count(*) from rollup_change").fetchone() == (0,)
    assert as_stored(store) == by_hand(store, STRICT)
    with store.connection.transaction():
        set_rules(store.connection, store.store_no, DEFAULT_RULES, operator="Ida", reason="taken back")
    refresh(store.connection, most_days=100)
    assert as_stored(store) == by_hand(store)


@pytest.mark.parametrize(("gap_s", "moves"), [(900, 1), (901, 0)])
def test_a_move_is_a_stay_within_a_quarter_of_an_hour(store: SeededStore, gap_s: int, moves: int) -> None:
    begin = datetime(2026, 10, 24, 10, tzinfo=UTC)
    stays = [Stay(1, 1, 1, begin, 60), Stay(2, 1, 2, begin + timedelta(seconds=60 + gap_s), 60)]
    insert(store.connection, store.store_no, stays)
    (stored,) = load_plans(store.connection, ["marktplatz"])
    with snapshot(store.connection):
        found, _ = flow_sums(store.connection, stored, FIRST, FIRST, least=1)
    assert [one.moves for one in found] == [1] * moves


@pytest.mark.parametrize(
    ("day", "timezone", "count", "odd"),
    [
        (date(2026, 4, 5), "Australia/Lord_Howe", 25, [timedelta(minutes=30)]),
        (date(2026, 10, 4), "Australia/Lord_Howe", 24, [timedelta(minutes=30)]),
        (date(2026, 10, 25), "Europe/Berlin", 25, []),
        (date(2026, 3, 29), "Europe/Berlin", 23, []),
        (date(2026, 10, 20), "Asia/Kathmandu", 24, []),
        (date(2026, 10, 25), "Antarctica/Troll", 26, []),
        (date(2026, 4, 24), "Africa/Cairo", 23, []),
        (date(2026, 11, 1), "America/Havana", 25, []),
    ],
)
def test_hours_begin_where_clocks_show_a_full_hour_or_change(
    day: date, timezone: str, count: int, odd: list[timedelta]
) -> None:
    zone = ZoneInfo(timezone)
    hours = hour_begins(day, timezone)
    assert len(hours) == count
    assert list(odd_hours(day, day, timezone).values()) == odd
    for at in hours:
        local, before = at.astimezone(zone), (at - timedelta(seconds=1)).astimezone(zone)
        assert local.minute == 0 or local.utcoffset() != before.utcoffset()


def test_an_open_transaction_loses_no_mark(store: SeededStore) -> None:
    at = datetime(2026, 10, 24, 10, tzinfo=UTC)
    insert(store.connection, store.store_no, [Stay(3, 3, 2, at, 50.0)])  # makes the chunk, which would lock
    with connect(store.database_url, application_name="writer") as writer, writer.transaction():
        insert(writer, store.store_no, [Stay(1, 1, 2, at, 30.0)])
        insert(store.connection, store.store_no, [Stay(2, 2, 2, at, 40.0)])
        assert refresh(store.connection, most_days=10) == 1
    (stored,) = load_plans(store.connection, ["marktplatz"])
    assert due(store.connection, stored, FIRST, LAST).days == {FIRST}
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


def test_the_crowd_of_an_hour_is_counted_without_a_loop_over_its_people(store: SeededStore) -> None:
    """On the first day of a new chunk the planner knows nothing of its visits."""
    insert(store.connection, store.store_no, shoppers(store.plan, FIRST, 300, seed=3))
    begins = datetime.combine(FIRST, time(), BERLIN)
    values = count_values(store.connection, load_plans(store.connection)[0], FIRST)
    values |= {"begins": begins, "ends": begins + timedelta(days=1), "as_of": begins + timedelta(hours=15)}
    values["known"] = values["as_of"]
    row = store.connection.execute("explain (analyze, format json) " + SPANS[True], values).fetchone()
    assert row is not None
    assert 0 < most_loops(row[0][0]["Plan"]) < 30


def test_the_crowd_that_was_does_not_shrink_while_departures_are_not_written_yet(store: SeededStore) -> None:
    """Who leaves is out of presence at once; the visit to the store is written minutes later."""
    (stored,) = load_plans(store.connection, ["marktplatz"])
    begin = datetime(2026, 10, 24, 10, tzinfo=UTC)
    leave, now = begin + timedelta(minutes=20), begin + timedelta(minutes=29)
    people = range(12)

    def crowd() -> tuple[float, int]:
        with snapshot(store.connection):
            (one,) = [one for one in crowd_hours(store.connection, stored, FIRST, FIRST) if one.begins_at == begin]
        return round(one.mean, 4), one.most

    def be_there(who: int, until: datetime) -> None:
        add_presence(
            store.connection, store.plan, store.store_no, pseudonym=device(who), zone="men", arrived_at=begin,
            in_zone_since=begin + timedelta(minutes=5), last_signal_at=until,
        )  # fmt: skip

    store.connection.execute(
        "insert into engine_progress (store_no, log_no, decoded, late, repeated, decided_through)"
        " values (%s, 1, 1, 0, 0, %s)",
        [store.store_no, now],
    )
    earlier = begin - timedelta(hours=2)  # one of them was here before, and that visit is written
    insert(store.connection, store.store_no, [
        Stay(900, 0, 1, earlier, 60), Stay(901, 0, None, earlier, 60),
        *(Stay(who, who, 1, begin, 300) for who in people),
    ])  # fmt: skip
    for who in people:
        be_there(who, leave)
    assert crowd() == (4.0, 12)
    for who in people[:7]:  # gone for the engine, which waits to see whether they come back
        store.connection.execute("delete from presence where device = %s", [device(who).hex()])
    insert(store.connection, store.store_no, [
        Stay(100 + who, who, 2, begin + timedelta(minutes=5), 15 * 60) for who in people[:7]
    ])  # fmt: skip
    for who in people[7:]:
        be_there(who, now)
    gone = (4.75, 12)  # seven for 20 minutes, five for 29
    assert crowd() == gone
    refresh(store.connection, most_days=10)
    assert crowd() == gone
    insert(store.connection, store.store_no, [Stay(200 + who, who, None, begin, 20 * 60) for who in people[:4]])
    assert crowd() == gone, "nobody counts twice"
    store.connection.execute("delete from presence")
    insert(store.connection, store.store_no, [
        Stay(100 + who, who, 2, begin + timedelta(minutes=5), 24 * 60) for who in people[7:]
    ])  # fmt: skip
    assert crowd() == gone, "nor is anybody lost as the last ones leave"
    insert(store.connection, store.store_no, [
        Stay(200 + who, who, None, begin, (20 if who < 7 else 29) * 60) for who in people[4:]
    ])  # fmt: skip
    assert crowd() == gone
    with snapshot(store.connection):
        assert crowd_hours(store.connection, stored, LAST, LAST) == []


def test_a_crowd_is_told_as_far_as_it_is_decided_who_was_there(store: SeededStore) -> None:
    """Who comes is seen at once, who goes a minute later: until then both would be there, and the peak fell."""
    (stored,) = load_plans(store.connection, ["marktplatz"])
    begin = datetime(2026, 10, 24, 10, tzinfo=UTC)
    decided, newest = begin + timedelta(minutes=20), begin + timedelta(minutes=22)

    def most() -> int:
        with snapshot(store.connection):
            (one,) = crowd_hours(store.connection, stored, FIRST, FIRST)
            assert crowd_known(store.connection, stored) == decided
        return one.most

    for who in range(15):
        since, until = (begin, decided) if who < 12 else (decided + timedelta(minutes=1), newest)
        add_presence(
            store.connection, store.plan, store.store_no, pseudonym=device(who), zone="men", arrived_at=since,
            in_zone_since=since, last_signal_at=until,
        )  # fmt: skip
    store.connection.execute(
        "insert into engine_progress (store_no, log_no, decoded, late, repeated, decided_through)"
        " values (%s, 1, 1, 0, 0, %s)",
        [store.store_no, decided],
    )
    assert most() == 12
    store.connection.execute("delete from presence where arrived_at = %s", [begin])
    insert(store.connection, store.store_no, [Stay(who, who, 1, begin, 20 * 60 + 1) for who in range(12)])
    assert most() == 12


def most_loops(node: dict[str, Any]) -> int:
    return max([int(node["Actual Loops"]), *map(most_loops, node.get("Plans", []))])


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


def test_days_whose_small_moves_were_taken_away_say_that_some_are_hidden(store: SeededStore) -> None:
    """An earlier version deleted them with the erasure; a migration mends such days."""
    insert(store.connection, store.store_no, shoppers(store.plan, FIRST, 40, seed=2))
    with store.connection.transaction():
        freeze(store.connection, [device(7)])
    (stored,) = load_plans(store.connection, ["marktplatz"])

    def sums() -> tuple[Any, int]:
        with snapshot(store.connection):
            return flow_sums(store.connection, stored, FIRST, FIRST)

    before = sums()
    store.connection.execute("delete from flow_rollup where people < 10")
    assert (before[1], sums()) == (1, (before[0], 0))
    for _ in range(2):
        store.connection.execute((MIGRATIONS / "0261_moves_that_were_blanked.sql").read_bytes())
        assert sums() == before


def told(store: SeededStore) -> list[Any]:
    counted, moves, paths, crowd = as_stored(store)
    cells = [(key, one) for key, one in sorted(counted.items()) if one[1] >= 10]
    steps = [(key, one) for key, one in sorted(moves.items()) if one[1] >= 10]
    return [*cells, *steps, *[(key, one) for key, one in sorted(paths.items()) if one >= 10], *crowd.items()]
