"""The pages of the fleet: all stores, and one."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from api.fleet.gathering import fleet_of, fleets
from api.rendering import render
from api.service import ConnectionDep, ServiceDep, StoreDep

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/fleet")
def show_fleets(
    connection: ConnectionDep, service: ServiceDep, cursor: Annotated[str | None, Query()] = None
) -> Response:
    """Show stores, those with alarms first."""
    page = fleets(connection, service.now(), cursor)
    ordered = sorted(page.stores, key=lambda store: (-len(store.alarms), store.name))
    return render("fleets.html", here="fleet", page=page, stores=ordered)


@router.get("/stores/{store}/fleet")
def show_fleet(stored: StoreDep, connection: ConnectionDep, service: ServiceDep) -> Response:
    """Show the edges and anchors of a store, alarms first."""
    plan = stored.plan
    return render(
        "fleet.html",
        here="stores",
        tab="fleet",
        plan=plan,
        fleet=fleet_of(connection, stored, service.now()),
        zones={zone.id: zone for zone in plan.zones},
    )
