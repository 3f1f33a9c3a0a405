"""The same days under each product's definitions, in one table: figures and bands of dwell."""

from datetime import date
from itertools import pairwise
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.metrics.gaps import bucket_gaps
from api.metrics.models import AskedFormulaOut, OriginOut, asked
from api.metrics.origin import origin_of
from api.metrics.query import Day, MetricQuery, said_once
from api.metrics.question import Question, State, bucket_begins
from api.metrics.rows import read
from api.problems import described
from api.service import ConnectionDep, ServiceDep, StoreDep
from core.metrics.bins import BINS, threshold_bin
from core.metrics.cells import Cell, spread
from core.metrics.disclosure import K_PEOPLE
from core.metrics.formulas import FORMULAS, settled
from core.metrics.presets import PRESETS, Preset, defines, parameters_of
from storage.connect import Connection
from storage.one_state import snapshot
from storage.rollups.counting import STORE_SCOPE
from storage.stores import StoredPlan

router = APIRouter(prefix="/v1/stores", tags=["metrics"], dependencies=[Depends(said_once)])

BY_PRESET: Final = ("footfall", "capture_dwell", "bounce", "engaged")


class BandOut(BaseModel):
    """Store visits of a class of dwell."""

    title: str
    from_s: int
    to_s: int | None = Field(description="null where open")
    visit_count: int | None = Field(description="null where hidden: few people, here or beside another; or no data")
    share: float | None


class PresetFiguresOut(BaseModel):
    """A product's figures for the days."""

    id: str
    title: str
    leaves_out: str
    source: str
    parameters: dict[str, int]
    figures: dict[str, float | None] = Field(
        description="By formula; null of nothing, or hidden as bands are; what the product does not define misses"
    )
    bands: list[BandOut]


class ByPresetOut(OriginOut):
    """The same days under every preset."""

    formulas: list[AskedFormulaOut] = Field(description="Of `figures`; each preset says its own parameters")
    store: str
    first_day: date
    last_day: date
    state: State = Field(description="no_data: nobody listened on any of these days; hidden: no day may be told")
    hidden_count: int = Field(
        description="Days of fewer than k people, or that do not tell what the others do, left out of every figure"
    )
    k_people: int = Field(description="Figures of fewer people are hidden", examples=[10])
    presets: list[PresetFiguresOut]


class DaysQuery(BaseModel):
    """Which days."""

    model_config = {"extra": "forbid", "populate_by_name": True}

    first: Day | None = Field(None, alias="from", description="First day; six days before `to` if left out")
    last: Day | None = Field(None, alias="to", description="Last day, which counts; today if left out")


@router.get("/{store}/presets", responses=described(404, 422, 503), summary="The same days as others define them")
def read_presets(
    stored: StoreDep, connection: ConnectionDep, service: ServiceDep, query: Annotated[DaysQuery, Query()]
) -> ByPresetOut:
    """Return the store's figures and bands of dwell under each product's thresholds; the visits are the same."""
    days = MetricQuery.model_validate({"from": query.first, "to": query.last, "bucket": "whole"})
    return by_preset(connection, stored, days.question("footfall", stored, service.now()))


def by_preset(connection: Connection, stored: StoredPlan, question: Question) -> ByPresetOut:
    """Return the days of a question under every preset."""
    # as of a formula that asks how dwell is spread, without a threshold of its own
    plain = msgspec.structs.replace(question, formula=FORMULAS["dwell_median"], parameters={})
    with snapshot(connection):
        held = read(connection, stored, plain, [STORE_SCOPE], hourly=False)
        origin = origin_of(connection, stored, question)
        gaps = bucket_gaps(connection, stored, question)
    dwell = spread([one.row.counted for one in held if not one.hide])
    # of days without data nothing is known, not even that nobody came
    known = held or not gaps.is_whole(bucket_begins(stored, question)[0])
    told = set(dwell.lengths_s) if known else set()
    left_out = dwell.left_out + sum(one.hide for one in held)
    state: State = "no_data" if not known else "told"
    if left_out:
        state = "partly_hidden" if dwell.cell.visits else "hidden"
    return ByPresetOut(
        **dict(origin),
        formulas=[
            asked(msgspec.structs.replace(question, formula=FORMULAS[name], parameters=settled(FORMULAS[name], {})))
            for name in BY_PRESET
        ],
        store=stored.plan.id,
        first_day=question.first,
        last_day=question.last,
        state=state,
        hidden_count=left_out,
        k_people=K_PEOPLE,
        presets=[_figures(preset, dwell.cell, told) for preset in PRESETS.values()],
    )


def _parameters(preset: Preset, name: str) -> dict[str, int]:
    """Return a formula's thresholds under a preset."""
    return settled(FORMULAS[name], parameters_of(preset, FORMULAS[name], of_zone=False))


def _figures(preset: Preset, cell: Cell, told: set[int]) -> PresetFiguresOut:
    figures = {}
    for name in BY_PRESET:
        if not defines(preset, FORMULAS[name]):
            continue
        reckon, parameters = FORMULAS[name].reckon, _parameters(preset, name)
        may = reckon is not None and cell.visits and told.issuperset(parameters.values())
        figures[name] = reckon(cell, parameters) if reckon is not None and may else None
    return PresetFiguresOut(
        id=preset.id,
        title=preset.title,
        leaves_out=preset.leaves_out,
        source=preset.source,
        parameters=preset.parameters,
        figures=figures,
        bands=_bands(preset, cell, told),
    )


def _bands(preset: Preset, cell: Cell, told: set[int]) -> list[BandOut]:
    begins = [threshold_bin(band.from_s) for band in preset.bands]
    counts = [int(cell.counts[low:high].sum()) for low, high in pairwise([*begins, BINS])]
    ends: list[int | None] = [*(band.from_s for band in preset.bands[1:]), None]
    hide = [
        band.from_s not in told or (end is not None and end not in told)
        for band, end in zip(preset.bands, ends, strict=True)
    ]
    return [
        BandOut(
            title=band.title,
            from_s=band.from_s,
            to_s=end,
            visit_count=None if hid else count,
            share=None if hid or not cell.visits else round(count / cell.visits, 6),
        )
        for band, end, count, hid in zip(preset.bands, ends, counts, hide, strict=True)
    ]
