"""CSV imports as rows: what was taken in, and taking it back."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from psycopg.types.json import Jsonb

from core.errors import InputError
from storage.connect import Connection
from storage.inputs.inputs import ERRORS_SHOWN, InputEvent, Outcome, RowError, newest_tiers, save_events

PROFILES: Final = "profiles"
"""The input whose rows are customers, not events."""
WITHDRAWALS: Final = "withdrawals"
"""The input whose rows end consents."""
IMPORTS_SHOWN: Final = 100
"""Half a year of an import every other day."""
_COLUMNS: Final = "import_no, input, source, rows, taken, unchanged, refused, errors, imported_at, reverted_at"


_TIERS: Final = newest_tiers(
    "select told.profile_id from revert_stage join customer_event told using (event_id)"
    " where told.kind = 'tier_changed'"
)
_TIER: Final = (
    f"update profile set loyalty_tier = newest.tier from ({_TIERS}) newest"  # noqa: S608 - constants
    " where profile.profile_id = newest.kept_id"
)
"""After a file was taken back: what events still tell; where they tell nothing, the tier stays."""


class ImportRow(msgspec.Struct, frozen=True, kw_only=True):
    """One import; `import_no` is None for a dry run, which leaves nothing behind."""

    import_no: int | None
    input: str
    source: str
    rows: int
    taken: int
    unchanged: int
    refused: int
    errors: tuple[RowError, ...]
    imported_at: datetime | None
    reverted_at: datetime | None


class ImportFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read: its events, the first of the rows that could not be read, and how many those are."""

    input: str
    source: str
    sha256: bytes
    events: Sequence[InputEvent]
    malformed: Sequence[RowError]
    malformed_count: int


class RevertConflictError(InputError):
    """An import cannot be taken back as a whole; nothing was changed."""


class DryRun(Exception):  # noqa: N818 - no error: it ends the transaction of a dry run
    """Carries what would have become of the rows out of a transaction that is rolled back."""

    def __init__(self, row: ImportRow) -> None:
        super().__init__()
        self.row = row


def import_events(connection: Connection, file: ImportFile, *, dry_run: bool) -> ImportRow:
    """Take in the events of a file and note the import.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    file : ImportFile
    dry_run : bool
        Do all of it and then raise `DryRun`, so that the transaction is rolled back.

    Raises
    ------
    DryRun
        If asked for.
    """
    number = begin_import(connection, file, len(file.events))
    taken = save_events(connection, file.source, file.events, import_no=number)
    return end_import(connection, number, file, taken, dry_run=dry_run)


def begin_import(connection: Connection, file: ImportFile, readable: int) -> int:
    """Note that a file is taken in, with so many rows that could be read; return its number."""
    made = connection.execute(
        "insert into input_import (input, source, sha256, rows, taken, unchanged, refused, errors)"
        " values (%s, %s, %s, %s, 0, 0, 0, '[]') returning import_no",
        [file.input, file.source, file.sha256, readable + file.malformed_count],
    ).fetchone()
    if made is None:
        raise RuntimeError("An insert gave no row back.")
    number: int = made[0]
    return number


def end_import(
    connection: Connection, number: int, file: ImportFile, outcome: Outcome, *, dry_run: bool
) -> ImportRow:
    """Note what became of the rows.

    Raises
    ------
    DryRun
        If it is one.
    """
    errors = tuple(sorted([*file.malformed, *outcome.errors]))[:ERRORS_SHOWN]
    connection.execute(
        "update input_import set taken = %s, unchanged = %s, refused = %s, errors = %s where import_no = %s",
        [
            outcome.taken,
            outcome.unchanged,
            outcome.refused + file.malformed_count,
            Jsonb(msgspec.to_builtins(errors)),
            number,
        ],
    )
    row = find_import(connection, number)
    if row is None:
        raise RuntimeError("An import that was noted is not there.")
    if dry_run:
        raise DryRun(msgspec.structs.replace(row, import_no=None, imported_at=None))
    return row


def imports_page(connection: Connection) -> list[ImportRow]:
    """Return the newest IMPORTS_SHOWN imports."""
    rows = connection.execute(
        f"select {_COLUMNS} from input_import order by import_no desc limit %s",  # noqa: S608 - a constant
        [IMPORTS_SHOWN],
    ).fetchall()
    return [_row(row) for row in rows]


def find_import(connection: Connection, number: int) -> ImportRow | None:
    """Return an import, None if there is none."""
    row = connection.execute(
        f"select {_COLUMNS} from input_import where import_no = %s",  # noqa: S608 - a constant
        [number],
    ).fetchone()
    return _row(row) if row is not None else None


def revert_import(
    connection: Connection, number: int, take_back_profiles: Callable[[Connection, int], None]
) -> ImportRow | None:
    """Let all be as it was before an import; of events, what it brought stays as an earlier revision.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    number : int
    take_back_profiles : callable
        Takes back an import of profiles.

    Returns
    -------
    ImportRow or None
        None if there is no such import; reverting twice changes nothing.

    Raises
    ------
    RevertConflictError
        If events of it were changed since; nothing is changed then.
    """
    held = connection.execute("select reverted_at, input from input_import where import_no = %s for update", [number])
    found = held.fetchone()
    if found is None:
        return None
    if found[0] is None:
        if found[1] == WITHDRAWALS:
            raise RevertConflictError(
                "Withdrawals are not taken back.", hint="A customer who wants it grants anew: POST /v1/profiles."
            )
        if found[1] == PROFILES:
            take_back_profiles(connection, number)
        else:
            _refuse_changed(connection, number)
            _put_back(connection, number)
        connection.execute("update input_import set reverted_at = clock_timestamp() where import_no = %s", [number])
    return find_import(connection, number)


def _refuse_changed(connection: Connection, number: int) -> None:
    rows = connection.execute(
        "select kind, source_key, count(*) over () from customer_event where import_no = %s and not newest"
        " order by kind, source_key limit 5",
        [number],
    ).fetchall()
    if rows:
        named = ", ".join(f"{kind} {key}" for kind, key, _ in rows)
        more = ", …" if rows[0][2] > len(rows) else ""
        raise RevertConflictError(
            f"{rows[0][2]} events of this import were changed since: {named}{more}.",
            hint="Revert the later import first, or correct those events one by one.",
        )


def _put_back(connection: Connection, number: int) -> None:
    # gone with the transaction: it belongs to the role that made it
    connection.execute("create temporary table revert_stage (event_id uuid, revision integer) on commit drop")
    connection.execute(
        "with old as (update customer_event set newest = false where import_no = %s and newest"
        " returning event_id, revision) insert into revert_stage select event_id, revision from old",
        [number],
    )
    # the revision before it is what counts again; where there was none, the event is removed
    connection.execute(
        "insert into customer_event (event_id, revision, profile_id, kind, source, source_key, occurred_at, store_no,"
        " detail, removed) select event_id, stage.revision + 1, told.profile_id, told.kind, told.source,"
        " told.source_key, told.occurred_at, told.store_no, told.detail, stage.revision = 0 or told.removed"
        " from revert_stage stage join customer_event told using (event_id)"
        " where told.revision = greatest(stage.revision - 1, 0)"
    )
    connection.execute(_TIER)
    connection.execute("delete from revert_stage")


def _row(row: tuple[Any, ...]) -> ImportRow:
    return ImportRow(
        import_no=row[0],
        input=row[1],
        source=row[2],
        rows=row[3],
        taken=row[4],
        unchanged=row[5],
        refused=row[6],
        errors=tuple(RowError(**error) for error in row[7]),
        imported_at=row[8],
        reverted_at=row[9],
    )
