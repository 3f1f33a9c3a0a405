"""Pages of alerts: what was foreseen and why, whether it was right, and who looks after which rule."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from api.memory.alert_models import CustomerAlertOut, RuleWord
from api.memory.alert_routes import AlertDep, list_customer_alert_rules, list_customer_alerts
from api.memory.pages import address
from api.notes.follow_up_routes import all_told
from api.rendering import render
from api.service import ConnectionDep, ServiceDep
from core.memory.foresight import RULES
from storage.access.colleagues import colleagues
from storage.notes.follow_ups import follow_ups_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_ROWS: Final = 50


@router.get("/alerts")
def show_alerts(
    connection: ConnectionDep,
    profile: Annotated[UUID | None, Query()] = None,
    rule: Annotated[RuleWord | None, Query()] = None,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """Show the newest alerts, and the rules with their hit rates."""
    return render(
        "alerts.html",
        here="follow-ups",
        page=list_customer_alerts(connection, profile=profile, rule=rule, limit=_ROWS, cursor=cursor),
        rules=list_customer_alert_rules(connection).rules,
        labels={name: found.label for name, found in RULES.items()},
        people=colleagues(connection),
        chosen=rule,
        of_profile=f"&profile={profile}" if profile is not None else "",
        address=address,
    )


@router.get("/alerts/{alert}")
def show_alert(found: AlertDep, connection: ConnectionDep, service: ServiceDep) -> Response:
    """Show one alert with its evidence and its tasks."""
    return render(
        "alert.html",
        here="follow-ups",
        alert=CustomerAlertOut.of(found),
        rule=RULES[found.rule],
        tasks=all_told(connection, follow_ups_of(connection, found.alert_id), service.now()),
        now=service.now(),
        address=address,
    )
