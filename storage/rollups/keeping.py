"""The stored counts are brought up to date with the visits, or frozen."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final, LiteralString

from core.metrics.cells import Counted
from core.metrics.disclosure import K_PEOPLE
from storage.connect import Connection, in_transaction
from storage.rollups.changes import CellKey, Due, added_up, crowd_hours_due, crowd_of, frozen_days, told
from storage.rollups.counting import count_cells, count_moves, count_paths
from storage.rollups.sources import day_span
from storage.stores import StoredPlan, load_plans

_LOCK: Final = 0x726F6C6C  # "roll" in ASCII; the second half of the key is the store
_DUE: Final[LiteralString] = """
select store.id, day from (
    select store_no, day, 0 as after from rollup_stale
    union all
    -- the newest change of each store is today's: that day comes first, whatever a bulk import left to do
    (select change.store_no, (max(entered_at) at time zone timezone)::date, -1
       from rollup_change change join store using (store_no) group by change.store_no, timezone)
    union all
    (select change.store_no, (min(entered_at) at time zone timezone)::date, 1
       from rollup_change change join store using (store_no) group by change.store_no, timezone)
) waiting join store using (store_no) order by after, day desc limit 1
"""
_WRITE_CELL: Final[LiteralString] = (
    "insert into visit_rollup (store_no, day, hourly, scope, role, begins_at, visits, people, dwell_ms, bins, counts,"
    " told) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    " on conflict (store_no, day, hourly, scope, role, begins_at) do update set visits = excluded.visits,"
    " people = excluded.people, dwell_ms = excluded.dwell_ms, bins = excluded.bins, counts = excluded.counts,"
    " told = excluded.told"
)
_TABLES: Final[tuple[LiteralString, ...]] = ("visit_rollup", "flow_rollup", "path_rollup", "crowd_rollup")


def waiting(connection: Connection) -> bool:
    """Return whether any count is behind its visits."""
    row = connection.execute("select exists (select from rollup_change) or exists (select from rollup_stale)")
    return row.fetchone() == (True,)


def refresh(connection: Connection, *, most_days: int) -> int:
    """Bring days up to date, the newest first; return how many, at most `most_days`.

    What changed is added to what is counted, so this takes as long as there are changes, not visits; only a day that
    is stale (`rollup_stale`) is counted as a whole, about a second for 100,000 visits.

    Parameters
    ----------
    connection : Connection
        Not in a transaction: each day is one of its own.
    most_days : int

    Raises
    ------
    UnavailableError
        If the database is away.
    """
    done = 0
    while done < most_days:
        row = connection.execute(_DUE).fetchone()
        if row is None:
            break
        store, day = row
        stored = load_plans(connection, [store])[0]
        key = [_LOCK, stored.store_no]
        # taken before the transaction: its snapshot must be younger than the last refresh
        if connection.execute("select pg_try_advisory_lock(%s, %s)", key).fetchone() != (True,):
            break  # somebody else is at this store
        try:
            in_transaction(connection, partial(_bring_up, stored=stored, day=day))
        finally:
            with suppress(Exception):  # a connection that is gone holds no lock
                connection.execute("select pg_advisory_unlock(%s, %s)", key)
        done += 1
    return done


def freeze(connection: Connection, devices: Sequence[bytes], *, most_days: int | None = None) -> int:
    """Let the counts of the days on which these devices visited stand, before an erasure removes the visits.

    Whoever compares the figures of a day before and after an erasure would else see who was erased, where and how
    long. What stands are counts of at least K_PEOPLE people; smaller ones are blanked. The running day is not frozen
    but counted anew: its figures change all the time. For the rest of the transaction removed visits mark no day.

    Parameters
    ----------
    connection : Connection
        In the transaction of the erasure.
    devices : sequence of bytes
        Pseudonyms.
    most_days : int, optional
        At most so many; as many as that were frozen may mean that there are more.

    Returns
    -------
    int
        Days that were frozen now.
    """
    names = [device.hex() for device in devices]
    rows = connection.execute(
        "select distinct store.id, day, day < (now() at time zone store.timezone)::date from ("
        " select store_no, (entered_at at time zone timezone)::date as day"
        "   from zone_visit join store using (store_no)  where device = any(%(devices)s::uuid[])"
        " union all select store_no, generate_series((entered_at at time zone timezone)::date,"
        "   (left_at at time zone timezone)::date, '1 day')::date from store_visit join store using (store_no)"
        "  where device = any(%(devices)s::uuid[])) visit join store using (store_no) order by 1, 2",
        {"devices": names},
    ).fetchall()
    frozen = 0
    for store, day, is_past in rows:
        if most_days is not None and frozen >= most_days:
            return frozen
        stored = load_plans(connection, [store])[0]
        key = [stored.store_no, day]
        connection.execute("select pg_advisory_xact_lock(%s, %s)", [_LOCK, stored.store_no])
        if not is_past:
            connection.execute("insert into rollup_stale values (%s, %s) on conflict do nothing", key)
        elif day not in frozen_days(connection, stored, day, day):
            _count_whole(connection, stored, day)
            _blank_small(connection, stored.store_no, [day])
            connection.execute("insert into rollup_frozen (store_no, day) values (%s, %s)", key)
            frozen += 1
    connection.execute("delete from rollup_change where device = any(%s::uuid[])", [names])
    connection.execute("set local sojourn.erasing = 'on'")
    return frozen


def freeze_until(connection: Connection, before: datetime) -> None:
    """Let the counts of days up to `before` stand, as their visits go for their age; small ones are blanked.

    What few people did is kept no longer than their visits: the way of one of them through a store, with its day,
    would be a person to whoever knows of a receipt or a note of that day. In a transaction.
    """
    rows = connection.execute(
        "select distinct store_no, day from visit_rollup join store using (store_no)"
        " where not hourly and day <= (%(before)s at time zone timezone)::date and not exists (select from"
        " rollup_frozen stands where stands.store_no = store.store_no and stands.day = visit_rollup.day)",
        {"before": before},
    ).fetchall()
    for store_no in sorted({row[0] for row in rows}):
        days = [day for one, day in rows if one == store_no]
        connection.execute("select pg_advisory_xact_lock(%s, %s)", [_LOCK, store_no])
        _blank_small(connection, store_no, days)
        connection.execute(
            "insert into rollup_frozen (store_no, day) select %s, unnest(%s::date[]) on conflict do nothing",
            [store_no, days],
        )


def _blank_small(connection: Connection, store_no: int, days: Sequence[date]) -> None:
    key = [store_no, list(days)]
    # one person stands for "somebody": the cell stays one that is not told
    connection.execute(
        "update visit_rollup set people = 1, visits = 1, dwell_ms = 0, bins = '{0}', counts = '{1}'"
        " where store_no = %s and day = any(%s) and people < %s",
        [*key, K_PEOPLE],
    )
    # so do moves: that some are hidden is told, and stays so; of paths the people of the day tell it
    connection.execute(
        "update flow_rollup set people = 1, moves = 1 where store_no = %s and day = any(%s) and people < %s",
        [*key, K_PEOPLE],
    )
    connection.execute(
        "delete from path_rollup where store_no = %s and day = any(%s) and people < %s", [*key, K_PEOPLE]
    )


def _bring_up(connection: Connection, stored: StoredPlan, day: date) -> None:
    connection.execute("set transaction isolation level repeatable read")
    connection.execute("set local work_mem = '64MB'")  # a day of 100,000 visits is sorted without files
    key = [stored.store_no, day]
    if day in frozen_days(connection, stored, day, day):
        _forget_changes(connection, stored, day)
        return
    is_stale = connection.execute("delete from rollup_stale where store_no = %s and day = %s", key).rowcount > 0
    found = Due(frozenset({day}), frozenset()) if is_stale else Due(frozenset(), frozenset({day}))
    if is_stale:
        _count_whole(connection, stored, day)
    else:
        _add_changes(connection, stored, day)
        hours = crowd_hours_due(connection, stored, found, day, day + timedelta(days=1))
        _write_crowd(connection, stored, hours)
    _forget_changes(connection, stored, day)


def _count_whole(connection: Connection, stored: StoredPlan, day: date) -> None:
    key = [stored.store_no, day]
    for table in _TABLES:
        statement: LiteralString = f"delete from {table} where store_no = %s and day = %s"
        connection.execute(statement, key)
    _write_cells(connection, stored, day, {}, added_up(count_cells(connection, stored, day, changed=False)))
    _add_moves(connection, stored, day, changed=False)
    _add_paths(connection, stored, day, changed=False)
    hours = crowd_hours_due(connection, stored, Due(frozenset({day}), frozenset()), day, day)
    _write_crowd(connection, stored, hours)


def _add_changes(connection: Connection, stored: StoredPlan, day: date) -> None:
    rows = connection.execute(
        "select begins_at, hourly, scope, role, visits, people, dwell_ms, bins, counts from visit_rollup"
        " where store_no = %s and day = %s",
        [stored.store_no, day],
    ).fetchall()
    after = added_up(rows, count_cells(connection, stored, day, changed=True))
    _write_cells(connection, stored, day, added_up(rows), after)
    _add_moves(connection, stored, day, changed=True)
    _add_paths(connection, stored, day, changed=True)


def _write_cells(
    connection: Connection,
    stored: StoredPlan,
    day: date,
    before: dict[CellKey, Counted],
    after: dict[CellKey, Counted],
) -> None:
    was_told, is_told = told(before), told(after)
    with connection.cursor() as cursor:
        cursor.executemany(
            _WRITE_CELL,
            [
                (
                    stored.store_no, day, key.hourly, key.scope, key.role, key.begins_at, one.visits, one.people,
                    one.dwell_ms, list(one.bins), list(one.counts), is_told[key],
                )
                for key, one in after.items()
                if before.get(key) != one or was_told[key] != is_told[key]
            ],
        )  # fmt: skip
        cursor.executemany(
            "delete from visit_rollup where store_no = %s and day = %s and hourly = %s and scope = %s and role = %s"
            " and begins_at = %s",
            [
                (stored.store_no, day, key.hourly, key.scope, key.role, key.begins_at)
                for key in before.keys() - after.keys()
            ],
        )


def _add_moves(connection: Connection, stored: StoredPlan, day: date, *, changed: bool) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into flow_rollup (store_no, day, from_zone, to_zone, moves, people)"
            " values (%s, %s, %s, %s, %s, %s)"
            " on conflict (store_no, day, from_zone, to_zone) do update"
            " set moves = flow_rollup.moves + excluded.moves, people = flow_rollup.people + excluded.people",
            [(stored.store_no, day, *row) for row in count_moves(connection, stored, day, changed=changed)],
        )
    connection.execute(
        "delete from flow_rollup where store_no = %s and day = %s and moves = 0", [stored.store_no, day]
    )


def _add_paths(connection: Connection, stored: StoredPlan, day: date, *, changed: bool) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into path_rollup (store_no, day, zones, people) values (%s, %s, %s, %s)"
            " on conflict (store_no, day, zones) do update set people = path_rollup.people + excluded.people",
            [(stored.store_no, day, *row) for row in count_paths(connection, stored, day, changed=changed)],
        )
    connection.execute(
        "delete from path_rollup where store_no = %s and day = %s and people = 0", [stored.store_no, day]
    )


def _write_crowd(connection: Connection, stored: StoredPlan, hours: dict[date, list[datetime]]) -> None:
    for day, edges in hours.items():
        connection.execute(
            "delete from crowd_rollup where store_no = %s and begins_at >= %s and begins_at < %s",
            [stored.store_no, edges[0], edges[-1]],
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into crowd_rollup (store_no, day, begins_at, mean, most) values (%s, %s, %s, %s, %s)",
                [
                    (stored.store_no, day, one.begins_at, one.mean, one.most)
                    for one in crowd_of(connection, stored, {day: edges})
                ],
            )


def _forget_changes(connection: Connection, stored: StoredPlan, day: date) -> None:
    connection.execute(
        "delete from rollup_change"
        " where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s",
        day_span(stored, day),
    )
