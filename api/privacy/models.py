"""What the privacy desk answers."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from core.privacy.retention import KINDS
from storage.privacy.places import IMPERSONAL, NOT_REACHED, PLACES
from storage.privacy.receipts import Receipt


class ErasureIn(BaseModel):
    """A wish to erase a person, by any of her profiles."""

    profile_id: UUID


class PlaceReceiptOut(BaseModel):
    """What happened in one place; `row_count` rows went or were rewritten."""

    place: str = Field(examples=["signal_log"])
    holds: str = Field(examples=["Every signal: time, anchor, level, pseudonym"])
    row_count: int = Field(examples=[1480])
    begun_at: datetime | None
    finished_at: datetime | None
    verified: str | None = Field(examples=["every batch was read again: none holds her devices"])


class NamingOut(BaseModel):
    """Rows of a place that are of others or of nobody and name her in free text: to be looked at by a person."""

    place: str = Field(examples=["note"])
    row_count: int = Field(examples=[2])
    ids: list[UUID] = Field(description="The first 100")


class ErasureOut(BaseModel):
    """A receipt: it holds no identity. `subject` is a keyed hash of the profile, whose key is not in the database."""

    erasure_id: UUID
    state: Literal["waiting", "running", "done"]
    source: Literal["request", "retention", "restored"]
    subject: str | None = Field(examples=["9c1f0a"])
    asked_by: str = Field(
        description="The colleague, or the program, that asked; empty where that would name who was erased",
        examples=["M. Okafor"],
    )
    asked_at: datetime
    finished_at: datetime | None
    places: list[PlaceReceiptOut]
    naming: list[NamingOut] = Field(description="Whose text named her when the job began; nothing of it is deleted")
    not_reached: list[str] = Field(description="What no job can reach, and what to do about it")

    @classmethod
    def of(cls, row: Receipt) -> "ErasureOut":
        """Return a receipt as it is sent."""
        holds = {place.table: place.holds for place in PLACES}
        return cls(
            erasure_id=row.erasure_id,
            state=row.state,  # type: ignore[arg-type]  # the database checks its words
            source=row.source,  # type: ignore[arg-type]
            subject=row.subject,
            asked_by=row.asked_by,
            asked_at=row.asked_at,
            finished_at=row.finished_at,
            places=[
                PlaceReceiptOut(
                    place=one.place,
                    holds=holds.get(one.place, one.place),
                    row_count=one.rows,
                    begun_at=one.begun_at,
                    finished_at=one.finished_at,
                    verified=one.verified,
                )
                for one in row.places
            ],
            naming=[NamingOut(place=one.table, row_count=one.rows, ids=list(one.ids)) for one in row.naming],
            not_reached=list(NOT_REACHED),
        )


class ErasuresOut(BaseModel):
    """The newest erasures, without their places."""

    erasures: list[ErasureOut]


class PlaceOut(BaseModel):
    """A place that holds something of people: what, why, and how long."""

    place: str = Field(examples=["note"])
    holds: str = Field(examples=["What staff saw or heard of a customer"])
    why: str = Field(examples=["To serve a customer as staff knew her last time."])
    kept: str = Field(examples=["731 days"])


class DataMapOut(BaseModel):
    """Every table: those with people in them, and those without anybody."""

    places: list[PlaceOut]
    impersonal: dict[str, str]

    @classmethod
    def whole(cls) -> "DataMapOut":
        """Return the map."""
        return cls(
            places=[PlaceOut(place=one.table, holds=one.holds, why=one.why, kept=kept(one.kept)) for one in PLACES],
            impersonal=IMPERSONAL,
        )


def kept(said: str) -> str:
    """Return how long something is kept; of a kind of retention the days it has unless an operator sets others."""
    return f"{KINDS[said].days} days unless set otherwise" if said in KINDS else said
