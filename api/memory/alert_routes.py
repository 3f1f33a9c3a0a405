"""Alerts about customers, and the rules that make them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from api.memory.alert_models import (
    CustomerAlertOut,
    CustomerAlertsOut,
    CustomerRuleIn,
    CustomerRuleOut,
    CustomerRulesOut,
    LookedOut,
    RuleWord,
    VerdictIn,
)
from api.memory.foreseeing import look
from api.operators import OperatorDep
from api.problems import alert_unknown, described, profile_unknown
from api.service import ConnectionDep, ServiceDep
from core.memory.foresight import RULES
from storage.access.colleagues import colleague
from storage.connect import Connection
from storage.memory.alerts import (
    ALERTS_PER_PAGE,
    AlertRow,
    RuleCount,
    RuleSetting,
    alerts_page,
    find_alert,
    judge_alert,
    rule_counts,
    rule_settings,
    save_rule,
)
from storage.profiles.profiles import find_profile

router = APIRouter(prefix="/v1", tags=["alerts"])


def _alert(alert: UUID, connection: ConnectionDep) -> AlertRow:
    found = find_alert(connection, alert)
    if found is None:
        raise alert_unknown()
    return found


AlertDep = Annotated[AlertRow, Depends(_alert)]


@router.get("/alerts", responses=described(404, 422, 503), summary="Alerts about customers")
def list_customer_alerts(
    connection: ConnectionDep,
    profile: Annotated[UUID | None, Query()] = None,
    rule: Annotated[RuleWord | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=ALERTS_PER_PAGE)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> CustomerAlertsOut:
    """List alerts, newest first, each with why and what it rests on; their tasks are follow-ups."""
    if profile is not None and find_profile(connection, profile) is None:
        raise profile_unknown()
    page = alerts_page(connection, profile=profile, rule=rule, limit=limit, cursor=cursor)
    return CustomerAlertsOut(alerts=[CustomerAlertOut.of(row) for row in page.alerts], next_cursor=page.next_cursor)


@router.post("/alerts/look", responses=described(404, 422, 503), summary="Look at customers now")
def write_look(
    service: ServiceDep, connection: ConnectionDep, _: OperatorDep, profile: Annotated[UUID | None, Query()] = None
) -> LookedOut:
    """Apply the rules to one profile, or to the 200 that are next; the service does that each minute by itself."""
    if profile is not None and find_profile(connection, profile) is None:
        raise profile_unknown()
    return LookedOut(alert_count=look(service, profile=profile))


@router.get("/alerts/{alert}", responses=described(404, 422, 503), summary="One alert")
def read_customer_alert(found: AlertDep) -> CustomerAlertOut:
    """Return an alert."""
    return CustomerAlertOut.of(found)


@router.put("/alerts/{alert}/verdict", responses=described(404, 422, 503), summary="Say whether an alert was right")
def write_verdict(found: AlertDep, asked: VerdictIn, service: ServiceDep, operator: OperatorDep) -> CustomerAlertOut:
    """Keep the verdict of a person; it counts before what followed by itself."""

    def work(connection: Connection) -> AlertRow:
        judge_alert(connection, found.alert_id, was_right=asked.was_right, operator=operator, at=service.now())
        return _alert(found.alert_id, connection)

    return CustomerAlertOut.of(service.writer.write(work))


@router.get("/alert-rules", responses=described(503), summary="The rules of alerts and their hit rates")
def list_customer_alert_rules(connection: ConnectionDep) -> CustomerRulesOut:
    """Return every rule in words, whether it is on, and how often it was right."""
    settings, counts = rule_settings(connection), rule_counts(connection)
    return CustomerRulesOut(
        rules=[
            CustomerRuleOut.of(
                rule,
                settings.get(name, RuleSetting(rule=name)),
                counts.get(name, RuleCount(alerts=0, right=0, wrong=0)),
            )
            for name, rule in RULES.items()
        ]
    )


@router.put("/alert-rules/{rule}", responses=described(404, 422, 503), summary="Change who looks after a rule")
def write_alert_rule(rule: RuleWord, asked: CustomerRuleIn, service: ServiceDep, _: OperatorDep) -> CustomerRuleOut:
    """Switch a rule on or off, or name whose task list its alerts go to."""

    def work(connection: Connection) -> CustomerRuleOut:
        operator = colleague(connection, asked.operator) if asked.operator else None
        setting = RuleSetting(rule=rule, enabled=asked.enabled, operator=operator)
        save_rule(connection, setting)
        count = rule_counts(connection).get(rule, RuleCount(alerts=0, right=0, wrong=0))
        return CustomerRuleOut.of(RULES[rule], setting, count)

    return service.writer.write(work)
