"""What customers write by e-mail, chat or social media, on the profile of the address that it came from: a note."""

from contextlib import suppress
from typing import Annotated, Final, Literal
from uuid import UUID, uuid5

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.access.principal import Role, principal_of
from api.inputs.models import HeardOut
from api.notes.models import FollowUpIn, NoteIn, NoteOut
from api.notes.routes import write_note
from api.notes.writing import note_text
from api.operators import OperatorDep
from api.problems import ProblemError, described, profile_unknown
from api.service import ConnectionDep, Service, ServiceDep
from api.texts import LINE_PATTERN, OneLine, Written, WrittenTime
from core.errors import InputError
from core.resolution import KINDS, identifier
from storage.access.acting import acting_as
from storage.connect import Connection
from storage.identity.links import find_holder
from storage.notes.choices import read_choices
from storage.notes.notes import DETAIL_CHARACTERS, SUBJECT_CHARACTERS

router = APIRouter(prefix="/v1", tags=["notes"])

_INTERACTIONS: Final = UUID("8b0d2f60-5a44-5a0e-9f4e-0d6f6a6b7c8d")
"""Namespace of notes that came in: channel and key at the source name the same note each time."""


class InteractionIn(BaseModel):
    """A message of a customer; who wrote it is said by `profile_id`, or by an identifier that a profile has."""

    model_config = ConfigDict(extra="forbid")
    channel: Literal["email", "chat", "social"]
    key: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = Field(
        description="Its name at the source; sent again it is kept once", examples=["<20261121.4711@mail.example>"]
    )
    text: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=DETAIL_CHARACTERS), Written
    ] = Field(examples=["The queue was terrible, but your staff were lovely."])
    subject: Annotated[
        str, StringConstraints(strip_whitespace=True, max_length=SUBJECT_CHARACTERS), Written, OneLine
    ] = Field("", pattern=LINE_PATTERN, description="One line; default: how the text begins")
    at: WrittenTime = Field(description="When it was written, with an offset; within the last 7 days")
    profile_id: UUID | None = None
    kind: str | None = Field(None, description=f"Of the identifier: {', '.join(KINDS)}", examples=["email"])
    value: Annotated[str, StringConstraints(max_length=320)] | None = Field(None, examples=["amara@mail.example"])
    purpose: Annotated[str, StringConstraints(max_length=40)] = Field("service", examples=["service"])
    follow_up: FollowUpIn | None = None


@router.post(
    "/interactions",
    responses={202: {"model": HeardOut}, **described(404, 422, 503)},
    response_model=NoteOut,
    status_code=201,
    summary="Keep what a customer wrote",
)
def write_interaction(
    *,
    asked: InteractionIn,
    service: ServiceDep,
    connection: ConnectionDep,
    operator: OperatorDep,
    response: Response,
    request: Request,
) -> NoteOut | Response:
    """Keep an e-mail, a chat or a post as a note on the customer; its feeling is read as that of any note.

    Of somebody who is no profile, or has no consent that holds, nothing is kept (404). 202: a program of some stores
    that only sends is not told whether it was.
    """
    asked_of = principal_of(request)
    # who only sends may not read notes, nor write them by hand
    if asked_of is not None and not asked_of.may(Role.CRM):
        with acting_as(None), service.reader.connection() as own:
            if asked_of.stores is None:
                return _keep(asked, service, own, operator, response)
            note_text(_note(asked, None), read_choices(own))  # what is wrong with it is said of whoever is meant
            with suppress(ProblemError, InputError):
                _keep(asked, service, own, operator, response)
            return JSONResponse(HeardOut().model_dump(mode="json"), 202)
    return _keep(asked, service, connection, operator, response)


def _keep(
    asked: InteractionIn, service: Service, connection: Connection, operator: str, response: Response
) -> NoteOut:
    profile = asked.profile_id
    if profile is None and asked.kind is not None and asked.value is not None:
        profile = find_holder(connection, identifier(asked.kind, asked.value))
    if profile is None:
        raise profile_unknown()
    key = uuid5(_INTERACTIONS, f"{asked.channel} {asked.key}")
    return write_note(_note(asked, profile), service, connection, operator, response, idempotency_key=key)


def _note(asked: InteractionIn, profile: UUID | None) -> NoteIn:
    return NoteIn.model_validate(
        {
            "purpose": asked.purpose,
            # one line that fits is the subject, and is not kept twice
            "subject": asked.text if _is_line(asked) else asked.subject,
            "detail": "" if _is_line(asked) else asked.text,
            "profile_id": profile,
            "noted_at": asked.at,
            "source": asked.channel,
            "follow_up": asked.follow_up,
            "reminder_seen": True,  # their own words, sent by a program that could not think again
        }
    )


def _is_line(asked: InteractionIn) -> bool:
    return not asked.subject and len(asked.text) <= SUBJECT_CHARACTERS and len(asked.text.splitlines()) == 1
