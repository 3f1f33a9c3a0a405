"""The page of the journey map with its segments."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.charts import flow_chart
from api.forms import OWN_FORM, FormDep
from api.journey_map.building import Looks
from api.journey_map.routes import counted, map_of, rule_asked, segment_unknown
from api.operators import OperatorDep, operator_of
from api.rendering import render
from api.service import ConnectionDep, ServiceDep
from core.journey.rules import Stage
from core.journey.segments import read_rule
from core.metrics.disclosure import K_PEOPLE
from storage.journey_map.segments import NAME_CHARACTERS, add_segment, remove_segment
from storage.occupancy import STORES_PER_PAGE, stores_page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_SEE_OTHER: Final = 303
_HERE: Final = "/journey-map"
_STAGES: Final = [stage.value for stage in Stage]
_DAYS: Final = (30, 90, 180, 365)
_NUMBERS: Final = (
    "days", "visits_at_least", "visits_at_most", "dwell_at_least_s", "dwell_at_most_s", "orders_at_least",
    "orders_at_most",
)  # fmt: skip
_WORDS: Final = ("reached", "skipped", "completed", "feeling", "store")


@router.get(_HERE)
def show_map(
    *,
    connection: ConnectionDep,
    service: ServiceDep,
    request: Request,
    segment: Annotated[str, Query(max_length=20)] = "",
    store: Annotated[str, Query(max_length=64)] = "",
    days: Annotated[int, Query(ge=1, le=366)] = 90,
) -> Response:
    """Show how a segment's customers go from stage to stage, beside as many days before, and every segment."""
    number = int(segment) if segment.isdecimal() else None
    rule = rule_asked(service, connection, number, store or None, days)
    looks: Looks = {}
    told = map_of(service, connection, rule, compare=True, looks=looks)
    moves = [
        (_STAGES.index(link.begin_stage), _STAGES.index(link.end_stage), round(link.share * 100, 1))
        for link in told.links
    ]
    return render(
        "journey_map.html",
        here="journey-map",
        told=told,
        chart=flow_chart([move for move in moves if move[2] > 0]),
        stages=[Stage(stage).label for stage in _STAGES],
        stage_words=_STAGES,
        segments=counted(service, connection, looks),
        chosen=number,
        store=store,
        stores=stores_page(connection, limit=STORES_PER_PAGE).stores,
        days=days,
        day_choices=sorted({*_DAYS, days}),
        k=K_PEOPLE,
        operator=operator_of(request),
    )


@router.post(_HERE)
def keep(form: FormDep, operator: OperatorDep, service: ServiceDep) -> Response:
    """Keep a segment as the form says, and show its map."""
    given = {name: form.get(name) for name in _WORDS if form.get(name)}
    numbers = {name: float(form.get(name)) for name in _NUMBERS if form.get(name).isdecimal()}
    whole = {name: value if name.startswith("dwell") else int(value) for name, value in numbers.items()}
    minutes = {name: value * 60 for name, value in numbers.items() if name.startswith("dwell")}
    rule = read_rule(msgspec.json.encode(given | whole | minutes))
    name = form.text("name", most=NAME_CHARACTERS)
    made = service.writer.write(lambda connection: add_segment(connection, name=name, rule=rule, made_by=operator))
    return RedirectResponse(f"{_HERE}?segment={made}&days={rule.days}", _SEE_OTHER)


@router.post("/journey-map/segments/{segment_no}/remove", dependencies=[OWN_FORM])
def remove(segment_no: int, service: ServiceDep) -> Response:
    """Remove a segment."""
    if not service.writer.write(lambda connection: remove_segment(connection, segment_no)):
        raise segment_unknown()
    return RedirectResponse(_HERE, _SEE_OTHER)
