"""Withdrawals of other systems: CSV files of them, and lists in a signed webhook."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from api.inputs.models import WithdrawalIn
from api.inputs.rows import csv_rows, offset_said, read_each, read_header, row_identifier, time_with_offset
from api.texts import in_words
from core.errors import InputError
from core.resolution import KINDS, identifier
from storage.identity.consents import ConsentWord
from storage.identity.withdrawals import Withdrawal
from storage.inputs.inputs import RowError
from storage.profiles.profiles import PURPOSE

WITHDRAWAL_ROWS: Final = 5_000
"""As of customers: each is looked up for itself."""
_NEEDED: Final = ("occurred_at",)
COLUMNS: Final = (*_NEEDED, "wording", "key", *KINDS)


def read_withdrawals(body: bytes, source: str) -> tuple[list[Withdrawal], list[RowError], tuple[str, ...]]:
    """Return the withdrawals of a file, the rows that cannot be read, and columns that are not kept.

    Raises
    ------
    InputError
        If the file as a whole cannot be read.
    """
    lines, names, separator = read_header(body, needed=_NEEDED, most=WITHDRAWAL_ROWS)
    read, wrong = read_each(csv_rows(lines, names, separator), lambda line, row: _of_row(line, row, source))
    return read, wrong, tuple(sorted(set(names) - set(COLUMNS)))


def listed_withdrawals(rows: list[Any]) -> tuple[list[Withdrawal], list[RowError]]:
    """Return the withdrawals of a list and the rows that cannot be read; lines are places from 1 on."""
    return read_each(enumerate(rows, 1), _of_list)


def named(row: Any) -> Any:
    """Return a row that names its customer by a column, as in a file, with that as its identifier; others as is."""
    kind = next((kind for kind in KINDS if row.get(kind) not in (None, "")), None) if isinstance(row, dict) else None
    if kind is None or "identifier" in row:
        return row
    return row | {"identifier": {"kind": kind, "value": str(row[kind])}}


def _of_list(line: int, row: object) -> Withdrawal:
    try:
        return withdrawal_of(WithdrawalIn.model_validate(row), line=line)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(in_words(first).removesuffix(".") + ".", where=".".join(map(str, first["loc"]))) from error


def withdrawal_of(given: WithdrawalIn, *, line: int = 1) -> Withdrawal:
    """Return a withdrawal as it was told.

    Raises
    ------
    InputError
        If a value is not possible.
    """
    at = offset_said(given.occurred_at, "occurred_at")
    return Withdrawal(
        line=line,
        who=identifier(given.identifier.kind, given.identifier.value, held=True),
        word=_word(given.source, given.wording, at, given.key),
    )


def _of_row(line: int, row: Mapping[str, Any], source: str) -> Withdrawal:
    wording, key = (str(row.get(name, "")).strip() for name in ("wording", "key"))
    for name, text, most in (("wording", wording, 64), ("key", key, 200)):
        if len(text) > most or not (text.isprintable() or not text):
            raise InputError(f"This has at most {most} printable characters.", where=name)
    return Withdrawal(
        line=line,
        who=row_identifier(row, held=True),
        word=_word(source, wording, time_with_offset(row["occurred_at"], field="occurred_at"), key or None),
    )


def _word(source: str, wording: str, at: datetime, key: str | None) -> ConsentWord:
    return ConsentWord(
        purpose=PURPOSE, status="withdrawn", source=source, wording=wording, occurred_at=at, source_key=key
    )
