"""Segments with live counts, and the journey map of one."""

from datetime import timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.identity.models import DoneOut
from api.inputs.idempotent import OnceDep
from api.journey_map.building import Looks, find_people
from api.journey_map.models import (
    CountOut,
    JourneyMapOut,
    RuleIn,
    SegmentIn,
    SegmentMadeOut,
    SegmentOut,
    SegmentsOut,
)
from api.operators import OperatorDep
from api.problems import ProblemError, described, unknown
from api.service import ConnectionDep, Service, ServiceDep, find_store
from core.journey.map import Changed, bought_change, changes, journey_map
from core.journey.segments import LONGEST_DAYS, SegmentRule, read_rule
from core.journey.trials import Effect
from storage.connect import Connection
from storage.journey_map.segments import add_segment, remove_segment, segments

router = APIRouter(prefix="/v1", tags=["journey map"])


@router.get("/segments", responses=described(503), summary="Segments with live counts")
def list_segments(connection: ConnectionDep, service: ServiceDep) -> SegmentsOut:
    """List the segments, each counted anew; counts speak of nobody in particular."""
    return SegmentsOut(segments=counted(service, connection))


@router.post("/segments/count", responses=described(404, 422, 503), summary="Count who fits a rule")
def count_rule(given: RuleIn, connection: ConnectionDep, service: ServiceDep) -> CountOut:
    """Say about how many customers fit a rule; nothing is kept."""
    return CountOut.of(find_people(service, connection, _rule(service, connection, given.rule)))


@router.post(
    "/segments",
    status_code=201,
    responses={201: {"model": SegmentMadeOut}, **described(400, 404, 422, 503)},
    summary="Keep a segment",
)
def keep_segment(given: SegmentIn, operator: OperatorDep, once: OnceDep, service: ServiceDep) -> Response:
    """Keep a rule with its name; who is in it is asked anew each time."""

    def work(connection: Connection) -> tuple[int, Any]:
        rule = _rule(service, connection, given.rule)
        return 201, {"segment_no": add_segment(connection, name=given.name, rule=rule, made_by=operator)}

    return once.answer(given.model_dump_json().encode(), work)


@router.post(
    "/segments/{segment_no}/remove",
    responses={200: {"model": DoneOut}, **described(400, 404, 422, 503)},
    summary="Remove a segment",
)
def drop_segment(segment_no: int, once: OnceDep) -> Response:
    """Remove a segment; customers are not touched."""

    def work(connection: Connection) -> tuple[int, Any]:
        if not remove_segment(connection, segment_no):
            raise segment_unknown()
        return 200, {"done": True}

    return once.answer(b"", work)


@router.get("/journey-map", responses=described(404, 422, 503), summary="The journey map of a segment")
def read_map(
    *,
    connection: ConnectionDep,
    service: ServiceDep,
    segment: Annotated[int | None, Query(description="Number of a segment; default: everybody")] = None,
    store: Annotated[str | None, Query(description="Only visits to this store")] = None,
    days: Annotated[int | None, Query(ge=1, le=LONGEST_DAYS, description="How far back")] = None,
    compare: Annotated[bool, Query(description="Against as many days before")] = False,
) -> JourneyMapOut:
    """Say how many reach each stage, how long it takes, where they stop, by which paths, and how they feel."""
    rule = rule_asked(service, connection, segment, store, days)
    return map_of(service, connection, rule, compare=compare)


def counted(service: Service, connection: Connection, looks: Looks | None = None) -> list[SegmentOut]:
    """Return every segment with its count; those that look back as far are counted from one look."""
    held = looks if looks is not None else {}
    return [
        SegmentOut.of(row, find_people(service, connection, row.rule, looks=held)) for row in segments(connection)
    ]


def rule_asked(
    service: Service, connection: Connection, segment: int | None, store: str | None, days: int | None
) -> SegmentRule:
    """Return the rule of a segment, narrowed as asked; raises the problem of a segment or store that is not there."""
    rule = SegmentRule()
    if segment is not None:
        kept = segments(connection, segment)
        if not kept:
            raise segment_unknown()
        rule = kept[0].rule
    if store is not None:
        rule = msgspec.structs.replace(rule, store=find_store(service, connection, store).plan.id)
    return msgspec.structs.replace(rule, days=days) if days is not None else rule


def map_of(
    service: Service, connection: Connection, rule: SegmentRule, *, compare: bool, looks: Looks | None = None
) -> JourneyMapOut:
    """Return the map of who fits a rule, and what changed since the time before."""
    found = find_people(service, connection, rule, looks=looks)
    changed: tuple[Changed, ...] = ()
    bought: Effect | None = None
    if compare:
        before = find_people(service, connection, rule, end=service.now() - timedelta(days=rule.days))
        changed = changes(before.facts, found.facts)
        bought = bought_change(before.facts, found.facts)
    return JourneyMapOut.of(rule, found, journey_map(found.facts), changed, bought)


def _rule(service: Service, connection: Connection, given: dict[str, Any]) -> SegmentRule:
    """Return a rule as it was sent; raises the problem of a store that is not there, as nobody would ever fit."""
    rule = read_rule(msgspec.json.encode(given))
    if rule.store is not None:
        find_store(service, connection, rule.store)
    return rule


def segment_unknown() -> ProblemError:
    """Return the problem of a segment that is not there."""
    return unknown(
        "segment",
        detail="There is no such segment.",
        hint="GET /v1/segments lists them.",
    )
