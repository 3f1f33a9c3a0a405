"""Reports on notes as JSON: over time, beside the dwell of zones, and as they may leave the CRM."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.metrics.query import Blank, Day, MetricQuery
from api.note_reports.leaving import counts_leaving
from api.note_reports.models import AgreementsOut, LeavingOut, OverTimeOut, PeriodCountOut, StoreTagsOut, ToldOut
from api.note_reports.zones import tags_beside_dwell
from api.notes.queries import NoteFilterDep
from api.problems import described
from api.service import ConnectionDep, ServiceDep, StoreDep
from core.metrics.disclosure import K_PEOPLE
from storage.note_reports.counting import OverWord, over_time
from storage.notes.search import GroupWord, overrides

router = APIRouter(prefix="/v1", tags=["notes"])


class StoreTagsQuery(BaseModel):
    """Which days, on the store's clocks."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    first: Annotated[Day | None, Blank] = Field(None, alias="from", description="Default: six days before `to`")
    last: Annotated[Day | None, Blank] = Field(None, alias="to", description="Counts; default: today")


@router.get("/notes/over-time", responses=described(404, 422, 503), summary="Count notes over time")
def list_over_time(
    wanted: NoteFilterDep, connection: ConnectionDep, by: GroupWord = "mood", over: OverWord = "week"
) -> OverTimeOut:
    """Count the notes that fit every filter by a field in each day, week or month, on the clocks of their stores."""
    counts = [PeriodCountOut.of(row) for row in over_time(connection, wanted, by, over)]
    return OverTimeOut(by=by, over=over, counts=counts)


@router.get("/notes/counts/leaving", responses=described(404, 422, 503), summary="Counts that may leave the CRM")
def list_counts_leaving(
    wanted: NoteFilterDep, connection: ConnectionDep, service: ServiceDep, by: GroupWord = "purpose"
) -> LeavingOut:
    """Count notes by a field over whole months that are over, without names and without figures of few people.

    Filters are `store`, `begin` and `end` alone, the latter first days of months.
    """
    counts = [ToldOut.of(row) for row in counts_leaving(connection, wanted, by, service.now())]
    return LeavingOut(by=by, k_people_count=K_PEOPLE, counts=counts)


@router.get("/notes/feelings", responses=described(503), summary="How right the suggested feelings were")
def list_overrides(connection: ConnectionDep) -> AgreementsOut:
    """Count, for each model, how often staff chose what it had suggested, and what they chose instead."""
    return AgreementsOut.of(overrides(connection))


@router.get(
    "/stores/{store}/note-tags", responses=described(404, 422, 503), summary="Tags beside the dwell of their zones"
)
def list_store_tags(
    stored: StoreDep, connection: ConnectionDep, service: ServiceDep, query: Annotated[StoreTagsQuery, Query()]
) -> StoreTagsOut:
    """Each zone with its median dwell and the tags of notes about it, from `from` to `to`; default: seven days."""
    return tags_beside_dwell(service, connection, stored, MetricQuery.model_validate(query.model_dump(by_alias=True)))
