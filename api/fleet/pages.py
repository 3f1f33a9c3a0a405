"""The pages of the fleet: all stores, and one."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from api.fleet.gathering import fleet_alarms, fleet_of, fleets
from api.rendering import render
from api.service import ConnectionDep, ServiceDep, StoreDep

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_TOLD_SHOWN: Final = 20


@router.get("/fleet")
def show_fleets(
    connection: ConnectionDep, service: ServiceDep, cursor: Annotated[str | None, Query()] = None
) -> Response:
    """Show stores, those with alarms first."""
    page = fleets(connection, service.now(), cursor)
    ordered = sorted(page.stores, key=lambda store: (-len(store.alarms), store.name))
    return render("fleets.html", here="fleet", page=page, stores=ordered)


@router.get("/stores/{store}/fleet")
def show_fleet(
    stored: StoreDep,
    connection: ConnectionDep,
    service: ServiceDep,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """Show the edges and anchors of a store, alarms first, and what was wrong before."""
    plan = stored.plan
    return render(
        "fleet.html",
        here="stores",
        tab="fleet",
        plan=plan,
        fleet=fleet_of(connection, stored, service.now()),
        zones={zone.id: zone for zone in plan.zones},
        told=fleet_alarms(connection, stored, open_only=False, limit=_TOLD_SHOWN, cursor=cursor),
    )
