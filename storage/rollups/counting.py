"""The counts of a day in SQL: cells of visits, moves, paths, and how many were there at once.

Each is written once, over `counted` (see `storage.rollups.sources`): of a whole day it gives the counts themselves,
of what changed it gives what is to be added to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, LiteralString

import numpy as np

from core.metrics.crowd import occupancy
from storage.connect import Connection
from storage.int_arrays import numpy_cursor
from storage.rollups.sources import SOURCES, UNDER_WAY, count_values
from storage.rollups.there import GONE, NOBODY, THERE, TimeThere, TimeUnderWay
from storage.stores import StoredPlan

STORE_SCOPE: Final = -1
"""In `scope`: the store visits."""
INSIDE_SCOPE: Final = -2
"""In `scope`: stays in zones that are neither entrance nor staff only."""
CONVERTED_SCOPE: Final = -100
"""In `scope`, less the number of a zone: stays there by people who had one at a checkout later that day."""

_CELLS: Final[LiteralString] = """
, onward as (
    select *, max(entered_at) filter (where scope = any(%(tills)s)) over (partition by side, device) as till_at
      from counted
), scoped as (
    select side, scope, role, device, entered_at, dwell_s from onward
    union all
    select side, -2, role, device, entered_at, dwell_s from onward where scope = any(%(inside)s)
    union all
    select side, -100 - scope, role, device, entered_at, dwell_s from onward
     where scope >= 0 and role = 0 and till_at > entered_at
), placed as (
    select false as hourly, %(begins)s::timestamptz as begins_at, side, scope, role, device, dwell_s from scoped
    union all
    -- not date_trunc with a time zone: it makes one hour of the two that are called the same when clocks go back; an
    -- hour begins where they change as well (storage.rollups.sources.hour_begins)
    select true, case when entered_at >= %(changed_at)s::timestamptz then greatest(full_hour, %(changed_at)s)
                      else full_hour end, side, scope, role, device, dwell_s
      from scoped, lateral (select entered_at - (shown.at - date_trunc('hour', shown.at)) as full_hour
                              from (select entered_at at time zone %(timezone)s as at) shown) clock
     where scope > -100
), binned as (
    select hourly, begins_at, scope, role,
           (greatest(width_bucket(dwell_s, %(edges)s::float8[]), 1) - 1)::smallint as bin,
           sum(side)::integer as visits, sum(side * round(dwell_s * 1000)::bigint)::bigint as dwell_ms
      from placed group by 1, 2, 3, 4, 5
), peopled as (
    select hourly, begins_at, scope, role, sum(side)::integer as people
      from (select distinct hourly, begins_at, scope, role, side, device from placed) person group by 1, 2, 3, 4
)
select begins_at, hourly, scope::smallint, role, sum(visits)::integer as visits, min(people) as people,
       sum(dwell_ms)::bigint as dwell_ms, array_agg(bin order by bin) as bins,
       array_agg(visits order by bin) as counts
  from binned join peopled using (hourly, begins_at, scope, role) group by begins_at, hourly, scope, role
"""
_MOVES: Final[LiteralString] = """
, step as (
    select side, device, scope, left_at,
           lead(scope) over following as to_zone, lead(entered_at) over following as next_at
      from counted where scope >= 0 and role = 0 and not scope = any(%(outer)s)
    window following as (partition by side, device order by entered_at, visit_id)
)
select scope::smallint as from_zone, to_zone::smallint, sum(side)::integer as moves,
       (count(distinct device) filter (where side = 1) - count(distinct device) filter (where side = -1))::integer
       as people
  from step
 where to_zone <> scope and next_at - left_at <= make_interval(secs => %(gap_s)s)
 group by scope, to_zone
"""
_PATHS: Final[LiteralString] = """
, step as (
    select side, device, scope, entered_at, visit_id,
           lag(scope) over (partition by side, device order by entered_at, visit_id) as before
      from counted where scope >= 0 and role = 0 and not scope = any(%(outer)s)
), path as (
    select side, device, (array_agg(scope::smallint order by entered_at, visit_id))[:%(path_zones)s] as zones
      from step where before is distinct from scope group by side, device
)
select zones, sum(side)::integer as people from path group by zones having sum(side) <> 0
"""
# visits that overlap the hours, each counted by what its device did on the day on which it began
_SPANS: Final[LiteralString] = """
, near as materialized (
    select device, entered_at, left_at, dwell_s, role, (entered_at at time zone %(timezone)s)::date as day
      from store_visit where store_no = %(store_no)s and left_at > %(begins)s
       -- a visit of more than a day is no visitor's; the bound spares older chunks
       and entered_at >= %(begins)s - interval '1 day' and entered_at < %(ends)s and not withdrawn
    union all
    select device, arrived_at, least(until, %(known)s), extract(epoch from until - arrived_at)::float8, 0,
           (arrived_at at time zone %(timezone)s)::date
      from (select device, arrived_at, until from there union all select device, arrived_at, until from gone) visit
     where least(until, %(known)s) > greatest(%(begins)s, arrived_at) and arrived_at < %(ends)s
       and extract(epoch from until - arrived_at) < %(long_stay_s)s
), left_out as materialized (
    -- by the devices alone, as an array: a join with them has been a loop that looked at the whole array for each
    select device, (entered_at at time zone %(timezone)s)::date as day
      from (select device, entered_at, dwell_s from store_visit
             where store_no = %(store_no)s and not withdrawn and device = any(array(select distinct device from near))
               and entered_at >= %(begins)s - interval '2 days' and entered_at < %(ends)s + interval '1 day'
            union all
            select device, arrived_at, extract(epoch from until - arrived_at)::float8 from gone) visit
     group by 1, 2 having max(dwell_s) >= %(long_stay_s)s or max(dwell_s) < %(passer_by_s)s
    union all
    select device, (entered_at at time zone %(timezone)s)::date as day from zone_visit
     where store_no = %(store_no)s and zone_no = any(%(staff_zones)s) and not withdrawn
       and device = any(array(select distinct device from near))
       and entered_at >= %(begins)s - interval '2 days' and entered_at < %(ends)s + interval '1 day'
     group by 1, 2 having sum(dwell_s) >= %(staff_zone_s)s
)
select coalesce(array_agg((extract(epoch from entered_at) * 1000000)::bigint), '{}'),
       coalesce(array_agg((extract(epoch from left_at) * 1000000)::bigint), '{}')
  from near, lateral (select (extract(hour from local) * 60 + extract(minute from local))::integer as minute,
                       extract(isodow from local)::integer as weekday
                  from (select near.entered_at at time zone %(timezone)s as local) clock) shown
 where not (role = 1 and %(fixtures)s) and not (role = 2 and %(staff)s)
   -- a hashed list, whatever the planner expects: as a join it has been a loop over both
   and (device, day) not in (select device, day from left_out)
   and (not %(has_hours)s or coalesce(shown.minute >= (%(opens)s::integer[])[shown.weekday]
                                      and shown.minute < (%(closes)s::integer[])[shown.weekday], false))
