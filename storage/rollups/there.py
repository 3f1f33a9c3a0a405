"""Who is in a store now, for counts that speak of visits in progress too."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from core.records import Role
from storage.connect import Connection

THERE: Final[LiteralString] = """
    select device, arrived_at, max(last_signal_at) over () as until
      from presence where store_no = %(store_no)s and role = 0"""
"""Visitors with a visit in progress; `until` is when anybody there was heard last: who was heard a minute before has
not left in that minute."""
NOBODY: Final[LiteralString] = "select null::uuid as device, now() as arrived_at, now() as until where false"
"""The same of a store that is empty, or on a server that only follows: presence is not copied there."""
DEPARTURE_S: Final = 1800
"""A departure is known after a quarter of an hour of silence at most, and written minutes later: twice that."""
GONE: Final[LiteralString] = """
lately as materialized (
    select distinct device from zone_visit
     where store_no = %(store_no)s and left_at >= %(as_of)s - make_interval(secs => %(departure_s)s)
       and entered_at >= %(as_of)s - interval '1 day' -- spares older chunks
       and role = 0 and not withdrawn and device not in (select device from presence where store_no = %(store_no)s)
), gone as materialized (
    -- as an array, and without a join: looked up by device, whatever the planner expects
    select device, min(entered_at) as arrived_at, max(left_at) as until
      from (select device, is_over, entered_at, left_at,
                   max(left_at) filter (where is_over) over (partition by device) as over_at
              from (select device, false as is_over, entered_at, left_at from zone_visit
                     where store_no = %(store_no)s and device = any(array(select device from lately)) and role = 0
                       and entered_at >= %(as_of)s - interval '1 day' and not withdrawn
                    union all
                    select device, true, entered_at, left_at from store_visit
                     where store_no = %(store_no)s and device = any(array(select device from lately))
                       and entered_at >= %(as_of)s - interval '2 days' and not withdrawn) visit) known
     where not is_over and (over_at is null or entered_at >= over_at)
     group by device
)"""
"""Visitors who left so lately that their visit to the store is not written yet: from their first stay since the last
visit that is, until their last one ended."""
_AS_OF: Final[LiteralString] = (
    "select greatest(heard, decided), coalesce(decided, heard)"
    "  from (select (select max(last_signal_at) from presence where store_no = %(store_no)s) as heard,"
    " (select decided_through from engine_progress where store_no = %(store_no)s) as decided) known"
)
_TIME_UNDER_WAY: Final[LiteralString] = (
    "with there as materialized (" + THERE + "), " + GONE + " select min(arrived_at)"
    " from (select arrived_at, until from there union all select arrived_at, until from gone) visit"
)


@dataclass(frozen=True)
class TimeThere:
    """Since when somebody is in a store, and until when it is known."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class TimeUnderWay(TimeThere):
    """The same of visits that are not written yet, also of who has left; `as_of` is how far the store was heard.

    `until` is how far it is decided: a minute or so before, because who has left is silent first. Who was there up to
    then changes no more, so a crowd up to then never falls.
    """

    as_of: datetime


def time_there(connection: Connection, store_no: int) -> TimeThere | None:
    """Return since when those who are there now have been; None of nobody, and where it cannot be told."""
    if connection.execute("select pg_is_in_recovery()").fetchone() == (True,):
        return None
    row = connection.execute(
        "select min(arrived_at), max(last_signal_at) from presence where store_no = %s and role = %s",
        [store_no, int(Role.VISITOR)],
    ).fetchone()
    return None if row is None or row[0] is None else TimeThere(*row)


def time_under_way(connection: Connection, store_no: int) -> TimeUnderWay | None:
    """Return from when to when visits to the store are in progress, or over and not written yet.

    None where there are none, and where it cannot be told.
    """
    if connection.execute("select pg_is_in_recovery()").fetchone() == (True,):
        return None
    known = connection.execute(_AS_OF, {"store_no": store_no}).fetchone()
    if known is None or known[0] is None:
        return None
    values = {"store_no": store_no, "as_of": known[0], "departure_s": DEPARTURE_S}
    row = connection.execute(_TIME_UNDER_WAY, values).fetchone()
    return None if row is None or row[0] is None else TimeUnderWay(row[0], known[1], as_of=known[0])
