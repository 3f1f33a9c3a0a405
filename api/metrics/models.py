"""What the metrics endpoints answer."""

from datetime import date, datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from api.metrics.question import Bucket, Question, State
from api.metrics.rows import MetricRow
from api.stores.models import FreshnessOut
from core.floorplan import StorePlan
from core.metrics.formulas import Formula, Parameter, Unit
from core.metrics.presets import Preset


class ParameterOut(BaseModel):
    """A threshold of a formula."""

    id: str = Field(examples=["engage_s"])
    says: str = Field(examples=["From here on a visit is engaged, s"])
    default_s: int = Field(examples=[30])
    reason: str = Field(description="Why the default is what it is")

    @classmethod
    def of(cls, parameter: Parameter) -> Self:
        """Return the answer for a parameter."""
        return cls(id=parameter.id, says=parameter.says, default_s=parameter.default_s, reason=parameter.reason)


class FormulaOut(BaseModel):
    """What a number means."""

    id: str = Field(examples=["engaged"])
    version: int = Field(description="Counts changes that give other results for the same visits", examples=[1])
    title: str = Field(examples=["Engaged"])
    unit: Unit
    says: str = Field(examples=["Share of visits that lasted at least engage_s."])
    code: str = Field(examples=["count(visit where dwell >= engage_s) / count(visit)"])
    parameters: list[ParameterOut]

    @classmethod
    def of(cls, formula: Formula) -> Self:
        """Return the answer for a formula."""
        return cls(
            id=formula.id,
            version=formula.version,
            title=formula.title,
            unit=formula.unit,
            says=formula.says,
            code=formula.code,
            parameters=[ParameterOut.of(parameter) for parameter in formula.parameters],
        )


class PresetOut(BaseModel):
    """Thresholds that a product publishes."""

    id: str = Field(examples=["purple"])
    title: str = Field(examples=["Purple"])
    says: str
    leaves_out: str = Field(description="What of its definition cannot be told from visits")
    source: str = Field(description="Where the thresholds were read, or that they could not be")
    parameters: dict[str, int] = Field(examples=[{"engage_s": 900}])

    @classmethod
    def of(cls, preset: Preset) -> Self:
        """Return the answer for a preset."""
        return cls(
            id=preset.id,
            title=preset.title,
            says=preset.says,
            leaves_out=preset.leaves_out,
            source=preset.source,
            parameters=preset.parameters,
        )


class FormulasOut(BaseModel):
    """The registry."""

    formulas: list[FormulaOut]
    presets: list[PresetOut]
    k_people: int = Field(description="Figures of fewer people are hidden", examples=[10])


class AskedFormulaOut(BaseModel):
    """The formula of an answer, with the thresholds it was reckoned with."""

    id: str = Field(examples=["engaged"])
    version: int = Field(examples=[1])
    title: str = Field(examples=["Engaged"])
    unit: Unit
    says: str
    parameters: dict[str, int] = Field(examples=[{"engage_s": 30}])


class MetricRowOut(BaseModel):
    """One value, and what it is the value of; what does not apply is null."""

    value: float | None = Field(description="In the formula's unit; null where hidden, future or of nothing")
    state: State = Field(
        description="partly_hidden: some days or hours within have too few people, and are left out;"
        " no_data: no anchor was heard and nobody counted, so nothing is known"
    )
    hidden_count: int = Field(description="Days or hours that are left out")
    no_data_count: int = Field(description="Days or hours within of which nothing is known, left out as well")
    visit_count: int | None = Field(description="Visits that the value is reckoned from, where that applies")
    begins_at: datetime | None = Field(description="Begin of the bucket")
    zone: str | None
    to_zone: str | None = Field(description="Of a move")
    path: list[str] | None
    weekday: int | None = Field(description="1 Monday to 7 Sunday")
    hour: int | None = Field(description="0..23 on the store's clocks")
    part: Literal["weekday", "weekend"] | None
    from_s: int | None = Field(description="Begin of a band of dwell")
    to_s: int | None = Field(description="End of the band; null where open")

    @classmethod
    def of(cls, row: MetricRow, plan: StorePlan) -> Self:
        """Return the answer for a row."""
        zones = plan.zones
        return cls.model_validate(
            {
                "value": None if row.value is None else round(row.value, 6),
                "state": row.state,
                "hidden_count": row.hidden,
                "no_data_count": row.no_data,
                "visit_count": row.visits,
                "begins_at": row.begins_at,
                "zone": None if row.zone_no is None else zones[row.zone_no].id,
                "to_zone": None if row.to_zone_no is None else zones[row.to_zone_no].id,
                "path": None if row.path is None else [zones[zone].id for zone in row.path],
                "weekday": row.weekday,
                "hour": row.hour,
                "part": row.part,
                "from_s": row.from_s,
                "to_s": row.to_s,
            }
        )


class ExcludedOut(BaseModel):
    """Who is not counted, so that nobody has to guess."""

    staff_visit_count: int | None = Field(description="Store visits of staff; null while fewer than k people")
    fixture_visit_count: int = Field(description="Store visits of tags that never leave")
    long_stay_visit_count: int | None = Field(description="Of who stayed too long for a visitor; null as above")
    passer_by_visit_count: int | None = Field(description="Of who only passed by; null as above")
    closed_visit_count: int | None = Field(description="That began outside the opening hours; null as above")


class OriginOut(BaseModel):
    """What figures of a range of days rest on."""

    coverage: float | None = Field(
        description="0..1, share of anchors that worked, until now; days without data count as 0; null where unknown"
    )
    gap_signal_count: int = Field(
        description="Signals that edges dropped in gaps that touch these days (an outbox was full or damaged);"
        " coverage counts their anchors as working. Gaps are kept as long as coverage, longer than signals",
    )
    no_data_count: int = Field(
        description="Days until now of which nothing is known, no anchor heard and nobody counted: left out of values"
    )
    excluded: ExcludedOut
    freshness: FreshnessOut


class PeriodOut(OriginOut):
    """The rows of a range of days of one store."""

    store: str = Field(examples=["marktplatz"])
    timezone: str = Field(examples=["Europe/Berlin"])
    first_day: date
    last_day: date
    state: State = Field(
        description="Of the range: `hidden` where nothing may be told, also where no row is left;"
        " `told` without a row where there was nothing to count"
    )
    hidden_count: int = Field(
        description="Days, hours or weeks that rows leave out, each zone's for itself; also where no row is left"
    )
    rows: list[MetricRowOut]
    total: MetricRowOut | None = Field(description="The whole range as one, where the formula has buckets")


class MetricOut(PeriodOut):
    """A formula's values in a store, beside those of other days or another store if asked for."""

    formula: AskedFormulaOut
    bucket: Bucket | None
    k_people: int = Field(description="Days and hours of fewer people are hidden or left out", examples=[10])
    compared: PeriodOut | None


def asked(question: Question) -> AskedFormulaOut:
    """Return the formula of a question."""
    formula = question.formula
    return AskedFormulaOut(
        id=formula.id,
        version=formula.version,
        title=formula.title,
        unit=formula.unit,
        says=formula.says,
        parameters=dict(question.parameters),
    )
