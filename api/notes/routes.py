"""Notes of staff and customers' own words. Those on a profile answer 404 as soon as its consent ends."""

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Header, Path, Response

from api.lexicons import feeling_reader, reminder
from api.notes.models import (
    LISTS,
    ChoiceIn,
    ChoiceOut,
    ChoicesOut,
    NewChoiceIn,
    NoteChangeOut,
    NoteEditIn,
    NoteHistoryOut,
    NoteIn,
    NoteOut,
    ReadingOut,
    TextIn,
)
from api.notes.writing import new_follow_up, new_note, note_text, was_sent
from api.operators import OperatorDep
from api.problems import described, note_changed, note_unknown
from api.service import ConnectionDep, ServiceDep
from storage.connect import Connection
from storage.notes.choices import WORD_PATTERN, Choice, ListWord, read_choices, save_choice, word_of
from storage.notes.follow_ups import insert_follow_up
from storage.notes.notes import NoteRow, edit_note, find_note, insert_note, note_history

router = APIRouter(prefix="/v1", tags=["notes"])


def _note(note: UUID, connection: ConnectionDep) -> NoteRow:
    found = find_note(connection, note)
    if found is None:
        raise note_unknown()
    return found


NoteDep = Annotated[NoteRow, Depends(_note)]


@router.get("/note-choices", responses=described(503), summary="The lists that notes choose from")
def read_note_choices(connection: ConnectionDep) -> ChoicesOut:
    """Return purposes, outcomes, moods and tags, retired ones too."""
    found = read_choices(connection)
    return ChoicesOut(**{word: [ChoiceOut.of(choice) for choice in found[word].values()] for word in LISTS})


@router.post("/note-choices/{list}", responses=described(404, 422, 503), status_code=201, summary="Add a choice")
def write_new_choice(
    list: ListWord,  # noqa: A002 - its name in the URL
    asked: NewChoiceIn,
    service: ServiceDep,
    _: OperatorDep,
) -> ChoiceOut:
    """Add an entry at the end of a list; its word is made of its label."""

    def add(connection: Connection) -> Choice:
        held = read_choices(connection)[list]
        choice = Choice(
            list=list,
            word=word_of(asked.label, held),
            label=asked.label,
            place=min(1_000, max((one.place for one in held.values()), default=0) + 1),
            feeling=asked.feeling,
            retired=False,
        )
        save_choice(connection, choice)
        return choice

    return ChoiceOut.of(service.writer.write(add))


@router.put("/note-choices/{list}/{word}", responses=described(404, 422, 503), summary="Add or change a choice")
def write_note_choice(
    list: ListWord,  # noqa: A002 - its name in the URL
    word: Annotated[str, Path(pattern=WORD_PATTERN)],
    asked: ChoiceIn,
    service: ServiceDep,
    _: OperatorDep,
) -> ChoiceOut:
    """Add an entry to a list, or change its label, place or feeling, or retire it; a list has at most 60."""
    choice = Choice(list=list, word=word, **asked.model_dump())
    service.writer.write(lambda connection: save_choice(connection, choice))
    return ChoiceOut.of(choice)


@router.post("/notes/reading", responses=described(422), summary="Read a text before it is saved")
def read_text(asked: TextIn) -> ReadingOut:
    """Return the suggested feeling with its cues, and the words that the privacy reminder flags. Nothing is kept."""
    return ReadingOut.of(asked.text, feeling_reader().read(asked.text), reminder())


@router.post("/notes", responses=described(404, 422, 503), status_code=201, summary="Write a note")
def write_note(
    asked: NoteIn,
    service: ServiceDep,
    connection: ConnectionDep,
    operator: OperatorDep,
    response: Response,
    *,
    idempotency_key: Annotated[
        UUID | None,
        Header(description="Becomes the note's id; the same note sent again is kept once (200)"),
    ] = None,
) -> NoteOut:
    """Keep a note, and the follow-up in it. Store, zone and visit are those of the profile at that time."""
    note_id = idempotency_key if idempotency_key is not None else uuid4()
    kept = None if was_sent(connection, note_id, asked) else _keep(service, connection, asked, note_id, operator)
    if kept is None:  # sent before, or twice at this moment
        response.status_code = 200
        kept = find_note(connection, note_id)
    if kept is None:
        raise note_unknown()
    return NoteOut.of(kept)


def _keep(service: ServiceDep, reading: Connection, asked: NoteIn, note_id: UUID, operator: str) -> NoteRow | None:
    """Keep a note; None if it is kept already."""
    note = new_note(service, reading, asked, read_choices(reading), note_id=note_id, operator=operator)

    def keep(connection: Connection) -> NoteRow | None:
        if not insert_note(connection, note):
            return None
        made = find_note(connection, note_id)
        if made is not None and asked.follow_up is not None:
            insert_follow_up(
                connection,
                new_follow_up(
                    connection,
                    asked.follow_up,
                    note_id,
                    operator=operator,
                    timezone=made.timezone,
                    now=service.now(),
                ),
            )
            made = find_note(connection, note_id)
        return made

    return service.writer.write(keep)


@router.get("/notes/{note}", responses=described(404, 422, 503), summary="One note")
def read_note(found: NoteDep) -> NoteOut:
    """Return a note with the suggested and the chosen feeling."""
    return NoteOut.of(found)


@router.put("/notes/{note}", responses=described(404, 409, 422, 503), summary="Edit a note")
def write_note_edit(note: UUID, asked: NoteEditIn, service: ServiceDep, operator: OperatorDep) -> NoteOut:
    """Put a whole text in place of the one of `revision`, which the history keeps."""

    def edit(connection: Connection) -> NoteRow:
        found = find_note(connection, note)
        if found is None:
            raise note_unknown()
        text = note_text(asked, read_choices(connection), before=found)
        at = service.now()
        if not edit_note(connection, found, text, revision=asked.revision, operator=operator, at=at):
            raise note_changed(found.revision)
        edited = find_note(connection, note)
        if edited is None:
            raise note_unknown()
        return edited

    return NoteOut.of(service.writer.write(edit))


@router.get("/notes/{note}/history", responses=described(404, 422, 503), summary="The edits of a note")
def read_note_history(found: NoteDep, connection: ConnectionDep) -> NoteHistoryOut:
    """Return the note and what each edit replaced, the oldest first."""
    return NoteHistoryOut(
        note=NoteOut.of(found),
        changes=[NoteChangeOut.of(row) for row in note_history(connection, found.note_id)],
    )
