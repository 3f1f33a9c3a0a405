"""What formulas are computed from: counted days and hours, moves, and visits where no count will do.

Days whose visits changed since they were counted are counted here from the visits, within the same snapshot.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, LiteralString

from psycopg.types.json import Jsonb

from core.metrics.cells import Counted
from core.metrics.disclosure import K_PEOPLE, hidden_with_rest, is_few
from core.records import Role
from storage.connect import Connection
from storage.int_arrays import numpy_cursor, unpacked
from storage.one_state import once
from storage.rollups.changes import Due, added_up, crowd_hours_due, crowd_of, due
from storage.rollups.counting import STORE_SCOPE, CrowdHour, count_cells, count_moves, count_paths
from storage.rollups.sources import range_of
from storage.rollups.there import TimeUnderWay, time_under_way
from storage.stores import StoredPlan


@dataclass(frozen=True)
class CountedRow:
    """A day or an hour of a zone, the store or its inside (see `storage.rollups`) for one role."""

    day: date
    begins_at: datetime
    scope: int
    role: int
    counted: Counted


@dataclass(frozen=True)
class FlowSum:
    """Moves from zone to zone on the days when they may be told."""

    from_zone: int
    to_zone: int
    moves: int
    people: int


@dataclass(frozen=True)
class PathSum:
    """A path: zones in their order, and how many people took it on the days when that may be told."""

    zones: tuple[int, ...]
    people: int


def _due(connection: Connection, stored: StoredPlan, first: date, last: date) -> Due:
    return once(("due", stored.store_no, first, last), lambda: due(connection, stored, first, last))


def days_due(connection: Connection, stored: StoredPlan, first: date, last: date) -> frozenset[date]:
    """Return the days from `first` to `last` whose visits changed since they were counted."""
    return _due(connection, stored, first, last).days


def _fresh_cells(connection: Connection, stored: StoredPlan, day: date, *, changed: bool) -> list[tuple[Any, ...]]:
    return once(("cells", stored.store_no, day), lambda: count_cells(connection, stored, day, changed=changed))


def counted_rows(
    connection: Connection,
    stored: StoredPlan,
    first: date,
    last: date,
    *,
    hourly: bool,
    scopes: Sequence[int],
    roles: Sequence[int],
    bins: bool = True,
) -> list[CountedRow]:
    """Return the days, or hours, from `first` to `last` in the order of time; those without a visit are left out.

    To be called in a `snapshot`. Without `bins` those of `Counted` are empty: most of what is read of a cell is how
    its dwell is spread, which counts and sums of dwell do not need.
    """
    key = (stored.store_no, first, last, hourly, tuple(sorted(scopes)), tuple(sorted(roles)))
    return once(
        ("rows", *key, bins), lambda: _counted_rows(connection, stored, first, last, hourly, scopes, roles, bins)
    )


_OF_DAYS: Final[LiteralString] = (
    " from visit_rollup where store_no = %s and day between %s and %s and hourly = %s"
    " and scope = any(%s) and role = any(%s) and not day = any(%s::date[])"
)
_PLAIN: Final[LiteralString] = "select day, begins_at, hourly, scope, role, visits, people, dwell_ms,"
# a day's bins and counts in one piece, an hour's as arrays
_CELLS: Final[LiteralString] = (
    _PLAIN + " case when spread is null then bins else '{}' end, case when spread is null then counts else '{}' end,"
    " spread" + _OF_DAYS
)
_CELLS_PLAIN: Final[LiteralString] = _PLAIN + " '{}'::smallint[], '{}'::integer[], null::bytea" + _OF_DAYS


def _counted_rows(  # noqa: PLR0917 - of `counted_rows`
    connection: Connection,
    stored: StoredPlan,
    first: date,
    last: date,
    hourly: bool,
    scopes: Sequence[int],
    roles: Sequence[int],
    bins: bool,
) -> list[CountedRow]:
    found = _due(connection, stored, first, last)
    values = [stored.store_no, first, last, hourly, list(scopes), list(roles), sorted(found.stale)]
    rows = [
        (*row[:8], *(unpacked(row[10]) if row[10] is not None else row[8:10]))
        for row in numpy_cursor(connection).execute(_CELLS if bins else _CELLS_PLAIN, values)
    ]
    counted = [
        CountedRow(row[0], row[1], row[3], row[4], Counted(*row[5:])) for row in rows if row[0] not in found.days
    ]
    for day in sorted(found.days):
        held = [(*row[1:8], row[8].tolist(), row[9].tolist()) for row in rows if row[0] == day]
        fresh = [
            row if bins else (*row[:7], (), ())
            for row in _fresh_cells(connection, stored, day, changed=day in found.changed)
            if row[1] == hourly and row[2] in scopes and row[3] in roles
        ]
        cells = added_up(held, fresh)
        counted += [CountedRow(day, key.begins_at, key.scope, key.role, one) for key, one in cells.items()]
    return sorted(counted, key=lambda row: (row.begins_at, row.scope, row.role))


_FLOWS: Final[LiteralString] = """
with move as not materialized (
    select day, from_zone, to_zone, moves, people from flow_rollup
     where store_no = %(store_no)s and day between %(first)s and %(last)s and not day = any(%(due)s::date[])
    union all
    select day, from_zone, to_zone, sum(moves)::integer, sum(people)::integer
      from (select day, from_zone, to_zone, moves, people from flow_rollup
             where store_no = %(store_no)s and day = any(%(due)s::date[]) and not day = any(%(stale)s::date[])
            union all
            select * from jsonb_to_recordset(%(fresh)s)
                as fresh(day date, from_zone smallint, to_zone smallint, moves integer, people integer)) part
     group by 1, 2, 3 having sum(moves) > 0
), visited as (
    select day, scope as zone, visits, people from visit_rollup
     where store_no = %(store_no)s and day between %(first)s and %(last)s and not hourly and role = 0 and scope >= 0
       and not day = any(%(due)s::date[])
    union all
    select * from jsonb_to_recordset(%(visited)s) as fresh(day date, zone smallint, visits integer, people integer)
), summed as materialized (
    select from_zone, to_zone, day, sum(moves) as moves, sum(people) as people, min(people) as fewest
      from move where people >= %(least)s
     group by grouping sets ((from_zone, to_zone), (day, from_zone), (day, to_zone))
), thin as materialized (
    -- of a zone and day, the moves that begin there, or those that end there: the visits of a zone are told, so what
    -- is left of them when the told moves are taken away must be of no few people; who made none is one of them
    select day, zone, to_zone is null as begins, fewest as up_to
      from summed join visited using (day)
     where zone = coalesce(from_zone, to_zone) and visits <> moves
       and greatest(visited.people - summed.people, 1) < %(least)s
), hidden as (
    select from_zone, to_zone, sum(moves) as moves, sum(people) as people
      from (select distinct move.* from thin join move using (day)
             where people between %(least)s and up_to and zone = case when begins then from_zone else to_zone end) one
     group by from_zone, to_zone
)
select from_zone, to_zone, summed.moves - coalesce(hidden.moves, 0), summed.people - coalesce(hidden.people, 0), null
  from summed left join hidden using (from_zone, to_zone)
 where day is null and summed.people > coalesce(hidden.people, 0)
