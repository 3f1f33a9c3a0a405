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
from core.metrics.disclosure import K_PEOPLE
from storage.connect import Connection
from storage.int_arrays import numpy_cursor
from storage.one_state import once
from storage.rollups.changes import Due, added_up, crowd_hours_due, crowd_of, due
from storage.rollups.counting import CrowdHour, count_cells, count_moves, count_paths
from storage.rollups.sources import range_of
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
    """Moves from zone to zone on days when enough people made them, and on how many days few did."""

    from_zone: int
    to_zone: int
    moves: int
    people: int
    left_out: int


@dataclass(frozen=True)
class PathSum:
    """A path: zones in their order, how many people took it on days when enough did, and on how many days few did."""

    zones: tuple[int, ...]
    people: int
    left_out: int


def _due(connection: Connection, stored: StoredPlan, first: date, last: date) -> Due:
    return once(("due", stored.store_no, first, last), lambda: due(connection, stored, first, last))


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
_CELLS: Final[LiteralString] = _PLAIN + " bins, counts" + _OF_DAYS
_CELLS_PLAIN: Final[LiteralString] = _PLAIN + " '{}'::smallint[], '{}'::integer[]" + _OF_DAYS


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
    rows = numpy_cursor(connection).execute(_CELLS if bins else _CELLS_PLAIN, values).fetchall()
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


def flow_sums(
    connection: Connection, stored: StoredPlan, first: date, last: date, *, least: int = K_PEOPLE
) -> list[FlowSum]:
    """Return the moves that `least` people made on a day, and on how many days fewer did; called in a `snapshot`."""
    found = _due(connection, stored, first, last)
    rows = connection.execute(
        # days that stand are added up here, those that have changed one by one
        "select from_zone, to_zone, case when day = any(%(due)s::date[]) then day end,"
        " coalesce(sum(moves) filter (where people >= %(least)s), 0)::bigint,"
        " coalesce(sum(people) filter (where people >= %(least)s), 0)::bigint,"
        " count(*) filter (where people < %(least)s), sum(moves)::bigint, sum(people)::bigint"
        "  from flow_rollup where store_no = %(store_no)s and day between %(first)s and %(last)s"
        "   and not day = any(%(stale)s::date[]) group by 1, 2, 3",
        {
            "due": sorted(found.days),
            "stale": sorted(found.stale),
            "least": least,
            "store_no": stored.store_no,
            "first": first,
            "last": last,
        },
    ).fetchall()
    sums: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    moving: dict[tuple[date, int, int], list[int]] = defaultdict(lambda: [0, 0])
    for one, other, day, *counts in rows:
        if day is None:
            sums[one, other] = counts[:3]
        else:
            moving[day, one, other] = counts[3:]
    for day in sorted(found.days):
        for one, other, moves, people in count_moves(connection, stored, day, changed=day in found.changed):
            moving[day, one, other][0] += moves
            moving[day, one, other][1] += people
    for (_, one, other), (moves, people) in moving.items():
        held = sums[one, other]
        if people >= least:
            held[0], held[1] = held[0] + moves, held[1] + people
        elif moves:
            held[2] += 1
    return [FlowSum(*pair, *counts) for pair, counts in sorted(sums.items()) if counts[0]]


_PATHS: Final[LiteralString] = """
with wanted as materialized (
    select distinct zones from path_rollup
     where store_no = %(store_no)s and day between %(first)s and %(last)s and people >= %(least)s
     union select array(select jsonb_array_elements_text(one)::smallint) from jsonb_array_elements(%(fresh)s) as one
)
select wanted.zones, path.* from wanted, lateral (
    -- days that stand are added up here, by the index of one path alone; those that have changed come one by one
    select null::date as day, sum(people) filter (where people >= %(least)s),
           count(*) filter (where people < %(least)s), null::bigint
      from path_rollup
     where store_no = %(store_no)s and zones = wanted.zones and day between %(first)s and %(last)s
       and not day = any(%(due)s::date[])
    union all
    select day, null, null, people from path_rollup
     where store_no = %(store_no)s and zones = wanted.zones and day between %(first)s and %(last)s
       and day = any(%(due)s::date[])) path
"""


def path_sums(
    connection: Connection, stored: StoredPlan, first: date, last: date, *, least: int = K_PEOPLE
) -> list[PathSum]:
    """Return the paths that `least` people took on a day, and on how many days fewer did."""
    found = _due(connection, stored, first, last)
    fresh = {
        (day, tuple(zones)): people
        for day in sorted(found.days)
        for zones, people in count_paths(connection, stored, day, changed=day in found.changed)
    }
    rows = connection.execute(
        _PATHS,
        {
            "store_no": stored.store_no,
            "first": first,
            "last": last,
            "least": least,
            "fresh": Jsonb([list(path) for _, path in fresh]),
            "due": sorted(found.days),
        },
    ).fetchall()
    people: Counter[tuple[int, ...]] = Counter()
    left_out: Counter[tuple[int, ...]] = Counter()
    moving: Counter[tuple[date, tuple[int, ...]]] = Counter(fresh)
    for zones, day, told, few, every in rows:
        path = tuple(zones)
        if day is None:
            people[path] += told or 0
            left_out[path] += few
        elif day not in found.stale:
            moving[day, path] += every
    for (_, path), count in moving.items():
        people[path] += count if count >= least else 0
        left_out[path] += 0 < count < least
    return [PathSum(path, count, left_out[path]) for path, count in sorted(people.items()) if count]


def crowd_hours(connection: Connection, stored: StoredPlan, first: date, last: date) -> list[CrowdHour]:
    """Return how many visitors were there at once in each hour from `first` to `last`; hours without anybody miss."""
    return once(("crowd", stored.store_no, first, last), lambda: _crowd_hours(connection, stored, first, last))


def _crowd_hours(connection: Connection, stored: StoredPlan, first: date, last: date) -> list[CrowdHour]:
    found = due(connection, stored, first - timedelta(days=1), last)
    hours = crowd_hours_due(connection, stored, found, first, last)
    fresh = {at for edges in hours.values() for at in edges[:-1]}
    rows = connection.execute(
        "select begins_at, mean, most from crowd_rollup where store_no = %s and begins_at >= %s and begins_at < %s",
        [stored.store_no, *range_of(stored, first, last)],
    ).fetchall()
    held = [CrowdHour(at.astimezone(UTC), mean, most) for at, mean, most in rows if at.astimezone(UTC) not in fresh]
    return sorted([*held, *crowd_of(connection, stored, hours)], key=lambda one: one.begins_at)


def covered_share(connection: Connection, stored: StoredPlan, first: date, last: date) -> float | None:
    """Return the share of anchors that worked over the days, None where that is not known."""
    query: LiteralString = (
        "select sum(share * covered_s) / nullif(sum(covered_s), 0) from coverage_hour"
        " where store_no = %s and begins_at >= %s and begins_at < %s"
    )
    values = [stored.store_no, *range_of(stored, first, last)]
    row = once(("covered", *values), lambda: connection.execute(query, values).fetchone())
    return None if row is None or row[0] is None else float(row[0])
