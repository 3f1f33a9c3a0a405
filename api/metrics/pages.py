"""The pages of numbers: traffic, dwell, flow, compare, coverage, formulas. The URL holds all that is shown."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from api.charts import NARROW, Datum, bar_chart, curve_chart, flow_chart, heat
from api.metrics import wording as metric_wording
from api.metrics.beside import change_of_days, change_of_rows
from api.metrics.models import MetricOut, MetricRowOut, PeriodOut
from api.metrics.query import Blank, Day, MetricQuery, nothing_asked, said_once
from api.metrics.routes import measure
from api.operations.by_preset import BY_PRESET, ByPresetOut, by_preset
from api.rendering import render
from api.service import ConnectionDep, Service, ServiceDep, StoreDep, find_store
from api.stores.models import CoverageNowOut
from core.metrics.disclosure import K_PEOPLE
from core.metrics.formulas import FORMULAS
from core.metrics.presets import PRESETS
from storage.connect import Connection
from storage.coverage import HOURS_MOST, HourRow, coverage_hours, faults, newest_gaps
from storage.occupancy import STORES_PER_PAGE, occupancy, stores_page
from storage.one_state import one_state
from storage.stores import StoredPlan

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse, dependencies=[Depends(said_once)])

_RANGES: Final = ((1, "Today"), (7, "7 days"), (28, "28 days"), (84, "12 weeks"))
_WEEKEND: Final = 5
_MOVES_DRAWN: Final = 40
"""More bands than that cannot be told apart; the table below has them all."""
_PATHS_SHOWN: Final = 15
_COMPARED: Final = (
    "footfall", "people", "occupancy_peak", "capture_inside", "capture_dwell", "bounce", "engaged", "dwell_mean",
    "dwell_median", "dwell_p90", "returning", "staff_ratio",
)  # fmt: skip
_SUMS: Final = ("footfall", "people", "occupancy_peak")
"""Those of which more days are more: sums over days, and the most of them."""


class PageQuery(BaseModel):
    """The days that a page shows."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    first: Annotated[Day | None, Blank] = Field(None, alias="from")
    last: Annotated[Day | None, Blank] = Field(None, alias="to")

    def asking(self, **more: Any) -> MetricQuery:
        """Return the same days as a question."""
        return MetricQuery.model_validate({"from": self.first, "to": self.last} | more)


class TrafficQuery(PageQuery):
    """Traffic of the store or a zone, on all days or some."""

    zone: Annotated[str | None, Blank] = None
    days: Literal["all", "weekdays", "weekends"] = "all"


class DwellQuery(PageQuery):
    """Dwell of the store or a zone, beside another zone."""

    zone: Annotated[str | None, Blank] = None
    beside: Annotated[str | None, Blank] = None


class CompareQuery(PageQuery):
    """Days of a store beside other days, or another store."""

    compare: Annotated[Literal["previous", "last_year"] | Day, Blank] | None = None
    store: Annotated[str | None, Blank] = None


@router.get("/stores/{store}/traffic")
def show_traffic(
    stored: StoreDep, connection: ConnectionDep, service: ServiceDep, query: Annotated[TrafficQuery, Query()]
) -> Response:
    """Visits over time, hour by weekday, weekdays beside weekends."""

    def ask(formula: str, **more: Any) -> MetricOut:
        return measure(service, connection, stored, formula, query.asking(zone=query.zone, **more))

    with one_state(connection):
        footfall = ask("footfall", compare="previous")
        week, people, parts = ask("week_hour"), ask("people"), ask("week_part")
    rows = [row for row in footfall.rows if _is_wanted(row, query.days, stored)]
    return _page(
        "traffic.html",
        "traffic",
        stored,
        service,
        query,
        footfall,
        zones=stored.plan.zones,
        people=people,
        change=change_of_days(footfall, service.now()),
        parts_of_week={row.part: row for row in parts.rows},
        peak=_peak(rows),
        chart=bar_chart([_datum(row, footfall, stored) for row in rows]),
        rows=rows,
        week=_week(week.rows, query.days),
    )


