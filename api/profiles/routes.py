"""Profiles of customers who consented. Unknown and unconsented answer the same 404."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.problems import described, order_unknown, visit_unknown
from api.profiles.journeys import heard_around_order, heard_around_visit, heard_of, journey_of, journey_of_order
from api.profiles.models import (
    ConsentOut,
    JourneyOut,
    ProfileLineOut,
    ProfileOut,
    ProfilesOut,
    ProfileVisitsOut,
    StoreVisitOut,
    VisitInProgressOut,
)
from api.profiles.timeline import TimelineOut
from api.service import ConnectionDep, ProfileDep, ServiceDep, find_store
from api.stores.models import VisitOut
from storage.connect import Connection
from storage.profiles.profiles import PURPOSE
from storage.profiles.search import PROFILES_PER_PAGE, SEARCH_CHARACTERS, profiles_page
from storage.profiles.timeline import LINES_PER_PAGE, timeline_page
from storage.profiles.understanding import visits_of
from storage.profiles.visits import PROFILE_VISITS_PER_PAGE, profile_visits, visit_detail, whereabouts

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])


@router.get("", responses=described(422, 503), summary="List profiles that may be seen")
def list_profiles(
    connection: ConnectionDep,
    q: Annotated[
        str,
        Query(
            max_length=SEARCH_CHARACTERS,
            description="Part of the name; or a whole customer or loyalty number, e-mail or telephone number",
        ),
    ] = "",
    limit: Annotated[int, Query(ge=1, le=PROFILES_PER_PAGE)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> ProfilesOut:
    """List customers whose consent holds, in the order of their names."""
    page = profiles_page(connection, search=q, limit=limit, cursor=cursor)
    return ProfilesOut(profiles=[ProfileLineOut.of(row) for row in page.profiles], next_cursor=page.next_cursor)


@router.get("/{profile}", responses=described(404, 422, 503), summary="One profile")
def read_profile(found: ProfileDep, connection: ConnectionDep, service: ServiceDep) -> ProfileOut:
    """Return the customer, the consent that holds and the visit in progress, if there is one."""
    here = whereabouts(connection, found.profile_id)
    return ProfileOut(
        profile_id=found.profile_id,
        display_name=found.display_name,
        loyalty_tier=found.loyalty_tier,
        created_at=found.created_at,
        consent=ConsentOut.of(found.consent, PURPOSE),
        visit_in_progress=(
            VisitInProgressOut.of(here, find_store(service, connection, here.store).plan)
            if here is not None
            else None
        ),
    )


@router.get("/{profile}/visits", responses=described(404, 422, 503), summary="Store visits of a profile")
def list_profile_visits(
    found: ProfileDep,
    connection: ConnectionDep,
    service: ServiceDep,
    limit: Annotated[int, Query(ge=1, le=PROFILE_VISITS_PER_PAGE)] = 20,
    cursor: Annotated[str | None, Query()] = None,
) -> ProfileVisitsOut:
    """Store visits that ended, newest first; only those that began while a device was linked."""
    page = profile_visits(connection, found.profile_id, limit=limit, cursor=cursor)
    visits = []
    for row in page.visits:
        plan = find_store(service, connection, row.store).plan
        visits.append(StoreVisitOut(store=row.store, timezone=plan.timezone, visit=VisitOut.of(row.visit, plan)))
    return ProfileVisitsOut(profile_id=found.profile_id, visits=visits, next_cursor=page.next_cursor)


@router.get(
    "/{profile}/timeline", responses=described(404, 422, 503), summary="Everything that is known of a profile"
)
def read_timeline(
    found: ProfileDep,
    connection: ConnectionDep,
    limit: Annotated[int, Query(ge=1, le=LINES_PER_PAGE)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> TimelineOut:
    """Visits that ended, events, consents, notes, cues with what came of them, alerts and messages, newest first."""
    return TimelineOut.of(found.profile_id, timeline_page(connection, found.profile_id, limit=limit, cursor=cursor))


@router.get("/{profile}/journey", responses=described(404, 422, 503), summary="The journey of a profile so far")
def read_journey(
    found: ProfileDep,
    connection: ConnectionDep,
    service: ServiceDep,
    visit: Annotated[
        UUID | None, Query(description="A store visit; default: in progress, or else the newest")
    ] = None,
    order: Annotated[UUID | None, Query(description="The event of an order online, instead of a visit")] = None,
) -> JourneyOut:
    """Six stages around one store visit or order online, each with its state, its evidence and the rule applied."""
    if order is not None:
        return order_journey(connection, found.profile_id, order, now=service.now())
    detail = visit_detail(connection, found.profile_id, visit)
    if detail is None and visit is not None:
        raise visit_unknown()
    plan = find_store(service, connection, detail.store).plan if detail is not None else None
    heard = heard_around_visit(connection, found.profile_id, heard_of(connection, found.profile_id), detail)
    return JourneyOut.of(
        found.profile_id,
        journey_of(heard, detail, plan, now=service.now()),
        timezone=plan.timezone if plan is not None else None,
        in_progress=detail is not None and detail.running is not None,
    )


def order_journey(connection: Connection, profile: UUID, order: UUID, *, now: datetime) -> JourneyOut:
    """Return the journey around an order online; raises the problem if the profile has no such order."""
    heard = heard_around_order(connection, profile, heard_of(connection, profile), order)
    told = journey_of_order(heard, visits_of(connection, profile), order, now=now)
    if told is None:
        raise order_unknown()
    return JourneyOut.of(profile, told, timezone=None, in_progress=False)
