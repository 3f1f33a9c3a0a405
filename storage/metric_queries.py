"""What formulas are computed from: counted days and hours, moves, and visits where no count will do.

Days whose visits changed since they were counted are counted here from the visits, within the same snapshot.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from core.metrics.cells import Counted
from storage.connect import Connection
from storage.rollups import COUNT_MOVES, COUNT_VISITS, count_values, day_begins
from storage.stores import StoredPlan

PATH_ZONES: Final = 6
"""Zones of a path: longer ones are each taken by one or two people, and hidden."""
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
class PathRow:
    """A path of a day: zones in their order, and how many people took it."""

    day: date
    zones: tuple[int, ...]
    people: int


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """Let several queries see the same state of the database."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        yield


def due_days(connection: Connection, stored: StoredPlan, first: date, last: date) -> list[date]:
    """Return the days from `first` to `last` that have to be counted from visits."""
    rows = connection.execute(
        "select distinct (entered_at at time zone %s)::date from rollup_due"
        " where store_no = %s and entered_at >= %s and entered_at < %s",
        [stored.plan.timezone, stored.store_no, *_span(stored, first, last)],
    ).fetchall()
    frozen = connection.execute(
        "select day from rollup_frozen where store_no = %s and day between %s and %s", [stored.store_no, first, last]
    ).fetchall()
    return sorted({row[0] for row in rows} - {row[0] for row in frozen})


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
    due = due_days(connection, stored, first, last)
    rows = connection.execute(
        "select day, begins_at, scope, role, visits, people, dwell_ms, bins, counts from visit_rollup"
        " where store_no = %s and day between %s and %s and hourly = %s and scope = any(%s) and role = any(%s)"
        " and not day = any(%s::date[])",
        [stored.store_no, first, last, hourly, list(scopes), list(roles), due],
    ).fetchall()
    for day in due:
        rows += [
            (day, begins_at, scope, role, *counts)
            for begins_at, by_hour, scope, role, *counts in connection.execute(
                COUNT_VISITS, count_values(stored, day)
            ).fetchall()
            if by_hour == hourly and scope in scopes and role in roles
        ]
    found = [CountedRow(row[0], row[1], row[2], row[3], Counted(*row[4:])) for row in rows]
    return sorted(found, key=lambda row: (row.begins_at, row.scope, row.role))


def moves_rows(connection: Connection, stored: StoredPlan, first: date, last: date) -> list[MovesRow]:
    """Return the moves of each day from `first` to `last`; to be called in a `snapshot`."""
    due = due_days(connection, stored, first, last)
    rows = connection.execute(
        "select day, from_zone, to_zone, moves, people from flow_rollup"
        " where store_no = %s and day between %s and %s and not day = any(%s::date[])",
        [stored.store_no, first, last, due],
    ).fetchall()
    for day in due:
        counted = connection.execute(COUNT_MOVES, count_values(stored, day)).fetchall()
        rows += [(day, *row) for row in counted]
    return [MovesRow(*row) for row in sorted(rows)]


def store_spans(connection: Connection, stored: StoredPlan, first: date, last: date) -> tuple[list[int], list[int]]:
    """Return when visitors' store visits that overlap the days began and ended, µs since 1970."""
    begins, ends = _span(stored, first, last)
    rows = connection.execute(
        "select (extract(epoch from entered_at) * 1000000)::bigint, (extract(epoch from left_at) * 1000000)::bigint"
        "  from store_visit where store_no = %s and entered_at >= %s and entered_at < %s and left_at > %s"
        " and role = 0 and not withdrawn",
        # a visit of more than a day is no visitor's; the bound spares older chunks
        [stored.store_no, begins - timedelta(days=1), ends, begins],
    ).fetchall()
    return [row[0] for row in rows], [row[1] for row in rows]


def path_rows(connection: Connection, stored: StoredPlan, first: date, last: date) -> list[PathRow]:
    """Return which paths people took on each day; a zone that follows itself stands once."""
    values = count_values(stored, first)
    begins, ends = _span(stored, first, last)
    rows = connection.execute(
        "with stay as (select device, zone_no, entered_at, visit_id, (entered_at at time zone %(timezone)s)::date as"
        " day from zone_visit where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s"
        " and role = 0 and not withdrawn and not zone_no = any(%(outer)s)),"
        " step as (select *, lag(zone_no) over (partition by device, day order by entered_at, visit_id) as before"
        " from stay),"
        " path as (select day, device, (array_agg(zone_no order by entered_at, visit_id))[:%(most)s] as zones"
        " from step where before is distinct from zone_no group by day, device)"
        " select day, zones, count(*)::integer from path group by day, zones",
        values | {"begins": begins, "ends": ends, "most": PATH_ZONES},
    ).fetchall()
    return [PathRow(day, tuple(zones), people) for day, zones, people in rows]


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
