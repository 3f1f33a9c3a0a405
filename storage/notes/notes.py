"""Notes: what staff saw or heard. Each edit keeps what stood before; the same note sent twice is kept once."""

from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from core.errors import InputError
from storage.audit.seen import AboutPerson
from storage.connect import Connection
from storage.notes.choices import FeelingWord
from storage.profiles.people import OF_PERSON
from storage.storable import cleaned, storable

SourceWord: TypeAlias = Literal["staff", "email", "chat", "social"]

SUBJECT_CHARACTERS: Final = 120
"""One line on a wide screen, two on a phone."""
DETAIL_CHARACTERS: Final = 4_000
"""A page of text; a long e-mail has half of that."""
TAGS_PER_NOTE: Final = 12
"""Nobody sees more than a dozen things at once."""
OPERATOR_CHARACTERS: Final = 80
"""A full name with a title."""
REVISIONS_PER_NOTE: Final = 200
"""An edit a day for half a year; more is a program gone wild."""
NOTES_PER_JOURNEY: Final = 500
"""A note at each visit of two years; what is older is about journeys that nobody opens."""

NOTE_COLUMNS: Final = (
    "note.note_id, note.profile_id, note.profile_name, store.id, store.name, store.timezone, zone.id, zone.name,"
    " note.visit_id, note.noted_at, note.received_at, note.operator, note.source, note.purpose, note.subject,"
    " note.detail, note.outcome, note.mood, note.tags, note.feeling_chosen, note.feeling_read, note.feeling,"
    " note.revision, note.edited_at,"
    " (select count(*) from follow_up where follow_up.note_id = note.note_id and done_at is null)"
)
"""As `note_row` reads them, of NOTE_SOURCE."""
NOTE_SOURCE: Final = (
    "note_seen note left join store using (store_no)"
    " left join zone on zone.store_no = note.store_no and zone.zone_no = note.zone_no"
)


class NoteText(msgspec.Struct, frozen=True, kw_only=True):
    """What people write and may edit; `feeling_read` is the model's suggestion for this very text, as JSON."""

    purpose: str
    subject: str
    detail: str
    outcome: str | None
    mood: str | None
    tags: tuple[str, ...]
    feeling_chosen: FeelingWord | None
    feeling_read: dict[str, Any]


class NewNote(msgspec.Struct, frozen=True, kw_only=True):
    """A note to be kept; `asked_sha256` is of what was sent."""

    note_id: UUID
    asked_sha256: bytes
    profile_id: UUID | None
    store_no: int | None
    zone_no: int | None
    visit_id: UUID | None
    noted_at: datetime
    operator: str
    source: SourceWord
    text: NoteText


