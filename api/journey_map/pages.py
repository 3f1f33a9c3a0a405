"""The page of the journey map with its segments."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.charts import flow_chart
from api.forms import OWN_FORM, Form, FormDep
from api.journey_map.building import Looks, find_people
from api.journey_map.models import CountOut
from api.journey_map.routes import counted, map_of, rule_asked, segment_unknown
from api.operators import OperatorDep, operator_of
from api.rendering import render
from api.service import ConnectionDep, Service, ServiceDep
from core.journey.rules import Stage
from core.journey.segments import SegmentRule, read_rule
from core.metrics.disclosure import K_PEOPLE
from storage.connect import Connection
from storage.journey_map.segments import NAME_CHARACTERS, add_segment, remove_segment
from storage.occupancy import STORES_PER_PAGE, stores_page

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_SEE_OTHER: Final = 303
_HERE: Final = "/journey-map"
_STAGES: Final = [stage.value for stage in Stage]
_NOT_TOLD: Final = "Not told"
"""Stands right of the stages for steps that would tell of few."""
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
    return _page(service, connection, request, rule, chosen=number)


def _page(
    service: Service,
    connection: Connection,
    request: Request,
    rule: SegmentRule,
    *,
    chosen: int | None = None,
    filled: Mapping[str, str] = MappingProxyType({}),
    counted_now: CountOut | None = None,
) -> Response:
    """Return the page: the map of a rule, and a new segment as far as it is filled in, with who fits it now."""
    looks: Looks = {}
    told = map_of(service, connection, rule, compare=True, looks=looks)
    moves = [
        (_STAGES.index(link.begin_stage), _STAGES.index(link.end_stage), round(link.share * 100, 1))
        for link in told.links
    ] + [
        (_STAGES.index(one.begin_stage), len(_STAGES), round(one.share * 100, 1))
        for one in told.links_withheld
        if one.share is not None
    ]
    return render(
        "journey_map.html",
        here="journey-map",
        told=told,
        chart=flow_chart([move for move in moves if move[2] > 0]),
        stages=[*(Stage(stage).label for stage in _STAGES), _NOT_TOLD],
        stage_words=_STAGES,
        segments=counted(service, connection, looks),
        chosen=chosen,
        store=rule.store or "",
        stores=stores_page(connection, limit=STORES_PER_PAGE).stores,
        days=rule.days,
        day_choices=sorted({*_DAYS, rule.days}),
        filled={name: filled.get(name, "") for name in (*_NUMBERS, *_WORDS, "name")},
        counted_now=counted_now,
        k=K_PEOPLE,
        operator=operator_of(request),
    )


@router.post(_HERE)
def keep(
    form: FormDep, operator: OperatorDep, service: ServiceDep, connection: ConnectionDep, request: Request
) -> Response:
    """Keep a segment as the form says, and show its map; or only say who fits it, as its button asks."""
    rule = _rule(form)
    if form.get("act") == "count":
        filled = {name: form.get(name) for name in (*_NUMBERS, *_WORDS, "name")}
        fits = CountOut.of(find_people(service, connection, rule))
        return _page(service, connection, request, SegmentRule(), filled=filled, counted_now=fits)
    name = form.text("name", most=NAME_CHARACTERS)
    made = service.writer.write(lambda lent: add_segment(lent, name=name, rule=rule, made_by=operator))
    return RedirectResponse(f"{_HERE}?segment={made}&days={rule.days}", _SEE_OTHER)


def _rule(form: Form) -> SegmentRule:
    given = {name: form.get(name) for name in _WORDS if form.get(name)}
    numbers = {name: value for name in _NUMBERS if (value := form.number(name)) is not None}
    whole = {name: int(value) if value.is_integer() else value for name, value in numbers.items()}
    minutes = {name: value * 60 for name, value in numbers.items() if name.startswith("dwell")}
    return read_rule(msgspec.json.encode(given | whole | minutes))


@router.post("/journey-map/segments/{segment_no}/remove", dependencies=[OWN_FORM])
def remove(segment_no: int, service: ServiceDep) -> Response:
    """Remove a segment."""
    if not service.writer.write(lambda connection: remove_segment(connection, segment_no)):
        raise segment_unknown()
    return RedirectResponse(_HERE, _SEE_OTHER)