@router.get("/stores/{store}/dwell")
def show_dwell(
    stored: StoreDep, connection: ConnectionDep, service: ServiceDep, query: Annotated[DwellQuery, Query()]
) -> Response:
    """How long visits last: distribution and engagement curve of a zone, and every zone in a table."""

    def ask(formula: str, **more: Any) -> MetricOut:
        return measure(service, connection, stored, formula, query.asking(**more))

    with one_state(connection):
        histogram = ask("dwell_histogram", zone=query.zone)
        zones = [query.zone, *([query.beside] if query.beside is not None else [])]
        lines = [ask("dwell_curve", zone=zone).rows for zone in zones]
        by_zone = {
            formula: {row.zone: row for row in ask(formula, by="zone", bucket="whole").rows}
            for formula in ("dwell_median", "dwell_p90", "engaged", "footfall", "zone_entry", "zone_exposure")
        }
        own = {
            formula: ask(formula, zone=query.zone, bucket="whole")
            for formula in ("dwell_mean", "dwell_median", "dwell_p90", "dwell_p95", "engaged", "bounce")
        }
    names = [_zone_name(stored, zone) for zone in zones]
    return _page(
        "dwell.html",
        "dwell",
        stored,
        service,
        query,
        histogram,
        zones=stored.plan.zones,
        by_zone=by_zone,
        own=own,
        names=names,
        chart=bar_chart([_band(row) for row in histogram.rows]),
        curves=curve_chart([[_point(row, name) for row in line] for line, name in zip(lines, names, strict=True)]),
        longest=max((row.value or 0.0 for row in by_zone["dwell_median"].values()), default=0.0),
    )


@router.get("/stores/{store}/flow")
def show_flow(
    stored: StoreDep, connection: ConnectionDep, service: ServiceDep, query: Annotated[PageQuery, Query()]
) -> Response:
    """Where people go next: a Sankey diagram, every move in a table, the most frequent paths."""
    with one_state(connection):
        flow = measure(service, connection, stored, "flow", query.asking())
        paths = measure(service, connection, stored, "paths", query.asking())
    places = stored.plan.zone_index
    moves = [
        (places[row.zone], places[row.to_zone], row.value)
        for row in flow.rows[:_MOVES_DRAWN]
        if row.zone is not None and row.to_zone is not None and row.value is not None
    ]
    return _page(
        "flow.html",
        "flow",
        stored,
        service,
        query,
        flow,
        charts=[("wide", flow_chart(moves)), ("narrow", flow_chart(moves, room=NARROW))],
        zones=stored.plan.zones,
        labels={zone.id: zone.label for zone in stored.plan.zones},
        paths=paths.rows[:_PATHS_SHOWN],
        paths_state=paths.state,
        drawn=len(moves),
    )


@router.get("/stores/{store}/compare")
def show_compare(
    stored: StoreDep, connection: ConnectionDep, service: ServiceDep, query: Annotated[CompareQuery, Query()]
) -> Response:
    """Two ranges of days or two stores beside each other, and the same days under other products' thresholds."""
    compare = query.compare if query.compare is not None else (None if query.store is not None else "previous")

    def ask(formula: str, **more: Any) -> MetricOut:
        return measure(service, connection, stored, formula, query.asking(**more))

    against: dict[str, Any] = {"compare": compare, "compare_store": query.store}
    with one_state(connection):
        found = [ask(formula, bucket="whole", **against) for formula in _COMPARED]
        by_day = {formula: ask(formula, bucket="day", **against) for formula in _SUMS}
        presets = by_preset(connection, stored, query.asking().question("footfall", stored, service.now()))
        others = _presets_beside(connection, service, stored, query.asking(**against))
    daily = by_day["footfall"]
    changes = {formula: change_of_days(answer, service.now()) for formula, answer in by_day.items()}
    rows = [(one, _as_in(presets, one), _as_in(others, one, one.compared)) for one in found]
    beside = daily.compared.rows if daily.compared is not None else []
    data = [_datum(row, daily, stored, other) for row, other in zip(daily.rows, beside, strict=False)]
    return _page(
        "compare.html",
        "compare",
        stored,
        service,
        query,
        daily,
        against=against,
        found=[
            (answer, one, two, changes.get(answer.formula.id, change_of_rows(one, two, answer.formula.unit)))
            for answer, one, two in rows
        ],
        days_changed=changes["footfall"],
        compare=compare,
        stores=[row for row in stores_page(connection, limit=STORES_PER_PAGE).stores if row.id != stored.plan.id],
        by_preset=presets,
        preset_formulas=[FORMULAS[name] for name in BY_PRESET],
        something=any(row.value or row.state == "hidden" for row in (*daily.rows, *beside)),
        chart=bar_chart(data),
    )


