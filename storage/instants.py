"""Nanoseconds of ours to the database's timestamps and back; both sides keep whole microseconds."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from core.errors import ConfigurationError
from core.limits import NS_PER_US

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2261
"""The last whole one in 64 bits of nanoseconds."""


def to_datetime(instant_ns: int) -> datetime:
    """Return an instant (ns since 1970, UTC) as the database takes it, floored to a microsecond."""
    return _EPOCH + timedelta(microseconds=instant_ns // NS_PER_US)


def to_ns(instant: datetime) -> int:
    """Return an instant as nanoseconds since 1970; exact, which `datetime.timestamp` is not."""
    return (instant - _EPOCH) // _MICROSECOND * NS_PER_US


def read_instant(text: str, *, name: str) -> int:
    """Return an instant that a person wrote, 2026-11-21 or 2026-11-21T09:00+01:00, as ns; UTC unless it says another.

    Raises
    ------
    ConfigurationError
        If it is written otherwise; `name` is what is being set.
    """
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigurationError(
            f"{name} is {text.strip()[:40]!r}, which is no instant.", hint="Write it like 2026-11-21T09:00+01:00."
        ) from error
    return to_ns(read if read.tzinfo is not None else read.replace(tzinfo=UTC))


def read_days(first: str, last: str) -> tuple[int, int]:
    """Return the beginning of the first of some UTC days and the end of the last, ns; a person wrote both.

    Raises
    ------
    ConfigurationError
        If one is no day, or one that nanoseconds of 64 bits do not reach, or the last is before the first.
    """
    begin, end = (_read_day(text, name=name) for text, name in ((first, "--from"), (last, "--to")))
    if end < begin:
        raise ConfigurationError("The last day is before the first.", hint="Let --to be --from or later.")
    after = end + timedelta(days=1)
    return to_ns(datetime.combine(begin, time(), UTC)), to_ns(datetime.combine(after, time(), UTC))


def _read_day(text: str, *, name: str) -> date:
    try:
        day = date.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigurationError(
            f"{name} is {text.strip()[:40]!r}, which is no day.", hint="Write it like 2026-11-21."
        ) from error
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise ConfigurationError(
            f"{name} is {day}, a day without signals.", hint=f"Days are those of {_FIRST_YEAR} to {_LAST_YEAR}."
        )
    return day
