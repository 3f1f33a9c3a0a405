"""How busy each zone was over days, with its outline: what a floor plan is coloured by."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.charts import heat
from api.metrics.models import AskedFormulaOut, OriginOut, asked
from api.metrics.origin import origin_of
from api.metrics.query import Day, MetricQuery, said_once
from api.metrics.question import Question, State
from api.metrics.shapes import ROWS
from api.problems import described
from api.service import ConnectionDep, ServiceDep, StoreDep
from core.metrics.disclosure import K_PEOPLE
from storage.connect import Connection
from storage.one_state import snapshot
from storage.stores import StoredPlan

router = APIRouter(prefix="/v1/stores", tags=["metrics"], dependencies=[Depends(said_once)])

OfWord = Literal["footfall", "people", "dwell_median", "dwell_mean", "engaged", "zone_entry", "zone_exposure"]


class HeatmapQuery(BaseModel):
    """Which days, of which formula."""

    model_config = {"extra": "forbid", "populate_by_name": True}

    first: Day | None = Field(None, alias="from", description="First day; six days before `to` if left out")
    last: Day | None = Field(None, alias="to", description="Last day, which counts; today if left out")
    of: OfWord = Field("footfall", description="The formula whose value of each zone is the heat")


class HeatOut(BaseModel):
    """A zone of the heatmap."""

    zone: str
    name: str
    kind: str
    outline_m: list[tuple[float, float]] | None = Field(description="Corners in metres; null where the plan has none")
    value: float | None = Field(description="In the formula's unit; null where hidden")
    state: State
    heat: int = Field(ge=0, le=6, description="0 nothing or hidden, 1..6 in equal parts of the most")


class HeatmapOut(OriginOut):
    """Values of every zone over the days."""

    store: str
    first_day: date
    last_day: date
    formula: AskedFormulaOut
    k_people: int = Field(description="Figures of fewer people are hidden", examples=[10])
    zones: list[HeatOut]


@router.get("/{store}/heatmap", responses=described(404, 422, 503), summary="How busy each zone was")
def read_heatmap(
    stored: StoreDep, connection: ConnectionDep, service: ServiceDep, query: Annotated[HeatmapQuery, Query()]
) -> HeatmapOut:
    """Return a formula's value of each zone over whole days, with outlines to draw it on."""
    asking = MetricQuery.model_validate({"from": query.first, "to": query.last, "by": "zone", "bucket": "whole"})
    question = asking.question(query.of, stored, service.now())
    with snapshot(connection):
        origin = origin_of(connection, stored, question)
    return HeatmapOut(
        store=stored.plan.id,
        first_day=question.first,
        last_day=question.last,
        formula=asked(question),
        **dict(origin),
        k_people=K_PEOPLE,
        zones=heat_of(connection, stored, question),
    )


def heat_of(connection: Connection, stored: StoredPlan, question: Question) -> list[HeatOut]:
    """Return each zone's value and heat; the question is of each zone over the whole range."""
    with snapshot(connection):
        rows = {row.zone_no: row for row in ROWS[question.formula.shape](connection, stored, question).rows}
    most = max((row.value or 0.0 for row in rows.values()), default=0.0)
    found = []
    for place, zone in enumerate(stored.plan.zones):
        row = rows[place]
        found.append(
            HeatOut(
                zone=zone.id,
                name=zone.label,
                kind=zone.kind,
                outline_m=None if zone.outline is None else list(zone.outline),
                value=row.value,
                state=row.state,
                heat=heat(row.value or 0.0, most),
            )
        )
    return found
