"""Which notes are asked for: the same words for the list, the reports, their pages and downloads."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.note_models import NoteCountOut, NoteCountsOut, NoteOut, NotesOut
from api.problems import described
from api.service import ConnectionDep
from core.errors import InputError
from storage.note_choices import FeelingWord
from storage.note_search import NOTES_PER_PAGE, WORDS_CHARACTERS, GroupWord, NoteFilter, count_notes, notes_page
from storage.notes import OPERATOR_CHARACTERS, SourceWord

router = APIRouter(prefix="/v1/notes", tags=["notes"])
_Word = Annotated[str | None, Query(max_length=64)]


def _filter(
    *,
    q: Annotated[str, Query(max_length=WORDS_CHARACTERS, description="Words of subject and detail")] = "",
    profile: UUID | None = None,
    operator: Annotated[str | None, Query(max_length=OPERATOR_CHARACTERS)] = None,
    source: SourceWord | None = None,
    purpose: _Word = None,
    outcome: _Word = None,
    mood: _Word = None,
    tag: _Word = None,
    feeling: FeelingWord | None = None,
    store: _Word = None,
    zone: _Word = None,
    begin: Annotated[datetime | None, Query(description="With an offset; counts")] = None,
    end: Annotated[datetime | None, Query(description="With an offset; does not count")] = None,
    complete: Annotated[bool | None, Query(description="Whether no follow-up is open")] = None,
) -> NoteFilter:
    if any(at is not None and at.tzinfo is None for at in (begin, end)):
        raise InputError("The time has no offset.", hint="Write it like 2026-11-21T09:00Z.", where="begin, end")
    return NoteFilter(
        words=q.strip(),
        profile_id=profile,
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


NoteFilterDep = Annotated[NoteFilter, Depends(_filter)]


@router.get("", responses=described(422, 503), summary="Search notes")
def list_notes(
    wanted: NoteFilterDep,
    connection: ConnectionDep,
    limit: Annotated[int, Query(ge=1, le=NOTES_PER_PAGE)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> NotesOut:
    """List the notes that fit every filter, the newest first."""
    page = notes_page(connection, wanted, limit=limit, cursor=cursor)
    return NotesOut(notes=[NoteOut.of(row) for row in page.notes], next_cursor=page.next_cursor)


@router.get("/counts", responses=described(422, 503), summary="Count notes by a field")
def list_note_counts(wanted: NoteFilterDep, connection: ConnectionDep, by: GroupWord = "purpose") -> NoteCountsOut:
    """Count the notes that fit every filter, by a field; a note counts once for each of its tags."""
    return NoteCountsOut(by=by, counts=[NoteCountOut.of(row) for row in count_notes(connection, wanted, by)])
