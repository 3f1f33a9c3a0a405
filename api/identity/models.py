"""What the consent and identity desk shows and takes; devices themselves never appear."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from storage.identity.consents import LedgerRow
from storage.identity.desk import BlockedRow, CaseRow, LinkRow

Because = Field(min_length=1, max_length=200, description="Why, in a few words", examples=["Sold the phone"])


class LedgerRowOut(BaseModel):
    """One word of the ledger of consents."""

    profile_id: UUID = Field(description="Whose it was when it was said: another's, where that was merged since")
    purpose: str = Field(examples=["in_store_journey"])
    status: Literal["granted", "withdrawn"]
    source: str = Field(examples=["app"])
    wording: str = Field(description="Version of the text", examples=["2026-03"])
    occurred_at: datetime
    expires_at: datetime | None
    recorded_at: datetime = Field(description="When it was heard of here")
    holds: bool = Field(description="Whether this is the word that holds now")

    @classmethod
    def of(cls, row: LedgerRow) -> Self:
        """Return the answer for a word."""
        return cls(
            profile_id=row.profile_id,
            purpose=row.purpose,
            status=row.status,
            source=row.source,
            wording=row.wording,
            occurred_at=row.occurred_at,
            expires_at=row.expires_at,
            recorded_at=row.recorded_at,
            holds=row.holds,
        )


class LedgerOut(BaseModel):
    """Every word of a person, newest first, those of profiles that were merged into this one too."""

    profile_id: UUID
    words: list[LedgerRowOut]


class LinkOut(BaseModel):
    """A link of a device: it holds from `valid_from` to `valid_to`, unless it was undone or the device is blocked."""

    link_no: int = Field(examples=[42])
    valid_from: datetime
    valid_to: datetime | None
    undone_at: datetime | None
    changed_because: str | None
    blocked: str | None = Field(description="Why the device is nobody in particular", examples=["kiosk"])

    @classmethod
    def of(cls, row: LinkRow) -> Self:
        """Return the answer for a link."""
        return cls(
            link_no=row.link_no,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            undone_at=row.undone_at,
            changed_because=row.changed_because,
            blocked=row.blocked,
        )


class LinksOut(BaseModel):
    """The links of a profile, newest first, those taken back too."""

    profile_id: UUID
    links: list[LinkOut]


class LinkChangeIn(BaseModel):
    """End a link (it held until now), undo it (it never was true), take an undo back, or block its device."""

    change: Literal["end", "undo", "redo", "block_kiosk", "block_staff", "block_shared"]
    because: str = Because


class CaseProfileOut(BaseModel):
    """One of the profiles of a case."""

    profile_id: UUID
    display_name: str
    loyalty_tier: str | None
    created_at: datetime
    identifiers: dict[str, list[str]] = Field(examples=[{"customer_id": ["4711"]}])


class CaseOut(BaseModel):
    """A question whether profiles are one person."""

    case_no: int = Field(examples=[7])
    source: str = Field(description="Where identifiers of several profiles came together", examples=["till"])
    kinds: list[str] = Field(examples=[["customer_id", "email"]])
    opened_at: datetime
    status: Literal["open", "same", "different"]
    decided_at: datetime | None
    decided_by: str | None
    profiles: list[CaseProfileOut]

    @classmethod
    def of(cls, row: CaseRow) -> Self:
        """Return the answer for a case."""
        return cls.model_validate(
            {
                "case_no": row.case_no,
                "source": row.source,
                "kinds": row.kinds,
                "opened_at": row.opened_at,
                "status": row.status,
                "decided_at": row.decided_at,
                "decided_by": row.decided_by,
                "profiles": [
                    CaseProfileOut(
                        profile_id=one.profile_id,
                        display_name=one.display_name,
                        loyalty_tier=one.loyalty_tier,
                        created_at=one.created_at,
                        identifiers=one.identifiers,
                    )
                    for one in row.profiles
                ],
            }
        )


class CasesOut(BaseModel):
    """Open cases, oldest first, then decided ones, newest first."""

    cases: list[CaseOut]


class DecisionIn(BaseModel):
    """They are one person and `keep` stands for them; with null they are different people."""

    keep: UUID | None
    by: str = Field(min_length=1, max_length=100, description="Who decides", examples=["N. Weber"])


class BlockedOut(BaseModel):
    """A device that is nobody in particular."""

    block_no: int = Field(examples=[3])
    because: str = Field(examples=["kiosk"])
    blocked_at: datetime

    @classmethod
    def of(cls, row: BlockedRow) -> Self:
        """Return the answer for a blocked device."""
        return cls(block_no=row.block_no, because=row.because, blocked_at=row.blocked_at)


class BlockedDevicesOut(BaseModel):
    """Blocked devices, newest first."""

    devices: list[BlockedOut]


class DoneOut(BaseModel):
    """It is done."""

    done: bool = Field(examples=[True])
