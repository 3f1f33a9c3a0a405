"""Of which days and hours of a store anything is known: where nobody listened, nobody coming is not nobody there."""

from datetime import UTC, date, datetime, timedelta
from typing import Final, LiteralString
from zoneinfo import ZoneInfo

import msgspec

from storage.connect import Connection
from storage.metric_queries import days_due
from storage.one_state import once
from storage.rollups.sources import day_begins, range_of
from storage.stores import StoredPlan


class KnownDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day of a store's clocks; `covered_s` are the seconds of data time of which coverage is known.

    `worked_s` is the same times the share of anchors that worked. `known`: an anchor worked, or somebody was counted.
    """

    day: date
    covered_s: float
    worked_s: float
    known: bool


_DAYS: Final[LiteralString] = """
select days.day::date, coalesce(covered_s, 0), coalesce(worked_s, 0),
       coalesce(worked_s, 0) > 0 or days.day::date = any(%(due)s::date[])
       or exists (select from visit_rollup rolled
                   where rolled.store_no = %(store_no)s and rolled.day = days.day::date and not rolled.hourly)
  from generate_series(%(first)s::timestamp, %(last)s::timestamp, '1 day') as days (day)
  left join (select (begins_at at time zone %(timezone)s)::date as day, sum(covered_s) as covered_s,
                    sum(share * covered_s) as worked_s
               from coverage_hour where store_no = %(store_no)s and begins_at >= %(begins)s and begins_at < %(ends)s
              group by 1) covered on covered.day = days.day::date
 order by 1
"""
_HOURS: Final[LiteralString] = (
    "select begins_at from coverage_hour"
    " where store_no = %s and begins_at >= %s and begins_at < %s and share > 0 and covered_s > 0"
)


def known_days(connection: Connection, stored: StoredPlan, first: date, last: date) -> list[KnownDay]:
    """Return each day from `first` to `last`; to be called in a `snapshot`."""

    def read() -> list[KnownDay]:
        begins, ends = range_of(stored, first, last)
        rows = connection.execute(
            _DAYS,
            {
                "store_no": stored.store_no,
                "timezone": stored.plan.timezone,
                "first": first,
                "last": last,
                "begins": begins,
                "ends": ends,
                "due": sorted(days_due(connection, stored, first, last)),
            },
        ).fetchall()
        return [KnownDay(day=row[0], covered_s=row[1], worked_s=row[2], known=row[3]) for row in rows]

    return once(("known days", stored.store_no, first, last), read)


def covered_hours(connection: Connection, stored: StoredPlan, first: date, last: date) -> frozenset[datetime]:
    """Return when the hours begin (UTC) in which an anchor worked, as far as coverage is known."""
    values = [stored.store_no, *range_of(stored, first, last)]
    return once(
        ("covered hours", *values),
        lambda: frozenset(row[0].astimezone(UTC) for row in connection.execute(_HOURS, values)),
    )


def covered_share(connection: Connection, stored: StoredPlan, first: date, last: date, now: datetime) -> float | None:
    """Return the share of anchors that worked over the days until now; a day of which nothing is known counts as 0.

    None where coverage was never written down: visits may have come from elsewhere.
    """
    today = now.astimezone(ZoneInfo(stored.plan.timezone)).date()
    days = [day for day in known_days(connection, stored, first, last) if day.day <= today]
    if not any(day.covered_s for day in days):
        return None
    missing_s = sum(
        _until_s(day.day, now, stored.plan.timezone) for day in days if not day.known and not day.covered_s
    )
    return sum(day.worked_s for day in days) / (missing_s + sum(day.covered_s for day in days))


def _until_s(day: date, now: datetime, timezone: str) -> float:
    """Return how long a day has lasted until now: 23 or 25 hours as a whole where clocks change."""
    ends = min(now, day_begins(day + timedelta(days=1), timezone))
    # in UTC: between two times of one zone Python counts what the clocks show
    return (ends.astimezone(UTC) - day_begins(day, timezone).astimezone(UTC)).total_seconds()
