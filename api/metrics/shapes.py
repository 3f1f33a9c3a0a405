"""Rows of the formulas that are no single value a bucket: distributions, moves, paths, weeks, crowds, returning."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from api.metrics.customers import customer_rows, now_rows, order_rows, shelf_rows
from api.metrics.rows import (
    Bucket,
    Held,
    MetricRow,
    Question,
    State,
    bucket_begin,
    bucket_begins,
    days,
    read,
    value_rows,
)
from core.metrics.bins import BANDS_S, at_least, band_counts
from core.metrics.cells import Cell, merged
from core.metrics.disclosure import K_PEOPLE, hidden, hidden_with_complement, joined
from core.metrics.formulas import Shape
from storage.connect import Connection
from storage.metric_queries import crowd_hours, flow_sums, path_sums
from storage.rollups.counting import STORE_SCOPE, CrowdHour
from storage.rollups.sources import day_begins
from storage.stores import StoredPlan

CURVE_S: Final = (*BANDS_S, 4 * 3600, 8 * 3600)
_HOUR: Final = timedelta(hours=1)
_SATURDAY: Final = 6


def histogram_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return visits by band of dwell; bands with few visits are joined."""
    rows = []
    for zone_no, cell, left_out in _cells(connection, stored, question):
        counts = band_counts(cell.counts)
        rows += [
            MetricRow(
                value=float(sum(counts[first : last + 1])),
                state="partly_hidden" if left_out else "told",
                hidden=left_out,
                zone_no=zone_no,
                from_s=BANDS_S[first],
                to_s=BANDS_S[last + 1] if last + 1 < len(BANDS_S) else None,
            )
            for first, last in joined(counts)
        ]
    return rows