class SentNote(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent under the id of a note, and the profile that it was written on."""

    asked_sha256: bytes
    profile_id: UUID | None


class NoteRow(AboutPerson, frozen=True, kw_only=True):
    """A note that may be seen, with the names of where and whom it is about."""

    note_id: UUID
    profile_id: UUID | None
    profile_name: str | None
    store: str | None
    store_name: str | None
    timezone: str | None
    zone: str | None
    zone_name: str | None
    visit_id: UUID | None
    noted_at: datetime
    received_at: datetime
    operator: str
    source: SourceWord
    purpose: str
    subject: str
    detail: str
    outcome: str | None
    mood: str | None
    tags: tuple[str, ...]
    feeling_chosen: FeelingWord | None
    feeling_read: dict[str, Any]
    feeling: FeelingWord
    revision: int
    edited_at: datetime | None
    open_follow_up_count: int

    @property
    def text(self) -> NoteText:
        """The part that may be edited."""
        return NoteText(**{name: getattr(self, name) for name in NoteText.__struct_fields__})


class NoteChange(msgspec.Struct, frozen=True, kw_only=True):
    """One edit; `before` is the text as it stood until then."""

    revision: int
    edited_at: datetime
    operator: str
    before: NoteText


def note_row(row: tuple[Any, ...]) -> NoteRow:
    """Return a note from NOTE_COLUMNS."""
    values = dict(zip(NoteRow.__struct_fields__, row, strict=True))
    return NoteRow(**values | {"tags": tuple(values["tags"])})


def insert_note(connection: Connection, note: NewNote) -> bool:
    """Keep a note; False if it was kept already, which changes nothing.

    Raises
    ------
    InputError
        If another note was sent under this id.
    """
    made = connection.execute(
        "insert into note (note_id, asked_sha256, profile_id, store_no, zone_no, visit_id, noted_at, operator,"
        " source, purpose, subject, detail, outcome, mood, tags, feeling_chosen, feeling_read)"
        " values (%(note_id)s, %(asked_sha256)s, %(profile_id)s, %(store_no)s, %(zone_no)s, %(visit_id)s,"
        " %(noted_at)s, %(operator)s, %(source)s, %(purpose)s, %(subject)s, %(detail)s, %(outcome)s, %(mood)s,"
        " %(tags)s, %(feeling_chosen)s, %(feeling_read)s) on conflict (note_id) do nothing",
        msgspec.structs.asdict(note) | _values(note.text) | {"operator": storable(note.operator)},
    ).rowcount
    if made:
        return True
    sent = find_sent(connection, note.note_id)
    if sent is None:  # erased between the two questions
        raise InputError("This note was erased just now.", hint="Send it under a new key.", where="Idempotency-Key")
    if sent.asked_sha256 != note.asked_sha256:
        raise used_otherwise()
    return False


def find_sent(connection: Connection, note: UUID) -> SentNote | None:
    """Return what was sent under an id, seen or not; None if nothing was."""
    row = connection.execute("select asked_sha256, profile_id from note where note_id = %s", [note]).fetchone()
    return SentNote(asked_sha256=row[0], profile_id=row[1]) if row is not None else None


def used_otherwise() -> InputError:
    """Return the error of an id under which something else was sent before."""
    return InputError(
        "This key was used for another note.", hint="Use a new UUID for each note.", where="Idempotency-Key"
    )


def edit_note(
    connection: Connection, found: NoteRow, text: NoteText, *, revision: int, operator: str, at: datetime
) -> bool:
    """Put another text in place of the one of `revision`, which is kept; False if somebody else was faster.

    Raises
    ------
    InputError
        If the note was edited too often.
    """
    if revision >= REVISIONS_PER_NOTE:
        raise InputError(
            f"A note can be edited {REVISIONS_PER_NOTE} times.", hint="Write a new one.", where="revision"
        )
    if found.revision != revision:
        return False
    changed = connection.execute(
        "update note set purpose = %(purpose)s, subject = %(subject)s, detail = %(detail)s, outcome = %(outcome)s,"
        " mood = %(mood)s, tags = %(tags)s, feeling_chosen = %(feeling_chosen)s, feeling_read = %(feeling_read)s,"
        " revision = revision + 1, edited_at = %(at)s where note_id = %(note)s and revision = %(revision)s",
        _values(text) | {"note": found.note_id, "revision": revision, "at": at},
    ).rowcount
    if not changed:
        return False
    connection.execute(
        "insert into note_revision (note_id, revision, edited_at, operator, before) values (%s, %s, %s, %s, %s)",
        [found.note_id, revision + 1, at, storable(operator), Jsonb(msgspec.to_builtins(found.text))],
    )
    return True


def find_note(connection: Connection, note: UUID) -> NoteRow | None:
    """Return a note; None if it is unknown or on a profile without a consent that holds."""
    row = connection.execute(
        f"select {NOTE_COLUMNS} from {NOTE_SOURCE} where note_id = %s",  # noqa: S608 - constants
        [note],
    ).fetchone()
    return note_row(row) if row is not None else None


def note_history(connection: Connection, note: UUID) -> list[NoteChange]:
    """Return the edits of a note, the oldest first; empty for a note that may not be seen."""
    rows = connection.execute(
        "select change.revision, change.edited_at, change.operator, change.before"
        "  from note_revision change join note_seen using (note_id)"
        " where note_id = %s order by change.revision",
        [note],
    ).fetchall()
    return [
        NoteChange(revision=row[0], edited_at=row[1], operator=row[2], before=msgspec.convert(row[3], NoteText))
        for row in rows
    ]


def noted_on(
    connection: Connection, profile: UUID, *, known_at: datetime | None = None
) -> list[tuple[UUID, datetime]]:
    """Return the newest notes of staff on a person that were known at that time (None: now), the oldest first."""
    rows = connection.execute(
        f"select note_id, noted_at from note_seen where of_profile = any({OF_PERSON}) and source = 'staff'"  # noqa: S608 - constants
        " and received_at <= coalesce(%(known_at)s::timestamptz, 'infinity')"
        " order by noted_at desc, note_id limit %(most)s",
        {"profile": profile, "known_at": known_at, "most": NOTES_PER_JOURNEY},
    ).fetchall()
    return [(row[0], row[1]) for row in reversed(rows)]


def _values(text: NoteText) -> dict[str, Any]:
    return {
        "purpose": text.purpose,
        "subject": storable(text.subject),
        "detail": storable(text.detail),
        "outcome": text.outcome,
        "mood": text.mood,
        "tags": list(text.tags),
        "feeling_chosen": text.feeling_chosen,
        "feeling_read": Jsonb(cleaned(text.feeling_read)),
    }
