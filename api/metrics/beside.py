"""Figures of days beside those of other days: how they differ, over the days that both tell."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from api.metrics.models import MetricOut, MetricRowOut, PeriodOut
from api.metrics.wording import change, leaves_out
from core.metrics.formulas import Unit


class Change(NamedTuple):
    """A difference in words; `days` of the `asked` ones are what it is of, None where it is no sum over days."""

    words: str
    days: int | None = None
    asked: int | None = None

    @property
    def is_partial(self) -> bool:
        """Return whether some day is left out, and any stays."""
        return bool(self.days) and self.days != self.asked


def change_of_days(answer: MetricOut, now: datetime) -> Change:
    """Return how a sum over days, or the most of them, differs from that of the days that it is compared with.

    Days that are hidden, without data or not over in one of the two are left out of both: else more days, or a whole
    one beside a running one, would look like more people. What is left is made of days that are told by themselves.

    Parameters
    ----------
    answer : MetricOut
        By day, or of a single day, and compared; of visits or people.
    now : datetime
        A day of a store is over when it is on the store's clocks.
    """
    if answer.compared is None:
        raise RuntimeError("only an answer that is compared has a change")
    ours, theirs = _days(answer, answer, now), _days(answer, answer.compared, now)
    both = sorted(ours.keys() & theirs.keys())
    asked = (answer.last_day - answer.first_day).days + 1
    if not both:
        return Change(change(None, None, answer.formula.unit), 0, asked)
    together: Callable[[Sequence[float]], float] = max if answer.formula.id == "occupancy_peak" else sum
    mine, other = (together([of[place] for place in both]) for of in (ours, theirs))
    return Change(change(mine, other, answer.formula.unit), len(both), asked)


def change_of_rows(one: MetricRowOut | None, other: MetricRowOut | None, unit: Unit) -> Change:
    """Return how a share or a mean differs from another, marked where one of them leaves days out."""
    if one is None or other is None or one.value is None or other.value is None:
        return Change(change(None, None, unit))
    mark = "*" if leaves_out(one) or leaves_out(other) else ""
    return Change(change(one.value, other.value, unit) + mark)


def _days(answer: MetricOut, period: PeriodOut, now: datetime) -> dict[int, float]:
    """Return the value of each day of a range that is over and told, by its place in the range."""
    timezone = ZoneInfo(period.timezone)
    today = now.astimezone(timezone).date()
    is_by_day = answer.bucket == "day"
    if not is_by_day and answer.first_day != answer.last_day:
        raise RuntimeError("days are compared by day")
    rows = period.rows if is_by_day else [] if period.total is None else [period.total]
    found = {}
    for row in rows:
        if row.begins_at is None or row.value is None or row.state != "told":
            continue
        day = row.begins_at.astimezone(timezone).date()
        if day < today:
            found[(day - period.first_day).days] = row.value
    return found
