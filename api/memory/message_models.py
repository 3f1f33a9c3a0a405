"""What the endpoints of personal messages take and answer."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.memory.models import MemoryEvidenceOut
from api.texts import LINE_PATTERN, OneLine, Written, WrittenTime
from core.memory.messages import BODY_CHARACTERS, SUBJECT_CHARACTERS, Filled, Obstacle, Template
from storage.memory.messages import MessageRow
from storage.notes.choices import WORD_PATTERN

ObstacleWord = Literal["retired", "consent", "too_long", "missing", "bad_experience", "frequency"]
_Word = Annotated[str, StringConstraints(pattern=WORD_PATTERN)]


class TemplateIn(BaseModel):
    """A message to be filled, and its bounds."""

    model_config = ConfigDict(extra="forbid")
    purpose: _Word = Field(description="The consent that it needs", examples=["personal_messages"])
    subject: Annotated[
        str,
        Field(
            min_length=1,
            max_length=SUBJECT_CHARACTERS,
            pattern=LINE_PATTERN,
            description="One line: whoever mails it puts it into a header",
            examples=["Thank you, {first_name}"],
        ),
        Written,
        OneLine,
    ]
    body: Annotated[
        str,
        Field(min_length=1, max_length=BODY_CHARACTERS, examples=["We were glad that you liked {delight|it}."]),
        Written,
    ]
    quiet_days: int = Field(14, ge=0, le=90, description="After a bad experience; 0: sent even then")
    cap_count: int = Field(2, ge=1, le=30, description="Messages of any template, within cap_days")
    cap_days: int = Field(30, ge=1, le=365)
    retired: bool = False


class TemplateOut(TemplateIn):
    """A template."""

    template: str = Field(examples=["thanks"])

    @classmethod
    def of(cls, row: Template) -> Self:
        """Return the answer for a template."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class TemplatesOut(BaseModel):
    """Every template, and what may stand in one."""

    templates: list[TemplateOut]
    fields: dict[str, str] = Field(examples=[{"delight": "What delighted most"}])


class MessageIn(BaseModel):
    """Which template."""

    model_config = ConfigDict(extra="forbid")
    template: _Word = Field(examples=["thanks"])


class FieldOut(BaseModel):
    """What a field says, and on what evidence."""

    value: str
    evidence: list[MemoryEvidenceOut]


class ObstacleOut(BaseModel):
    """Why a message may not be sent now."""

    word: ObstacleWord
    says: str = Field(examples=["A bad experience 2 days ago: quiet for 14 days."])
    evidence: list[MemoryEvidenceOut]

    @classmethod
    def of(cls, row: Obstacle) -> Self:
        """Return the answer for an obstacle."""
        evidence = [MemoryEvidenceOut.of(one) for one in row.evidence]
        return cls.model_validate({"word": row.word, "says": row.says, "evidence": evidence})


class PreviewOut(BaseModel):
    """A message as the customer would read it, and whether it may be sent now."""

    template: str
    subject: str
    body: str
    fields: dict[str, FieldOut]
    may_be_sent: bool
    obstacles: list[ObstacleOut]

    @classmethod
    def of(cls, template: str, filled: Filled, found: tuple[Obstacle, ...]) -> Self:
        """Return the answer for a filled template."""
        return cls(
            template=template,
            subject=filled.subject,
            body=filled.body,
            fields={
                name: FieldOut(value=field.value, evidence=[MemoryEvidenceOut.of(one) for one in field.evidence])
                for name, field in filled.used.items()
            },
            may_be_sent=not found,
            obstacles=[ObstacleOut.of(one) for one in found],
        )


class MessageOut(BaseModel):
    """A message that was made; sending it is the work of whoever asked for it."""

    message_id: UUID
    template: str
    subject: str
    body: str
    operator: str
    made_at: datetime

    @classmethod
    def of(cls, row: MessageRow) -> Self:
        """Return the answer for a message."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class MessagesOut(BaseModel):
    """Messages to a customer, newest first."""

    messages: list[MessageOut]


class ConsentWordIn(BaseModel):
    """What a customer said on a purpose beside in-store journeys."""

    model_config = ConfigDict(extra="forbid")
    purpose: _Word = Field(examples=["personal_messages"])
    status: Literal["granted", "withdrawn"]
    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)] = Field(
        description="Where it was said", examples=["till"]
    )
    wording: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)] = Field(
        description="Version of the text", examples=["2026-03"]
    )
    expires_at: WrittenTime | None = Field(None, description="With its offset", examples=["2027-12-01T00:00+01:00"])
