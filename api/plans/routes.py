"""Floor plans in and out, in the form of `sojourn replay --floorplan` with one store."""

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.plans.svg import as_svg
from api.problems import ProblemError, conflict, described
from api.service import ConnectionDep, ServiceDep, StoreDep
from core.errors import FloorPlanError
from core.floorplan import FloorPlan, load
from core.floorplan_check import Finding, check_text
from storage.connect import Connection
from storage.stores import plan_versions, write_plan

router = APIRouter(prefix="/v1", tags=["floor plans"])

_PLAN_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {
                    "stores": [
                        {
                            "id": "marktplatz",
                            "timezone": "Europe/Berlin",
                            "zones": [{"id": "shoes", "kind": "shelf", "outline": [[0, 0], [8, 0], [8, 5], [0, 5]]}],
                            "anchors": [{"id": "a01", "zone": "shoes", "x": 4, "y": 2.5}],
                        }
                    ]
                },
            }
        },
    }
}


class FindingOut(BaseModel):
    """One thing that is wrong with a plan, or odd."""

    line: int = Field(description="Line of the text, from 1", examples=[8])
    column: int = Field(description="Character of the line, from 1", examples=[33])
    grave: bool = Field(description="Whether the plan cannot be used with it")
    what: str = Field(examples=["Zone 'shoes' is of the unknown kind 'shelv'."])
    hint: str = Field(examples=["Use one of checkout, department, entrance."])

    @classmethod
    def of(cls, finding: Finding) -> "FindingOut":
        """Return the answer for a finding."""
        line, column = finding.place
        return cls(line=line, column=column, grave=finding.grave, what=finding.what, hint=finding.hint)


class CheckedOut(BaseModel):
    """What a check has found."""

    usable: bool
    findings: list[FindingOut]


class SavedOut(BaseModel):
    """What became of a plan."""

    store: str = Field(description="Id of the store", examples=["marktplatz"])
    plan_version: int = Field(description="Counts the changes of the store's plan", examples=[3])
    changed: bool


async def _body(request: Request) -> bytes:
    return await request.body()


BodyDep = Annotated[bytes, Depends(_body)]


@router.get(
    "/stores/{store}/plan",
    response_model=dict[str, Any],
    responses=described(404, 422, 503),
    summary="Get a store's floor plan",
)
def get_plan(stored: StoreDep) -> Response:
    """Return the plan as `sojourn floorplan load` and `sojourn replay --floorplan` read it."""
    plan = msgspec.json.format(msgspec.json.encode(FloorPlan(stores=(stored.plan,))), indent=2)
    return Response(plan, media_type="application/json")


@router.get(
    "/stores/{store}/plan.svg",
    response_class=Response,
    responses=described(404, 422, 503) | {200: {"description": "The drawing", "content": {"image/svg+xml": {}}}},
    summary="Get a store's floor plan as SVG",
)
def get_picture(stored: StoreDep) -> Response:
    """Draw zones, walls, anchors and a scale."""
    return Response(as_svg(stored.plan), media_type="image/svg+xml")


@router.put(
    "/stores/{store}/plan",
    responses=described(404, 409, 422, 503),
    openapi_extra=_PLAN_BODY,
    summary="Save a store's floor plan",
)
def put_plan(store: str, body: BodyDep, service: ServiceDep) -> SavedOut:
    """Make a store, or change its plan; ingest takes it into use within seconds.

    Zones keep their order, new ones come at the end: visits stand in them by their place. Otherwise it is a conflict.
    """
    plan = _usable(body)
    if [one.id for one in plan.stores] != [store]:
        raise _refused("The plan is of another store, or of several.", f"Send the plan of {store[:64]!r} alone.")

    def work(connection: Connection) -> SavedOut:
        changed = write_plan(connection, plan)
        return SavedOut(store=store, plan_version=plan_versions(connection)[store], changed=bool(changed))

    try:
        return service.writer.write(work)
    except FloorPlanError as error:
        raise conflict(error.what, hint=error.hint) from error


@router.post(
    "/plans/check", responses=described(422, 503), openapi_extra=_PLAN_BODY, summary="Check the text of a floor plan"
)
def check_plan(body: BodyDep, _connection: ConnectionDep) -> CheckedOut:
    """Say everything that is wrong with a plan, by line and column; nothing is saved."""
    findings = check_text(body)
    return CheckedOut(
        usable=not any(finding.grave for finding in findings), findings=[FindingOut.of(one) for one in findings]
    )


def _usable(body: bytes) -> FloorPlan:
    grave = [finding for finding in check_text(body) if finding.grave]
    if grave:
        problem = _refused("The floor plan cannot be used.", "Mend what `faults` say.")
        problem.faults = [
            {"where": f"line {one.place.line}, column {one.place.column}", "what": f"{one.what} {one.hint}".strip()}
            for one in grave[:20]
        ]
        raise problem
    return load(body)


def _refused(detail: str, hint: str) -> ProblemError:
    return ProblemError(422, "floor-plan", "The floor plan cannot be used", detail=detail, hint=hint)
