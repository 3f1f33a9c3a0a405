"""How many notes there are of each word in each day, week or month; and of each tag in each zone."""

from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from psycopg import sql

from core.metrics.leaving import Cell
from storage.audit.seen import saw
from storage.connect import Connection
from storage.notes.notes import NOTE_SOURCE
from storage.notes.search import (
    GROUPED,
    KEPT_APART,
    LINES_MOST,
    GroupWord,
    NoteFilter,
    clauses_of,
    tags_of,
    too_many_lines,
)

OverWord: TypeAlias = Literal["day", "week", "month"]
_PERIOD: Final[dict[str, str]] = {
    # on the clocks of the store that it is about; a week begins on Monday and is named by that day
    "day": "to_char(note.noted_at at time zone coalesce(store.timezone, 'UTC'), 'YYYY-MM-DD')",
    "week": "to_char(date_trunc('week', note.noted_at at time zone coalesce(store.timezone, 'UTC')), 'YYYY-MM-DD')",
    "month": "to_char(note.noted_at at time zone coalesce(store.timezone, 'UTC'), 'YYYY-MM')",
}
_PLACED: Final = "zone.id is not null and one_tag.tag is not null"
_GROUP: Final = ("coalesce(store.id, '')", _PERIOD["month"])
_NOTES_AND_PEOPLE: Final = "count(*), count(distinct coalesce(note.profile_id, note.note_id))"
"""People are customers; of notes without one each may be somebody else."""


class PeriodCount(msgspec.Struct, frozen=True, kw_only=True):
    """Notes of a word in a day, week or month; `word` None: those without one; `profile_id` as in `NoteCount`."""

    period: str
    word: str | None
    notes: int
    profile_id: UUID | None = None


class ZoneTag(msgspec.Struct, frozen=True, kw_only=True):
    """Notes with a tag in a zone of a store."""

    zone: str
    tag: str
    notes: int


def over_time(connection: Connection, wanted: NoteFilter, by: GroupWord, over: OverWord) -> list[PeriodCount]:
    """Return the wanted notes counted by a word in each period with any, in the order of time."""
    keys = (_PERIOD[over], GROUPED[by], KEPT_APART.get(by, "null::uuid"))
    rows = _counted(connection, keys, "count(*)", wanted, by)
    for _, _, profile, _ in rows:
        saw(profile)
    return [PeriodCount(period=row[0], word=row[1], profile_id=row[2], notes=row[3]) for row in rows]


def month_cells(connection: Connection, store: str | None, by: tuple[GroupWord, ...]) -> list[Cell]:
    """Return the notes by words, '' without one; groups are (store, month), a store '' is none."""
    keys = (*_GROUP, *(f"coalesce({GROUPED[word]}, '')" for word in by))
    return _cells(_counted(connection, keys, _NOTES_AND_PEOPLE, NoteFilter(store=store), by[0]))


def tag_cells(connection: Connection, store: str | None) -> tuple[list[Cell], list[Cell]]:
    """Return notes by (zone, tag), and all notes by (zone); zones by id, the rest as in `month_cells`."""
    wanted = NoteFilter(store=store)
    place = (*_GROUP, "coalesce(zone.id, '')")
    tagged = _counted(
        connection, (*place, "one_tag.tag"), _NOTES_AND_PEOPLE, wanted, "tag", "one_tag.tag is not null"
    )
    return _cells(tagged), _cells(_counted(connection, place, _NOTES_AND_PEOPLE, wanted, "zone"))


def zone_tags(connection: Connection, store: str, *, begin: datetime, end: datetime) -> list[ZoneTag]:
    """Return the tags of notes in each zone of a store; zones are told by their ids."""
    wanted = NoteFilter(store=store, begin=begin, end=end)
    rows = _counted(connection, ("zone.id", "one_tag.tag"), "count(*)", wanted, "tag", _PLACED)
    return [ZoneTag(zone=row[0], tag=row[1], notes=row[2]) for row in rows]


def _cells(rows: list[tuple[Any, ...]]) -> list[Cell]:
    return [
        Cell(group=(store, month), words=tuple(words), count=notes, people=people)
        for store, month, *words, notes, people in rows
    ]


def _counted(
    connection: Connection,
    keys: tuple[str, ...],
    counts: str,
    wanted: NoteFilter,
    by: GroupWord,
    *more: str,
) -> list[tuple[Any, ...]]:
    """Return (*keys, *counts) of the notes that fit, and more conditions, in the order of the keys.

    Raises
    ------
    InputError
        If there are more than LINES_MOST.
    """
    clauses, values = clauses_of(connection, wanted)
    places = ", ".join(str(place) for place in range(1, len(keys) + 1))
    query = sql.SQL(
        "select {keys}, {counts} from {source} where {clauses} group by {places} order by {places} limit %(limit)s"
    ).format(
        keys=_constant(", ".join(keys)),
        counts=_constant(counts),
        source=_constant(NOTE_SOURCE + tags_of(by)),
        clauses=sql.SQL(" and ").join([*clauses, *map(_constant, more)]),
        places=_constant(places),
    )
    rows = connection.execute(query, values | {"limit": LINES_MOST + 1}).fetchall()
    if len(rows) > LINES_MOST:
        raise too_many_lines()
    return rows


def _constant(text: str) -> sql.Composable:
    """Return SQL that is put together from constants of ours, never from what somebody sent."""
    return sql.SQL(text)
