"""What formulas are computed from: counted days and hours, moves, and visits where no count will do.

Days whose visits changed since they were counted are counted here from the visits, within the same snapshot.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar

from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb

from core.metrics.cells import Counted
from core.metrics.disclosure import K_PEOPLE
from storage.connect import Connection
from storage.rollups.changes import Due, added_up, crowd_hours_due, crowd_of, due
from storage.rollups.counting import CrowdHour, count_cells, count_moves, count_paths
from storage.rollups.sources import day_begins
from storage.stores import StoredPlan

T = TypeVar("T")
RETURN_DAYS: Final = 90
"""Who was last there a quarter of a year ago is counted as new: one season of most shops."""


@dataclass(frozen=True)
class CountedRow:
    """A day or an hour of a zone, the store or its inside (see `storage.rollups`) for one role."""

    day: date
    begins_at: datetime
    scope: int
    role: int
    counted: Counted


@dataclass(frozen=True)
class MovesRow:
    """Moves from zone to zone of a day."""

    day: date
    from_zone: int
    to_zone: int
    moves: int
    people: int


@dataclass(frozen=True)
class PathSum:
    """A path: zones in their order, how many people took it on days when enough did, and on how many days few did."""

    zones: tuple[int, ...]
    people: int
    left_out: int


_SEEN: Final[ContextVar[dict[Any, Any] | None]] = ContextVar("seen", default=None)
"""What was counted of changes in the present snapshot: an answer is made of several queries over the same days."""


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """Let several queries see the same state of the database, and count what changed in it once."""
    lent = connection.info.transaction_status != TransactionStatus.IDLE
    with connection.transaction():
        if not lent:  # behind a pooler a connection is lent in such a transaction
            connection.execute("set transaction isolation level repeatable read")
        before = _SEEN.set({})
        try:
            yield
        finally:
            _SEEN.reset(before)


def _once(key: tuple[Any, ...], make: Callable[[], T]) -> T:
    """Return what `make` returns, made once in a snapshot."""
    seen = _SEEN.get()
    if seen is None:
        return make()
    if key not in seen:
        seen[key] = make()
    found: T = seen[key]
    return found


def _due(connection: Connection, stored: StoredPlan, first: date, last: date) -> Due:
    return _once(("due", stored.store_no, first, last), lambda: due(connection, stored, first, last))


def _fresh_cells(connection: Connection, stored: StoredPlan, day: date, *, changed: bool) -> list[tuple[Any, ...]]:
    return _once(("cells", stored.store_no, day), lambda: count_cells(connection, stored, day, changed=changed))


def counted_rows(
    connection: Connection,
    stored: StoredPlan,
    first: date,
    last: date,
    *,
    hourly: bool,
    scopes: Sequence[int],
    roles: Sequence[int],
) -> list[CountedRow]:
    """Return the days, or hours, from `first` to `last` in the order of time; those without a visit are left out.

    To be called in a `snapshot`.
    """
    found = _due(connection, stored, first, last)
    rows = connection.execute(
        "select day, begins_at, hourly, scope, role, visits, people, dwell_ms, bins, counts from visit_rollup"
        " where store_no = %s and day between %s and %s and hourly = %s and scope = any(%s) and role = any(%s)"
        " and not day = any(%s::date[])",
        [stored.store_no, first, last, hourly, list(scopes), list(roles), sorted(found.stale)],
        binary=True,  # arrays as text take twice as long to read
    ).fetchall()
    counted = [
        CountedRow(row[0], row[1], row[3], row[4], Counted(*row[5:])) for row in rows if row[0] not in found.days
    ]
    for day in sorted(found.days):
        fresh = [
            row
            for row in _fresh_cells(connection, stored, day, changed=day in found.changed)
            if row[1] == hourly and row[2] in scopes and row[3] in roles
        ]
        cells = added_up([row[1:] for row in rows if row[0] == day], fresh)
        counted += [CountedRow(day, key.begins_at, key.scope, key.role, one) for key, one in cells.items()]
    return sorted(counted, key=lambda row: (row.begins_at, row.scope, row.role))


def moves_rows(connection: Connection, stored: StoredPlan, first: date, last: date) -> list[MovesRow]:
    """Return the moves of each day from `first` to `last`; to be called in a `snapshot`."""
    found = _due(connection, stored, first, last)
    rows = connection.execute(
        "select day, from_zone, to_zone, moves, people from flow_rollup"
        " where store_no = %s and day between %s and %s and not day = any(%s::date[])",
        [stored.store_no, first, last, sorted(found.stale)],
    ).fetchall()
    sums: dict[tuple[date, int, int], tuple[int, int]] = {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}
    for day in sorted(found.days):
        for one, other, moves, people in count_moves(connection, stored, day, changed=day in found.changed):
            held = sums.get((day, one, other), (0, 0))
            sums[day, one, other] = (held[0] + moves, held[1] + people)
    return [MovesRow(*key, *counts) for key, counts in sorted(sums.items()) if counts[0]]


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
    span = [stored.store_no, first, last]
    rows = connection.execute(
        "with wanted as materialized (select distinct zones from path_rollup"
        " where store_no = %s and day between %s and %s and people >= %s"
        " union select array(select jsonb_array_elements_text(one)::smallint) from jsonb_array_elements(%s) as one)"
        # days that stand are added up here, those that have changed one by one
        " select zones, day, sum(people) filter (where people >= %s), count(*) filter (where people < %s),"
        " sum(people)"
        "  from (select wanted.zones, path.people, case when day = any(%s::date[]) then day end as day"
        "    from wanted, lateral (select day, people from path_rollup where store_no = %s and zones = wanted.zones"
        "      and day between %s and %s offset 0) path) each group by zones, day",
        [*span, least, Jsonb([list(path) for _, path in fresh]), least, least, sorted(found.days), *span],
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
    found = due(connection, stored, first - timedelta(days=1), last)
    hours = crowd_hours_due(connection, stored, found, first, last)
    fresh = {at for edges in hours.values() for at in edges[:-1]}
    rows = connection.execute(
        "select begins_at, mean, most from crowd_rollup where store_no = %s and begins_at >= %s and begins_at < %s",
        [stored.store_no, *_span(stored, first, last)],
    ).fetchall()
    held = [CrowdHour(at.astimezone(UTC), mean, most) for at, mean, most in rows if at.astimezone(UTC) not in fresh]
    return sorted([*held, *crowd_of(connection, stored, hours)], key=lambda one: one.begins_at)


def returning_rows(
    connection: Connection, stored: StoredPlan, first: date, last: date
) -> list[tuple[date, int, int]]:
    """Return of each day how many profiles visited, and how many of them had on another day of RETURN_DAYS before.

    Only profiles whose consent holds: the view `profile_device` has no others.
    """
    begins, ends = _span(stored, first, last)
    return connection.execute(
        "with visit as (select distinct link.profile_id, (entered_at at time zone %(timezone)s)::date as day"
        "  from store_visit join profile_device link using (device)"
        " where store_no = %(store_no)s and entered_at >= %(looks_back)s and entered_at < %(ends)s"
        "   and entered_at >= link.valid_from and entered_at < link.valid_to and role = 0 and not withdrawn),"
        " known as (select day, lag(day) over (partition by profile_id order by day) as before from visit)"
        " select day, count(*)::integer, (count(*) filter (where day - before <= %(days)s))::integer from known"
        " where day >= %(first)s group by day order by day",
        {
            "timezone": stored.plan.timezone,
            "store_no": stored.store_no,
            "looks_back": begins - timedelta(days=RETURN_DAYS + 1),
            "ends": ends,
            "days": RETURN_DAYS,
            "first": first,
        },
    ).fetchall()


def elsewhere_rows(
    connection: Connection, stored: StoredPlan, first: date, last: date
) -> list[tuple[date, int, int]]:
    """Return of each day how many profiles visited, and how many had been in another store.

    On that day or RETURN_DAYS before; only profiles whose consent holds.
    """
    begins, ends = _span(stored, first, last)
    return connection.execute(
        "with visit as (select distinct link.profile_id, (entered_at at time zone %(timezone)s)::date as day"
        "  from store_visit join profile_device link using (device)"
        " where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s"
        "   and entered_at >= link.valid_from and entered_at < link.valid_to and role = 0 and not withdrawn)"
        " select day, count(*)::integer, (count(*) filter (where exists ("
        "   select from store_visit other join profile_device link using (device)"
        "    where link.profile_id = visit.profile_id and other.store_no <> %(store_no)s and role = 0"
        "      and not withdrawn"
        "      and entered_at >= link.valid_from and entered_at < link.valid_to"
        "      and (entered_at at time zone %(timezone)s)::date between day - %(days)s and day"
        "      and entered_at >= %(looks_back)s and entered_at < %(ends)s)))::integer"
        " from visit group by day order by day",
        {
            "timezone": stored.plan.timezone,
            "store_no": stored.store_no,
            "looks_back": begins - timedelta(days=RETURN_DAYS + 1),
            "begins": begins,
            "ends": ends,
            "days": RETURN_DAYS,
        },
    ).fetchall()


def covered_share(connection: Connection, stored: StoredPlan, first: date, last: date) -> float | None:
    """Return the share of anchors that worked over the days, None where that is not known."""
    row = connection.execute(
        "select sum(share * covered_s) / nullif(sum(covered_s), 0) from coverage_hour"
        " where store_no = %s and begins_at >= %s and begins_at < %s",
        [stored.store_no, *_span(stored, first, last)],
    ).fetchone()
    return None if row is None or row[0] is None else float(row[0])


def _span(stored: StoredPlan, first: date, last: date) -> tuple[datetime, datetime]:
    timezone = stored.plan.timezone
    return day_begins(first, timezone), day_begins(last + timedelta(days=1), timezone)
