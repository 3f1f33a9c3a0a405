"""Which visits a count is about: those of a day, or what changed of it since it was counted.

Every count is a sum over devices of what each did on the day. So what changed is the sum over the devices that a
change touched of what they did now (`side` 1) less what they had done when the day was counted (`side` -1); the
latter is had by undoing the changes. This is exact for whatever may happen to a visit.
"""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Final, LiteralString
from zoneinfo import ZoneInfo

from core.metrics.bins import EDGES_S
from core.metrics.exclusions import Rules
from storage.connect import Connection
from storage.rollups.rules import read_rules
from storage.rollups.there import DEPARTURE_S, NOBODY, THERE
from storage.stores import StoredPlan

FLOW_GAP_S: Final = 900
"""Two stays further apart than a quarter of an hour are no move from one to the other: whoever was gone so long left
the store in between or was not heard."""
PATH_ZONES: Final = 6
"""Zones of a path: longer ones are each taken by one or two people, and hidden."""
_OUTSIDE_KINDS: Final = {"entrance", "staff_only"}
_NEVER_S: Final = 1e18
_SECOND: Final = timedelta(seconds=1)
_HOUR: Final = timedelta(hours=1)

_ZONES: Final[LiteralString] = """
    select zone_no as scope, visit_id, device, role, entered_at, left_at, dwell_s from zone_visit
     where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s and not withdrawn"""
_STORES: Final[LiteralString] = """
    select -1 as scope, visit_id, device, role, entered_at, left_at, dwell_s from store_visit
     where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s and not withdrawn"""
_WHOLE: Final[LiteralString] = (
    "with stay as materialized (select 1 as side, * from (" + _ZONES + " union all " + _STORES + ") whole)"
)
# as an array, for the index of devices: as a join it has been a scan of the whole day
_TOUCHED: Final[LiteralString] = " and device = any(array(select device from touched))"
_CHANGED: Final[LiteralString] = (
    """
with change as materialized (
    select sign, scope, visit_id, device, role, entered_at, left_at, dwell_s from rollup_change
     where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s
), touched as materialized (select distinct device from change
), now_there as materialized ("""
    + _ZONES
    + _TOUCHED
    + " union all "
    + _STORES
    + _TOUCHED
    + """
), stay as materialized (
    select 1 as side, * from now_there
    union all
    select -1, scope, visit_id, device, role, entered_at, left_at, dwell_s from (
        select 1 as n, * from now_there
        union all select -sign, scope, visit_id, device, role, entered_at, left_at, dwell_s from change) earlier
     group by scope, visit_id, device, role, entered_at, left_at, dwell_s having sum(n) > 0
)"""
)
# of who is there, and of who left so lately that the visit to the store is not written yet
_UNDER_WAY: Final[LiteralString] = (
    """
, lately as materialized (
    select distinct on (device) device, entered_at from zone_visit
     where store_no = %(store_no)s and entered_at >= %(begins)s and entered_at < %(ends)s and not withdrawn
       and left_at >= %(newest)s - make_interval(secs => %(departure_s)s)
     order by device, left_at desc
), over as materialized (
    -- as an array, as below: looked up at once, however few the planner expects
    select device, entered_at, left_at from store_visit
     where store_no = %(store_no)s and device = any(array(select device from lately)) and not withdrawn
       and entered_at >= %(begins)s - interval '1 day' and entered_at < %(ends)s -- spares other chunks
), touched as materialized (
    select device from there where arrived_at < %(ends)s
    union
    select device from lately
     where not exists (select from over where over.device = lately.device
                          and over.entered_at <= lately.entered_at and over.left_at >= lately.entered_at)
), stay as materialized (select 1 as side, * from ("""
    + _ZONES
    + _TOUCHED
    + " union all "
    + _STORES
    + _TOUCHED
    + ") there)"
)
# who counts as what, by what a device did on that day (core.metrics.exclusions)
_COUNTED: Final[LiteralString] = """, counted as materialized (
    select side, scope, visit_id, device, entered_at, left_at, dwell_s,
           case when role = 1 and %(fixtures)s then 1
                when role = 2 and %(staff)s then 2
                when sum(dwell_s) filter (where scope = any(%(staff_zones)s)) over person >= %(staff_zone_s)s then 2
                when max(dwell_s) filter (where scope = -1) over person >= %(long_stay_s)s then 3
                when max(dwell_s) filter (where scope = -1) over person < %(passer_by_s)s then 4
                when %(has_hours)s and not coalesce(
                     shown.minute >= (%(opens)s::integer[])[shown.weekday]
                     and shown.minute < (%(closes)s::integer[])[shown.weekday], false) then 5
                else 0 end::smallint as role
      from stay, lateral (select (extract(hour from local) * 60 + extract(minute from local))::integer as minute,
                                 extract(isodow from local)::integer as weekday
                            from (select entered_at at time zone %(timezone)s as local) clock) shown
    window person as (partition by side, device)
)"""
SOURCES: Final[dict[bool, LiteralString]] = {False: _WHOLE + _COUNTED, True: _CHANGED + _COUNTED}
"""Common table expressions that end with `counted`: of all visits of a day, or (True) of what changed."""
UNDER_WAY: Final[dict[bool, LiteralString]] = {
    anybody: "with there as materialized (" + (THERE if anybody else NOBODY) + ")" + _UNDER_WAY + _COUNTED
    for anybody in (False, True)
}
"""The same of all that devices did on a day whose visit to the store is not over; True: somebody is there now."""


