"""The counted cells of a store: what every figure is made of, in pages as JSON, or streamed as CSV or Parquet."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
import polars as pl
from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from api.metrics.files import CLOCKS, on_clocks
from api.metrics.gaps import find_gaps
from api.metrics.models import AskedFormulaOut, OriginOut, asked
from api.metrics.origin import origin_of
from api.metrics.query import Day, MetricQuery, said_once
from api.metrics.question import Question, State, atoms
from api.metrics.rows import read
from api.problems import described
from api.service import ConnectionDep, Service, ServiceDep, StoreDep
from api.streams import parquet_pieces
from core.metrics.disclosure import K_PEOPLE
from core.metrics.formulas import FORMULAS, settled
from storage.connect import Connection
from storage.one_state import snapshot
from storage.page_cursors import read_cursor, unreadable, write_cursor
from storage.rollups.counting import STORE_SCOPE
from storage.stores import StoredPlan

router = APIRouter(prefix="/v1/stores", tags=["metrics"], dependencies=[Depends(said_once)])

DAYS_A_PAGE: Final = 31
_DAYS_AT_ONCE: Final = 7
"""Read for a stream in one go: some thousand rows."""
_OF_CELLS: Final = ("footfall", "people", "dwell_mean")
_SCHEMA: Final[dict[str, Any]] = {
    "store": pl.String, "begins_at": pl.Datetime("us", "UTC"), "zone": pl.String, "visit_count": pl.Int64,
    "person_count": pl.Int64, "dwell_s": pl.Float64, "state": pl.String, "formulas": pl.String,
    "coverage": pl.Float64, "as_of": pl.Datetime("us", "UTC"), **CLOCKS,
}  # fmt: skip


class CellsQuery(BaseModel):
    """Which days, how cut, as what."""

    model_config = {"extra": "forbid", "populate_by_name": True}

    first: Day | None = Field(None, alias="from", description="First day on the store's clocks")
    last: Day | None = Field(None, alias="to", description="Last day, which counts; today if left out")
    by: Literal["day", "hour"] = Field("day", description="Length of a cell")
    format: Literal["json", "csv", "parquet"] = "json"
    limit: int = Field(7, ge=1, le=DAYS_A_PAGE, description="Days on a page of JSON")
    cursor: str | None = Field(None, description="`next_cursor` of the page before")


class CellOut(BaseModel):
    """Visits that began in an hour or on a day, in the store (`zone` null) or a zone."""

    store: str
    begins_at: datetime
    zone: str | None
    visit_count: int | None = Field(description="null where hidden")
    person_count: int | None = Field(description="Distinct on that day; null where hidden")
    dwell_s: float | None = Field(description="Of all those visits together; null where hidden")
    state: State = Field(description="no_data: nobody listened on that day or in that hour of the store")


class CellsOut(OriginOut):
    """Cells of some days, in the order of time, and what they rest on; cells without a visit are left out."""

    formulas: list[AskedFormulaOut] = Field(
        description="Of `visit_count` and `person_count`, and the one that `dwell_s` is the sum of"
    )
    k_people: int = Field(description="Cells of fewer people are hidden", examples=[10])
    cells: list[CellOut]
    next_cursor: str | None


@router.get(
    "/{store}/cells",
    response_model=CellsOut,
    responses={
        200: {
            "description": "A page as JSON, or the whole range as CSV or Parquet",
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        **described(404, 422, 503),
    },
    summary="Counted visits by day or hour and zone",
)
def read_cells(
    stored: StoreDep, connection: ConnectionDep, service: ServiceDep, query: Annotated[CellsQuery, Query()]
) -> Response:
    """Return what every figure is made of; cells that may not be told stand there as hidden.

    JSON comes in pages of whole days: ask again with `cursor`. CSV and Parquet come as one stream of the whole range,
    at most 400 days (92 by hour).
    """
    question = _question(stored, service, query)
    if query.format != "json":
        return _file(service, stored, question, query)
    begin = question.first
    if query.cursor is not None:
        begin = read_cursor(query.cursor, _asked(question, query), date)
        if not question.first < begin <= question.last:  # anybody can write one: it opens no other day
            raise unreadable()
    end = min(question.last, begin + timedelta(days=query.limit - 1))
    with snapshot(connection):
        cells = list(_cells(connection, stored, question, begin, end, query.by))
        origin = origin_of(connection, stored, msgspec.structs.replace(question, first=begin, last=end))
    following = write_cursor(str(end + timedelta(days=1)), _asked(question, query)) if end < question.last else None
    page = CellsOut(
        **dict(origin),
        formulas=[asked(one) for one in _formulas(question)],
        k_people=K_PEOPLE,
        cells=[CellOut.model_validate(cell) for cell in cells],
        next_cursor=following,
    )
    return JSONResponse(page.model_dump(mode="json"), headers={"Cache-Control": "private, no-cache"})


def _question(stored: StoredPlan, service: Service, query: CellsQuery) -> Question:
    days = {"from": query.first, "to": query.last, "bucket": query.by}
    return MetricQuery.model_validate(days).question(FORMULAS["footfall"].id, stored, service.now())


def _formulas(question: Question) -> list[Question]:
    """Return the question under each formula that a cell's figures are of."""
    found = (FORMULAS[name] for name in _OF_CELLS)
    return [msgspec.structs.replace(question, formula=one, parameters=settled(one, {})) for one in found]


