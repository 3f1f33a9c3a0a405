"""Notes by any of their fields and full text, the newest first; and how many there are of each."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, get_args
from uuid import UUID

import msgspec
from psycopg import sql

from core.errors import InputError
from storage.audit.seen import saw
from storage.connect import Connection
from storage.notes.choices import FeelingWord
from storage.notes.notes import NOTE_COLUMNS, NOTE_SOURCE, NoteRow, SourceWord, note_row
from storage.page_cursors import read_cursor, write_cursor
from storage.profiles.people import OF_PERSON

NOTES_PER_PAGE: Final = 200
"""A day of notes of a large store."""
WORDS_CHARACTERS: Final = 200
"""The longest thing anybody types into a search box."""
LINES_MOST: Final = 20_000
"""Lines of a report, as page and file: a year of days with fifty words each."""

GroupWord: TypeAlias = Literal[
    "purpose", "operator", "profile", "outcome", "mood", "feeling", "tag", "zone", "day", "source"
]
GROUPED: Final[dict[str, str]] = {
    "purpose": "note.purpose",
    "operator": "note.operator",
    "profile": "note.profile_name",
    "outcome": "note.outcome",
    "mood": "note.mood",
    "feeling": "note.feeling",
    "source": "note.source",
    "zone": "coalesce(store.name, store.id) || ', ' || coalesce(zone.name, zone.id)",
    # on the clocks of the store that it is about
    "day": "to_char(note.noted_at at time zone coalesce(store.timezone, 'UTC'), 'YYYY-MM-DD')",
    "tag": "one_tag.tag",
}
"""What each word is in SQL, of NOTE_SOURCE with `tags_of`."""
KEPT_APART: Final[dict[str, str]] = {"profile": "note.profile_id"}
"""What tells words apart that read alike: two customers of one name are two."""


class NoteFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which notes: every field that is set must fit; `words` as people type them, with "quoted words", or and -not.

    `begin` counts, `end` does not; without an offset they are read on the clock of each note's store, as the days of
    reports are. `operator` is compared in any case of letters, words without their accents.
    """

    words: str = ""
    profile_id: UUID | None = None
    visit_id: UUID | None = None
    operator: str | None = None
    source: SourceWord | None = None
    purpose: str | None = None
    outcome: str | None = None
    mood: str | None = None
    tag: str | None = None
    feeling: FeelingWord | None = None
    store: str | None = None
    zone: str | None = None
    begin: datetime | None = None
    end: datetime | None = None
    complete: bool | None = None


class NotePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some notes, and where to go on."""

    notes: tuple[NoteRow, ...]
    next_cursor: str | None


class NoteCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many notes there are of a word, with how many of each feeling; `word` None: those without one.

    Of a customer `word` is the name, and `profile_id` whose it is.
    """

    word: str | None
    notes: int
    positive: int
    negative: int
    mixed: int
    neutral: int
    profile_id: UUID | None = None


def notes_page(connection: Connection, wanted: NoteFilter, *, limit: int, cursor: str | None = None) -> NotePage:
    """Return the next notes, the newest first.

    Raises
    ------
    InputError
        If the cursor does not fit, or the limit or the words are out of bounds.
    """
    if not 1 <= limit <= NOTES_PER_PAGE:
        raise InputError(f"A page has 1 to {NOTES_PER_PAGE} notes, asked for {limit}.", where="limit")
    question = ("notes", msgspec.to_builtins(wanted))
    clauses, values = clauses_of(connection, wanted)
    values["limit"] = limit + 1
    if cursor is not None:
        values["at"], values["id"] = read_cursor(cursor, question, tuple[datetime, UUID])
        clauses.append(sql.SQL("(note.noted_at, note.note_id) < (%(at)s, %(id)s)"))
    query = sql.SQL(
        "select {} from {} where {} order by note.noted_at desc, note.note_id desc limit %(limit)s"
    ).format(sql.SQL(NOTE_COLUMNS), sql.SQL(NOTE_SOURCE), sql.SQL(" and ").join(clauses))
    found = [note_row(row) for row in connection.execute(query, values)]
    more = len(found) > limit
    found = found[:limit]
    return NotePage(
        notes=tuple(found),
        next_cursor=write_cursor((found[-1].noted_at, found[-1].note_id), question) if more else None,
    )


def count_notes(connection: Connection, wanted: NoteFilter, by: GroupWord) -> list[NoteCount]:
    """Return how many of the wanted notes there are of each word of a field, the most first; days in their order.

    A note counts once for each of its tags.

    Raises
    ------
    InputError
        If there are more than LINES_MOST.
    """
    if by not in get_args(GroupWord):
        raise InputError(f"Notes are not counted by {by!r}.", where="by")
    clauses, values = clauses_of(connection, wanted)
    query = sql.SQL(
        "select {by} as word, count(*), count(*) filter (where note.feeling = 'positive'),"
        " count(*) filter (where note.feeling = 'negative'), count(*) filter (where note.feeling = 'mixed'),"
        " count(*) filter (where note.feeling = 'neutral'), {apart}"
        " from {source} where {clauses} group by 1, 7 order by {order}, 7 limit %(limit)s"
    ).format(
        by=sql.SQL(GROUPED[by]),
        apart=sql.SQL(KEPT_APART.get(by, "null::uuid")),
        source=sql.SQL(NOTE_SOURCE + tags_of(by)),
        clauses=sql.SQL(" and ").join(clauses),
        order=sql.SQL("1" if by == "day" else "2 desc, 1"),
    )
    rows = connection.execute(query, values | {"limit": LINES_MOST + 1}).fetchall()
    if len(rows) > LINES_MOST:
        raise too_many_lines()
    for row in rows:
        saw(row[6])  # whoever counts by customer reads their names
    return [NoteCount(**dict(zip(NoteCount.__struct_fields__, row, strict=True))) for row in rows]


