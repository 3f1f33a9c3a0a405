"""Which notes are asked for: the same words for the list, the reports, their pages and downloads."""

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import BeforeValidator

from api.notes.models import NoteCountOut, NoteCountsOut, NoteOut, NotesOut
from api.problems import described, profile_unknown, unknown
from api.service import ConnectionDep, ServiceDep, find_store
from core.errors import InputError
from storage.connect import Connection
from storage.notes.choices import FeelingWord, ListWord, read_choices
from storage.notes.notes import OPERATOR_CHARACTERS, SourceWord
from storage.notes.place import visit_is_known, zone_is_known
from storage.notes.search import NOTES_PER_PAGE, WORDS_CHARACTERS, GroupWord, NoteFilter, count_notes, notes_page
from storage.profiles.people import kept_profile

router = APIRouter(prefix="/v1/notes", tags=["notes"])
_UNSET = BeforeValidator(lambda said: None if said == "" else said)
"""A form sends what was left empty as an empty word."""
_CLOCK: Final = "without an offset it is on the clock of each note's store"
_Word = Annotated[str | None, Query(max_length=64), _UNSET]
_LISTED: Final[tuple[ListWord, ...]] = ("purpose", "outcome", "mood", "tag")


def _filter(
    *,
    q: Annotated[
        str,
        Query(
            max_length=WORDS_CHARACTERS,
            description="Words of subject and detail, of labels of tags, of instructions and results of follow-ups",
        ),
    ] = "",
    profile: Annotated[UUID | None, _UNSET] = None,
    visit: Annotated[UUID | None, Query(description="Id of the store visit"), _UNSET] = None,
    operator: Annotated[str | None, Query(max_length=OPERATOR_CHARACTERS), _UNSET] = None,
    source: Annotated[SourceWord | None, _UNSET] = None,
    purpose: _Word = None,
    outcome: _Word = None,
    mood: _Word = None,
    tag: _Word = None,
    feeling: Annotated[FeelingWord | None, _UNSET] = None,
    store: _Word = None,
    zone: _Word = None,
    begin: Annotated[datetime | None, Query(description=f"Counts; {_CLOCK}"), _UNSET] = None,
    end: Annotated[datetime | None, Query(description=f"Does not count; {_CLOCK}"), _UNSET] = None,
    complete: Annotated[bool | None, Query(description="Whether no follow-up is open"), _UNSET] = None,
) -> NoteFilter:
    if begin is not None and end is not None and (begin.tzinfo is None) != (end.tzinfo is None):
        raise InputError(
            "One end of the range has an offset and the other has none.",
            hint="Send both with an offset, or both on the store's clock.",
            where="begin",
        )
    if begin is not None and end is not None and _as_utc(begin) >= _as_utc(end):
        raise InputError("The range ends before it begins.", hint="Send an `end` after `begin`.", where="begin")
    return NoteFilter(
        words=q.strip(),
        profile_id=profile,
        visit_id=visit,
        operator=operator,
        source=source,
        purpose=purpose,
        outcome=outcome,
        mood=mood,
        tag=tag,
        feeling=feeling,
        store=store,
        zone=zone,
        begin=begin,
        end=end,
        complete=complete,
    )


def _as_utc(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _known(
    wanted: Annotated[NoteFilter, Depends(_filter)], connection: ConnectionDep, service: ServiceDep
) -> NoteFilter:
    """Return the filter; a mistyped word in it must not look like an answer that there is nothing.

    Raises
    ------
    InputError
        If a word is in none of the lists, retired ones among them, or no store has such a zone.
    ProblemError
        If there is no such store, profile or visit.
    """
    _check_words(connection, wanted)
    if wanted.store is not None:
        find_store(service, connection, wanted.store)
    if wanted.zone is not None and not zone_is_known(connection, wanted.zone, store=wanted.store):
        where = f"The store {wanted.store!r} has" if wanted.store is not None else "There is"
        raise InputError(
            f"{where} no zone {wanted.zone!r}.", hint="GET /v1/stores/{store}/zones lists them.", where="zone"
        )
    if wanted.profile_id is not None:
        kept = kept_profile(connection, wanted.profile_id)
        if kept is None:
            raise profile_unknown()
        wanted = msgspec.structs.replace(wanted, profile_id=kept)
    if wanted.visit_id is not None and not visit_is_known(connection, wanted.visit_id):
        raise unknown("visit", detail="There is no such store visit.", hint="A note says its visit as `visit_id`.")
    return wanted


def _check_words(connection: Connection, wanted: NoteFilter) -> None:
    asked = {word: getattr(wanted, word) for word in _LISTED if getattr(wanted, word) is not None}
    if not asked:
        return
    choices = read_choices(connection)
    for list_word, word in asked.items():
        if word not in choices[list_word]:
            raise InputError(
                f"There is no {list_word} {word!r}.",
                hint=f"There are: {', '.join(choices[list_word])}.",
                where=list_word,
            )


NoteFilterDep = Annotated[NoteFilter, Depends(_known)]


@router.get("", responses=described(404, 422, 503), summary="Search notes")
def list_notes(
    wanted: NoteFilterDep,
    connection: ConnectionDep,
    limit: Annotated[int, Query(ge=1, le=NOTES_PER_PAGE)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> NotesOut:
    """List the notes that fit every filter, the newest first."""
    page = notes_page(connection, wanted, limit=limit, cursor=cursor)
    return NotesOut(notes=[NoteOut.of(row) for row in page.notes], next_cursor=page.next_cursor)


@router.get("/counts", responses=described(404, 422, 503), summary="Count notes by a field")
def list_note_counts(wanted: NoteFilterDep, connection: ConnectionDep, by: GroupWord = "purpose") -> NoteCountsOut:
    """Count the notes that fit every filter, by a field; a note counts once for each of its tags."""
    return NoteCountsOut(by=by, counts=[NoteCountOut.of(row) for row in count_notes(connection, wanted, by)])