def _asked(question: Question, query: CellsQuery) -> list[str]:
    return ["cells", str(question.first), str(question.last), query.by]


def _cells(  # noqa: PLR0917 - a range of a question
    connection: Connection, stored: StoredPlan, question: Question, begin: date, end: date, by: str
) -> Iterator[dict[str, Any]]:
    zones = stored.plan.zones
    part = msgspec.structs.replace(question, first=begin, last=end)
    held = read(connection, stored, part, [STORE_SCOPE, *range(len(zones))], hourly=by == "hour")
    told = {(one.row.begins_at.astimezone(UTC), one.row.scope): one for one in held}
    gaps = find_gaps(connection, stored, part, hourly=by == "hour")
    lacking = {at.astimezone(UTC) for at in atoms(stored, part) if gaps.lacks(at, hourly=by == "hour")}
    lacking = {at for at in lacking if at <= question.now} - {at for at, _ in told}
    for at, scope in sorted([*told, *((at, STORE_SCOPE) for at in lacking)]):
        one = told.get((at, scope))
        counted = None if one is None or one.hide else one.row.counted
        yield {
            "store": stored.plan.id,
            "begins_at": at,
            "zone": None if scope == STORE_SCOPE else zones[scope].id,
            "visit_count": None if counted is None else counted.visits,
            "person_count": None if counted is None else counted.people,
            "dwell_s": None if counted is None else counted.dwell_ms / 1000,
            "state": "no_data" if one is None else "hidden" if counted is None else "told",
        }


def _file(service: Service, stored: StoredPlan, question: Question, query: CellsQuery) -> Response:
    name = f"{stored.plan.id}-cells-{question.first}-{question.last}.{query.format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-cache"}
    if query.format == "csv":
        return StreamingResponse(
            _csv(service, stored, question, query.by), media_type="text/csv; charset=utf-8", headers=headers
        )
    return StreamingResponse(
        _parquet(service, stored, question, query.by), media_type="application/vnd.apache.parquet", headers=headers
    )


def _weeks(service: Service, stored: StoredPlan, question: Question, by: str) -> Iterator[list[dict[str, Any]]]:
    """Return the cells of some days after the others, so that memory does not grow with the range."""
    formulas = ";".join(f"{one.formula.id} {one.formula.version}" for one in _formulas(question))
    begin = question.first
    while begin <= question.last:
        end = min(question.last, begin + timedelta(days=_DAYS_AT_ONCE - 1))
        with service.analytics.connection() as connection, snapshot(connection):
            cells = list(_cells(connection, stored, question, begin, end, by))
            part = msgspec.structs.replace(question, first=begin, last=end)
            origin = origin_of(connection, stored, part)
        rests_on = {"formulas": formulas, "coverage": origin.coverage, "as_of": origin.freshness.as_of}
        timezone = stored.plan.timezone
        yield [cell | rests_on | on_clocks(cell["begins_at"], timezone) for cell in cells]
        begin = end + timedelta(days=1)


def _csv(service: Service, stored: StoredPlan, question: Question, by: str) -> Iterator[str]:
    yield ",".join(_SCHEMA) + "\r\n"
    for cells in _weeks(service, stored, question, by):
        text = io.StringIO()
        writer = csv.writer(text)
        for cell in cells:
            writer.writerow([_written(cell[name]) for name in _SCHEMA])
        yield text.getvalue()


def _written(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _parquet(service: Service, stored: StoredPlan, question: Question, by: str) -> Iterator[bytes]:
    frames = (pl.DataFrame(cells, schema=_SCHEMA) for cells in _weeks(service, stored, question, by))
    return parquet_pieces(frames, _SCHEMA)
