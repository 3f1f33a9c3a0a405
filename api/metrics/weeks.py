"""Rows of the week: mean visits by hour of each weekday, or of weekdays and weekends."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from api.metrics.gaps import find_gaps
from api.metrics.question import Question, State, atoms
from api.metrics.rows import MetricRow, read
from storage.connect import Connection
from storage.rollups.counting import STORE_SCOPE
from storage.stores import StoredPlan

Key = tuple[int, int]
"""Weekday (1 Monday) and hour on the store's clocks; or 1 at weekends and 0."""
_SATURDAY: Final = 6
_PARTS: Final[tuple[Literal["weekday"], Literal["weekend"]]] = ("weekday", "weekend")


def week_rows(connection: Connection, stored: StoredPlan, question: Question) -> list[MetricRow]:
    """Return mean visits by hour of each weekday, or by day from Monday to Friday and at weekends.

    A mean is over the hours or days that there were: an hour that clocks leave out is none, one that they repeat two.
    """
    by_hour = question.formula.id == "week_hour"
    question = msgspec.structs.replace(question, bucket="hour" if by_hour else "day")
    timezone = ZoneInfo(stored.plan.timezone)
    scope = STORE_SCOPE if question.zone_no is None else question.zone_no
    counted = {one.row.begins_at: one for one in read(connection, stored, question, [scope], hourly=by_hour)}
    gaps = find_gaps(connection, stored, question, hourly=by_hour)
    visits: Counter[Key] = Counter()
    told: Counter[Key] = Counter()
    hidden: Counter[Key] = Counter()
    no_data: Counter[Key] = Counter()
    for at in _over(stored, question):
        key = _key(at.astimezone(timezone), by_hour=by_hour)
        one = counted.get(at)
        if one is not None and one.hide:
            hidden[key] += 1
        elif one is None and gaps.lacks(at, hourly=by_hour):
            no_data[key] += 1
        else:
            told[key] += 1
            visits[key] += 0 if one is None else one.row.counted.visits
    keys = sorted(told.keys() | hidden.keys() | no_data.keys())
    return [_row(key, question, visits[key], told[key], hidden[key], no_data[key]) for key in keys]


def _over(stored: StoredPlan, question: Question) -> Iterator[datetime]:
    """Return the hours or days in UTC that are over; those of today, which is not, would pull means down."""
    timezone = ZoneInfo(stored.plan.timezone)
    today = question.now.astimezone(timezone).date()
    last = question.last if question.first == question.last else min(question.last, today - timedelta(days=1))
    for at in atoms(stored, question):
        if at.astimezone(timezone).date() <= last and at <= question.now:
            yield at.astimezone(UTC)


def _key(local: datetime, *, by_hour: bool) -> Key:
    weekday = local.isoweekday()
    return (weekday, local.hour) if by_hour else (int(weekday >= _SATURDAY), 0)


def _row(  # noqa: PLR0917 - the counts of a row
    key: Key, question: Question, visits: int, told: int, hidden: int, no_data: int
) -> MetricRow:
    state: State = "told"
    if hidden:
        state = "partly_hidden" if visits else "hidden"
    elif not told:
        state = "no_data"
    by_hour = question.bucket == "hour"
    return MetricRow(
        value=visits / told if told and state not in {"hidden", "no_data"} else None,
        state=state,
        hidden=hidden,
        no_data=no_data,
        zone_no=question.zone_no,
        weekday=key[0] if by_hour else None,
        hour=key[1] if by_hour else None,
        part=None if by_hour else _PARTS[key[0]],
    )
