"""Visits counted by day and hour, kept equal to the visits whatever is written, corrected or withdrawn.

Triggers mark each visit that changes (`rollup_due`), whoever changes it, in the same transaction. A day with a mark
is counted again by `refresh`; until then `storage.metric_queries` counts it from its visits, so that answers never
wait for a refresh and never differ from the visits.
"""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Final, LiteralString
from zoneinfo import ZoneInfo

from psycopg import sql

from core.metrics.bins import EDGES_S
from core.metrics.disclosure import K_PEOPLE
from storage.connect import Connection, in_transaction
from storage.stores import StoredPlan, load_plans

STORE_SCOPE: Final = -1
"""In `scope`: the store visits."""
INSIDE_SCOPE: Final = -2
"""In `scope`: stays in zones that are neither entrance nor staff only."""
FLOW_GAP_S: Final = 900
"""Two stays further apart than a quarter of an hour are no move from one to the other: whoever was gone so long left
the store in between or was not heard."""
_LOCK: Final = 0x726F6C6C  # "roll" in ASCII; the second half of the key is the store
_OUTSIDE_KINDS: Final = {"entrance", "staff_only"}

COUNT_VISITS: Final[LiteralString] = """
with stay as materialized (
    select zone_no as scope, role, device, entered_at, dwell_s from zone_visit
     where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s and not withdrawn
    union all
    select -1, role, device, entered_at, dwell_s from store_visit
     where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s and not withdrawn
), scoped as (
    select scope, role, device, entered_at, dwell_s from stay
    union all
    select -2, role, device, entered_at, dwell_s from stay where scope = any(%(inside)s)
), placed as (
    select false as hourly, %(begins)s::timestamptz as begins_at, scope, role, device, dwell_s from scoped
    union all
    -- not date_trunc with a time zone: it makes one hour of the two that are called the same when clocks go back
    select true, entered_at - (shown.at - date_trunc('hour', shown.at)), scope, role, device, dwell_s
      from scoped, lateral (select entered_at at time zone %(timezone)s as at) shown
), binned as (
    select hourly, begins_at, scope, role,
           (greatest(width_bucket(dwell_s, %(edges)s::float8[]), 1) - 1)::smallint as bin,
           count(*)::integer as visits, sum(round(dwell_s * 1000)::bigint)::bigint as dwell_ms
      from placed group by 1, 2, 3, 4, 5
), peopled as (
    select hourly, begins_at, scope, role, count(distinct device)::integer as people from placed group by 1, 2, 3, 4
)
select begins_at, hourly, scope::smallint, role, sum(visits)::integer as visits, min(people) as people,
       sum(dwell_ms)::bigint as dwell_ms, array_agg(bin order by bin) as bins,
       array_agg(visits order by bin) as counts
  from binned join peopled using (hourly, begins_at, scope, role) group by begins_at, hourly, scope, role
"""
COUNT_MOVES: Final[LiteralString] = """
with stay as (
    select device, zone_no, left_at,
           lead(zone_no) over following as to_zone, lead(entered_at) over following as next_at
      from zone_visit
     where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s and not withdrawn
       and role = 0 and not zone_no = any(%(outer)s)
    window following as (partition by device order by entered_at, visit_id)
)
select zone_no as from_zone, to_zone, count(*)::integer as moves, count(distinct device)::integer as people
  from stay
 where to_zone <> zone_no and next_at - left_at <= make_interval(secs => %(gap_s)s)
 group by zone_no, to_zone
"""


def day_begins(day: date, timezone: str) -> datetime:
    """Return the first instant of a day on the clocks of a time zone."""
    return datetime.combine(day, time(), ZoneInfo(timezone))


def count_values(stored: StoredPlan, day: date) -> dict[str, Any]:
    """Return what COUNT_VISITS and COUNT_MOVES ask for."""
    plan = stored.plan
    outer = {place for around in plan.around for place in around}
    return {
        "store_no": stored.store_no,
        "begins": day_begins(day, plan.timezone),
        "ends": day_begins(day + timedelta(days=1), plan.timezone),
        "timezone": plan.timezone,
        "edges": list(EDGES_S),
        "inside": [place for place, zone in enumerate(plan.zones) if zone.kind not in _OUTSIDE_KINDS],
        "outer": sorted(outer),
        "gap_s": FLOW_GAP_S,
    }


