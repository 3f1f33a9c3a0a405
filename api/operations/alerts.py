"""Alerts of a store: their rules, and what they told."""

from datetime import datetime
from typing import Annotated, Self

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from api.operators import OperatorDep
from api.problems import ProblemError, described
from api.service import ConnectionDep, Service, ServiceDep, StoreDep
from core.errors import InputError
from core.floorplan import StorePlan
from core.metrics.alerts import KINDS, KindWord, Rule, usual_clear
from core.metrics.formulas import QUEUE_KINDS
from storage.alerts.rules import AlertRow, StoredRule, add_rule, alerts, read_rules, remove_rule
from storage.page_cursors import read_cursor, write_cursor
from storage.stores import StoredPlan

router = APIRouter(prefix="/v1/stores", tags=["alerts"])


class StoreAlertRuleIn(BaseModel):
    """What to watch; bounds that are left out are the usual ones of the kind."""

    model_config = ConfigDict(extra="forbid")

    kind: KindWord
    zone: str | None = Field(None, description="Id of a zone; the store if left out (a queue needs one)")
    opens_at: float | None = Field(
        None, description="At or above this an alert opens; a wait in steps", examples=[120]
    )
    clears_at: float | None = Field(
        None, description="At or below this it closes; less than opens_at", examples=[100]
    )
    for_s: int | None = Field(None, description="How long the value must be there, s", examples=[30])


class StoreAlertRuleOut(BaseModel):
    """A rule that is watched."""

    rule_no: int = Field(description="Its number", examples=[3])
    kind: KindWord
    title: str
    unit: str
    zone: str | None
    opens_at: float = Field(description="In the unit", examples=[120])
    clears_at: float = Field(description="In the unit", examples=[108])
    for_s: int = Field(description="How long the value must be there, s", examples=[30])
    operator: str
    made_at: datetime

    @classmethod
    def of(cls, rule: StoredRule, plan: StorePlan) -> Self:
        """Return the answer for a rule."""
        kind = KINDS[rule.kind]
        known = msgspec.structs.asdict(rule)
        zone_no = known.pop("zone_no")
        zone = None if zone_no is None else plan.zones[zone_no].id
        return cls.model_validate({**known, "title": kind.title, "unit": kind.unit, "zone": zone})


class StoreAlertOut(BaseModel):
    """A limit that was passed."""

    alert_no: int = Field(description="Its number; later ones are higher", examples=[17])
    rule_no: int = Field(description="Its number", examples=[3])
    kind: KindWord
    title: str
    unit: str
    zone: str | None
    opens_at: float = Field(description="The limit", examples=[120])
    opened_at: datetime
    value: float = Field(description="When it opened; a wait was at least so long, in steps (docs/metrics.md)")
    worst: float = Field(description="The highest while it was open, in the same steps")
    closed_at: datetime | None = Field(description="null while it is open")

    @classmethod
    def of(cls, row: AlertRow, plan: StorePlan) -> Self:
        """Return the answer for an alert."""
        kind = KINDS[row.kind]
        known = msgspec.structs.asdict(row)
        zone_no = known.pop("zone_no")
        zone = None if zone_no is None else plan.zones[zone_no].id
        return cls.model_validate({**known, "title": kind.title, "unit": kind.unit, "zone": zone})


class StoreAlertsOut(BaseModel):
    """Alerts of a store, newest first, and its rules."""

    alerts: list[StoreAlertOut]
    rules: list[StoreAlertRuleOut]
    next_cursor: str | None


@router.get("/{store}/alerts", responses=described(404, 422, 503), summary="What limits were passed")
def list_store_alerts(
    stored: StoreDep,
    connection: ConnectionDep,
    *,
    open_only: Annotated[bool, Query(alias="open", description="Only those that are open")] = False,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> StoreAlertsOut:
    """Return alerts, newest first, and the rules. The live stream says when there are new ones."""
    question = ["alerts", stored.plan.id, open_only]
    before = None if cursor is None else read_cursor(cursor, question, int)
    rows = alerts(connection, stored.store_no, limit=limit + 1, open_only=open_only, before=before)
    shown = rows[:limit]
    return StoreAlertsOut(
        alerts=[StoreAlertOut.of(row, stored.plan) for row in shown],
        rules=[StoreAlertRuleOut.of(rule, stored.plan) for rule in read_rules(connection, stored.store_no)],
        next_cursor=write_cursor(shown[-1].alert_no, question) if len(rows) > limit else None,
    )


@router.post("/{store}/alert-rules", responses=described(404, 422, 503), status_code=201, summary="Watch a limit")
def write_store_alert_rule(
    asked: StoreAlertRuleIn, stored: StoreDep, service: ServiceDep, connection: ConnectionDep, operator: OperatorDep
) -> StoreAlertRuleOut:
    """Watch something from now on; it is told on the pages and by webhook (`alert.opened`, `alert.closed`)."""
    rule_no = make_rule(service, stored, asked, operator)
    rules = read_rules(connection, stored.store_no)
    return StoreAlertRuleOut.of(next(rule for rule in rules if rule.rule_no == rule_no), stored.plan)


@router.delete(
    "/{store}/alert-rules/{rule_no}", responses=described(404, 422, 503), status_code=204, summary="Stop watching"
)
def delete_store_alert_rule(
    rule_no: Annotated[int, Path(ge=1, le=2**62)], stored: StoreDep, service: ServiceDep, _: OperatorDep
) -> None:
    """Stop watching; an alert that is open is closed."""
    drop_rule(service, stored, rule_no)


def drop_rule(service: Service, stored: StoredPlan, rule_no: int) -> None:
    """Stop watching by a rule.

    Raises
    ------
    ProblemError
        If the store has no such rule.
    """
    if not service.writer.write(lambda connection: remove_rule(connection, stored.store_no, rule_no)):
        raise ProblemError(
            404,
            "rule-unknown",
            "No such rule",
            detail=f"The store {stored.plan.id!r} has no rule {rule_no}.",
            hint=f"GET /v1/stores/{stored.plan.id}/alerts lists them.",
        )


def make_rule(service: Service, stored: StoredPlan, asked: StoreAlertRuleIn, operator: str) -> int:
    """Write a rule and return its number.

    Raises
    ------
    InputError
        If the zone or a bound does not fit.
    """
    kind = KINDS[asked.kind]
    plan = stored.plan
    if asked.zone is not None and asked.zone not in plan.zone_index:
        raise InputError(f"The store {plan.id!r} has no zone {asked.zone[:64]!r}.", where="zone")
    zone_no = None if asked.zone is None else plan.zone_index[asked.zone]
    if asked.kind == "queue_wait" and (zone_no is None or plan.zones[zone_no].kind not in QUEUE_KINDS):
        raise InputError(
            "People wait at checkouts and service desks.", hint="Name a zone of one of these kinds.", where="zone"
        )
    opens_at = asked.opens_at if asked.opens_at is not None else kind.opens_at
    rule = Rule(
        kind=asked.kind,
        opens_at=opens_at,
        clears_at=asked.clears_at if asked.clears_at is not None else usual_clear(kind, opens_at),
        for_s=asked.for_s if asked.for_s is not None else kind.for_s,
    )
    return service.writer.write(
        lambda connection: add_rule(connection, stored.store_no, rule, zone_no=zone_no, operator=operator)
    )
