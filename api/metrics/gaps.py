"""Which days and hours of a question have no data: nobody listened, so nobody knows who was there."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from api.metrics.question import Question, atoms, key_of
from storage.connect import Connection
from storage.known import covered_hours, known_days
from storage.stores import StoredPlan

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Gaps:
    """Days and hours without data of a question, up to now."""

    timezone: str
    days: frozenset[date]
    covered_days: frozenset[date]
    """Those of which it is known hour by hour whether anybody listened."""
    hours: frozenset[datetime]
    """Hours of these in which somebody listened."""

    def lacks(self, at: datetime, *, hourly: bool) -> bool:
        """Return whether the hour or the day that begins there has no data."""
        day = at.astimezone(ZoneInfo(self.timezone)).date()
        if day in self.days:
            return True
        if not hourly or day not in self.covered_days:
            return False
        begin = at.astimezone(UTC)
        full = begin.replace(minute=0, second=0)  # coverage is of full hours in UTC: of Kolkata's hours two each
        return not self.hours & ({full} if full == begin else {full, full + _HOUR})


def find_gaps(connection: Connection, stored: StoredPlan, question: Question, *, hourly: bool) -> Gaps:
    """Return what has no data of the days, or hours, of a question; to be called in a `snapshot`."""
    days = known_days(connection, stored, question.first, question.last)
    today = question.now.astimezone(ZoneInfo(stored.plan.timezone)).date()
    return Gaps(
        timezone=stored.plan.timezone,
        days=frozenset(day.day for day in days if not day.known and day.day <= today),
        covered_days=frozenset(day.day for day in days if day.covered_s),
        hours=covered_hours(connection, stored, question.first, question.last) if hourly else frozenset(),
    )


@dataclass(frozen=True)
class BucketGaps:
    """Of each bucket by its begin in UTC: days or hours until now, and how many of them have no data."""

    passed: Counter[datetime]
    lacking: Counter[datetime]

    def count(self, at: datetime) -> int:
        """Return how many days or hours of the bucket that begins there have no data."""
        return self.lacking[at.astimezone(UTC)]

    def is_whole(self, at: datetime) -> bool:
        """Return whether none of the bucket has data."""
        return 0 < self.count(at) == self.passed[at.astimezone(UTC)]


def bucket_gaps(connection: Connection, stored: StoredPlan, question: Question) -> BucketGaps:
    """Return how much of each bucket of a question has no data; to be called in a `snapshot`."""
    hourly = question.bucket == "hour"
    gaps = find_gaps(connection, stored, question, hourly=hourly)
    timezone = stored.plan.timezone
    passed: Counter[datetime] = Counter()
    lacking: Counter[datetime] = Counter()
    for at in atoms(stored, question):
        if at > question.now:
            break
        begin = key_of(at, question, timezone)
        passed[begin] += 1
        lacking[begin] += gaps.lacks(at, hourly=hourly)
    return BucketGaps(passed, lacking)
