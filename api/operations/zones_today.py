"""What the live page shows whoever may not read single visits: how many stays each zone had today, and how long."""

from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.metrics.models import MetricRowOut
from api.metrics.query import MetricQuery
from api.metrics.routes import measure
from api.metrics.wording import row_figure
from api.service import Service
from core.metrics.formulas import FORMULAS
from storage.connect import Connection
from storage.one_state import one_state
from storage.stores import StoredPlan

_COUNT: Final = "footfall"
_LENGTH: Final = "dwell_mean"


@dataclass(frozen=True)
class ZoneToday:
    """A zone's day so far, in words: a figure of few people says that it is hidden."""

    zone: str
    visits: str
    dwell: str


def zones_today(connection: Connection, service: Service, stored: StoredPlan, zone: str | None) -> list[ZoneToday]:
    """Return the day so far of one zone, or of all in the order of the plan; both figures of one state."""
    today = service.now().astimezone(ZoneInfo(stored.plan.timezone)).date()
    asked: dict[str, Any] = {"from": today, "to": today, "bucket": "whole"}
    query = MetricQuery.model_validate(asked | ({"by": "zone"} if zone is None else {"zone": zone}))

    def ask(formula: str) -> dict[str | None, MetricRowOut]:
        return {row.zone: row for row in measure(service, connection, stored, formula, query).rows}

    with one_state(connection):
        visits, dwell = ask(_COUNT), ask(_LENGTH)
    return [
        ZoneToday(
            zone=one.id,
            visits=row_figure(visits[one.id], FORMULAS[_COUNT].unit),
            dwell=row_figure(dwell[one.id], FORMULAS[_LENGTH].unit),
        )
        for one in stored.plan.zones
        if one.id in visits
    ]
