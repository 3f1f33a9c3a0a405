"""The days of those whose visit to the store is over: what shares of the running day are made of.

A stay in a zone counts as soon as it has ended, a visit to the store only once the person has left. So on the running
day stays and visits are of different people; a share of one in the other is of those who have left.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from storage.connect import Connection
from storage.metric_queries import CountedRow, counted_rows
from storage.one_state import once
from storage.rollups.changes import CellKey, added_up, frozen_days
from storage.rollups.counting import count_cells_under_way
from storage.rollups.sources import day_begins
from storage.rollups.there import DEPARTURE_S, TimeThere, time_there
from storage.stores import StoredPlan


def rows_of_those_gone(
    connection: Connection,
    stored: StoredPlan,
    first: date,
    last: date,
    *,
    scopes: Sequence[int],
    roles: Sequence[int],
) -> list[CountedRow]:
    """Return days as `counted_rows` does, without bins, and without anybody who has not left the store yet.

    To be called in a `snapshot`.
    """
    rows = counted_rows(connection, stored, first, last, hourly=False, scopes=scopes, roles=roles, bins=False)
    newest = _newest(connection, stored)
    if newest is None or newest < day_begins(first, stored.plan.timezone):
        return rows
    there = time_there(connection, stored.store_no)
    since = min([newest - timedelta(seconds=DEPARTURE_S), *([] if there is None else [there.since])])
    timezone = ZoneInfo(stored.plan.timezone)
    begin, end = (at.astimezone(timezone).date() for at in (since, newest))
    days = [day for day in sorted({max(begin, end - timedelta(days=1)), end}) if first <= day <= last]
    for day in days:
        if day not in frozen_days(connection, stored, day, day):
            rows = _without(rows, day, _cells_under_way(connection, stored, day, newest, there))
    return rows


def _newest(connection: Connection, stored: StoredPlan) -> datetime | None:
    """Return when the newest stay in a zone ended."""

    def read() -> datetime | None:
        row = connection.execute(
            "select max(left_at) from zone_visit where store_no = %s", [stored.store_no]
        ).fetchone()
        return None if row is None else row[0]

    return once(("newest stay", stored.store_no), read)


def _cells_under_way(
    connection: Connection, stored: StoredPlan, day: date, newest: datetime, there: TimeThere | None
) -> dict[CellKey, tuple[int, int, int]]:
    """Return visits, people and dwell_ms of those who are still there, by cell."""

    def count() -> dict[CellKey, tuple[int, int, int]]:
        cells = added_up(count_cells_under_way(connection, stored, day, newest, there))
        return {key: (one.visits, one.people, one.dwell_ms) for key, one in cells.items()}

    return once(("under way", stored.store_no, day), count)


def _without(rows: list[CountedRow], day: date, cells: dict[CellKey, tuple[int, int, int]]) -> list[CountedRow]:
    found = []
    for row in rows:
        visits, people, dwell_ms = cells.get(
            CellKey(False, row.scope, row.role, row.begins_at.astimezone(UTC)), (0, 0, 0)
        )
        if row.day != day or not visits:
            found.append(row)
        elif row.counted.visits > visits:
            counted = replace(
                row.counted,
                visits=row.counted.visits - visits,
                people=row.counted.people - people,
                dwell_ms=row.counted.dwell_ms - dwell_ms,
            )
            found.append(replace(row, counted=counted))
    return found
