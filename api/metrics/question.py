"""What a question is, and the buckets, days and hours that it is about."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from core.metrics.formulas import Formula
from storage.rollups.sources import day_begins, hour_begins
from storage.stores import StoredPlan

Bucket = Literal["hour", "day", "week", "month", "whole"]
State = Literal["told", "partly_hidden", "hidden", "no_data", "future"]
"""`no_data`: nobody listened, so that nothing is known."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked: a formula over the days from `first` to `last`, for the store, a zone or each zone.

    `now` is when it is asked: buckets that begin later have no value.
    """

    formula: Formula
    parameters: Mapping[str, int]
    first: date
    last: date
    bucket: Bucket
    zone_no: int | None
    each_zone: bool
    now: datetime


def bucket_begin(day: date, bucket: Bucket, first: date) -> date:
    """Return the first day of the bucket that a day lies in, not before the range."""
    match bucket:
        case "week":
            return max(first, day - timedelta(days=day.weekday()))
        case "month":
            return max(first, day.replace(day=1))
        case "whole":
            return first
    return day


def days(first: date, last: date) -> Iterator[date]:
    """Return each day of a range."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def bucket_begins(stored: StoredPlan, question: Question) -> list[datetime]:
    """Return when each bucket of a range begins; a day on which clocks change has 23 or 25 hours."""
    timezone = stored.plan.timezone
    if question.bucket != "hour":
        begins = sorted(
            {bucket_begin(day, question.bucket, question.first) for day in days(question.first, question.last)}
        )
        return [day_begins(day, timezone) for day in begins]
    return [at for day in days(question.first, question.last) for at in hour_begins(day, timezone)]


def key_of(at: datetime, question: Question, timezone: str) -> datetime:
    """Return when the bucket begins, in UTC, that the hour or the day lies in that begins there."""
    if question.bucket == "hour":
        return at.astimezone(UTC)
    day = bucket_begin(at.astimezone(ZoneInfo(timezone)).date(), question.bucket, question.first)
    return day_begins(day, timezone).astimezone(UTC)


def atoms(stored: StoredPlan, question: Question) -> list[datetime]:
    """Return when each hour of a question by hour begins, else each day."""
    fine = msgspec.structs.replace(question, bucket="hour" if question.bucket == "hour" else "day")
    return bucket_begins(stored, fine)
