"""Pages of store operations: today, alerts, and who is counted."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.forms import FormDep
from api.metrics import wording as metric_wording
from api.metrics.query import MetricQuery, nothing_asked
from api.metrics.routes import measure
from api.operations.alerts import StoreAlertOut, StoreAlertRuleIn, StoreAlertRuleOut, make_rule
from api.operations.exclusions import CHANGES_SHOWN, REASON_CHARACTERS, RulesModel, change_rules
from api.operations.today import today_context
from api.operators import OperatorDep
from api.problems import ProblemError
from api.rendering import render
from api.service import ConnectionDep, ServiceDep, StoreDep
from core.errors import InputError
from core.metrics.alerts import KINDS
from core.metrics.disclosure import K_PEOPLE
from storage.alerts.rules import alerts, read_rules, remove_rule
from storage.rollups.rules import find_rules, rules_changes
from storage.rollups.rules import read_rules as read_exclusions

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_SEE_OTHER: Final = 303
_ALERTS_SHOWN: Final = 50
_MINUTE: Final = 60
_HOUR: Final = 3600


@router.get("/stores/{store}/today", dependencies=[Depends(nothing_asked)])
def show_today(stored: StoreDep, connection: ConnectionDep, service: ServiceDep) -> Response:
    """Show the page of the morning."""
    return render(
        "today.html",
        here="stores",
        tab="today",
        plan=stored.plan,
        zones={zone.id: zone for zone in stored.plan.zones},
        say=metric_wording,
        k=K_PEOPLE,
        **today_context(connection, service, stored),
    )


@router.get("/stores/{store}/alerts")
def show_alerts(
    stored: StoreDep,
    connection: ConnectionDep,
    cursor: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Show what is watched and what was told."""
    rows = alerts(connection, stored.store_no, limit=_ALERTS_SHOWN + 1, before=cursor)
    return render(
        "store_alerts.html",
        here="stores",
        tab="alerts",
        plan=stored.plan,
        zones={zone.id: zone for zone in stored.plan.zones},
        alerts=[StoreAlertOut.of(row, stored.plan) for row in rows[:_ALERTS_SHOWN]],
        more=rows[_ALERTS_SHOWN - 1].alert_no if len(rows) > _ALERTS_SHOWN else None,
        rules=[StoreAlertRuleOut.of(rule, stored.plan) for rule in read_rules(connection, stored.store_no)],
        kinds=KINDS.values(),
        say=metric_wording,
    )


@router.post("/stores/{store}/alerts")
def change_alerts(form: FormDep, stored: StoreDep, service: ServiceDep, operator: OperatorDep) -> Response:
    """Watch something, or stop watching it, as the button says."""
    if form.get("remove"):
        rule_no = int(_number(form.get("remove"), "remove") or 0)
        service.writer.write(lambda connection: remove_rule(connection, stored.store_no, rule_no))
    else:
        asked = StoreAlertRuleIn.model_validate(
            {
                "kind": form.text("kind", most=40),
                "zone": form.get("zone") or None,
                "opens_at": _number(form.get("opens_at"), "opens_at"),
                "clears_at": _number(form.get("clears_at"), "clears_at"),
            }
        )
        make_rule(service, stored, asked, operator)
    return RedirectResponse(f"/stores/{stored.plan.id}/alerts", _SEE_OTHER)


@router.get("/stores/{store}/exclusions", dependencies=[Depends(nothing_asked)])
def show_exclusions(stored: StoreDep, connection: ConnectionDep, service: ServiceDep) -> Response:
    """Show who is not counted, how many that were, and who decided so."""
    query = MetricQuery.model_validate({})
    answer = measure(service, connection, stored, "footfall", query)
    return render(
        "exclusions.html",
        here="stores",
        tab="exclusions",
        plan=stored.plan,
        rules=read_exclusions(connection, stored.store_no),
        changes=rules_changes(connection, stored.store_no, most=CHANGES_SHOWN),
        answer=answer,
        weekdays=metric_wording.WEEKDAYS,
        say=metric_wording,
        k=K_PEOPLE,
    )


@router.post("/stores/{store}/exclusions")
def change_exclusions(
    form: FormDep, stored: StoreDep, service: ServiceDep, connection: ConnectionDep, operator: OperatorDep
) -> Response:
    """Let other rules hold, or earlier ones again, as the button says."""
    reason = form.text("reason", most=REASON_CHARACTERS)
    if form.get("restore"):
        rules = find_rules(connection, stored.store_no, int(_number(form.get("restore"), "restore") or 0))
        if rules is None:
            raise ProblemError(
                404, "change-unknown", "No such change", detail="It is not one of this store.", hint=""
            )
    else:
        rules = RulesModel.model_validate(_rules_of(form.get)).rules()
    change_rules(service, stored, rules, operator=operator, reason=reason)
    return RedirectResponse(f"/stores/{stored.plan.id}/exclusions", _SEE_OTHER)


def _rules_of(get: Any) -> dict[str, Any]:
    """Return rules from the fields of the form: minutes and hours, times of day like 09:00."""
    week = None
    if get("hours_on"):
        week = [_hours(get(f"opens_{day}"), get(f"closes_{day}"), day) for day in range(7)]
    return {
        "staff": bool(get("staff")),
        "fixtures": bool(get("fixtures")),
        "staff_zone_s": _length(get("staff_zone_min"), _MINUTE, "staff_zone_min"),
        "long_stay_s": _length(get("long_stay_h"), _HOUR, "long_stay_h"),
        "passer_by_s": _length(get("passer_by_s"), 1, "passer_by_s"),
        "opening_hours": week,
    }


def _hours(opens: str, closes: str, day: int) -> dict[str, int] | None:
    if not opens and not closes:
        return None
    return {"opens_min": _clock(opens, f"opens_{day}"), "closes_min": _clock(closes, f"closes_{day}")}


def _clock(text: str, where: str) -> int:
    hour, _, minute = text.partition(":")
    if not (hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < _MINUTE):
        raise InputError(
            f"{text[:20]!r} is no time of day.", hint="Write 09:00; leave both empty on a closed day.", where=where
        )
    return int(hour) * _MINUTE + int(minute)


def _length(text: str, unit_s: int, where: str) -> int | None:
    number = _number(text, where)
    return None if number is None else round(number * unit_s)


def _number(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{text[:20]!r} is no number.", hint="Write digits, such as 120.", where=where) from error
