"""How values of formulas are written for people."""

from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Final, Literal
from zoneinfo import ZoneInfo

from api.metrics.models import MetricRowOut
from api.wording import dwell
from core.metrics.exclusions import OpeningHours

WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
QUIET_AFTER_S: Final = 30
"""As the sign of the live page has it (static/live.js): from then on it is not said that anchors work."""
Heard = Literal["now", "late", "never"]
HIDDEN: Final = "hidden"
NO_DATA: Final = "no data"
_NOTHING: Final = "\N{EN DASH}"
_MINUS: Final = "\N{MINUS SIGN}"


def figure(value: float | None, unit: str) -> str:
    """Return a value in its unit, like 1,204, 34.5% or 4 min 12 s; a dash for none."""
    if value is None:
        return _NOTHING
    if unit == "share":
        return f"{value * 100:.1f}%"
    if unit == "s":
        return dwell(value)
    if unit == "ratio":
        return f"{value:.1f}"
    return f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:,.1f}"


def alert_figure(value: float, unit: str) -> str:
    """Return a limit of an alert or its value with its unit, like 120 people; waits are steps of whole minutes."""
    if unit == "s":
        return _round_length(int(value))
    return f"{figure(value, unit)} {unit.removesuffix('s') if value == 1 else unit}"


def row_figure(row: MetricRowOut | None, unit: str) -> str:
    """Return the value of a row; says where it is hidden or not known, and marks one that leaves days out."""
    if row is None:
        return _NOTHING
    if row.state == "hidden":
        return HIDDEN
    if row.state == "no_data":
        return NO_DATA
    return figure(row.value, unit) + ("*" if leaves_out(row) else "")


def leaves_out(row: MetricRowOut) -> bool:
    """Return whether the value of a row is told without some days or hours of it."""
    return row.value is not None and bool(row.hidden_count or row.no_data_count)


def change(now: float | None, before: float | None, unit: str) -> str:
    """Return a difference like +12.5%, or +3.0 points between shares; a dash where there is none."""
    if now is None or before is None or (unit != "share" and not before):
        return _NOTHING
    moved = (now - before) * 100 if unit == "share" else (now / before - 1) * 100
    sign = "+" if round(moved, 1) > 0 else _MINUS if round(moved, 1) < 0 else "\N{PLUS-MINUS SIGN}"
    return f"{sign}{abs(moved):.1f}" + (" points" if unit == "share" else "%")


def heard(as_of: datetime | None, now: datetime) -> Heard:
    """Return when a store was last heard, whose newest signal is that of `as_of`."""
    if as_of is None:
        return "never"
    return "late" if (now - as_of).total_seconds() > QUIET_AFTER_S else "now"


def opening_hours(week: Sequence[OpeningHours | None]) -> str:
    """Return the hours of a week like Mon-Sat 09:00-20:00, Sun closed; days with the same ones stand together."""
    said = []
    for hours, days in groupby(range(len(week)), key=lambda day: week[day]):
        first, *others = [WEEKDAYS[day][:3] for day in days]
        when = "closed" if hours is None else f"{_clock(hours.opens_min)}\N{EN DASH}{_clock(hours.closes_min)}"
        said.append(f"{first}\N{EN DASH}{others[-1]} {when}" if others else f"{first} {when}")
    return ", ".join(said)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def short_day(day: date) -> str:
    """Return a day like Sat 21 Nov."""
    return f"{day:%a} {day.day} {day:%b}"


def span(first: date, last: date) -> str:
    """Return a range of days in words."""
    if first == last:
        return f"{short_day(first)} {first.year}"
    return f"{short_day(first)} to {short_day(last)} {last.year}"


def bucket_label(at: datetime, bucket: str | None, timezone: str) -> str:
    """Return the name of a bucket: its hour, day or month."""
    local = at.astimezone(ZoneInfo(timezone))
    if bucket == "hour":
        return f"{local:%H}"
    if bucket == "month":
        return f"{local:%b}"
    return f"{local.day} {local:%b}"


def bucket_words(at: datetime, bucket: str | None, timezone: str) -> str:
    """Return the same in full, as a tooltip and a table say it."""
    local = at.astimezone(ZoneInfo(timezone))
    if bucket == "hour":
        return f"{short_day(local.date())}, {local:%H:%M} ({local:%Z})"
    begins = {"week": "week from ", "month": "month from "}.get(bucket or "", "")
    return begins + short_day(local.date())


def band(from_s: int | None, to_s: int | None) -> str:
    """Return a band of dwell like 30 s to 1 min or from 2 h."""
    begin = _round_length(from_s or 0)
    if to_s is None:
        return f"from {begin}"
    end = _round_length(to_s)
    return f"under {end}" if not from_s else f"{begin} to {end}"


def shortened(name: str, most: int) -> str:
    """Return a name of at most so many characters."""
    return name if len(name) <= most else name[: most - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def _round_length(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds / 3600:g} h"