def day_begins(day: date, timezone: str) -> datetime:
    """Return the first instant of a day on the clocks of a time zone."""
    return datetime.combine(day, time(), ZoneInfo(timezone))


def clocks_change(day: date, timezone: str) -> datetime | None:
    """Return in UTC when clocks change within a day, None where they do not."""
    zone = ZoneInfo(timezone)
    begin, end = (day_begins(at, timezone).astimezone(UTC) for at in (day, day + timedelta(days=1)))
    before = begin.astimezone(zone).utcoffset()
    still, no_more = begin, end - _SECOND
    if no_more.astimezone(zone).utcoffset() == before:
        return None
    while no_more - still > _SECOND:
        middle = still + (no_more - still) // 2
        middle -= timedelta(microseconds=middle.microsecond)
        still, no_more = (middle, no_more) if middle.astimezone(zone).utcoffset() == before else (still, middle)
    return no_more


def hour_begins(day: date, timezone: str) -> list[datetime]:
    """Return in UTC when each hour of a day begins: at each full hour of the clocks, and where they change.

    23 to 26 hours; where clocks change by half an hour, as on Lord Howe Island, one of them is half as long.
    """
    zone = ZoneInfo(timezone)
    at, end = (day_begins(one, timezone).astimezone(UTC) for one in (day, day + timedelta(days=1)))
    changed_at = clocks_change(day, timezone)
    hours = []
    if changed_at is None and not at.astimezone(zone).minute:  # nearly every day: what clocks show need not be asked
        return [at + number * _HOUR for number in range((end - at) // _HOUR)]
    while at < end:
        hours.append(at)
        local = at.astimezone(zone)
        full = at + _HOUR - timedelta(minutes=local.minute, seconds=local.second)
        at = min(full, changed_at) if changed_at is not None and at < changed_at else full
    return hours


def odd_hours(first: date, last: date, timezone: str) -> dict[datetime, timedelta]:
    """Return how long those hours of a range of days are, by their begin in UTC, that are shorter than an hour."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    edges = [
        [*hour_begins(day, timezone), day_begins(day + timedelta(days=1), timezone).astimezone(UTC)]
        for day in days
        if clocks_change(day, timezone) is not None
    ]
    return {at: until - at for of_day in edges for at, until in pairwise(of_day) if until - at != _HOUR}


def range_of(stored: StoredPlan, first: date, last: date) -> tuple[datetime, datetime]:
    """Return the first instant of the days from `first` to `last`, and the first after them."""
    timezone = stored.plan.timezone
    return day_begins(first, timezone), day_begins(last + timedelta(days=1), timezone)


def day_span(stored: StoredPlan, day: date) -> dict[str, Any]:
    """Return the store and the bounds of a day, as the statements here name them."""
    timezone = stored.plan.timezone
    return {
        "store_no": stored.store_no,
        "begins": day_begins(day, timezone),
        "ends": day_begins(day + timedelta(days=1), timezone),
    }


def count_values(connection: Connection, stored: StoredPlan, day: date) -> dict[str, Any]:
    """Return what the statements of a count ask for, with the rules that hold."""
    plan = stored.plan
    kinds = [zone.kind for zone in plan.zones]
    return (
        day_span(stored, day)
        | rule_values(read_rules(connection, stored.store_no))
        | {
            "timezone": plan.timezone,
            "changed_at": clocks_change(day, plan.timezone),
            "edges": list(EDGES_S),
            "inside": [place for place, kind in enumerate(kinds) if kind not in _OUTSIDE_KINDS],
            "outer": sorted({place for around in plan.around for place in around}),
            "staff_zones": [place for place, kind in enumerate(kinds) if kind == "staff_only"],
            "tills": [place for place, kind in enumerate(kinds) if kind == "checkout"],
            "gap_s": FLOW_GAP_S,
            "path_zones": PATH_ZONES,
            "departure_s": DEPARTURE_S,
        }
    )


def rule_values(rules: Rules) -> dict[str, Any]:
    """Return rules as the statements ask for them: one that is off has a length that nobody reaches."""
    week = rules.opening_hours if rules.opening_hours is not None else ()
    return {
        "staff": rules.staff,
        "fixtures": rules.fixtures,
        "staff_zone_s": rules.staff_zone_s if rules.staff_zone_s is not None else _NEVER_S,
        "long_stay_s": rules.long_stay_s if rules.long_stay_s is not None else _NEVER_S,
        "passer_by_s": rules.passer_by_s if rules.passer_by_s is not None else -1.0,
        "has_hours": rules.opening_hours is not None,
        "opens": [None if hours is None else hours.opens_min for hours in week],
        "closes": [None if hours is None else hours.closes_min for hours in week],
    }