def _presets_beside(connection: Connection, service: Service, stored: StoredPlan, asking: MetricQuery) -> ByPresetOut:
    """Return the days that are compared with under every preset."""
    other = asking.compared(asking.question("footfall", stored, service.now()))
    if other is None:
        raise RuntimeError("a page that compares names what it compares with")
    beside = find_store(service, connection, asking.compare_store) if asking.compare_store else stored
    return by_preset(connection, beside, other)


def _as_in(presets: ByPresetOut, answer: MetricOut, period: PeriodOut | None = None) -> MetricRowOut | None:
    """Return a figure as the table of presets has it, or hides it: both stand on one page, to be subtracted."""
    row = _whole(answer if period is None else period)
    (ours,) = (one for one in presets.presets if one.id == "sojourn")
    if row is None or row.value is None or answer.formula.id not in ours.figures.keys() - {"footfall"}:
        return row
    value = ours.figures[answer.formula.id]
    told = {"value": value, "hidden_count": presets.hidden_count}
    return row.model_copy(update=told if value is not None else told | {"state": "hidden", "visit_count": None})


@router.get("/stores/{store}/coverage", dependencies=[Depends(nothing_asked)])
def show_coverage(stored: StoreDep, connection: ConnectionDep, service: ServiceDep) -> Response:
    """Which anchors work now, the share that worked in each hour of four weeks, and what edges dropped in them."""
    timezone = ZoneInfo(stored.plan.timezone)
    as_of = occupancy(connection, stored.store_no).as_of
    by_day: dict[date, dict[int, HourRow]] = {}
    rows = coverage_hours(connection, stored.store_no, min(HOURS_MOST, 28 * 24))
    for row in rows:
        local = row.begins_at.astimezone(timezone)
        by_day.setdefault(local.date(), {})[local.hour] = row
    return render(
        "coverage.html",
        here="stores",
        tab="coverage",
        plan=stored.plan,
        zones={zone.id: zone for zone in stored.plan.zones},
        now=CoverageNowOut.of(stored.plan, faults(connection, stored.store_no)),
        heard=metric_wording.heard(as_of, service.now()),
        as_of=as_of,
        days=sorted(by_day.items(), reverse=True),
        gaps=newest_gaps(connection, stored.store_no, rows[0].begins_at if rows else None),
        say=metric_wording,
        at=service.now(),
    )


@router.get("/formulas", dependencies=[Depends(nothing_asked)])
def show_formulas() -> Response:
    """Tell what each number means."""
    return render(
        "formulas.html",
        here="formulas",
        formulas=FORMULAS.values(),
        presets=PRESETS.values(),
        k=K_PEOPLE,
        say=metric_wording,
    )


def _page(  # noqa: PLR0917 - what every page of numbers has
    template: str,
    tab: str,
    stored: StoredPlan,
    service: Service,
    query: PageQuery,
    answer: MetricOut,
    *,
    against: dict[str, Any] | None = None,
    **more: Any,
) -> Response:
    today = service.now().astimezone(ZoneInfo(stored.plan.timezone)).date()
    return render(
        template,
        here="stores",
        tab=tab,
        plan=stored.plan,
        query=query,
        answer=answer,
        unit=answer.formula.unit,
        first=answer.first_day,
        last=answer.last_day,
        today=today,
        ranges=_ranges(query, today, answer),
        formulas=FORMULAS,
        k=K_PEOPLE,
        say=metric_wording,
        api=_api_url(answer, query, against or {}),
        **more,
    )


