"""What may be asked of the metrics endpoint, and what it means for a store."""

import re
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from fastapi import Request
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
_OF_WEEKS: Final = {"orders", "shelf"}
"""Shapes that are of calendar weeks, from Monday to Sunday."""
_SUNDAY: Final = 6
_HAS_BUCKETS: Final = {"cell", "ratio", "crowd", "returning"}
_YEAR: Final = timedelta(days=364)
"""52 weeks: Saturdays beside Saturdays."""

DAY_FIRST: Final = date(2000, 1, 1)
"""Beacons are from 2013, but who imports may have older visits."""
DAY_LAST: Final = date(9998, 12, 31)

# pages send empty fields of a form along
Blank = BeforeValidator(lambda value: None if value == "" else value)


def _as_written(value: object) -> object:
    """Refuse what is no date as people write it: a number would be taken as seconds since 1970."""
    if isinstance(value, str) and _DAY.fullmatch(value) is None:
        raise ValueError("a day is written like 2026-11-15")
    return value


_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
Day = Annotated[date, BeforeValidator(_as_written), Field(ge=DAY_FIRST, le=DAY_LAST)]
"""A day that can be asked for, far enough from the ends of the calendar for every comparison."""


def said_once(request: Request) -> None:
    """Refuse a question that says a word twice, of which one would be passed over in silence.

    Raises
    ------
    InputError
        If it does.
    """
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if times > 1:
            raise InputError(f"{name[:64]!r} is said twice.", hint="Say it once; one value counts.", where=name[:64])


def nothing_asked(request: Request) -> None:
    """Refuse a parameter where there is none to say, as on a page that always shows the same.

    Raises
    ------
    InputError
        If there is one.
    """
    only_asked(request)


def only_asked(request: Request, *names: str) -> None:
    """Refuse a parameter other than these, and one that is said twice.

    Raises
    ------
    InputError
        If there is one.
    """
    said_once(request)
    for name in request.query_params:
        if name not in names:
            raise InputError(f"There is no parameter {name[:64]!r} here.", hint="Leave it out.", where=name[:64])


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
        if found.shape == "now" and (self.first, self.last, self.compare) != (None, None, None):
            raise InputError(
                f"{found.id} is of this moment.", hint="Leave out `from`, `to` and `compare`.", where="from"
            )
        if found.shape in _OF_WEEKS and (self.first, self.last) == (None, None):
            first, last = self._last_week(stored, now)
        else:
            first, last = self.days(stored, now)
        if found.shape == "now":
            first = last
        if found.shape in _OF_WEEKS:
            _check_weeks(found, first, last, "from", now.astimezone(ZoneInfo(stored.plan.timezone)).date())
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
        if question.formula.shape in _OF_WEEKS:
            _check_weeks(question.formula, first, first + length, "compare", question.now.date())
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

    def _last_week(self, stored: StoredPlan, now: datetime) -> tuple[date, date]:
        """Return Monday and Sunday of the last calendar week that is over."""
        today = now.astimezone(ZoneInfo(stored.plan.timezone)).date()
        sunday = today - timedelta(days=today.isoweekday())
        return sunday - timedelta(days=_SUNDAY), sunday

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


def _check_weeks(formula: Formula, first: date, last: date, where: str, today: date) -> None:
    monday = first + timedelta(days=-first.weekday() % 7)
    if monday + timedelta(days=_SUNDAY) > min(last, today - timedelta(days=1)):
        before = min(monday, today - timedelta(days=today.weekday() + 7))
        raise InputError(
            f"{formula.id} is of calendar weeks that are over, and none lies from {first} to {last}.",
            hint=f"Take a Monday to a Sunday, like {before} to {before + timedelta(days=_SUNDAY)}.",
            where=where,
        )


def _check_length(formula: Formula, bucket: Bucket, first: date, last: date) -> None:
    length = (last - first).days + 1
    fine = bucket == "hour" and formula.shape in _HAS_BUCKETS
    most = DAYS_MOST_BY_VISIT if fine or formula.shape in _BY_VISIT else DAYS_MOST
    if length > most:
        hint = "Take a coarser bucket, or a shorter range." if fine else "Take a shorter range."
        raise InputError(f"{length} days are too many here, {most} are the most.", hint=hint, where="from")