def curve_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return the share of visits that lasted at least so long, while ten are left."""
    rows = []
    for zone_no, cell, left_out in _cells(connection, stored, question):
        for begin in CURVE_S:
            visits = at_least(cell.counts, begin)
            if visits < K_PEOPLE:
                break
            rows.append(
                MetricRow(
                    value=visits / cell.visits,
                    state="partly_hidden" if left_out else "told",
                    hidden=left_out,
                    visits=visits,
                    zone_no=zone_no,
                    from_s=begin,
                )
            )
    return rows


def crowd_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return the mean or the most visits in progress, over the hours or days that may be told."""
    atom: Bucket = "hour" if question.bucket == "hour" else "day"
    timezone = ZoneInfo(stored.plan.timezone)
    atoms: dict[datetime, list[CrowdHour]] = {
        at.astimezone(UTC): [] for at in bucket_begins(stored, msgspec.structs.replace(question, bucket=atom))
    }
    begins = list(atoms)  # in the order of time: to find an hour's day by it is cheaper than by clocks
    for one in crowd_hours(connection, stored, question.first, question.last):
        atoms[begins[bisect_right(begins, one.begins_at) - 1]].append(one)
    end = day_begins(question.last + timedelta(days=1), stored.plan.timezone).astimezone(UTC)
    ends = [*list(atoms)[1:], end]
    held = {
        one.row.begins_at: one for one in read(connection, stored, question, [STORE_SCOPE], hourly=atom == "hour")
    }
    hide = _hidden_crowds(atoms, held, timezone, complement=atom == "hour")
    buckets: dict[datetime, _Crowd] = {at: _Crowd() for at in bucket_begins(stored, question)}
    for (at, hours), until in zip(atoms.items(), ends, strict=True):
        key = at
        if atom == "day":
            first_day = bucket_begin(at.astimezone(timezone).date(), question.bucket, question.first)
            key = day_begins(first_day, stored.plan.timezone)
        if at in hide:
            buckets[key].hidden += 1
        else:
            # of the running hour or day, what has passed of it
            buckets[key].add(hours, max(min(until, question.now) - at, timedelta(0)))
    return [
        _crowd_row(at, crowd, question, of_mean=question.formula.id == "occupancy") for at, crowd in buckets.items()
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
    length: timedelta = timedelta(0)
    person_hours: float = 0.0
    most: int = 0

    def add(self, hours: list[CrowdHour], length: timedelta) -> None:
        """Add the hours with anybody of an hour or a day that is so long."""
        self.length += length
        self.person_hours += sum(one.mean for one in hours)
        self.most = max([self.most, *(one.most for one in hours)])


def _crowd_row(at: datetime, crowd: _Crowd, question: Question, *, of_mean: bool) -> MetricRow:
    if at > question.now:
        return MetricRow(value=None, state="future", begins_at=at)
    if not crowd.length:
        return MetricRow(value=None, state="hidden", hidden=crowd.hidden, begins_at=at)
    value = crowd.person_hours / (crowd.length / _HOUR) if of_mean else float(crowd.most)
    return MetricRow(
        value=value, state="partly_hidden" if crowd.hidden else "told", hidden=crowd.hidden, begins_at=at
    )


def week_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return mean visits by hour of each weekday, or of weekdays and weekends."""
    by_hour = question.formula.id == "week_hour"
    timezone = ZoneInfo(stored.plan.timezone)
    scope = STORE_SCOPE if question.zone_no is None else question.zone_no
    visits: dict[tuple[int, int], int] = defaultdict(int)
    left_out: dict[tuple[int, int], int] = defaultdict(int)
    # a day that is not over would pull the mean down
    today = question.now.astimezone(timezone).date()
    last = question.last if question.first == question.last else min(question.last, today - timedelta(days=1))
    for one in read(connection, stored, question, [scope], hourly=by_hour):
        if one.row.day > last:
            continue
        weekday = one.row.day.isoweekday()
        key = (weekday, one.row.begins_at.astimezone(timezone).hour) if by_hour else (int(weekday >= _SATURDAY), 0)
        if one.hide:
            left_out[key] += 1
        else:
            visits[key] += one.row.counted.visits
    length: dict[int, int] = defaultdict(int)
    for day in days(question.first, last):
        length[day.isoweekday() if by_hour else int(day.isoweekday() >= _SATURDAY)] += 1
    keys = [(weekday, hour) for weekday in range(1, 8) for hour in range(24)] if by_hour else [(0, 0), (1, 0)]
    rows = []
    for key in keys:
        if not length[key[0]]:
            continue
        state: State = "told"
        if left_out[key]:
            state = "partly_hidden" if visits[key] else "hidden"
        value = None if state == "hidden" else visits[key] / (length[key[0]] - left_out[key])
        rows.append(
            MetricRow(
                value=value,
                state=state,
                hidden=left_out[key],
                zone_no=question.zone_no,
                weekday=key[0] if by_hour else None,
                hour=key[1] if by_hour else None,
                part=None if by_hour else ("weekday", "weekend")[key[0]],
            )
        )
    return rows


def flow_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return moves from zone to zone, most frequent first; what few made on a day is left out and not named."""
    found = flow_sums(connection, stored, question.first, question.last)
    return [
        MetricRow(
            value=float(one.moves),
            state="partly_hidden" if one.left_out else "told",
            hidden=one.left_out,
            zone_no=one.from_zone,
            to_zone_no=one.to_zone,
        )
        for one in sorted(found, key=lambda one: (-one.moves, one.from_zone, one.to_zone))
    ]


def paths_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return paths, most frequent first; what few people took on a day is left out and not named."""
    found = path_sums(connection, stored, question.first, question.last)
    return [
        MetricRow(
            value=float(one.people),
            state="partly_hidden" if one.left_out else "told",
            hidden=one.left_out,
            path=one.zones,
        )
        for one in sorted(found, key=lambda one: (-one.people, one.zones))
    ]


ROWS: Final[dict[Shape, Callable[[Connection, StoredPlan, Question], list[MetricRow]]]] = {
    "cell": value_rows,
    "ratio": value_rows,
    "crowd": crowd_rows,
    "histogram": histogram_rows,
    "curve": curve_rows,
    "flow": flow_rows,
    "paths": paths_rows,
    "week": week_rows,
    "returning": customer_rows,
    "orders": order_rows,
    "shelf": shelf_rows,
    "now": now_rows,
}
"""What makes the rows of each shape; each is called within a snapshot of the database."""


def _cells(connection: Connection, stored: StoredPlan, question: Question) -> list[tuple[int | None, Cell, int]]:
    """Return for each zone that is asked for its days together, and how many of them were left out."""
    zones = list(range(len(stored.plan.zones))) if question.each_zone else [question.zone_no]
    scopes = [STORE_SCOPE if zone is None else zone for zone in zones]
    held = read(connection, stored, question, scopes, hourly=False)
    found = []
    for zone, scope in zip(zones, scopes, strict=True):
        of_zone = [one for one in held if one.row.scope == scope]
        told = merged(one.row.counted for one in of_zone if not one.hide)
        found.append((zone, told, sum(one.hide for one in of_zone)))
    return found
