"""How a journey came to be what it is: late evidence revises it, and each revision can be read."""

from datetime import datetime
from typing import Annotated, Final, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.problems import described, order_unknown, visit_unknown
from api.profiles.journeys import (
    cited_between,
    heard_around_order,
    heard_around_visit,
    heard_of,
    journey_of,
    journey_of_order,
)
from api.profiles.models import StageOut, StageWord
from api.service import ConnectionDep, ProfileDep, ServiceDep, find_store
from core.errors import InputError
from core.journey.records import Journey
from storage.connect import Connection
from storage.profiles.events import recorded_times
from storage.profiles.understanding import visits_of
from storage.profiles.visits import visit_detail

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])
_REVISIONS: Final = 50
"""Evidence of one visit comes in a handful of batches; of more the newest are told."""


class JourneyRevisionOut(BaseModel):
    """The journey as it was known from a time on."""

    known_at: datetime = Field(description="When the evidence that changed it was heard of")
    changed: list[StageWord] = Field(description="Stages that are not as they were before; all of them at first")
    stages: list[StageOut]


class JourneyHistoryOut(BaseModel):
    """A journey with all its revisions, the oldest first; the last is what holds."""

    profile_id: UUID
    visit_id: UUID | None = Field(description="Null around an order online")
    order_id: UUID | None = Field(description="The event of the order online that it surrounds")
    store: str | None = Field(examples=["marktplatz"])
    timezone: str | None = Field(examples=["Europe/Berlin"])
    revisions: list[JourneyRevisionOut]

    @classmethod
    def of(cls, profile: UUID, timezone: str | None, told: list[tuple[datetime, Journey]]) -> Self:
        """Return the answer for journeys in the order in which they became known."""
        revisions, before = [], None
        for known_at, found in told:
            changed = [
                after.stage.value
                for place, after in enumerate(found.stages)
                if before is None or after != before.stages[place]
            ]
            if changed:
                stages = [StageOut.of(report) for report in found.stages]
                revisions.append(
                    JourneyRevisionOut.model_validate({"known_at": known_at, "changed": changed, "stages": stages})
                )
            before = found
        newest = told[-1][1]
        return cls.model_validate(
            {
                "profile_id": profile,
                "visit_id": newest.visit,
                "order_id": newest.order,
                "store": newest.store,
                "timezone": timezone,
                "revisions": revisions,
            }
        )


@router.get(
    "/{profile}/journey/history", responses=described(404, 422, 503), summary="The revisions of a journey by evidence"
)
def read_history(
    found: ProfileDep,
    connection: ConnectionDep,
    service: ServiceDep,
    visit: Annotated[UUID | None, Query(description="A store visit that ended")] = None,
    order: Annotated[UUID | None, Query(description="The event of an order online, instead of a visit")] = None,
) -> JourneyHistoryOut:
    """Tell the journey as it was known when the visit ended, and after each piece of evidence that came later.

    Around an order online: from when the order was heard of. Nothing is overwritten: orders, events and consents keep
    every revision with the time at which it was heard of.
    """
    if order is not None:
        return _order_history(connection, found.profile_id, order, now=service.now())
    if visit is None:
        raise InputError("Name a visit or an order.", hint="Give visit=… or order=….", where="visit")
    detail = visit_detail(connection, found.profile_id, visit)
    if detail is None or detail.ended is None:
        raise visit_unknown()
    plan = find_store(service, connection, detail.store).plan
    now = service.now()
    cited = cited_between(detail.ended.entered_at, detail.ended.left_at)
    times = recorded_times(connection, found.profile_id, since=detail.ended.left_at, between=cited, limit=_REVISIONS)
    told = []
    for known_at in [detail.ended.left_at, *times]:
        heard = heard_of(connection, found.profile_id, known_at=known_at)
        heard = heard_around_visit(connection, found.profile_id, heard, detail, known_at=known_at)
        told.append((known_at, journey_of(heard, detail, plan, now=now)))
    return JourneyHistoryOut.of(found.profile_id, plan.timezone, told)


def _order_history(connection: Connection, profile: UUID, order: UUID, *, now: datetime) -> JourneyHistoryOut:
    placed_at = next((one.occurred_at for one in heard_of(connection, profile).events if one.event_id == order), None)
    if placed_at is None:
        raise order_unknown()
    visits = visits_of(connection, profile)
    cited = cited_between(placed_at, placed_at)
    times = recorded_times(connection, profile, since=placed_at, between=cited, limit=_REVISIONS)
    told = []
    for known_at in times:
        heard = heard_of(connection, profile, known_at=known_at)
        heard = heard_around_order(connection, profile, heard, order, known_at=known_at)
        journey = journey_of_order(heard, visits, order, now=now)
        if journey is not None:
            told.append((known_at, journey))
    if not told:
        raise order_unknown()
    return JourneyHistoryOut.of(profile, None, told)