union all
select null, null, null, null, count(*)
  from (select day from move where people < %(least)s union select day from thin) days
 order by from_zone nulls last, to_zone
"""


def flow_sums(
    connection: Connection, stored: StoredPlan, first: date, last: date, *, least: int = K_PEOPLE
) -> tuple[list[FlowSum], int]:
    """Return the moves that may be told, and on how many days some, whichever, are not; called in a `snapshot`.

    A day's moves from one zone to another are told when `least` people made them. Where that leaves few of those who
    were in one of the zones, the least frequent is left out as well (`core.metrics.disclosure`, rule 2).
    """
    found = _due(connection, stored, first, last)
    fresh = [
        {"day": str(day), "from_zone": one, "to_zone": other, "moves": moves, "people": people}
        for day in sorted(found.days)
        for one, other, moves, people in count_moves(connection, stored, day, changed=day in found.changed)
    ]
    zones = range(len(stored.plan.zones))
    visited = [
        {"day": str(row.day), "zone": row.scope, "visits": row.counted.visits, "people": row.counted.people}
        for row in (_days_due(connection, stored, found, zones) if found.days else ())
    ]
    rows = connection.execute(
        _FLOWS,
        {
            "store_no": stored.store_no,
            "first": first,
            "last": last,
            "least": least,
            "stale": sorted(found.stale),
            "due": sorted(found.days),
            "fresh": Jsonb(fresh),
            "visited": Jsonb(visited),
        },
    ).fetchall()
    # the days that are left out stand in a row of their own, which is there without any move too
    return [FlowSum(*row[:4]) for row in rows if row[0] is not None], rows[-1][4]


def _days_due(connection: Connection, stored: StoredPlan, found: Due, scopes: Sequence[int]) -> list[CountedRow]:
    """Return visitors' days that have changed since they were counted."""
    first, last = min(found.days), max(found.days)
    rows = counted_rows(
        connection, stored, first, last, hourly=False, scopes=scopes, roles=[int(Role.VISITOR)], bins=False
    )
    return [row for row in rows if row.day in found.days]


