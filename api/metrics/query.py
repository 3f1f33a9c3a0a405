"""What may be asked of the metrics endpoint, and what it means for a store."""

from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from api.metrics.question import Bucket, Question
from api.problems import formula_unknown
from core.errors import InputError
from core.floorplan import ID_PATTERN
from core.metrics import formulas, presets
from core.metrics.formulas import Formula
from storage.stores import StoredPlan

DAYS_MOST: Final = 400
"""A year and what it is compared with, in whole days."""
DAYS_MOST_BY_VISIT: Final = 92
"""A quarter, where hours or single visits have to be read."""
FIGURES_MOST: Final = 20_000
"""Figures of a question, and of what it is compared with: a year by day of fifty zones, a quarter by hour of nine."""
_HOURS: Final = 24
_BY_VISIT: Final = {"crowd", "paths", "week", "returning"}
_HAS_BUCKETS: Final = {"cell", "ratio", "crowd", "returning"}
_YEAR: Final = timedelta(days=364)
"""52 weeks: Saturdays beside Saturdays."""

DAY_FIRST: Final = date(2000, 1, 1)
"""Beacons are from 2013, but who imports may have older visits."""
DAY_LAST: Final = date(9998, 12, 31)

# pages send empty fields of a form along
Blank = BeforeValidator(lambda value: None if value == "" else value)
Day = Annotated[date, Field(ge=DAY_FIRST, le=DAY_LAST)]
"""A day that can be asked for, far enough from the ends of the calendar for every comparison."""


