"""The rows that a customer's memory is made of; without a consent that holds there is none."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from storage.connect import Connection
from storage.notes.choices import FeelingWord
from storage.notes.notes import SourceWord

NOTES_REMEMBERED: Final = 200
"""The newest: a note at each of two visits a week for two years, after which feelings have faded."""
DUES_REMEMBERED: Final = 200


class NotedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A note on a customer, with what its feelings are read from; `zone_kind` is of where it was noted."""

    note_id: UUID
    noted_at: datetime
    source: SourceWord
    purpose: str
    operator: str
    subject: str
    detail: str
    tags: tuple[str, ...]
    feeling: FeelingWord
    chosen: bool
    feeling_read: dict[str, Any]
    zone_kind: str | None


class DueRow(msgspec.Struct, frozen=True, kw_only=True):
    """A follow-up of a note on a customer; `promised_by` made it, whoever does it now."""

    follow_up_id: UUID
    note_id: UUID
    instructions: str
    promised_by: str
    made_at: datetime
    due_at: datetime
    done_at: datetime | None
    promised_at: datetime


def notes_remembered(connection: Connection, profile: UUID) -> list[NotedRow]:
    """Return the newest notes on a customer and on those that were merged into her, newest first."""
    rows = connection.execute(
        "select note.note_id, note.noted_at, note.source, note.purpose, note.operator, note.subject, note.detail,"
        "       note.tags, note.feeling, note.feeling_chosen is not null, note.feeling_read, zone.kind"
        "  from person join note_seen note on note.of_profile = person.profile_id"
        "  left join zone on zone.store_no = note.store_no and zone.zone_no = note.zone_no"
        " where person.kept_id = %s order by note.noted_at desc, note.note_id limit %s",
        [profile, NOTES_REMEMBERED],
    ).fetchall()
    found = [dict(zip(NotedRow.__struct_fields__, row, strict=True)) for row in rows]
    return [NotedRow(**values | {"tags": tuple(values["tags"])}) for values in found]


def dues_remembered(connection: Connection, profile: UUID, *, not_of: Iterable[str]) -> list[DueRow]:
    """Return the newest follow-ups of notes on a customer; `not_of` are purposes whose notes promise her nothing."""
    rows = connection.execute(
        "select task.follow_up_id, task.note_id, task.instructions,"
        # older ones do not say who made them: that is who had them first
        "       coalesce(task.made_by, (select change.before from follow_up_change change"
        " where change.follow_up_id = task.follow_up_id and change.change = 'reassigned' order by change.change_no"
        " limit 1), task.operator), task.made_at, task.due_at,"
        # before it was ever put off, as whoever it was promised to remembers
        "       task.done_at, coalesce((select change.before::timestamptz from follow_up_change change"
        " where change.follow_up_id = task.follow_up_id and change.change = 'snoozed' order by change.change_no"
        " limit 1), task.due_at)"
        "  from person join note_seen note on note.of_profile = person.profile_id"
        "  join follow_up task using (note_id)"
        " where person.kept_id = %s and note.purpose <> all(%s)"
        " order by task.made_at desc, task.follow_up_id limit %s",
        [profile, sorted(not_of), DUES_REMEMBERED],
    ).fetchall()
    return [DueRow(**dict(zip(DueRow.__struct_fields__, row, strict=True))) for row in rows]
