"""Rows as CSV that no spreadsheet can be tricked by."""

import csv
import io
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

_FORMULA: Final = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
"""Text that a spreadsheet would take for a formula, maybe after it cut off blanks; the full-width signs are what some
fold into plain ones (OWASP, CSV injection)."""


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
        return msgspec.json.encode(value).decode()
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
