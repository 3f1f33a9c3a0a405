"""What the audit log answers."""

from datetime import date, datetime
from typing import Any, Self, get_args
from uuid import UUID

import msgspec
from pydantic import BaseModel, Field

from core.audit.hints import Hint, HintWord
from core.audit.words import ActorWord, KindWord, OutcomeWord, PurposeWord
from storage.audit.entries import AuditEntry, AuditPage
from storage.audit.hints import Unusual
from storage.audit.sealing import Head


class AuditEntryOut(BaseModel):
    """Who did what, what for, when, and whom it was about.

    Words are told as they stand in the log: one of another version, or written past us, hides nothing else.
    """

    entry_no: int
    at: datetime
    actor: str = Field(examples=["Anna"])
    actor_kind: str = Field(description="Who it was", examples=list(get_args(ActorWord)))
    works_for: str | None = Field(None, description="Who owns the key of a program", examples=["Ines Weber"])
    says_for: str | None = Field(None, description="Whom a program says that it worked for; nobody has checked that")
    role: str | None = Field(description="Roles of whoever it was, where they are known", examples=["crm"])
    purpose: str = Field(description="What for", examples=list(get_args(PurposeWord)))
    kind: str = Field(description="What was done", examples=list(get_args(KindWord)))
    route: str = Field(examples=["GET /v1/profiles/{profile}"])
    outcome: str = Field(description="What came of it", examples=list(get_args(OutcomeWord)))
    fields: list[str] = Field(description="Parts of a profile, or the table that changed", examples=[["journey"]])
    people_count: int = Field(description="How many profiles it is about")
    people: list[UUID] = Field(description="The first twenty of them that were not erased")
    erased_count: int = Field(description="How many of them were erased since")
    detail: dict[str, Any] = Field(
        description="Counts and digests, never contents of people; of a setting, what was given and what stood before"
    )

    @classmethod
    def of(cls, row: AuditEntry) -> Self:
        """Return the answer for one entry."""
        return cls.model_validate(
            msgspec.structs.asdict(row)
            | {"works_for": row.works_for, "says_for": row.says_for}
            | {"detail": {name: value for name, value in row.detail.items() if name not in {"works_for", "says_for"}}}
        )


class AuditPageOut(BaseModel):
    """Entries, the newest first."""

    entries: list[AuditEntryOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: AuditPage) -> Self:
        """Return the answer for a page."""
        return cls(entries=[AuditEntryOut.of(row) for row in page.entries], next_cursor=page.next_cursor)


class UnusualOut(BaseModel):
    """Something to ask about: who, when last, whose profile where it is one, how many, what is usual."""

    hint: HintWord
    at: datetime
    actor: str
    profile_id: UUID | None
    found_count: int = Field(description="Profiles, days or looks, as the formula of the hint says")
    usual_count: float | None = Field(description="The person's own middle, where the formula compares with it")

    @classmethod
    def of(cls, row: Unusual) -> Self:
        """Return the answer for one."""
        return cls(
            hint=row.hint,
            at=row.at,
            actor=row.actor,
            profile_id=row.profile_id,
            found_count=row.count,
            usual_count=row.usual,
        )


class HintOut(BaseModel):
    """A kind of hint: how it is found, and why its threshold is what it is."""

    hint: HintWord
    title: str
    formula: str
    reason: str

    @classmethod
    def of(cls, found: Hint) -> Self:
        """Return the answer for one."""
        return cls(hint=found.hint, title=found.title, formula=found.formula, reason=found.reason)


class HintsOut(BaseModel):
    """What was unusual in the last seven days."""

    found: list[UnusualOut]
    hints: list[HintOut]


class HeadOut(BaseModel):
    """The last link of a day: keep it elsewhere, and nobody can change what was before it unnoticed."""

    day: date
    link_no: int
    hash: str = Field(description="SHA-256, hexadecimal")

    @classmethod
    def of(cls, head: Head) -> Self:
        """Return the answer for one."""
        return cls(day=head.day, link_no=head.link_no, hash=head.hash.hex())


class HeadsOut(BaseModel):
    """Heads of days, the newest first."""

    heads: list[HeadOut]
