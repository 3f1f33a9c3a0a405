"""How a visit changed after it was reported, as the API tells it."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from api.stores.models import VisitOut
from core.floorplan import StorePlan
from storage.revisions import VisitHistory


class RevisionOut(BaseModel):
    """One change of a visit; `before` is how it stood until then."""

    revision: int = Field(description="The one that came of it; 0 where the visit was added later", examples=[1])
    change: Literal["added", "corrected", "withdrawn", "restored"]
    reason: Literal["late_signals", "new_model", "by_hand"]
    model_version: int = Field(description="Decoded again under this model; 0: what the plan suggests", examples=[3])
    revised_at: datetime
    before: VisitOut | None = Field(description="Null where nothing stood")


class RevisionsOut(BaseModel):
    """A visit and every change of it since it was first reported, the oldest first."""

    store: str = Field(examples=["marktplatz"])
    timezone: str = Field(examples=["Europe/Berlin"])
    visit_id: UUID
    withdrawn: bool = Field(description="Decoding again did not find it: it counts nowhere")
    visit: VisitOut = Field(description="As it stands, or stood when it was withdrawn")
    revisions: list[RevisionOut]

    @classmethod
    def of(cls, told: VisitHistory, plan: StorePlan) -> Self:
        """Return the answer for a history."""
        return cls(
            store=plan.id,
            timezone=plan.timezone,
            visit_id=told.visit.visit_id,
            withdrawn=told.withdrawn,
            visit=VisitOut.of(told.visit, plan),
            revisions=[
                RevisionOut(
                    revision=row.revision,
                    change=row.change,
                    reason=row.reason,
                    model_version=row.model_version,
                    revised_at=row.revised_at,
                    before=None if row.before is None else VisitOut.of(row.before, plan),
                )
                for row in told.changes
            ],
        )
