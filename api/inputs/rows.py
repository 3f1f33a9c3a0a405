"""Rows of other systems, from JSON or CSV, to events; what is wrong with a row is said and stops no other."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from re import compile as compile_pattern
from typing import Any, Final, TypeVar

import msgspec

from core.errors import InputError
from core.floorplan import ID_PATTERN
from core.journey.inputs import DETAIL_FIELDS, KEY_CHARACTERS, event_detail, event_kind
from core.resolution import KINDS, Identifier, identifier
from storage.inputs.inputs import ERRORS_SHOWN, InputEvent, RowError

Given = TypeVar("Given")
Read = TypeVar("Read")
CSV_ROWS: Final = 50_000
"""A day's receipts of a chain; a file of that size is taken in within seconds."""
CSV_BYTES: Final = 16 * 1024 * 1024
"""50,000 rows of 300 characters."""
_ROW_CHARACTERS: Final = 8_000
_STORE: Final = compile_pattern(ID_PATTERN)
_EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
"""Before there were customer cards with a computer behind them: an older time is a default that was left in."""
AHEAD: Final = timedelta(minutes=2)
"""As for signals: clocks that drift, not dates that are wrong."""
_ALIASES: Final = {
    "event": "kind", "messageId": "key", "timestamp": "occurred_at", "userId": "customer_id",
    "anonymousId": "anonymous_id", "revenue": "total", "product_id": "product", "rating": "score",
}  # fmt: skip
"""Segment's words; a row of its track calls can be sent as it is."""
COLUMNS: Final = ("key", "kind", "occurred_at", "store", *KINDS, *DETAIL_FIELDS)


class ReadRows(msgspec.Struct, frozen=True, kw_only=True):
    """Events that were read, the first rows that could not be, how many those are, and columns nobody knows."""

    events: list[InputEvent]
    malformed: list[RowError]
    malformed_count: int
    left_out: tuple[str, ...] = ()


def read_rows(given_input: str, rows: Iterable[tuple[int, Mapping[str, Any] | RowError]], now: datetime) -> ReadRows:
    """Read rows, each with its line; one that holds an error already keeps it."""
    events, wrong = read_each(rows, lambda line, row: _event(given_input, line, _plain(row), now))
    return ReadRows(events=events, malformed=wrong[:ERRORS_SHOWN], malformed_count=len(wrong))


def read_each(
    rows: Iterable[tuple[int, Given | RowError]], read: Callable[[int, Given], Read]
) -> tuple[list[Read], list[RowError]]:
    """Read rows, each with its line, by a function that raises InputError: what was read, and what is wrong."""
    found: list[Read] = []
    wrong: list[RowError] = []
    for line, row in rows:
        if isinstance(row, RowError):
            wrong.append(row)
            continue
        try:
            found.append(read(line, row))
        except InputError as error:
            wrong.append(RowError(line=line, field=error.where, what=f"{error.what} {error.hint}".strip()))
    return found, wrong


def read_csv(given_input: str, body: bytes, now: datetime) -> ReadRows:
    """Read a CSV file: UTF-8, a header, comma or semicolon, one row a line.

    Raises
    ------
    InputError
        If the file as a whole cannot be read: no header, columns missing or twice, too many rows.
    """
    lines, names, separator = read_header(body, needed=("key", "kind", "occurred_at"), most=CSV_ROWS)
    read = read_rows(given_input, csv_rows(lines, names, separator), now)
    return msgspec.structs.replace(read, left_out=tuple(sorted(set(names) - set(COLUMNS))))


def read_header(body: bytes, *, needed: tuple[str, ...], most: int) -> tuple[list[bytes], list[str], str]:
    """Return the lines of a CSV file, the names of its columns (ours for Segment's) and what separates them.

    Raises
    ------
    InputError
        If a column is missing or stands twice, or there are more than `most` rows.
    """
    lines = body.removeprefix(b"\xef\xbb\xbf").splitlines()
    header = lines[0].decode("utf-8", "replace") if lines else ""
    separator = ";" if header.count(";") > header.count(",") else ","
    names = [_ALIASES.get(name.strip(), name.strip()) for name in next(csv.reader([header], delimiter=separator), [])]
    if len(set(names)) != len(names):
        raise InputError("A column stands twice in the header.", where="line 1")
    if not set(needed) <= set(names) or not set(names) & set(KINDS):
        raise InputError(
            "The header lacks columns.",
            hint=f"It needs {', '.join(needed)} and one of {', '.join(KINDS)}.",
            where="line 1",
        )
    if len(lines) - 1 > most:
        raise InputError(f"A file has at most {most} rows, this one {len(lines) - 1}.", hint="Split the file.")
    return lines, names, separator


