"""What customers write by e-mail, chat or social media, on the profile of the address that it came from: a note."""

from typing import Annotated, Final, Literal
from uuid import UUID, uuid5

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.notes.models import FollowUpIn, NoteIn, NoteOut
from api.notes.routes import write_note
from api.operators import OperatorDep
from api.problems import described, profile_unknown
from api.service import ConnectionDep, ServiceDep
from api.texts import LINE_PATTERN, OneLine, Written, WrittenTime
from core.resolution import KINDS, identifier
from storage.identity.links import find_holder
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
    "/interactions", responses=described(404, 422, 503), status_code=201, summary="Keep what a customer wrote"
)
def write_interaction(
    asked: InteractionIn, service: ServiceDep, connection: ConnectionDep, operator: OperatorDep, response: Response
) -> NoteOut:
    """Keep an e-mail, a chat or a post as a note on the customer; its feeling is read as that of any note.

    Of somebody who is no profile, or has no consent that holds, nothing is kept (404).
    """
    profile = asked.profile_id
    if profile is None and asked.kind is not None and asked.value is not None:
        profile = find_holder(connection, identifier(asked.kind, asked.value))
    if profile is None:
        raise profile_unknown()
    note = NoteIn.model_validate(
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
    return write_note(
        note,
        service,
        connection,
        operator,
        response,
        idempotency_key=uuid5(_INTERACTIONS, f"{asked.channel} {asked.key}"),
    )


def _is_line(asked: InteractionIn) -> bool:
    return not asked.subject and len(asked.text) <= SUBJECT_CHARACTERS and len(asked.text.splitlines()) == 1
