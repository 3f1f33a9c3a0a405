"""The emotional memory of a customer."""

from fastapi import APIRouter

from api.memory.models import MemoryOut
from api.memory.recall import memory_of, recalled
from api.problems import described
from api.service import ConnectionDep, ProfileDep, ServiceDep

router = APIRouter(prefix="/v1/profiles", tags=["memory"])


@router.get("/{profile}/memory", responses=described(404, 422, 503), summary="The emotional memory of a profile")
def read_memory(found: ProfileDep, connection: ConnectionDep, service: ServiceDep) -> MemoryOut:
    """Feelings by stage and month, delights and frustrations, preferences and promises, each with its evidence.

    What is older counts less: half after `half_life_days`. The newest 200 notes count.
    """
    return MemoryOut.of(found.profile_id, memory_of(recalled(connection, found.profile_id), service.now()))
