"""Rows as CSV that no spreadsheet can be tricked by."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec


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
    # text that a spreadsheet would take for a formula (OWASP, CSV injection)
    return f"'{value}" if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
