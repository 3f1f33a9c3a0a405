"""CSV files of customers: each row is a profile with its consent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from api.inputs.rows import csv_rows, read_each, read_header, read_time, standing, time_with_offset
from core.errors import InputError
from core.resolution import KINDS, identifier
from storage.identity.consents import ConsentWord
from storage.identity.links import GivenProfile
from storage.inputs.inputs import RowError
from storage.profiles.imports import ProfileRow
from storage.profiles.profiles import NAME_CHARACTERS, PURPOSE

PROFILE_ROWS: Final = 5_000
"""Each is looked up for itself; a file of that size takes half a minute. Split larger ones."""
_NEEDED: Final = ("display_name", "consent_source", "consent_wording", "consent_at")
COLUMNS: Final = (*_NEEDED, "consent_expires_at", "loyalty_tier", *KINDS)
_WORD: Final = 64


def read_profiles(
    body: bytes, source: str, now: datetime
) -> tuple[list[ProfileRow], list[RowError], tuple[str, ...]]:
    """Return the profiles of a file, the rows that cannot be read, and columns that are not kept.

    Raises
    ------
    InputError
        If the file as a whole cannot be read.
    """
    lines, names, separator = read_header(body, needed=_NEEDED, most=PROFILE_ROWS)
    read, wrong = read_each(
        csv_rows(lines, names, separator),
        lambda line, row: ProfileRow(line=line, given=_profile(row, source, now)),
    )
    return read, wrong, tuple(sorted(set(names) - set(COLUMNS)))


def _profile(row: Mapping[str, Any], source: str, now: datetime) -> GivenProfile:
    given = [identifier(kind, row[kind]) for kind in KINDS if row.get(kind, "").strip()]
    if not given:
        raise InputError("Nobody is named.", hint=f"Fill one of {', '.join(KINDS)}.", where="identifier")
    expires = row.get("consent_expires_at", "").strip()
    tier = row.get("loyalty_tier", "").strip()
    return GivenProfile(
        source=source,
        display_name=_text(row, "display_name", NAME_CHARACTERS),
        loyalty_tier=tier[:_WORD] if tier else None,
        identifiers=given,
        devices=[],
        consent=ConsentWord(
            purpose=PURPOSE,
            status="granted",
            source=_text(row, "consent_source", _WORD),
            wording=_text(row, "consent_wording", _WORD),
            occurred_at=read_time(row["consent_at"], now=now, field="consent_at"),
            expires_at=standing(time_with_offset(expires, field="consent_expires_at"), now, "consent_expires_at")
            if expires
            else None,
        ),
    )


def _text(row: Mapping[str, Any], field: str, most: int) -> str:
    text = str(row.get(field, "")).strip()
    if not 1 <= len(text) <= most or not text.isprintable():
        raise InputError(f"This needs 1 to {most} characters.", where=field)
    return text
