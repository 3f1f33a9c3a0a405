"""What a card tells: a customer in one look, small enough for the side of another system's page."""

from datetime import datetime
from typing import Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from api.profiles.journeys import heard_around_visit, journey_of
from api.profiles.models import StageWord, StateWord, VisitInProgressOut
from api.profiles.understanding import Understanding
from api.profiles.understanding_routes import CueOut, Known, known_of, understanding_of
from api.service import Service, find_store
from core.journey.records import StageReport
from storage.connect import Connection
from storage.instants import to_datetime
from storage.profiles.profiles import ProfileRow
from storage.profiles.visits import visit_detail

_SURE: Final = 0.9
"""As sure as the default policy wants to be before it acts; in between a card says nothing of the kind."""


class CardStageOut(BaseModel):
    """One stage of the journey around the newest visit."""

    stage: StageWord
    label: str = Field(examples=["Discover"])
    state: StateWord
    at: datetime | None

    @classmethod
    def of(cls, report: StageReport) -> Self:
        """Return the answer for a stage."""
        return cls.model_validate(
            {
                "stage": report.stage.value,
                "label": report.stage.label,
                "state": report.state.value,
                "at": to_datetime(report.at) if report.at is not None else None,
            }
        )


class CardVisitOut(BaseModel):
    """The newest visit that ended."""

    store: str = Field(examples=["marktplatz"])
    store_name: str = Field(examples=["Marktplatz"])
    timezone: str = Field(examples=["Europe/Berlin"])
    entered_at: datetime
    dwell_s: float


class CardOut(BaseModel):
    """A customer who consented, in one look; null where it cannot be said."""

    profile_id: UUID
    display_name: str = Field(examples=["Amara Okafor"])
    loyalty_tier: str | None = Field(examples=["Gold"])
    visits_count: int
    visit_in_progress: VisitInProgressOut | None
    last_visit: CardVisitOut | None
    stages: list[CardStageOut] = Field(description="Of the visit in progress, or else the newest")
    cue: CueOut | None = Field(description="What to do while the customer is in a store")
    kind: Literal["browser", "get_in_get_out"] | None = Field(description="Only where it is 0.9 sure")
    expected_at: datetime | None = Field(description="Last visit and the usual pause")
    away_unusually: bool
    return_share: float | None = Field(description="0..1, probability of a visit in the next 30 days")
    orders_in_store_count: int
    orders_online_count: int
    page: str = Field(description="Path of the whole profile here", examples=["/profiles/5b0c2c3e-…"])


def card_of(service: Service, connection: Connection, profile: ProfileRow) -> CardOut:
    """Return the card of a profile."""
    detail = visit_detail(connection, profile.profile_id)
    running = detail.running if detail is not None else None
    known = known_of(connection, profile)
    found, cue = understanding_of(service, connection, profile, known, here=running)
    plan = find_store(service, connection, detail.store).plan if detail is not None else None
    heard = heard_around_visit(connection, profile.profile_id, known.heard, detail)
    journey = journey_of(heard, detail, plan, now=service.now())
    return CardOut(
        profile_id=profile.profile_id,
        display_name=profile.display_name,
        loyalty_tier=profile.loyalty_tier,
        visits_count=found.visits,
        visit_in_progress=VisitInProgressOut.of(running, plan) if running is not None and plan is not None else None,
        last_visit=_last_visit(service, connection, known),
        stages=[CardStageOut.of(report) for report in journey.stages],
        cue=cue,
        kind=_kind(found),
        expected_at=to_datetime(found.rhythm.expected_at) if found.rhythm is not None else None,
        away_unusually=found.rhythm is not None and found.rhythm.unusual,
        return_share=round(found.returning.within, 4) if found.returning is not None else None,
        orders_in_store_count=found.orders_in_store,
        orders_online_count=found.orders_online,
        page=f"/profiles/{profile.profile_id}",
    )


def _last_visit(service: Service, connection: Connection, known: Known) -> CardVisitOut | None:
    if not known.visits:
        return None
    last = known.visits[-1]
    return CardVisitOut(
        store=last.store,
        store_name=find_store(service, connection, last.store).plan.label,
        timezone=last.timezone,
        entered_at=last.entered_at,
        dwell_s=last.dwell_s,
    )


def _kind(found: Understanding) -> Literal["browser", "get_in_get_out"] | None:
    if found.browses is None or 1 - _SURE < found.browses < _SURE:
        return None
    return "browser" if found.browses >= _SURE else "get_in_get_out"
