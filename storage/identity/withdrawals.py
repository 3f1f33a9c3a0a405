"""Withdrawals by an identifier, one or a file of them, and what becomes of each."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from core.resolution import Identifier
from storage.access.acting import in_own_right, reaches_everybody, sends_blindly
from storage.connect import Connection
from storage.identity.at_stores import is_known_here
from storage.identity.consents import ConsentWord, withdraw_everywhere
from storage.identity.links import find_person
from storage.inputs.imports import ImportFile, ImportRow, begin_import, end_import
from storage.inputs.inputs import ERRORS_SHOWN, UNKNOWN_PROFILE, Outcome, RowError

OUTWEIGHED: Final = "The customer granted it again later, and that stands; send the withdrawal with its own time."
NO_COUNTRY: Final = "A telephone number without its country code may be kept with it: send it as +49 171 … as well."
"""Said of every number without one that finds nobody, whoever it is of."""


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """A word of withdrawal for whoever an identifier means, and the line it stood on."""

    line: int
    who: Identifier
    word: ConsentWord


class Became(StrEnum):
    """What became of a withdrawal; `UNKNOWN` is the same for unknown, unconsented and erased.

    `UNTOLD` is whatever became of one that is told by somebody bound to stores which do not know this customer.
    """

    DONE = "done"
    OUTWEIGHED = "outweighed"
    UNKNOWN = "unknown"
    UNTOLD = "untold"


_TAKEN: Final = frozenset({Became.DONE, Became.UNTOLD})


def withdraw_by(connection: Connection, who: Identifier, word: ConsentWord) -> Became:
    """Add a withdrawal to every profile of the person an identifier means.

    One that a later grant outweighs is kept as well, and so is one of somebody whose consent has expired or was
    withdrawn before: a grant from before it brings nobody back.
    """
    told = reaches_everybody() or (not sends_blindly() and is_known_here(connection, who))
    with in_own_right(connection):  # it reaches her whoever takes it, and so does a later grant that stands
        became = _withdraw(connection, who, word)
    return became if told else Became.UNTOLD


def _withdraw(connection: Connection, who: Identifier, word: ConsentWord) -> Became:
    profile = find_person(connection, who)
    if profile is None:
        silent = _holder(connection, who)
        if silent is not None:
            withdraw_everywhere(connection, silent, word)
        return Became.UNKNOWN
    withdraw_everywhere(connection, profile, word)
    return Became.OUTWEIGHED if find_person(connection, who) is not None else Became.DONE


def save_withdrawals(connection: Connection, rows: Sequence[Withdrawal]) -> Outcome:
    """Add withdrawals; one that does nothing is told as refused and stops no other."""
    faults = [(row, withdraw_by(connection, row.who, row.word)) for row in rows]
    errors = [_error(row, became) for row, became in faults if became not in _TAKEN]
    return Outcome(
        taken=len(rows) - len(errors), unchanged=0, refused=len(errors), errors=tuple(errors[:ERRORS_SHOWN])
    )


def import_withdrawals(
    connection: Connection, file: ImportFile, rows: Sequence[Withdrawal], *, dry_run: bool
) -> ImportRow:
    """Take in the withdrawals of a file and note the import, as `storage.inputs.imports.import_events` does.

    Raises
    ------
    DryRun
        If asked for.
    """
    number = begin_import(connection, file, len(rows))
    return end_import(connection, number, file, save_withdrawals(connection, rows), dry_run=dry_run)


def said_fully(who: Identifier) -> bool:
    """Say whether an identifier is one by which it can be found wherever it is kept: phones need their country."""
    return who.kind != "phone" or who.value.startswith("+")


def _error(row: Withdrawal, became: Became) -> RowError:
    if became is Became.OUTWEIGHED:
        return RowError(line=row.line, field="occurred_at", what=OUTWEIGHED)
    more = "" if said_fully(row.who) else f" {NO_COUNTRY}"
    return RowError(line=row.line, field="identifier", what=f"{UNKNOWN_PROFILE}{more}")


def _holder(connection: Connection, who: Identifier) -> UUID | None:
    row = connection.execute(
        "select person.kept_id from profile_identifier held join person using (profile_id)"
        " where held.kind = %s and held.value = %s and held.ended_at is null",
        [who.kind, who.value],
    ).fetchone()
    return row[0] if row is not None else None
