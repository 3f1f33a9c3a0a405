"""Stores, their zones, who is where now, and their visits."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.problems import described, store_visit_unknown
from api.service import ConnectionDep, StoreDep
from api.stores.models import (
    ClosedByWord,
    CoverageHourOut,
    CoverageNowOut,
    CoverageOut,
    FreshnessOut,
    GapOut,
    OccupancyOut,
    StoreLineOut,
    StoreOut,
    StoresOut,
    VisitOut,
    VisitsOut,
    ZonesOut,
    people_by_zone,
)
from api.stores.revision_models import RevisionsOut
from core.errors import InputError
from core.floorplan import StorePlan
from core.records import ClosedBy
from storage.coverage import HOURS_MOST, coverage_hours, faults, newest_gaps
from storage.occupancy import STORES_PER_PAGE, occupancy, progress, stores_page
from storage.revisions import history
from storage.visit_queries import VISITS_PER_PAGE, VisitFilter, visits_page

router = APIRouter(prefix="/v1/stores", tags=["stores"])

_CLOSED_BY = {reason.word: reason for reason in ClosedBy}


class VisitQuery(BaseModel):
    """Which visits, newest first."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    kind: Literal["zone", "store"] = Field("zone", description="Stays in a zone, or whole store visits")
    zone: str | None = Field(None, description="Id of a zone", examples=["shoes"])
    entered_from: AwareDatetime | None = Field(
        None, alias="from", description="Entered at or after", examples=["2026-11-21T09:00:00Z"]
    )
    entered_before: AwareDatetime | None = Field(
        None, alias="to", description="Entered before", examples=["2026-11-21T20:00:00Z"]
    )
    closed_by: ClosedByWord | None = Field(None, description="Why it ended")
    order: Literal["entered_at", "left_at"] = Field("entered_at", description="By when it began or by when it ended")
    limit: int = Field(50, ge=1, le=VISITS_PER_PAGE)
    cursor: str | None = Field(None, description="next_cursor of the page before, with the same filters")

    def wanted(self, plan: StorePlan) -> VisitFilter:
        """Return the filter for storage; an unknown zone raises InputError."""
        if self.zone is not None and self.zone not in plan.zone_index:
            raise InputError(
                f"The store {plan.id!r} has no zone {self.zone[:64]!r}.",
                hint=f"GET /v1/stores/{plan.id}/zones lists them.",
                where="zone",
            )
        return VisitFilter(
            kind=self.kind,
            zone_no=plan.zone_index[self.zone] if self.zone is not None else None,
            entered_from=self.entered_from,
            entered_before=self.entered_before,
            closed_by=_CLOSED_BY[self.closed_by] if self.closed_by is not None else None,
            order=self.order,
        )


@router.get("", responses=described(422, 503), summary="List stores")
def list_stores(
    connection: ConnectionDep,
    limit: Annotated[int, Query(ge=1, le=STORES_PER_PAGE)] = 100,
    cursor: Annotated[str | None, Query()] = None,
) -> StoresOut:
    """Every store that a floor plan was read for."""
    page = stores_page(connection, limit=limit, cursor=cursor)
    return StoresOut(stores=[StoreLineOut.of(row) for row in page.stores], next_cursor=page.next_cursor)


@router.get("/{store}", responses=described(404, 422, 503), summary="One store with its floor plan")
def read_store(stored: StoreDep) -> StoreOut:
    """Zones with outlines in metres, anchors, and which zones open into each other."""
    return StoreOut.of(stored)


@router.get("/{store}/zones", responses=described(404, 422, 503), summary="The zones of a store")
def list_zones(stored: StoreDep) -> ZonesOut:
    """All zones, in the order of the plan."""
    return ZonesOut.of(stored)


@router.get("/{store}/occupancy", responses=described(404, 422, 503), summary="How many are where now")
def read_occupancy(stored: StoreDep, connection: ConnectionDep) -> OccupancyOut:
    """Count visits in progress, zone by zone, and say how fresh the counts are.

    A count is of devices: people who carry a loyalty tag or the app. It is provisional until visits are decided.
    """
    now = occupancy(connection, stored.store_no)
    return OccupancyOut(
        store=stored.plan.id,
        timezone=stored.plan.timezone,
        total_people=now.total,
        resident_count=now.residents,
        zones=people_by_zone(stored.plan, now),
        freshness=FreshnessOut.of(now.as_of, progress(connection, stored.store_no)),
    )


@router.get("/{store}/coverage", responses=described(404, 422, 503), summary="Which anchors of a store work")
def read_coverage(
    stored: StoreDep,
    connection: ConnectionDep,
    hours: Annotated[int, Query(ge=1, le=HOURS_MOST, description="How many of the newest hours")] = 24,
) -> CoverageOut:
    """Tell which anchors do not work now, and the share that worked in each hour of the data.

    An anchor is down when its edge says so or is gone, deaf when devices stand before it and it hears nothing. Visits
    are decoded from the anchors that are left, with less confidence. What a full outbox had to drop is told beside:
    anchors worked in that time, and their signals are missing all the same.
    """
    now = CoverageNowOut.of(stored.plan, faults(connection, stored.store_no))
    rows = coverage_hours(connection, stored.store_no, hours)
    return CoverageOut(
        store=stored.plan.id,
        timezone=stored.plan.timezone,
        share=round(now.working_count / now.anchor_count, 4),
        now=now,
        hours=[
            CoverageHourOut(
                begins_at=row.begins_at,
                covered_s=row.covered_s,
                share=round(row.share, 4),
                gap_signal_count=row.gap_signals,
            )
            for row in rows
        ],
        gaps=[
            GapOut(edge=gap.edge, from_at=gap.from_at, until_at=gap.until_at, signal_count=gap.signals)
            for gap in newest_gaps(connection, stored.store_no, rows[0].begins_at if rows else None)
        ],
    )


@router.get("/{store}/visits", responses=described(404, 422, 503), summary="Visits of a store, page by page")
def list_visits(stored: StoreDep, connection: ConnectionDep, query: Annotated[VisitQuery, Query()]) -> VisitsOut:
    """List final visits, newest first. No visit is on two pages, and none is left out while new ones come."""
    page = visits_page(connection, stored.store_no, query.wanted(stored.plan), limit=query.limit, cursor=query.cursor)
    return VisitsOut(
        store=stored.plan.id,
        timezone=stored.plan.timezone,
        visits=[VisitOut.of(row, stored.plan) for row in page.visits],
        next_cursor=page.next_cursor,
    )


@router.get(
    "/{store}/visits/{visit}/revisions", responses=described(404, 422, 503), summary="How a visit changed, and why"
)
def read_revisions(stored: StoreDep, connection: ConnectionDep, visit: UUID) -> RevisionsOut:
    """Tell every change of a visit after it was reported: what stood before, why it changed, under which model.

    Signals that come after the lateness bound, a new model or a person may revise visits; nothing is edited silently.
    """
    told = history(connection, stored.store_no, visit)
    if told is None:
        raise store_visit_unknown(stored.plan.id)
    return RevisionsOut.of(told, stored.plan)