def _ranges(query: PageQuery, today: date, answer: MetricOut) -> list[tuple[str, str, bool]]:
    """Return links to usual ranges: words, address, whether it is the one that is shown."""
    kept = query.model_dump(mode="json", exclude={"first", "last"}, exclude_none=True)
    links = []
    for count, words in _RANGES:
        first = today - timedelta(days=count - 1)
        address = "?" + urlencode({"from": first, "to": today} | kept)
        links.append((words, address, (answer.first_day, answer.last_day) == (first, today)))
    return links


def _api_url(answer: MetricOut, query: PageQuery, against: dict[str, Any]) -> str:
    asked: dict[str, Any] = {"from": answer.first_day, "to": answer.last_day}
    asked |= {name: value for name, value in against.items() if value is not None}
    zone = getattr(query, "zone", None)
    if zone is not None:
        asked["zone"] = zone
    return f"/v1/stores/{answer.store}/metrics/{answer.formula.id}?{urlencode(asked)}"


def _datum(row: MetricRowOut, answer: MetricOut, stored: StoredPlan, other: MetricRowOut | None = None) -> Datum:
    if row.begins_at is None:
        raise RuntimeError("only rows of buckets are drawn as bars")
    timezone = stored.plan.timezone
    unit = answer.formula.unit
    words = metric_wording.bucket_words(row.begins_at, answer.bucket, timezone)
    title = f"{words}: {metric_wording.row_figure(row, unit)}{f' {unit}' if row.value is not None else ''}"
    if other is not None:
        title += f", beside {metric_wording.row_figure(other, unit)}"
    return Datum(
        label=metric_wording.bucket_label(row.begins_at, answer.bucket, timezone),
        title=title,
        value=row.value,
        hidden=row.state == "hidden",
        beside=other.value if other is not None else None,
    )


def _band(row: MetricRowOut) -> Datum:
    words = metric_wording.band(row.from_s, row.to_s)
    return Datum(label=words, title=f"{words}: {metric_wording.row_figure(row, 'visits')} visits", value=row.value)


def _point(row: MetricRowOut, name: str) -> tuple[int, float, str]:
    share = row.value or 0.0
    words = f"{name}: {metric_wording.figure(share, 'share')} stayed {metric_wording.band(row.from_s, None)}"
    return row.from_s or 0, share, words


def _is_wanted(row: MetricRowOut, days: str, stored: StoredPlan) -> bool:
    if days == "all" or row.begins_at is None:
        return True
    weekend = row.begins_at.astimezone(ZoneInfo(stored.plan.timezone)).weekday() >= _WEEKEND
    return weekend == (days == "weekends")


def _peak(rows: Iterable[MetricRowOut]) -> MetricRowOut | None:
    return max((row for row in rows if row.value), key=lambda row: row.value or 0, default=None)


def _week(rows: list[MetricRowOut], days: str) -> dict[str, Any]:
    """Return the grid of hour by weekday: the hours that have visits, and of each day its cells."""
    busy = [row.hour for row in rows if row.hour is not None and (row.value or row.state == "hidden")]
    hours = list(range(min(busy), max(busy) + 1)) if busy else []
    most = max((row.value or 0.0 for row in rows), default=0.0)
    wanted = {"all": range(1, 8), "weekdays": range(1, 6), "weekends": range(6, 8)}[days]
    cells = {
        (row.weekday, row.hour): (row, heat(row.value or 0.0, most))
        for row in rows
        if row.hour in hours and row.weekday in wanted
    }
    return {"hours": hours, "days": sorted({day for day, _ in cells if day is not None}), "cells": cells}


def _zone_name(stored: StoredPlan, zone: str | None) -> str:
    places = stored.plan.zone_index
    return stored.plan.zones[places[zone]].label if zone in places else "Whole store"


def _whole(answer: PeriodOut | None) -> MetricRowOut | None:
    if answer is None:
        return None
    return answer.total if answer.total is not None else (answer.rows[0] if answer.rows else None)