_TOLD_BY_DAY: Final[LiteralString] = (
    "select day, sum(people) from path_rollup where store_no = %(store_no)s and day between %(first)s and %(last)s"
    " and people >= %(least)s and not day = any(%(due)s::date[]) group by day"
)
_TOLD_BY_PATH: Final[LiteralString] = (
    "select zones, sum(people) from path_rollup where store_no = %(store_no)s and day between %(first)s and %(last)s"
    " and people >= %(least)s and not day = any(%(single)s::date[]) group by zones"
)
_PATHS_OF_DAYS: Final[LiteralString] = (
    "select day, zones, people from path_rollup where store_no = %(store_no)s and day = any(%(single)s::date[])"
    " and not day = any(%(stale)s::date[])"
)


def path_sums(
    connection: Connection, stored: StoredPlan, first: date, last: date, *, least: int = K_PEOPLE
) -> tuple[list[PathSum], int]:
    """Return the paths that may be told, and on how many days some, whichever, are not; called in a `snapshot`.

    A day's path is told when `least` people took it. Where fewer of that day's people took others, the least frequent
    of the rest is left out as well: the people of a day are told, and each took one path (`core.metrics.disclosure`).
    """
    found = _due(connection, stored, first, last)
    counted = counted_rows(
        connection, stored, first, last, hourly=False, scopes=[STORE_SCOPE], roles=[int(Role.VISITOR)], bins=False
    )
    present = {row.day: row.counted.people for row in counted}
    values: dict[str, Any] = {
        "store_no": stored.store_no,
        "first": first,
        "last": last,
        "least": least,
        "due": sorted(found.days),
        "stale": sorted(found.stale),
    }
    told: dict[date, int] = dict(connection.execute(_TOLD_BY_DAY, values).fetchall())
    few = {day for day, people in told.items() if is_few(present.get(day, 0) - people, least)}
    left_out = sum(present.get(day, 0) != told.get(day, 0) for day in (present.keys() | told.keys()) - found.days)
    values["single"] = sorted(found.days | few)
    people: Counter[tuple[int, ...]] = Counter()
    for zones, count in connection.execute(_TOLD_BY_PATH, values).fetchall():
        people[tuple(zones)] += count
    of_day: dict[date, Counter[tuple[int, ...]]] = defaultdict(Counter)
    if values["single"]:
        for day, zones, count in connection.execute(_PATHS_OF_DAYS, values).fetchall():
            of_day[day][tuple(zones)] += count
    for day in sorted(found.days):
        for zones, count in count_paths(connection, stored, day, changed=day in found.changed):
            of_day[day][tuple(zones)] += count
    for day, paths in of_day.items():
        ways = sorted(path for path, count in paths.items() if count > 0)
        hide = hidden_with_rest([paths[path] for path in ways], present.get(day, 0), least)
        shown = {path: paths[path] for path, hid in zip(ways, hide, strict=True) if not hid}
        people.update(shown)
        left_out += day in found.days and present.get(day, 0) != sum(shown.values())
    return [PathSum(path, count) for path, count in sorted(people.items()) if count], left_out


def crowd_hours(connection: Connection, stored: StoredPlan, first: date, last: date) -> list[CrowdHour]:
    """Return how many visitors were there at once in each hour from `first` to `last`; hours without anybody miss.

    Who is still there counts as far as that is decided (`crowd_known`), who left lately until then, written or not.
    """
    return once(("crowd", stored.store_no, first, last), lambda: _crowd_hours(connection, stored, first, last))


def crowd_known(connection: Connection, stored: StoredPlan) -> datetime | None:
    """Return how far it is decided who was in a store, None where nobody is under way."""
    there = _under_way(connection, stored)
    return None if there is None else there.until


def _under_way(connection: Connection, stored: StoredPlan) -> TimeUnderWay | None:
    return once(("under way", stored.store_no), lambda: time_under_way(connection, stored.store_no))


def _crowd_hours(connection: Connection, stored: StoredPlan, first: date, last: date) -> list[CrowdHour]:
    found = due(connection, stored, first - timedelta(days=1), last)
    there = _under_way(connection, stored)
    hours = crowd_hours_due(connection, stored, found, first, last, there)
    fresh = {at for edges in hours.values() for at in edges[:-1]}
    rows = connection.execute(
        "select begins_at, mean, most from crowd_rollup where store_no = %s and begins_at >= %s and begins_at < %s",
        [stored.store_no, *range_of(stored, first, last)],
    ).fetchall()
    held = [CrowdHour(at.astimezone(UTC), mean, most) for at, mean, most in rows if at.astimezone(UTC) not in fresh]
    return sorted([*held, *crowd_of(connection, stored, hours, there)], key=lambda one: one.begins_at)
