"""What the endpoints of the journey map and of segments take and answer."""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from api.cues.models import EffectOut
from api.journey_map.building import Found
from api.profiles.models import StageWord
from api.texts import OneLine, Written
from core.journey.map import Changed, JourneyMap
from core.journey.segments import SegmentRule, told_count
from core.journey.trials import Effect
from core.metrics.disclosure import K_PEOPLE
from storage.journey_map.segments import NAME_CHARACTERS, Segment

_RULE_EXAMPLE = {"days": 90, "visits_at_least": 3, "skipped": "complete"}


class SegmentIn(BaseModel):
    """A segment to be kept."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        str, Field(min_length=1, max_length=NAME_CHARACTERS, examples=["Looks, leaves"]), Written, OneLine
    ]
    rule: Annotated[
        dict[str, Any],
        Field(
            description="days, store, visits_at_least/_at_most, dwell_at_least_s/_at_most_s,"
            " orders_at_least/_at_most, reached, skipped, completed, feeling; all that are there have to hold",
            examples=[_RULE_EXAMPLE],
        ),
    ]


class RuleIn(BaseModel):
    """A rule to be counted."""

    model_config = ConfigDict(extra="forbid")

    rule: Annotated[dict[str, Any], Field(examples=[_RULE_EXAMPLE])]


class CountOut(BaseModel):
    """About how many customers fit a rule."""

    people_count: int | None = Field(
        description=f"To the nearest five; null: fewer than {K_PEOPLE}, or as few are missing to all, and not told",
        examples=[125],
    )
    among_count: int | None = Field(description="Customers whose consent holds, told alike")
    exact: bool = Field(description="False: from a sample, and scaled to all")
    looked_at_count: int | None = Field(description="Customers who were looked at, told alike", examples=[1000])

    @classmethod
    def of(cls, found: Found) -> Self:
        """Return the answer for who was found; who is missing to everybody must not be few either."""
        missing = len(found.sample.profiles) - len(found.facts)
        few = 0 < len(found.facts) < K_PEOPLE or 0 < missing < K_PEOPLE
        return cls(
            people_count=None if few else told_count(found.people),
            among_count=told_count(found.sample.total),
            exact=found.sample.whole,
            looked_at_count=told_count(len(found.sample.profiles)),
        )


class SegmentOut(BaseModel):
    """A segment with its live count."""

    segment_no: int
    name: str
    rule: dict[str, Any]
    made_by: str
    made_at: datetime
    count: CountOut

    @classmethod
    def of(cls, row: Segment, found: Found) -> Self:
        """Return the answer for a segment."""
        return cls(
            segment_no=row.segment_no,
            name=row.name,
            rule=said_rule(row.rule),
            made_by=row.made_by,
            made_at=row.made_at,
            count=CountOut.of(found),
        )


class SegmentsOut(BaseModel):
    """Every segment, by name."""

    segments: list[SegmentOut]


class SegmentMadeOut(BaseModel):
    """A segment that was kept."""

    segment_no: int


class StageFiguresOut(BaseModel):
    """One stage of the map; null where a figure would speak of too few."""

    stage: StageWord
    reached_share: float | None = Field(description="Of the journeys for which it is decided", examples=[0.62])
    onward_s: float | None = Field(description="Middle time to the next stage that was reached")
    drop_off_share: float | None = Field(description="Of those who reached it: nothing after it")
    feelings: dict[str, float] | None = Field(
        description="Shares of notes written while it was the newest stage; feelings of too few are left out",
        examples=[{"positive": 0.6, "neutral": 0.2, "mixed": 0.1, "negative": 0.1}],
    )


class PathOut(BaseModel):
    """A path through the stages."""

    stages: list[StageWord]
    share: float


class LinkOut(BaseModel):
    """From one stage to the next that was reached."""

    begin_stage: StageWord
    end_stage: StageWord
    share: float


class WithheldOut(BaseModel):
    """A stage from which steps of enough customers are not told, as too few went another way from there."""

    begin_stage: StageWord
    share: float | None = Field(description="Of all journeys: who went on by such steps; null where that tells too")


class ChangeOut(BaseModel):
    """What changed in one stage since the time before; `tried` is the newer side, `kept` the older."""

    stage: StageWord
    effect: EffectOut | None


class JourneyMapOut(BaseModel):
    """The journey map of a segment; shares are rounded to hundredths."""

    back_days: int = Field(description="How far back", examples=[90])
    store: str | None
    count: CountOut
    stages: list[StageFiguresOut]
    paths: list[PathOut]
    other_paths_share: float
    paths_withheld: bool = Field(
        description=f"A path of {K_PEOPLE} customers or more is not told, as too few would be left beside it."
        " More days, all stores or everybody tell more"
    )
    links: list[LinkOut]
    links_withheld: list[WithheldOut]
    completed: dict[str, float] | None = Field(
        description="How journeys completed, as shares of those that did; such of too few are left out",
        examples=[{"bought": 0.4, "collected": 0.1, "returned": 0.0, "left_empty_handed": 0.5}],
    )
    bought_change: EffectOut | None = Field(
        description="Of who bought, in the store or online, against as many days before; null unless asked for"
    )
    changes: list[ChangeOut] = Field(description="Against as many days before; empty unless asked for")

    @classmethod
    def of(
        cls,
        rule: SegmentRule,
        found: Found,
        drawn: JourneyMap,
        changed: tuple[Changed, ...],
        bought: Effect | None = None,
    ) -> Self:
        """Return the answer for a map."""
        return cls.model_validate(
            {
                "back_days": rule.days,
                "store": rule.store,
                "count": CountOut.of(found),
                "stages": [
                    {
                        "stage": one.stage.value,
                        "reached_share": _hundredths(one.share),
                        "onward_s": one.onward_s,
                        "drop_off_share": _hundredths(one.drop_off),
                        "feelings": {name: round(share, 2) for name, share in one.feelings.items()}
                        if one.feelings is not None
                        else None,
                    }
                    for one in drawn.stages
                ],
                "paths": [{"stages": list(path.stages), "share": round(path.share, 2)} for path in drawn.ways.paths],
                "other_paths_share": round(drawn.ways.other_paths, 2),
                "paths_withheld": drawn.ways.withheld,
                "links_withheld": [
                    {"begin_stage": one.begin, "share": _hundredths(one.share)} for one in drawn.ways.onward
                ],
                "links": [
                    {"begin_stage": link.begin, "end_stage": link.end, "share": round(link.share, 2)}
                    for link in drawn.ways.links
                ],
                "completed": {name: round(share, 2) for name, share in drawn.completions.items()}
                if drawn.completions is not None
                else None,
                "bought_change": EffectOut.of(bought),
                "changes": [{"stage": one.stage.value, "effect": EffectOut.of(one.effect)} for one in changed],
            }
        )


def said_rule(rule: SegmentRule) -> dict[str, Any]:
    """Return a rule without the bounds that are not there."""
    held: dict[str, Any] = msgspec.to_builtins(rule)
    return {name: value for name, value in held.items() if value is not None}


def _hundredths(share: float | None) -> float | None:
    return round(share, 2) if share is not None else None
