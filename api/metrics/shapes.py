"""Rows of the formulas that are no single value a bucket: distributions, moves, paths, weeks, crowds, returning."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from api.metrics.customers import customer_rows, now_rows, order_rows, shelf_rows
from api.metrics.gaps import find_gaps
from api.metrics.question import Question, State, atoms, bucket_begins, key_of
from api.metrics.rows import Held, MetricRow, read, value_rows
from api.metrics.weeks import week_rows
from core.metrics.bins import at_least
from core.metrics.cells import Spread, spread
from core.metrics.disclosure import hidden, hidden_with_complement
from core.metrics.formulas import Shape
from storage.connect import Connection
from storage.metric_queries import crowd_hours, crowd_known, flow_sums, path_sums
from storage.rollups.counting import STORE_SCOPE, CrowdHour
from storage.rollups.sources import day_begins, odd_hours
from storage.stores import StoredPlan

_HOUR: Final = timedelta(hours=1)
_INSTANT: Final = timedelta(microseconds=1)


class Found(msgspec.Struct, frozen=True):
    """The rows of an answer, and how many days or hours they leave out in all: of rows that miss as well."""

    rows: list[MetricRow]
    hidden: int


def _each(rows: Callable[[Connection, StoredPlan, Question], list[MetricRow]]) -> Callable[..., Found]:
    """Let rows that are there whatever is hidden of them tell how much that is."""

    def found(connection: Connection, stored: StoredPlan, question: Question) -> Found:
        made = rows(connection, stored, question)
        return Found(made, sum(row.hidden for row in made))

    return found


def histogram_rows(connection: Connection, stored: StoredPlan, question: Question) -> Found:
    """Return visits by band of dwell; a band that each day cannot tell is part of the one before."""
    rows = []
    hidden = 0
    for zone_no, told, left_out in _spreads(connection, stored, question):
        hidden += left_out
        for begin, end in pairwise([*_reached(told), None]):
            beyond = 0 if end is None else at_least(told.cell.counts, end)
            rows.append(
                MetricRow(
                    value=float(at_least(told.cell.counts, begin or 0) - beyond),
                    state="partly_hidden" if left_out else "told",
                    hidden=left_out,
                    zone_no=zone_no,
                    from_s=begin,
                    to_s=end,
                )
            )
    return Found(rows, hidden)


def curve_rows(connection: Connection, stored: StoredPlan, question: Question) -> Found:
    """Return the share of visits that lasted at least so long, where the bars of the histogram begin."""
    rows = []
    hidden = 0
    for zone_no, told, left_out in _spreads(connection, stored, question):
        hidden += left_out
        for begin in _reached(told):
            visits = at_least(told.cell.counts, begin)
            rows.append(
                MetricRow(
                    value=visits / told.cell.visits,
                    state="partly_hidden" if left_out else "told",
                    hidden=left_out,
                    visits=visits,
                    zone_no=zone_no,
                    from_s=begin,
                )
            )
    return Found(rows, hidden)


def _reached(told: Spread) -> list[int]:
    """Return the told lengths that a visit reached, in s."""
    return [length_s for length_s in told.lengths_s if at_least(told.cell.counts, length_s)]


def crowd_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return the mean or the most visits in progress, over the hours or days that may be told."""
    hourly = question.bucket == "hour"
    timezone = ZoneInfo(stored.plan.timezone)
    hours_of: dict[datetime, list[CrowdHour]] = {at.astimezone(UTC): [] for at in atoms(stored, question)}
    begins = list(hours_of)  # in the order of time: to find an hour's day by it is cheaper than by clocks
    for one in crowd_hours(connection, stored, question.first, question.last):
        hours_of[begins[bisect_right(begins, one.begins_at) - 1]].append(one)
    ends = [*begins[1:], day_begins(question.last + timedelta(days=1), stored.plan.timezone).astimezone(UTC)]
    held = {one.row.begins_at: one for one in read(connection, stored, question, [STORE_SCOPE], hourly=hourly)}
    hide = _hidden_crowds(hours_of, held, timezone, complement=hourly)
    gaps = find_gaps(connection, stored, question, hourly=hourly)
    odd = odd_hours(question.first, question.last, stored.plan.timezone)
    known = crowd_known(connection, stored)
    now = question.now if known is None else min(known, question.now)
    buckets: dict[datetime, _Crowd] = {at.astimezone(UTC): _Crowd() for at in bucket_begins(stored, question)}
    for (at, hours), until in zip(hours_of.items(), ends, strict=True):
        if at > question.now:
            continue
        bucket = buckets[key_of(at, question, stored.plan.timezone)]
        if at in hide:
            bucket.hidden += 1
        elif not hours and gaps.lacks(at, hourly=hourly):
            bucket.no_data += 1
        elif hours or at < now:
            bucket.add(
                hours, max(min(until, now) - at, _INSTANT), odd
            )  # of the running hour or day, what is known of it
    return [
        _crowd_row(at, buckets[at.astimezone(UTC)], question, of_mean=question.formula.id == "occupancy")
        for at in bucket_begins(stored, question)
    ]


