"""Pages of store operations: today, alerts, and who is counted."""

import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.forms import Form, FormDep, filled
from api.metrics import wording as metric_wording
from api.metrics.query import MetricQuery, nothing_asked, only_asked
from api.metrics.routes import measure
from api.operations.alerts import StoreAlertOut, StoreAlertRuleIn, StoreAlertRuleOut, drop_rule, make_rule
from api.operations.exclusions import (
    CHANGES_SHOWN,
    REASON_CHARACTERS,
    RulesModel,
    change_rules,
    change_unknown,
    may_change_groups,
)
from api.operations.today import today_context
from api.operators import OperatorDep
from api.rendering import render
from api.service import ConnectionDep, ServiceDep, StoreDep
from core.errors import InputError
from core.metrics.alerts import KINDS
from core.metrics.disclosure import K_PEOPLE
from core.metrics.exclusions import DEFAULT_RULES, Rules, changed_groups
from storage.alerts.rules import alerts, read_rules
from storage.rollups.rules import find_rules, rules_changes
from storage.rollups.rules import read_rules as read_exclusions

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_SEE_OTHER: Final = 303
_ALERTS_SHOWN: Final = 50
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY_S: Final = 24 * _HOUR
_DAYS: Final = len(metric_wording.WEEKDAYS)
_CLOCK: Final = re.compile(r"(?P<hour>[01]?[0-9]|2[0-3]|24(?=:00)):(?P<minute>[0-5][0-9])")
"""24:00 is the end of a day, as in ISO 8601: a shop may be open until midnight."""
_FIELDS: Final = {
    "staff": "staff", "fixtures": "fixtures", "staff_zone_s": "staff_zone_min", "long_stay_s": "long_stay_h",
}  # fmt: skip
"""Rules of small groups, and their fields in the form."""


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
    request: Request,
    cursor: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Show what is watched and what was told."""
    only_asked(request, "cursor")
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
        drop_rule(service, stored, form.row_number("remove"))
    else:
        asked = filled(
            StoreAlertRuleIn,
            {
                "kind": form.text("kind", most=40),
                "zone": form.get("zone") or None,
                "opens_at": form.number("opens_at"),
                "clears_at": form.number("clears_at"),
            },
        )
        make_rule(service, stored, asked, operator)
    return RedirectResponse(f"/stores/{stored.plan.id}/alerts", _SEE_OTHER)


@router.get("/stores/{store}/exclusions", dependencies=[Depends(nothing_asked)])
def show_exclusions(stored: StoreDep, connection: ConnectionDep, service: ServiceDep) -> Response:
    """Show who is not counted, how many that were, and who decided so."""
    query = MetricQuery.model_validate({})
    answer = measure(service, connection, stored, "footfall", query)
    rules = read_exclusions(connection, stored.store_no)
    all_rules = may_change_groups()
    return render(
        "exclusions.html",
        here="stores",
        tab="exclusions",
        plan=stored.plan,
        rules=rules,
        all_rules=all_rules,
        defaults=DEFAULT_RULES,
        may_restore=lambda other: all_rules or not changed_groups(rules, other),
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
        change_no = form.row_number("restore")
        rules = find_rules(connection, stored.store_no, change_no)
        if rules is None:
            raise change_unknown(stored, change_no)
    else:
        rules = filled(RulesModel, _rules_of(form, read_exclusions(connection, stored.store_no))).rules()
    change_rules(service, stored, rules, operator=operator, reason=reason)
    return RedirectResponse(f"/stores/{stored.plan.id}/exclusions", _SEE_OTHER)


def _rules_of(form: Form, held: Rules) -> dict[str, Any]:
    """Return rules from the fields of the form: minutes and hours, times of day like 09:00.

    To whoever may not change the rules of small groups these are shown disabled, and a browser does not send them:
    they stay as they are, and what is sent nevertheless is judged as any change.
    """
    week = None
    if form.get("hours_on"):
        week = [_hours(form, day) for day in range(_DAYS)]
    asked: dict[str, Any] = {
        "staff": bool(form.get("staff")),
        "fixtures": bool(form.get("fixtures")),
        "staff_zone_s": _length(form, "staff_zone_min", _MINUTE),
        "long_stay_s": _length(form, "long_stay_h", _HOUR),
    }
    if not may_change_groups():
        asked = {name: asked[name] if form.has(field) else getattr(held, name) for name, field in _FIELDS.items()}
    return asked | {"passer_by_s": _length(form, "passer_by_s", 1), "opening_hours": week}


def _hours(form: Form, day: int) -> dict[str, int] | None:
    opens, closes = f"opens_{day}", f"closes_{day}"
    if not form.get(opens) and not form.get(closes):
        return None
    return {"opens_min": _clock(form, opens), "closes_min": _clock(form, closes)}


def _clock(form: Form, where: str) -> int:
    text = form.get(where)
    found = _CLOCK.fullmatch(text)
    if found is None:
        raise InputError(
            f"{text[:20]!r} is no time of day.",
            hint="Write 09:00, and 24:00 for the end of a day; leave both empty on a closed day.",
            where=where,
        )
    return int(found["hour"]) * _MINUTE + int(found["minute"])


def _length(form: Form, where: str, unit_s: int) -> int | None:
    number = form.number(where)
    if number is None:
        return None
    if abs(number) > _DAY_S:  # far beyond any length of a stay, in any unit; the product might not be finite
        raise InputError(f"{number:g} is too long for a stay.", hint="A stay is within a day.", where=where)
    return round(number * unit_s)
