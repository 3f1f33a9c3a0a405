"""Counts of a day with what changed since they were stored."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from core.metrics.cells import Counted
from core.metrics.disclosure import hidden, hidden_with_complement
from storage.connect import Connection
from storage.rollups.counting import CrowdHour, count_crowd, touched_hours
from storage.rollups.sources import day_begins, hour_begins, range_of
from storage.rollups.there import TimeUnderWay
from storage.stores import StoredPlan


@dataclass(frozen=True, order=True)
class CellKey:
    """What a cell is of: a day or (`hourly`) an hour, a scope, and as what its visits count (`CountedAs`)."""

    hourly: bool
    scope: int
    role: int
    begins_at: datetime


@dataclass
class Sum:
    """Counts that are added up; `bins` counts visits by bin of dwell."""

    visits: int = 0
    people: int = 0
    dwell_ms: int = 0
    bins: Counter[int] = field(default_factory=Counter)

    def add(self, row: tuple[Any, ...]) -> None:
        """Add visits, people, dwell_ms, bins, counts; counts may be negative."""
        visits, people, dwell_ms, bins, counts = row
        self.visits += visits
        self.people += people
        self.dwell_ms += dwell_ms
        for place, count in zip(bins, counts, strict=True):
            self.bins[place] += count

    def counted(self) -> Counted:
        """Return the counts as they are stored."""
        bins = sorted(place for place, count in self.bins.items() if count)
        return Counted(self.visits, self.people, self.dwell_ms, bins, [self.bins[place] for place in bins])


@dataclass(frozen=True)
class Due:
    """Days whose stored counts are not the visits': made anew (`stale`), or corrected by what changed."""

    stale: frozenset[date]
    changed: frozenset[date]

    @property
    def days(self) -> frozenset[date]:
        """All of them."""
        return self.stale | self.changed


def due(connection: Connection, stored: StoredPlan, first: date, last: date) -> Due:
    """Return which of the days from `first` to `last` have to be looked after; frozen days never."""
    timezone = stored.plan.timezone
    changed = connection.execute(
        # min per day through the index, not a scan: a bulk import leaves many changes
        "select distinct (entered_at at time zone %s)::date from rollup_change"
        " where store_no = %s and entered_at >= %s and entered_at < %s",
        [timezone, stored.store_no, *range_of(stored, first, last)],
    ).fetchall()
    stale = connection.execute(
        "select day from rollup_stale where store_no = %s and day between %s and %s", [stored.store_no, first, last]
    ).fetchall()
    frozen = frozen_days(connection, stored, first, last)
    made_anew = frozenset(row[0] for row in stale) - frozen
    return Due(made_anew, frozenset(row[0] for row in changed) - frozen - made_anew)


def frozen_days(connection: Connection, stored: StoredPlan, first: date, last: date) -> frozenset[date]:
    """Return the days whose counts stand for good."""
    rows = connection.execute(
        "select day from rollup_frozen where store_no = %s and day between %s and %s", [stored.store_no, first, last]
    ).fetchall()
    return frozenset(row[0] for row in rows)


def added_up(*parts: Iterable[tuple[Any, ...]]) -> dict[CellKey, Counted]:
    """Return rows (begins_at, hourly, scope, role, visits, people, dwell_ms, bins, counts) by cell, added up."""
    sums: dict[CellKey, Sum] = defaultdict(Sum)
    for part in parts:
        for begins_at, hourly, scope, role, *counts in part:
            sums[CellKey(hourly, scope, role, begins_at.astimezone(UTC))].add(tuple(counts))
    return {key: one.counted() for key, one in sorted(sums.items()) if one.visits}


def told(cells: dict[CellKey, Counted]) -> dict[CellKey, bool]:
    """Return which cells of one day may be told by themselves (`core.metrics.disclosure`)."""
    groups: dict[tuple[bool, int, int], list[CellKey]] = defaultdict(list)
    for key in sorted(cells):
        groups[key.hourly, key.scope, key.role].append(key)
    found = {}
    for (hourly, _, _), keys in groups.items():
        people = [cells[key].people for key in keys]
        hide = hidden_with_complement(people) if hourly else hidden(people)
        found.update({key: not hid for key, hid in zip(keys, hide, strict=True)})
    return found


def hours_of(stored: StoredPlan, day: date) -> list[datetime]:
    """Return when each hour of a day begins, and the end of the last: 24 to 27 instants in UTC."""
    timezone = stored.plan.timezone
    return [*hour_begins(day, timezone), day_begins(day + timedelta(days=1), timezone).astimezone(UTC)]


def crowd_hours_due(  # noqa: PLR0917 - a range of days, and what is not in its counts
    connection: Connection, stored: StoredPlan, found: Due, first: date, last: date, there: TimeUnderWay | None = None
) -> dict[date, list[datetime]]:
    """Return which hours of the days from `first` to `last` have another crowd than the stored one, by day.

    Those in which somebody was whose visit is not written yet (`there`) are among them. Each list ends with the end
    of its last hour. A visit may reach into the day after the one it began on.
    """
    hours: dict[date, list[datetime]] = {}
    spans = {day: touched_hours(connection, stored, day) for day in sorted(found.changed)}
    if there is not None:
        here = (there.since, there.until)
        began = here[0].astimezone(ZoneInfo(stored.plan.timezone)).date()
        before = spans.get(began)
        spans[began] = here if before is None else (min(here[0], before[0]), max(here[1], before[1]))
    for day, span in spans.items():
        if span is None:
            continue
        for of_day in (day, day + timedelta(days=1)):
            edges = hours_of(stored, of_day)
            touched = [(at, until) for at, until in pairwise(edges) if at <= span[1] and until > span[0]]
            if touched and first <= of_day <= last:
                known = hours.get(of_day, [])
                begin, end = min([*known[:1], touched[0][0]]), max([*known[-1:], touched[-1][1]])
                hours[of_day] = [at for at in edges if begin <= at <= end]
    hours.update({day: hours_of(stored, day) for day in found.stale if first <= day <= last})
    frozen = frozen_days(connection, stored, first, last)
    return {day: edges for day, edges in hours.items() if day not in frozen and len(edges) > 1}


def crowd_of(
    connection: Connection, stored: StoredPlan, hours: dict[date, list[datetime]], there: TimeUnderWay | None = None
) -> list[CrowdHour]:
    """Return the crowd of these hours from the visits, and of who is `there` or left lately."""
    return [one for day, edges in sorted(hours.items()) for one in count_crowd(connection, stored, day, edges, there)]