def csv_rows(
    lines: list[bytes], names: list[str], separator: str
) -> Iterator[tuple[int, Mapping[str, Any] | RowError]]:
    """Yield each row with its line: its fields by name, or what is wrong with it."""
    # line by line: a quote that nobody closed must not swallow the rows after it
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        what = ""
        values: list[str] = []
        try:
            values = next(csv.reader([line.decode()], delimiter=separator, strict=True))
        except UnicodeDecodeError:
            what = "The row is not UTF-8."
        except csv.Error:
            what = "The quotes of the row do not match; a row is one line."
        if not what and len(values) != len(names):
            what = f"The row has {len(values)} fields, the header {len(names)}."
        if not what and len(line) > _ROW_CHARACTERS:
            what = f"The row is longer than {_ROW_CHARACTERS} bytes."
        yield number, RowError(line=number, field="", what=what) if what else dict(zip(names, values, strict=True))


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give Segment's words our names and lay its properties beside them; what is said outright counts first."""
    inner = row.get("properties")
    flat = {**(inner if isinstance(inner, Mapping) else {}), **row}
    known = {name: flat[alias] for alias, name in _ALIASES.items() if alias in flat}
    return known | {name: value for name, value in flat.items() if name in COLUMNS and value not in (None, "")}


def _event(given_input: str, line: int, row: Mapping[str, Any], now: datetime) -> InputEvent:
    kind = event_kind(given_input, str(row.get("kind", "")))
    key = str(row.get("key", "")).strip()
    if not 1 <= len(key) <= KEY_CHARACTERS or not key.isprintable():
        raise InputError(f"A key has 1 to {KEY_CHARACTERS} printable characters.", where="key")
    store = str(row.get("store", "")).strip()
    if store and not _STORE.fullmatch(store):
        raise InputError("This cannot be the id of a store.", where="store")
    return InputEvent(
        line=line,
        identifier=row_identifier(row),
        kind=kind,
        key=key,
        occurred_at=read_time(str(row.get("occurred_at", "")), now=now),
        store=store,
        detail=_detail(given_input, kind, row),
    )


def _detail(given_input: str, kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    detail = event_detail(given_input, kind, row)
    if kind == "appointment_booked" and "starts_at" in detail:
        _check_start(str(detail["starts_at"]))
    return detail


def _check_start(said: str) -> None:
    """Refuse what is no time: nobody would be expected then, and nothing would say so."""
    try:
        read = datetime.fromisoformat(said)
        possible = (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).astimezone(UTC) >= _EARLIEST
    except (ValueError, OverflowError):
        possible = False
    if not possible:
        raise InputError(
            "The appointment starts at no time, or before 1990.",
            hint="Write 2026-11-21T14:00:00+01:00.",
            where="starts_at",
        )


def row_identifier(row: Mapping[str, Any], *, held: bool = False) -> Identifier:
    """Return the strongest identifier of a row; weaker ones only count where it is missing.

    Raises
    ------
    InputError
        If there is none, or `core.resolution.identifier` refuses it.
    """
    for kind in KINDS:
        if row.get(kind) not in (None, ""):
            return identifier(kind, str(row[kind]), held=held)
    raise InputError("Nobody is named.", hint=f"Fill one of {', '.join(KINDS)}.", where="identifier")


def read_time(text: str, *, now: datetime, field: str = "occurred_at") -> datetime:
    """Return a time with its offset that is neither in the future nor before there were records.

    Raises
    ------
    InputError
        If it is none.
    """
    read = time_with_offset(text, field=field)
    if not _EARLIEST <= read <= now + AHEAD:
        raise InputError("The time is in the future or before 1990.", where=field)
    return read


def time_with_offset(text: str, *, field: str) -> datetime:
    """Return a time that was written with its offset, in UTC, whenever it is.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError("This is no time.", hint="Write 2026-11-21T14:03:22+01:00.", where=field) from error
    return offset_said(read, field)


def offset_said(at: datetime, field: str) -> datetime:
    """Return a time in UTC.

    Raises
    ------
    InputError
        If it has no offset, or is in no year from 1 to 9999 in UTC: such a time could be kept and never be read.
    """
    if at.tzinfo is None:
        raise InputError("The time has no offset.", hint="End it with Z or +01:00.", where=field)
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise InputError("The time is beyond the calendar.", where=field) from error


def standing(expires_at: datetime, now: datetime, field: str) -> datetime:
    """Return when a consent that is told now expires.

    Raises
    ------
    InputError
        If it has expired: nothing is kept of whom no consent holds.
    """
    if expires_at <= now:
        raise InputError("The consent has expired, so nothing is kept.", hint="Ask for it anew.", where=field)
    return expires_at