class MetricQuery(BaseModel):
    """Which days, how cut, under which thresholds, beside what."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    first: Annotated[Day | None, Blank] = Field(
        None, alias="from", description="First day on the store's clocks; six days before `to` if left out",
        examples=["2026-11-15"],
    )  # fmt: skip
    last: Annotated[Day | None, Blank] = Field(
        None, alias="to", description="Last day, which counts; today if left out", examples=["2026-11-21"]
    )
    bucket: Annotated[Bucket | None, Blank] = Field(None, description="hour for one day, else day, if left out")
    zone: Annotated[str | None, Blank] = Field(None, description="Id of a zone; the whole store if left out")
    by: Annotated[Literal["zone"] | None, Blank] = Field(None, description="zone: each zone of the plan")
    preset: Annotated[str | None, Blank] = Field(None, description="Thresholds that another product publishes")
    visit_s: Annotated[int | None, Blank] = Field(None, description=formulas.VISIT_S.says)
    bounce_s: Annotated[int | None, Blank] = Field(None, description=formulas.BOUNCE_S.says)
    engage_s: Annotated[int | None, Blank] = Field(None, description=formulas.ENGAGE_S.says)
    capture_s: Annotated[int | None, Blank] = Field(None, description=formulas.CAPTURE_S.says)
    queue_s: Annotated[int | None, Blank] = Field(None, description=formulas.QUEUE_S.says)
    serve_s: Annotated[int | None, Blank] = Field(None, description=formulas.SERVE_S.says)
    compare: Annotated[Literal["previous", "last_year"] | Day | None, Blank] = Field(
        None, description="previous: as many days before; last_year: 52 weeks earlier; or the first day of the others"
    )
    compare_store: Annotated[str | None, Blank] = Field(
        None, pattern=ID_PATTERN, description="Another store, on the same days unless `compare` names others"
    )

    def question(self, formula: str, stored: StoredPlan, now: datetime) -> Question:
        """Return what is asked of a store.

        Raises
        ------
        ProblemError
            If there is no such formula.
        InputError
            If a value does not fit the formula, the store or the bounds.
        """
        found = formulas.FORMULAS.get(formula)
        if found is None:
            raise formula_unknown(formula)
        first, last = self.days(stored, now)
        if self.bucket is not None and found.shape not in _HAS_BUCKETS:
            raise InputError(f"{found.id} has no buckets.", hint="Leave `bucket` out.", where="bucket")
        daily = formulas.is_of_days(found)
        if daily and self.bucket == "hour":
            raise InputError(f"{found.id} is of days.", hint="Take a bucket of a day or more.", where="bucket")
        usual: Bucket = "hour" if first == last and not daily else "day"
        bucket: Bucket = self.bucket if self.bucket is not None else usual
        _check_length(found, bucket, first, last)
        question = Question(
            formula=found,
            parameters=formulas.settled(found, self._parameters(found)),
            first=first,
            last=last,
            bucket=bucket,
            zone_no=self.zone_no(found, stored),
            each_zone=self.by == "zone",
            now=now,
        )
        cost = self.cost(question, stored)
        if cost > FIGURES_MOST:
            narrower = [
                "fewer days",
                *(["a coarser bucket"] if bucket in {"hour", "day"} else []),
                *(["one zone"] if question.each_zone else []),
                *(["nothing to compare with"] if self._compares else []),
            ]
            raise InputError(
                f"These are {cost:,} figures, {FIGURES_MOST:,} are the most of one question.",
                hint=f"Ask for {' or '.join(narrower)}; GET /v1/stores/{stored.plan.id}/cells gives all in pieces.",
                where="from",
            )
        return question

    def cost(self, question: Question, stored: StoredPlan) -> int:
        """Return how many figures a question asks for: days or hours, of each zone, twice where it is compared."""
        days = (question.last - question.first).days + 1
        hourly = question.bucket == "hour" and question.formula.shape in _HAS_BUCKETS
        zones = len(stored.plan.zones) if question.each_zone else 1
        return days * (_HOURS if hourly else 1) * zones * (2 if self._compares else 1)

    @property
    def _compares(self) -> bool:
        return self.compare is not None or self.compare_store is not None

    def compared(self, question: Question) -> Question | None:
        """Return the same question about the days to compare with, None where nothing is to be compared."""
        length = question.last - question.first
        match self.compare:
            case None:
                return question if self.compare_store is not None else None
            case "previous":
                first = question.first - length - timedelta(days=1)
            case "last_year":
                first = question.first - _YEAR
            case date() as first:
                if first > question.now.date() + timedelta(days=1):  # somewhere it is tomorrow already
                    raise InputError(
                        f"Nothing has happened yet on {first}.", hint="Name days before.", where="compare"
                    )
        return msgspec.structs.replace(question, first=first, last=first + length)

    def days(self, stored: StoredPlan, now: datetime) -> tuple[date, date]:
        """Return the first and the last day that are asked for."""
        today = now.astimezone(ZoneInfo(stored.plan.timezone)).date()
        last = self.last if self.last is not None else today
        first = self.first if self.first is not None else last - timedelta(days=6)
        if first > last:
            raise InputError(
                "The range ends before it begins.", hint="Let `to` be no earlier than `from`.", where="from"
            )
        if first > today:
            raise InputError(f"Nothing has happened yet on {first}.", hint=f"Today is {today}.", where="from")
        return first, last

    def _parameters(self, formula: Formula) -> dict[str, int]:
        given = {name: getattr(self, name) for name in formulas.PARAMETERS if getattr(self, name) is not None}
        if self.preset is None:
            return given
        of_zone = self.zone is not None or self.by is not None
        return presets.parameters_of(presets.find(self.preset), formula, of_zone=of_zone) | given

    def zone_no(self, formula: Formula, stored: StoredPlan) -> int | None:
        """Return the place of the zone in a plan, None for the whole store or each zone; errors as in `question`."""
        if (self.zone is not None or self.by is not None) and not formula.by_zone:
            raise InputError(f"{formula.id} is of the whole store.", hint="Leave `zone` and `by` out.", where="zone")
        if self.zone is None:
            if _is_of_a_zone(formula) and self.by is None:
                raise InputError(f"{formula.id} is of a zone.", hint="Say `zone`, or `by=zone`.", where="zone")
            return None
        if self.by is not None:
            raise InputError("Either one zone or each.", hint="Leave out `zone` or `by`.", where="by")
        if self.zone not in stored.plan.zone_index:
            raise InputError(
                f"The store {stored.plan.id!r} has no zone {self.zone[:64]!r}.",
                hint=f"GET /v1/stores/{stored.plan.id}/zones lists them.",
                where="zone",
            )
        place = stored.plan.zone_index[self.zone]
        if formula.zone_kinds and stored.plan.zones[place].kind not in formula.zone_kinds:
            raise InputError(
                f"{formula.id} is of zones of the kind {' or '.join(formula.zone_kinds)}.",
                hint=f"{self.zone!r} is of the kind {stored.plan.zones[place].kind}.",
                where="zone",
            )
        return place


def _is_of_a_zone(formula: Formula) -> bool:
    return bool(formula.zone_kinds) or (formula.shape == "ratio" and "zone" in {formula.part, formula.whole})


def _check_length(formula: Formula, bucket: Bucket, first: date, last: date) -> None:
    length = (last - first).days + 1
    fine = bucket == "hour" and formula.shape in _HAS_BUCKETS
    most = DAYS_MOST_BY_VISIT if fine or formula.shape in _BY_VISIT else DAYS_MOST
    if length > most:
        hint = "Take a coarser bucket, or a shorter range." if fine else "Take a shorter range."
        raise InputError(f"{length} days are too many here, {most} are the most.", hint=hint, where="from")