def refresh(connection: Connection, *, most_days: int) -> int:
    """Count days again that visits changed in; return how many, at most `most_days`.

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
        row = connection.execute(
            "select store.id, (entered_at at time zone timezone)::date from rollup_due join store using (store_no)"
            " limit 1"
        ).fetchone()
        if row is None:
            break
        store, day = row
        stored = load_plans(connection, [store])[0]
        if not in_transaction(connection, partial(_count_day, stored=stored, day=day)):
            break  # somebody else is at this store
        done += 1
    return done


def freeze(connection: Connection, devices: Sequence[bytes]) -> int:
    """Let the counts of the days on which these devices visited stand, before an erasure removes the visits.

    Whoever compares the figures of a day before and after an erasure would else see who was erased, where and how
    long. What stands are counts of at least K_PEOPLE people; smaller ones are blanked. The running day is not frozen:
    its figures change all the time. For the rest of the transaction removed visits mark no day.

    Parameters
    ----------
    connection : Connection
        In the transaction of the erasure.
    devices : sequence of bytes
        Pseudonyms.

    Returns
    -------
    int
        Days that were frozen now.
    """
    rows = connection.execute(
        "select distinct store.id, (visit.entered_at at time zone store.timezone)::date from ("
        " select store_no, entered_at from zone_visit where device = any(%(devices)s::uuid[])"
        " union all select store_no, entered_at from store_visit where device = any(%(devices)s::uuid[])) visit"
        " join store using (store_no)"
        " where (visit.entered_at at time zone store.timezone)::date < (now() at time zone store.timezone)::date",
        {"devices": [device.hex() for device in devices]},
    ).fetchall()
    frozen = 0
    for store, day in rows:
        stored = load_plans(connection, [store])[0]
        key = [stored.store_no, day]
        connection.execute("select pg_advisory_xact_lock(%s, %s)", [_LOCK, stored.store_no])
        _take_marks(connection, stored, day)
        if not _is_frozen(connection, stored.store_no, day):
            _write_day(connection, stored, day)
            connection.execute("insert into rollup_frozen (store_no, day) values (%s, %s)", key)
            # one person stands for "somebody": the cell stays one that is not told
            connection.execute(
                "update visit_rollup set people = 1, visits = 1, dwell_ms = 0, bins = '{0}', counts = '{1}'"
                " where store_no = %s and day = %s and people < %s",
                [*key, K_PEOPLE],
            )
            connection.execute(
                "delete from flow_rollup where store_no = %s and day = %s and people < %s", [*key, K_PEOPLE]
            )
            frozen += 1
    connection.execute("set local sojourn.erasing = 'on'")
    return frozen


def _count_day(connection: Connection, stored: StoredPlan, day: date) -> bool:
    locked = connection.execute("select pg_try_advisory_xact_lock(%s, %s)", [_LOCK, stored.store_no]).fetchone()
    if locked != (True,):
        return False
    # the marks go first: each later statement sees what was committed before it, so every visit whose mark went
    _take_marks(connection, stored, day)
    if not _is_frozen(connection, stored.store_no, day):
        _write_day(connection, stored, day)
    return True


def _take_marks(connection: Connection, stored: StoredPlan, day: date) -> None:
    connection.execute(
        "delete from rollup_due where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s",
        count_values(stored, day),
    )


def _is_frozen(connection: Connection, store_no: int, day: date) -> bool:
    found = connection.execute(
        "select from rollup_frozen where store_no = %s and day = %s", [store_no, day]
    ).fetchone()
    return found is not None


def _write_day(connection: Connection, stored: StoredPlan, day: date) -> None:
    values = count_values(stored, day) | {"day": day}
    for table, columns, count in (
        (
            "visit_rollup",
            ("begins_at", "hourly", "scope", "role", "visits", "people", "dwell_ms", "bins", "counts"),
            COUNT_VISITS,
        ),
        ("flow_rollup", ("from_zone", "to_zone", "moves", "people"), COUNT_MOVES),
    ):
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        connection.execute(
            sql.SQL("delete from {} where store_no = %(store_no)s and day = %(day)s").format(sql.Identifier(table)),
            values,
        )
        connection.execute(
            sql.SQL(
                "insert into {} (store_no, day, {names}) select %(store_no)s, %(day)s, {names} from ({}) counted"
            ).format(sql.Identifier(table), sql.SQL(count), names=names),
            values,
        )