def too_many_lines() -> InputError:
    """Return why there is no such report: what would be left out of it could be what somebody looks for."""
    return InputError(f"A report has at most {LINES_MOST} lines.", hint="Choose fewer days, or one store.")


def overrides(connection: Connection) -> Iterator[tuple[str, str, FeelingWord, FeelingWord, int]]:
    """Yield (model, version, suggested, chosen, count) of the notes where staff said themselves what was felt."""
    yield from connection.execute(
        "select feeling_read ->> 'model', feeling_read ->> 'version', feeling_read ->> 'feeling', feeling_chosen,"
        " count(*)"
        # of a note without words nothing was suggested
        " from note_seen where feeling_chosen is not null and feeling_read -> 'clauses' <> '[]'"
        " group by 1, 2, 3, 4 order by 1, 2, 3, 4"
    )


def tags_of(by: GroupWord) -> str:
    """Return what has to be joined so that notes can be grouped by this word: a row for each tag."""
    return " left join lateral unnest(note.tags) one_tag (tag) on true" if by == "tag" else ""


_ASKED: Final = "websearch_to_tsquery('sojourn_english', %(words)s)"
_OF_FOLLOW_UPS: Final = (
    "(select string_agg(follow_up.instructions || ' the ' || coalesce(follow_up.result, ''), ' the ')"
    " from follow_up where follow_up.note_id = note.note_id)"
)
_OF_TAGS: Final = (
    "(select string_agg(choice.label, ' the ') from note_choice choice"
    " where choice.list = 'tag' and choice.word = any(note.tags))"
)
_WORDS: Final = (
    # most notes are nothing but themselves, and their words are kept read
    "case when note.tags = '{}' and not exists (select from follow_up where follow_up.note_id = note.note_id)"
    " then note.words"
    # a stop word between two parts counts as a place: no phrase is found across them
    " else note.words || to_tsvector('sojourn_english',"
    f" ' the ' || coalesce({_OF_FOLLOW_UPS}, '') || ' the ' || coalesce({_OF_TAGS}, ''))"
    f" end @@ {_ASKED}"
)
"""A note is found by all that is written about it, wherever each word stands, and -words are meant of all of it."""
_NO_WORD: Final = f"select numnode({_ASKED}) = 0"
_SINCE: Final = "note.noted_at >= %(begin)s"
_BEFORE: Final = "note.noted_at < %(end)s"
_ON_ITS_CLOCK: Final = "note.noted_at at time zone coalesce(store.timezone, 'UTC')"
# the first halves are for the index alone: clocks are from 12 hours behind to 14 hours ahead of UTC
_SINCE_LOCAL: Final = (
    "note.noted_at >= (%(begin)s::timestamp at time zone 'UTC') - interval '14 hours'"
    f" and {_ON_ITS_CLOCK} >= %(begin)s::timestamp"
)
_BEFORE_LOCAL: Final = (
    "note.noted_at < (%(end)s::timestamp at time zone 'UTC') + interval '12 hours'"
    f" and {_ON_ITS_CLOCK} < %(end)s::timestamp"
)


def clauses_of(connection: Connection, wanted: NoteFilter) -> tuple[list[sql.Composable], dict[str, Any]]:
    """Return the conditions of a filter and their values, for NOTE_SOURCE.

    Raises
    ------
    InputError
        If the words are too long, or none of them can be searched for.
    """
    if len(wanted.words) > WORDS_CHARACTERS:
        raise InputError(f"A search has at most {WORDS_CHARACTERS} characters.", where="q")
    if wanted.words.strip() and connection.execute(_NO_WORD, {"words": wanted.words}).fetchone() == (True,):
        raise InputError(
            f"There is no word to search for in {wanted.words!r}.",
            hint="Signs and words like “the” stand in every note: write another one.",
            where="q",
        )
    values = msgspec.structs.asdict(wanted) | {"profile": wanted.profile_id}
    clauses: list[sql.Composable] = [sql.SQL("true")]
    clauses += [
        sql.SQL("note.{} = {}").format(sql.Identifier(name), sql.Placeholder(name))
        for name in ("visit_id", "source", "purpose", "outcome", "mood", "feeling")
        if values[name] is not None
    ]
    for set_, clause in (
        (wanted.words, _WORDS),
        (wanted.profile_id, f"note.of_profile = any({OF_PERSON})"),
        (wanted.operator, "lower(note.operator) = lower(%(operator)s)"),
        (wanted.tag, "note.tags @> array[%(tag)s]"),
        (wanted.store, "store.id = %(store)s"),
        (wanted.zone, "zone.id = %(zone)s"),
        (wanted.begin, _SINCE if wanted.begin is None or wanted.begin.tzinfo is not None else _SINCE_LOCAL),
        (wanted.end, _BEFORE if wanted.end is None or wanted.end.tzinfo is not None else _BEFORE_LOCAL),
    ):
        if set_:
            clauses.append(sql.SQL(clause))
    if wanted.complete is not None:
        clauses.append(
            sql.SQL(
                "exists (select from follow_up where follow_up.note_id = note.note_id and done_at is null)"
                " <> %(complete)s"
            )
        )
    return clauses, values
