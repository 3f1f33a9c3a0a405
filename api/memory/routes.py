"""The emotional memory of a customer."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.memory.models import JourneyFeelingsOut, MemoryOut
from api.memory.recall import feelings_around, memory_of, recalled
from api.problems import described, visit_unknown
from api.service import ConnectionDep, ProfileDep, ServiceDep
from storage.profiles.visits import VisitDetail, visit_detail

router = APIRouter(prefix="/v1/profiles", tags=["memory"])


@router.get(
    "/{profile}/journey/feelings", responses=described(404, 422, 503), summary="Feelings at the stages of a journey"
)
def read_journey_feelings(
    found: ProfileDep,
    connection: ConnectionDep,
    service: ServiceDep,
    visit: Annotated[
        UUID | None, Query(description="A store visit; default: in progress, or else the newest")
    ] = None,
) -> JourneyFeelingsOut:
    """Return what notes and complaints say of each stage around one store visit, each with its evidence."""
    detail = visit_detail(connection, found.profile_id, visit)
    if detail is None and visit is not None:
        raise visit_unknown()
    asked = visit_of(detail)
    feelings = feelings_around(recalled(connection, found.profile_id), asked, service.now())
    return JourneyFeelingsOut.of(found.profile_id, asked, feelings)


def visit_of(detail: VisitDetail | None) -> UUID | None:
    """Return the name of the visit in a detail."""
    if detail is None:
        return None
    held = detail.running if detail.running is not None else detail.ended
    return held.visit_id if held is not None else None


@router.get("/{profile}/memory", responses=described(404, 422, 503), summary="The emotional memory of a profile")
def read_memory(found: ProfileDep, connection: ConnectionDep, service: ServiceDep) -> MemoryOut:
    """Feelings by stage and month, delights and frustrations, preferences and promises, each with its evidence.

    What is older counts less: half after `half_life_days`. The newest 200 notes count.
    """
    return MemoryOut.of(found.profile_id, memory_of(recalled(connection, found.profile_id), service.now()))
