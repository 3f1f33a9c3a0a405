"""Formulas, and their values in a store."""

from hashlib import blake2b
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse

from api.metrics.files import digest, pieces
from api.metrics.models import (
    FormulaOut,
    FormulasOut,
    MetricOut,
    MetricRowOut,
    PeriodOut,
    PresetOut,
    asked,
)
from api.metrics.origin import origin_of
from api.metrics.query import MetricQuery, said_once
from api.metrics.question import Question, State
from api.metrics.shapes import ROWS, Found
from api.problems import described
from api.service import ConnectionDep, Service, ServiceDep, StoreDep, find_store
from api.stores.models import FreshnessOut
from core.errors import InputError
from core.metrics.disclosure import K_PEOPLE
from core.metrics.formulas import FORMULAS
from core.metrics.presets import PRESETS
from storage.connect import Connection
from storage.one_state import snapshot
from storage.stores import StoredPlan

router = APIRouter(prefix="/v1", tags=["metrics"], dependencies=[Depends(said_once)])

_HAS_TOTAL: Final = {"cell", "ratio"}
_OF_WHOLE_DAYS: Final = {"histogram", "curve", "flow", "paths"}
"""Shapes whose rows are each of all days of the range."""
_MEDIA: Final = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}


class MetricFileQuery(MetricQuery):
    """The same, and as what."""

    format: Literal["json", "csv", "parquet"] = "json"


@router.get("/metrics/formulas", summary="What each number means")
def list_formulas() -> FormulasOut:
    """Every formula with its version, words, unit and parameters, and the thresholds that other products publish."""
    return FormulasOut(
        formulas=[FormulaOut.of(formula) for formula in FORMULAS.values()],
        presets=[PresetOut.of(preset) for preset in PRESETS.values()],
        k_people=K_PEOPLE,
    )


@router.get(
    "/stores/{store}/metrics/{formula}",
    responses=described(404, 422, 503) | {304: {"description": "As it was: the ETag of If-None-Match still holds"}},
    response_model=MetricOut,
    summary="Values of a formula in a store",
)
def read_metric(  # noqa: PLR0917 - FastAPI hands over by name
    stored: StoreDep,
    formula: str,
    connection: ConnectionDep,
    service: ServiceDep,
    request: Request,
    query: Annotated[MetricFileQuery, Query()],
) -> Response:
    """Reckon a formula over whole days of the store's clocks, cut into buckets; as JSON, CSV or Parquet.

    Staff and tags that never leave are not counted; `excluded` tells how many they are. Days and hours of fewer than
    `k_people` people are hidden, and left out of longer buckets. `compared` holds the same for other days or another
    store. An answer carries an ETag; asked again with If-None-Match, nothing new is 304.
    """
    answer = measure(service, connection, stored, formula, query)
    body = answer.model_dump_json().encode() if query.format == "json" else b""
    today = service.now().astimezone(ZoneInfo(answer.timezone)).date()
    tag = _tag(answer, query.format, over=answer.last_day < today)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    known = request.headers.get("if-none-match", "")
    if tag in known or known.strip() == "*":  # RFC 9110, 13.1.2: whatever there is
        return Response(status_code=304, headers=headers)
    if query.format == "json":
        return Response(body, headers=headers, media_type=_MEDIA["json"])
    name = f"{answer.store}-{answer.formula.id}-{answer.first_day}-{answer.last_day}.{query.format}"
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return StreamingResponse(pieces(answer, query.format), headers=headers, media_type=_MEDIA[query.format])


def _tag(answer: MetricOut, kind: str, *, over: bool) -> str:
    """Return an ETag; of days that are `over` it is that of the figures, whatever was heard since."""
    if over:
        unheard = FreshnessOut.of(None, None)
        compared = answer.compared
        beside = compared.model_copy(update={"freshness": unheard}) if compared is not None else None
        answer = answer.model_copy(update={"freshness": unheard, "compared": beside})
    if kind == "json":
        return f'"{blake2b(answer.model_dump_json().encode(), digest_size=16).hexdigest()}"'
    return f'"{digest(answer, kind)}"'


def measure(
    service: Service, connection: Connection, stored: StoredPlan, formula: str, query: MetricQuery
) -> MetricOut:
    """Return the answer to a question; errors as in `MetricQuery.question`, and 429 of who has asked for too much."""
    question = query.question(formula, stored, service.now())
    service.limits.spend(query.cost(question, stored))
    other = query.compared(question)
    # before the snapshot, which asks in the process's own right: only a store that may be seen
    beside = find_store(service, connection, query.compare_store) if query.compare_store else stored
    if other is not None and query.zone is not None:
        other = msgspec.structs.replace(other, zone_no=query.zone_no(other.formula, beside))
    if other == question and beside.store_no == stored.store_no:
        raise InputError(
            "A store beside itself, on the same days, is no comparison.",
            hint="Name another store, or other days with `compare`.",
            where="compare_store",
        )
    with snapshot(connection):
        own = _period(connection, stored, question)
        compared = _period(connection, beside, other) if other is not None else None
    return MetricOut(
        **dict(own),
        formula=asked(question),
        bucket=question.bucket if own.total is not None or any(row.begins_at for row in own.rows) else None,
        k_people=K_PEOPLE,
        compared=compared,
    )


def _state(found: Found, question: Question, stored: StoredPlan, *, no_data_days: int) -> State:
    """Return what is known of a range as a whole, also where it has no rows."""
    states = {row.state for row in found.rows}
    if found.hidden:
        return "partly_hidden" if states & {"told", "partly_hidden"} else "hidden"
    if found.rows:
        return next((one for one in ("told", "no_data") if one in states), "future")
    return "no_data" if _is_silent(question, stored, no_data_days) else "told"


def _is_silent(question: Question, stored: StoredPlan, no_data_days: int) -> bool:
    """Return whether nobody listened on any day of the range until today."""
    today = question.now.astimezone(ZoneInfo(stored.plan.timezone)).date()
    return no_data_days == (min(question.last, today) - question.first).days + 1


def _period(connection: Connection, stored: StoredPlan, question: Question) -> PeriodOut:
    found = ROWS[question.formula.shape](connection, stored, question)
    rows = found.rows
    total = None
    if question.formula.shape in _HAS_TOTAL and not question.each_zone:
        whole = msgspec.structs.replace(question, bucket="whole")
        total = ROWS[question.formula.shape](connection, stored, whole).rows[0]
    origin = origin_of(connection, stored, question)
    if question.formula.shape in _OF_WHOLE_DAYS:
        rows = [msgspec.structs.replace(row, no_data=origin.no_data_count) for row in rows]
    if question.formula.shape == "orders" and not found.hidden:  # one row, also where nobody listened in any week
        nobody = _is_silent(question, stored, origin.no_data_count)
        rows = [
            msgspec.structs.replace(row, state="no_data", no_data=origin.no_data_count)
            if nobody and row.value is None else row
            for row in rows
        ]  # fmt: skip
        found = msgspec.structs.replace(found, rows=rows)
    return PeriodOut(
        store=stored.plan.id,
        timezone=stored.plan.timezone,
        first_day=question.first,
        last_day=question.last,
        state=_state(found, question, stored, no_data_days=origin.no_data_count),
        hidden_count=found.hidden,
        rows=[MetricRowOut.of(row, stored.plan) for row in rows],
        total=None if total is None else MetricRowOut.of(total, stored.plan),
        **dict(origin),
    )
