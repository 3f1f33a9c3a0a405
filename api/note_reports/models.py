"""What the endpoints of reports on notes answer."""

from collections.abc import Iterable
from datetime import date
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from core.metrics.disclosure import K_PEOPLE
from core.metrics.leaving import Told
from storage.note_reports.counting import OverWord, PeriodCount
from storage.notes.choices import FeelingWord
from storage.notes.search import GroupWord


class PeriodCountOut(BaseModel):
    """Notes of a word in a day, week or month; word null: those without one."""

    period: str = Field(description="2026-11-21, the Monday of a week, or 2026-11", examples=["2026-11-16"])
    word: str | None = Field(examples=["delighted"])
    profile_id: UUID | None = Field(None, description="Of `by=profile`, whose name it is: two may have one name")
    note_count: int

    @classmethod
    def of(cls, row: PeriodCount) -> Self:
        """Return the answer for a row."""
        return cls(period=row.period, word=row.word, profile_id=row.profile_id, note_count=row.notes)


class OverTimeOut(BaseModel):
    """The wanted notes counted by a field in each period with any."""

    by: GroupWord
    over: OverWord
    counts: list[PeriodCountOut]


class ToldOut(BaseModel):
    """A word, with notes of at least k people in each month and store; null where there are none such."""

    word: str = Field(
        description="Empty: without one; notes without a tag are not told", examples=["confused_by_sign"]
    )
    note_count: int | None
    hidden_count: int = Field(description="Months of stores of which something is left out")

    @classmethod
    def of(cls, row: Told) -> Self:
        """Return the answer for a word."""
        return cls(word=row.word, note_count=row.count, hidden_count=row.hidden)


class LeavingOut(BaseModel):
    """A report that may leave the CRM."""

    by: GroupWord
    k_people_count: int = Field(K_PEOPLE, description="Fewest people behind a figure")
    counts: list[ToldOut]


class ZoneTagOut(BaseModel):
    """Notes with a tag in a zone."""

    tag: str = Field(examples=["confused_by_sign"])
    note_count: int


class ZoneTagsOut(BaseModel):
    """A zone with its dwell and its tags, the most first."""

    zone: str = Field(examples=["shoes"])
    name: str = Field(examples=["Shoe wall"])
    visit_count: int | None = Field(description="Zone visits that the dwell is of; null where too few are behind it")
    dwell_median_s: float | None = Field(description="Formula dwell_median; null where too few are behind it")
    tags: list[ZoneTagOut]


class StoreTagsOut(BaseModel):
    """Tags of notes beside the dwell of their zones, on whole days of the store's clocks."""

    store: str = Field(examples=["marktplatz"])
    timezone: str = Field(examples=["Europe/Berlin"])
    first_day: date
    last_day: date
    zones: list[ZoneTagsOut] = Field(description="The most tags first; those without one last")


class AgreementOut(BaseModel):
    """How often a suggestion met what staff chose themselves, of one model."""

    model: str
    version: str
    chosen_count: int = Field(description="Notes with a choice of staff")
    right_count: int = Field(description="Of which the suggestion was the same")
    counts: dict[FeelingWord, dict[FeelingWord, int]] = Field(
        description="By what was suggested, then what was chosen"
    )


class AgreementsOut(BaseModel):
    """Every model that notes were read with."""

    models: list[AgreementOut]

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, FeelingWord, FeelingWord, int]]) -> Self:
        """Return the answer for counts by model, version, suggestion and choice."""
        found: dict[tuple[str, str], AgreementOut] = {}
        for model, version, suggested, chosen, count in rows:
            one = found.setdefault(
                (model, version),
                AgreementOut(model=model, version=version, chosen_count=0, right_count=0, counts={}),
            )
            one.chosen_count += count
            one.right_count += count if suggested == chosen else 0
            one.counts.setdefault(suggested, {})[chosen] = count
        return cls(models=list(found.values()))