def _hidden_crowds(
    atoms: Mapping[datetime, Sequence[CrowdHour]],
    held: Mapping[datetime, Held],
    timezone: ZoneInfo,
    *,
    complement: bool,
) -> set[datetime]:
    """Return which hours or days of crowds are hidden; with `complement`, so that their day tells nothing of them.

    A crowd has as many people for sure as began a visit there, or as were there at one instant.
    """
    people: dict[date, list[tuple[datetime, int]]] = defaultdict(list)
    for at, hours in atoms.items():
        begun = held[at].row.counted.people if at in held else 0
        people[at.astimezone(timezone).date()].append((at, max([begun, *(one.most for one in hours)])))
    found: set[datetime] = set()
    for of_day in people.values():
        least = [count for _, count in of_day]
        hide = hidden_with_complement(least) if complement else hidden(least)
        found.update(at for (at, _), hid in zip(of_day, hide, strict=True) if hid)
    return found


@dataclass
class _Crowd:
    """Hours or days of a bucket: the told ones put together."""

    hidden: int = 0
    no_data: int = 0
    length: timedelta = timedelta(0)
    person_hours: float = 0.0
    most: int = 0

    def add(self, hours: list[CrowdHour], length: timedelta, odd: Mapping[datetime, timedelta]) -> None:
        """Add the hours with anybody of an hour or a day that is so long; some hours have an `odd` length."""
        self.length += length
        self.person_hours += sum(one.mean * (odd.get(one.begins_at, _HOUR) / _HOUR) for one in hours)
        self.most = max([self.most, *(one.most for one in hours)])


def _crowd_row(at: datetime, crowd: _Crowd, question: Question, *, of_mean: bool) -> MetricRow:
    if at > question.now:
        return MetricRow(value=None, state="future", begins_at=at)
    state: State = "told"
    if crowd.hidden:
        state = "partly_hidden" if crowd.length else "hidden"
    elif not crowd.length and crowd.no_data:
        state = "no_data"
    value = None
    if crowd.length:
        value = crowd.person_hours / (crowd.length / _HOUR) if of_mean else float(crowd.most)
    return MetricRow(value=value, state=state, hidden=crowd.hidden, no_data=crowd.no_data, begins_at=at)


def flow_rows(connection: Connection, stored: StoredPlan, question: Question) -> Found:
    """Return moves from zone to zone, most frequent first; what few made on a day is left out and not named."""
    found, left_out = flow_sums(connection, stored, question.first, question.last)
    rows = [
        MetricRow(
            value=float(one.moves),
            state="partly_hidden" if left_out else "told",
            hidden=left_out,
            zone_no=one.from_zone,
            to_zone_no=one.to_zone,
        )
        for one in sorted(found, key=lambda one: (-one.moves, one.from_zone, one.to_zone))
    ]
    return Found(rows, left_out)


def paths_rows(connection: Connection, stored: StoredPlan, question: Question) -> Found:
    """Return paths, most frequent first; what few people took on a day is left out and not named."""
    found, left_out = path_sums(connection, stored, question.first, question.last)
    rows = [
        MetricRow(
            value=float(one.people),
            state="partly_hidden" if left_out else "told",
            hidden=left_out,
            path=one.zones,
        )
        for one in sorted(found, key=lambda one: (-one.people, one.zones))
    ]
    return Found(rows, left_out)


ROWS: Final[dict[Shape, Callable[[Connection, StoredPlan, Question], Found]]] = {
    "cell": _each(value_rows),
    "ratio": _each(value_rows),
    "crowd": _each(crowd_rows),
    "histogram": histogram_rows,
    "curve": curve_rows,
    "flow": flow_rows,
    "paths": paths_rows,
    "week": _each(week_rows),
    "returning": _each(customer_rows),
    "orders": _each(order_rows),
    "shelf": _each(shelf_rows),
    "now": _each(now_rows),
}
"""What makes the rows of each shape; each is called within a snapshot of the database."""


def _spreads(connection: Connection, stored: StoredPlan, question: Question) -> list[tuple[int | None, Spread, int]]:
    """Return for each zone that is asked for how dwell is spread, and how many days are left out of that."""
    zones = list(range(len(stored.plan.zones))) if question.each_zone else [question.zone_no]
    scopes = [STORE_SCOPE if zone is None else zone for zone in zones]
    held = read(connection, stored, question, scopes, hourly=False)
    found = []
    for zone, scope in zip(zones, scopes, strict=True):
        of_zone = [one for one in held if one.row.scope == scope]
        told = spread([one.row.counted for one in of_zone if not one.hide])
        found.append((zone, told, told.left_out + sum(one.hide for one in of_zone)))
    return found
