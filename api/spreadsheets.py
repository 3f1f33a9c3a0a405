"""Rows as CSV that no spreadsheet can be tricked by."""

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

_SIGNS: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20"
"""What a formula begins with; the full-width signs are what some fold into plain ones (OWASP, CSV injection)."""
_SKIPPED: Final = (
    r"(?:(?![\t\r\n])[\s\"'\x00-\x1f\x7f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff])*"
)
"""What may stand before it and is cut off, or not seen: blanks, quotes, controls, characters without a width; no line
ends and tabs, behind which another cell may begin."""
_FORMULA: Final = re.compile(rf"[\t\r\n]|{_SKIPPED}[{_SIGNS}]")
_NEXT_CELL: Final = re.compile(rf"([;|\t\r\n])({_SKIPPED}[{_SIGNS}])")
"""A formula where another cell begins: a spreadsheet whose decimals have a comma parts cells at semicolons; quotes
in the middle of what it takes for one cell hold neither those nor line ends together. Our quotes hold commas."""
_NEXT_IN_JSON: Final = re.compile(rf"([;|]{_SKIPPED})([{_SIGNS}])")


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Return rows as CSV: times in ISO 8601, JSON for what has parts."""
    text = io.StringIO()
    writer = csv.writer(text)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (dict, list)):
        text = msgspec.json.encode(value).decode()
        return _NEXT_IN_JSON.sub(lambda found: f"{found[1]}\\u{ord(found[2]):04x}", text)  # the same value
    if not isinstance(value, str):
        return value
    inside = _NEXT_CELL.sub(r"\1'\2", value)
    return f"'{inside}" if _FORMULA.match(value) else inside