"""
_NOT_GONE: Final[LiteralString] = "gone as materialized (" + NOBODY + ")"
SPANS: Final[dict[bool, LiteralString]] = {
    anybody: "with there as materialized ("
    + (THERE + "), " + GONE if anybody else NOBODY + "), " + _NOT_GONE)
    + _SPANS
    for anybody in (False, True)
}
"""True: with those who are there now, and who left so lately that it is not written yet."""
_TOUCHED_HOURS: Final[LiteralString] = (
    "select min(entered_at), max(left_at) from counted where scope = -1 or scope = any(%(staff_zones)s)"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_US: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class CrowdHour:
    """How many visitors were there at once in an hour of the store's clocks."""

    begins_at: datetime
    mean: float
    most: int


def count_cells(connection: Connection, stored: StoredPlan, day: date, *, changed: bool) -> list[tuple[Any, ...]]:
    """Return the cells of a day, or (`changed`) what is to be added to each.

    Rows are (begins_at, hourly, scope, role, visits, people, dwell_ms, bins, counts).
    """
    statement: LiteralString = SOURCES[changed] + _CELLS
    return connection.execute(statement, count_values(connection, stored, day)).fetchall()


def count_cells_under_way(
    connection: Connection, stored: StoredPlan, day: date, newest: datetime, there: TimeThere | None
) -> list[tuple[Any, ...]]:
    """Return the cells of who has not left the store yet; `newest` is when the newest stay in a zone ended."""
    statement: LiteralString = UNDER_WAY[there is not None] + _CELLS
    return connection.execute(statement, count_values(connection, stored, day) | {"newest": newest}).fetchall()


def count_moves(connection: Connection, stored: StoredPlan, day: date, *, changed: bool) -> list[tuple[Any, ...]]:
    """Return the moves of visitors on a day, or what is to be added: (from_zone, to_zone, moves, people)."""
    statement: LiteralString = SOURCES[changed] + _MOVES
    return connection.execute(statement, count_values(connection, stored, day)).fetchall()


def count_paths(connection: Connection, stored: StoredPlan, day: date, *, changed: bool) -> list[tuple[Any, ...]]:
    """Return the paths of visitors on a day, or what is to be added: (zones, people)."""
    statement: LiteralString = SOURCES[changed] + _PATHS
    return connection.execute(statement, count_values(connection, stored, day)).fetchall()


def count_crowd(
    connection: Connection,
    stored: StoredPlan,
    day: date,
    hours: Sequence[datetime],
    there: TimeUnderWay | None = None,
) -> list[CrowdHour]:
    """Return how many were at once in each hour but the last of `hours`, which rise and lie in this day.

    With `there` those whose visit is not written yet are added to the visits that are.
    """
    if len(hours) <= 1:
        return []
    values = count_values(connection, stored, day) | {"begins": hours[0], "ends": hours[-1]}
    values |= {"as_of": None, "known": None} if there is None else {"as_of": there.as_of, "known": there.until}
    row = numpy_cursor(connection).execute(SPANS[there is not None], values).fetchone()
    entered, left = ((), ()) if row is None else row
    edges = np.array([(at - _EPOCH) // _US for at in hours], np.int64)
    mean, most = occupancy(np.asarray(entered, np.int64), np.asarray(left, np.int64), edges)
    return [
        CrowdHour(at, float(one), int(other)) for at, one, other in zip(hours[:-1], mean, most, strict=True) if other
    ]


def touched_hours(connection: Connection, stored: StoredPlan, day: date) -> tuple[datetime, datetime] | None:
    """Return between which instants the crowd may have changed with the visits of a day, None where it did not."""
    statement: LiteralString = SOURCES[True] + _TOUCHED_HOURS
    row = connection.execute(statement, count_values(connection, stored, day)).fetchone()
    return None if row is None or row[0] is None else (row[0], row[1])
