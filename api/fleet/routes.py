"""The fleet as JSON."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.fleet.gathering import fleet_alarms, fleet_of, fleets
from api.fleet.models import FleetAlarmsOut, FleetOut, FleetsOut
from api.problems import described
from api.service import ConnectionDep, ServiceDep, StoreDep

router = APIRouter(prefix="/v1/fleet", tags=["fleet"])


@router.get("", responses=described(422, 503), summary="Fleets of all stores")
def list_fleets(
    connection: ConnectionDep, service: ServiceDep, cursor: Annotated[str | None, Query()] = None
) -> FleetsOut:
    """List stores with their edges' and anchors' alarms."""
    return fleets(connection, service.now(), cursor)


@router.get("/{store}", responses=described(404, 422, 503), summary="Fleet of a store")
def read_fleet(stored: StoreDep, connection: ConnectionDep, service: ServiceDep) -> FleetOut:
    """Return every edge and anchor of a store: last seen, rate, battery, clock, backlog, coverage, alarms."""
    return fleet_of(connection, stored, service.now())


@router.get("/{store}/alarms", responses=described(404, 422, 503), summary="What was wrong in a store's fleet")
def list_fleet_alarms(
    stored: StoreDep,
    connection: ConnectionDep,
    *,
    open_only: Annotated[bool, Query(alias="open", description="Only those that stand")] = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> FleetAlarmsOut:
    """Return alarms that were raised, newest first: those that held, as webhooks told them."""
    return fleet_alarms(connection, stored, open_only=open_only, limit=limit, cursor=cursor)
