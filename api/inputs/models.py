"""What other systems send of customers, and what they get back. No answer repeats an identifier."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.texts import SOURCE_PATTERN, OneLine, Written
from storage.identity.links import Conflict, Identified
from storage.inputs.imports import ImportRow
from storage.inputs.inputs import ERRORS_SHOWN, RowError

InputWord = Literal["orders", "online", "app", "appointments", "loyalty", "events"]
EVENTS_TOGETHER = 500
"""As many as Segment sends in one batch."""
_SOURCE = Field(min_length=1, max_length=64, pattern=SOURCE_PATTERN, examples=["shop"])


class IdentifierIn(BaseModel):
    """An identifier of a customer."""

    kind: str = Field(examples=["customer_id"], max_length=40)
    value: str = Field(examples=["4711"], max_length=254)


class ConsentWordIn(BaseModel):
    """What every word on a consent says."""

    source: str = _SOURCE
    wording: str = Field(description="Version of the text", min_length=1, max_length=64, examples=["2026-03"])
    occurred_at: datetime
    key: str | None = Field(None, description="Its name at the source, so that it counts once", max_length=200)


class ConsentIn(ConsentWordIn):
    """The consent that a customer gave to in-store journeys.

    A field of another name is refused, as it may have been meant to bound the consent; a withdrawal is never refused
    for what it says beside.
    """

    model_config = ConfigDict(extra="forbid")

    expires_at: datetime | None = None


class WithdrawalIn(ConsentWordIn):
    """A withdrawal, for whoever an identifier means; it takes effect at once."""

    identifier: IdentifierIn
    wording: str = Field("", description="Empty: that of the consent it ends", max_length=64, examples=["2026-03"])


class ProfileIn(BaseModel):
    """A customer who consented."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "source": "crm",
                    "display_name": "Amara Okafor",
                    "loyalty_tier": "Gold",
                    "identifiers": [{"kind": "customer_id", "value": "4711"}],
                    "consent": {"source": "app", "wording": "2026-03", "occurred_at": "2026-11-21T13:02:00Z"},
                }
            ]
        },
    )

    source: str = _SOURCE
    display_name: Annotated[str, Field(min_length=1, max_length=200), Written, OneLine]
    loyalty_tier: Annotated[str, Field(max_length=40), Written, OneLine] | None = None
    identifiers: list[IdentifierIn] = Field(min_length=1, max_length=20)
    devices: list[str] = Field([], description="Stable pseudonyms, 32 hexadecimal digits each", max_length=10)
    consent: ConsentIn


class EventsIn(BaseModel):
    """Events of customers; a row has the columns of the CSV import, or is a Segment track call as it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "source": "till",
                    "events": [
                        {
                            "key": "R-20261121-0042",
                            "kind": "ordered",
                            "occurred_at": "2026-11-21T14:21:09+01:00",
                            "store": "marktplatz",
                            "customer_id": "4711",
                            "total": 59.9,
                            "currency": "EUR",
                        }
                    ],
                }
            ]
        }
    )

    source: str = _SOURCE
    events: list[dict[str, Any]] = Field(min_length=1, max_length=EVENTS_TOGETHER)


class ConflictOut(BaseModel):
    """A field and what was passed over there."""

    where: str = Field(examples=["email"])
    what: str

    @classmethod
    def of(cls, row: Conflict) -> Self:
        """Return the answer for a conflict."""
        return cls(where=row.where, what=row.what)


class HeardOut(BaseModel):
    """It was taken in. What became of it is not told to whoever is bound to stores that do not know this customer."""

    heard: Literal[True] = True


class IdentifiedOut(BaseModel):
    """Whose profile it is."""

    profile_id: UUID
    made: bool = Field(description="Whether it is new; false too where that is not told")
    left_out: list[ConflictOut]

    @classmethod
    def of(cls, row: Identified, profile_id: UUID) -> Self:
        """Return the answer for a profile that was written."""
        made = row.made and row.told == "all"
        return cls(profile_id=profile_id, made=made, left_out=[ConflictOut.of(one) for one in row.left_out])


class RowErrorOut(BaseModel):
    """Why a row was refused."""

    line: int = Field(description="Line of the file, or place in `events` from 1 on", examples=[17])
    field: str = Field(examples=["occurred_at"])
    what: str = Field(examples=["The time has no offset. End it with Z or +01:00."])

    @classmethod
    def of(cls, row: RowError) -> Self:
        """Return the answer for a refused row."""
        return cls(line=row.line, field=row.field, what=row.what)


class TakenOut(BaseModel):
    """What became of the rows: each is in one of the three counts."""

    taken_count: int = Field(description="New or changed")
    unchanged_count: int = Field(description="Known already, just so")
    refused_count: int
    errors: list[RowErrorOut] = Field(description=f"The first {ERRORS_SHOWN}")


class ImportOut(TakenOut):
    """A CSV file that was taken in, or would be: `import_no` is null for a dry run."""

    import_no: int | None
    input: str = Field(examples=["orders"])
    source: str = Field(examples=["till"])
    rows_count: int
    left_out: list[str] = Field([], description="Columns of the file that are not kept")
    imported_at: datetime | None
    reverted_at: datetime | None

    @classmethod
    def of(cls, row: ImportRow, left_out: tuple[str, ...] = ()) -> Self:
        """Return the answer for an import."""
        return cls(
            taken_count=row.taken,
            unchanged_count=row.unchanged,
            refused_count=row.refused,
            errors=[RowErrorOut.of(error) for error in row.errors],
            import_no=row.import_no,
            input=row.input,
            source=row.source,
            rows_count=row.rows,
            left_out=list(left_out),
            imported_at=row.imported_at,
            reverted_at=row.reverted_at,
        )


class ImportsOut(BaseModel):
    """Imports, newest first."""

    imports: list[ImportOut]
