"""Files of customers who consented: each row as `POST /v1/profiles` would take it, and taken back as a whole."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from storage.access.acting import in_own_right
from storage.connect import Connection
from storage.identity.at_stores import take_in
from storage.identity.links import GivenProfile, Identified
from storage.inputs.imports import ImportFile, ImportRow, RevertConflictError, begin_import, end_import
from storage.inputs.inputs import ERRORS_SHOWN, Outcome, RowError
from storage.privacy.suppression import Guard

_SINCE: Final = (
    "select count(*) filter (where exists (select from profile_change later"
    "     join input_import brought using (import_no) where brought.reverted_at is null"
    "     and later.profile_id = change.profile_id and later.import_no > change.import_no)"
    # by a request, a webhook, an event or a person: before names were noted (written_name null) that is not known
    "   or written_name is not null"
    "     and (profile.display_name, profile.loyalty_tier) is distinct from (written_name, written_tier)"
    "   or made and (exists (select from consent_event word where word.profile_id = change.profile_id"
    "       and word.status = 'granted' and word.recorded_at > change.noted_at)"
    "     or exists (select from profile_identifier held where held.profile_id = change.profile_id"
    "       and held.ended_at is null and held.linked_at > change.noted_at))),"
    " count(*) filter (where made and exists (select from customer_event event"
    "   where event.profile_id = change.profile_id and event.newest and not event.removed)),"
    " count(*) filter (where made and exists (select from profile other where other.merged_into = change.profile_id))"
    " from profile_change change join profile using (profile_id) where import_no = %s"
)
"""What came after an import for its profiles: changes, events of those it made, others that they stand for."""


class ProfileRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a file, and the line it stood on."""

    line: int
    given: GivenProfile


def import_profiles(
    connection: Connection, file: ImportFile, rows: Sequence[ProfileRow], *, guard: Guard | None = None, dry_run: bool
) -> ImportRow:
    """Take in the profiles of a file and note the import; a row that conflicts stops no other.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    file : ImportFile
        Without events.
    rows : sequence of ProfileRow
    guard : Guard, optional
        As for `storage.identity.links.identify`.
    dry_run : bool
        As for `storage.inputs.imports.import_events`.

    Raises
    ------
    DryRun
        If asked for.
    """
    number = begin_import(connection, file, len(rows))
    taken, unchanged, refused = 0, 0, 0
    errors: list[RowError] = []
    for row in rows:
        found = _take(connection, number, row.given, guard)
        if found.told == "nothing":
            taken += 1
        elif found.profile_id is None:
            refused += 1
            errors += [RowError(line=row.line, field=one.where, what=one.what) for one in found.conflicts]
        elif found.changed or found.told == "whose":
            taken += 1
        else:
            unchanged += 1
    outcome = Outcome(taken=taken, unchanged=unchanged, refused=refused, errors=tuple(errors[:ERRORS_SHOWN]))
    return end_import(connection, number, file, outcome, dry_run=dry_run)


def take_back_profiles(connection: Connection, number: int) -> None:
    """Remove the profiles that an import made, and give the others their name and tier back.

    Raises
    ------
    RevertConflictError
        If one of them was changed since, in whatever way, or one that would be removed has events or stands for
        another profile.
    """
    row = connection.execute(_SINCE, [number]).fetchone()
    changed, used, merged = row if row is not None else (0, 0, 0)
    if changed or used or merged:
        raise RevertConflictError(
            f"{changed} profiles of this import were changed since, {used} that it made have events,"
            f" and {merged} that it made stand for another profile.",
            hint="Revert later imports first, and undo on the identity desk what merged them.",
        )
    connection.execute(
        "update profile set display_name = change.display_name, loyalty_tier = change.loyalty_tier,"
        " removed_at = case when change.made then clock_timestamp() end"
        " from profile_change change where change.import_no = %s and change.profile_id = profile.profile_id",
        [number],
    )
    connection.execute(
        "update profile_identifier held set ended_at = clock_timestamp() from profile_change change"
        " where change.import_no = %s and change.made and change.profile_id = held.profile_id and ended_at is null",
        [number],
    )


def _take(connection: Connection, number: int, given: GivenProfile, guard: Guard | None) -> Identified:
    found = take_in(connection, given, guard)
    if found.profile_id is not None and found.changed:
        before = found.before if found.before is not None else (given.display_name, given.loyalty_tier)
        with in_own_right(connection):  # also of whom the sender may not see
            _note(connection, number, found.profile_id, made=found.made, before=before)
    return found


def _note(connection: Connection, number: int, profile: UUID, *, made: bool, before: tuple[str, str | None]) -> None:
    # of a customer who stands twice in a file, the first line found what was there before, the last wrote what is
    connection.execute(
        "insert into profile_change"
        " (import_no, profile_id, made, display_name, loyalty_tier, written_name, written_tier, noted_at)"
        " select %s, profile_id, %s, %s, %s, display_name, loyalty_tier, clock_timestamp() from profile"
        "  where profile_id = %s on conflict (import_no, profile_id) do update set"
        " written_name = excluded.written_name, written_tier = excluded.written_tier, noted_at = excluded.noted_at",
        [number, made, *before, profile],
    )
