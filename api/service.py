"""What every route stands on, handed to it by FastAPI's dependencies."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from re import compile as compile_pattern
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Request

from api.access.limits import Limits
from api.cues.hub import CueHub
from api.looking import OneLook
from api.metrics.dwell_cache import DwellCache
from api.problems import profile_merged, profile_unknown, store_unknown
from api.settings import Settings
from api.stores.drawing import DrawingCache
from api.stores.live import LiveHub
from core.floorplan import ID_PATTERN
from core.metrics.formulas import FORMULAS
from storage.access.acting import may_see
from storage.connect import Connection
from storage.occupancy import PlanCache
from storage.privacy.restored import Restored
from storage.privacy.suppression import Guard
from storage.profiles.people import kept_profile
from storage.profiles.profiles import ProfileRow, find_profile
from storage.reading import Reader
from storage.stores import StoredPlan
from storage.writing import Writer

_NOW: Final = frozenset(formula.id for formula in FORMULAS.values() if formula.shape == "now")
_ID = compile_pattern(ID_PATTERN)


@dataclass(frozen=True)
class Service:
    """The parts that requests share; each is safe to use from several threads, `live` from the event loop only.

    `analytics` reads what looks back over days, maybe from a server that is seconds behind; else it is `reader`.
    """

    reader: Reader
    analytics: Reader
    writer: Writer
    plans: PlanCache
    drawings: DrawingCache
    dwells: DwellCache
    live: LiveHub
    cues: CueHub
    now: Callable[[], datetime]
    settings: Settings
    limits: Limits
    guard: Guard
    restored: Restored
    readiness: OneLook[Any] = field(default_factory=OneLook)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceDep = Annotated[Service, Depends(_service)]


def reads_analytics(request: Request) -> None:
    """Let a request that only reads be answered by `Service.analytics`; not one for who is there now."""
    request.state.analytics = request.method in {"GET", "HEAD"} and request.path_params.get("formula") not in _NOW


def _connection(service: ServiceDep, request: Request) -> Iterator[Connection]:
    reader = service.analytics if getattr(request.state, "analytics", False) else service.reader
    with reader.connection() as connection:
        yield connection


# "function": the connection goes back to the pool before the answer is sent, not after a slow client has read it
ConnectionDep = Annotated[Connection, Depends(_connection, scope="function")]


def find_store(service: Service, connection: Connection, store: str) -> StoredPlan:
    """Return the plan of a store, or raise its problem."""
    # the plans are shared by everybody: whoever is bound to stores finds those alone
    found = service.plans.get(connection, store) if _ID.fullmatch(store) and may_see(store) else None
    if found is None:
        raise store_unknown(store)
    return found


def _store(store: str, service: ServiceDep, connection: ConnectionDep) -> StoredPlan:
    return find_store(service, connection, store)


StoreDep = Annotated[StoredPlan, Depends(_store)]


def _profile(profile: UUID, connection: ConnectionDep, request: Request) -> ProfileRow:
    found = find_profile(connection, profile)
    if found is None:
        kept = kept_profile(connection, profile)
        if kept is None or kept == profile:
            raise profile_unknown()
        # never told under the other's id: who opens how many customers is counted by the id in the address
        path = request.url.path.replace(request.path_params["profile"], str(kept), 1)
        raise profile_merged(f"{path}?{request.url.query}" if request.url.query else path)
    return found


ProfileDep = Annotated[ProfileRow, Depends(_profile)]
