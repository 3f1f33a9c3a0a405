"""What the endpoints of a customer's memory answer."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field

from api.profiles.models import StageWord
from core.journey.records import Evidence
from core.journey.rules import Stage
from core.memory.fading import FEELING_HALF_LIFE_DAYS, PREFERENCE_HALF_LIFE_DAYS
from core.memory.remembering import Mean, Memory, Promise, Quote, TopicFeeling
from core.memory.telling import Sentence, tell
from storage.instants import to_datetime

PromiseWord = Literal["overdue", "open", "undated", "kept_late", "kept"]


class MemoryEvidenceOut(BaseModel):
    """What a statement rests on: a note, a follow-up or an event of this id."""

    kind: str = Field(examples=["note"])
    id: str = Field(examples=["5b0c2c3e-8a55-5a0e-9f4e-0d6f6a6b7c8d"])
    at: datetime

    @classmethod
    def of(cls, found: Evidence) -> Self:
        """Return the answer for one."""
        return cls(kind=found.kind, id=found.id, at=to_datetime(found.at))


def _cited(found: tuple[Evidence, ...]) -> list[MemoryEvidenceOut]:
    return [MemoryEvidenceOut.of(one) for one in found]


class MeanFeelingOut(BaseModel):
    """Feelings together."""

    feeling_score: float | None = Field(
        description="-1 (all negative) to 1 (all positive), weighed by age; null where nothing is left",
        examples=[0.4],
    )
    faded_count: float = Field(description="What is left of evidence_count after fading", examples=[2.6])
    evidence_count: int = Field(description="n", examples=[3])
    positive_count: int
    negative_count: int
    mixed_count: int
    neutral_count: int
    evidence: list[MemoryEvidenceOut]

    @classmethod
    def of(cls, found: Mean) -> Self:
        """Return the answer for feelings together."""
        return cls(
            feeling_score=round(found.value, 4) if found.value is not None else None,
            faded_count=round(found.weight, 4),
            evidence_count=found.n,
            positive_count=found.positive,
            negative_count=found.negative,
            mixed_count=found.mixed,
            neutral_count=found.neutral,
            evidence=_cited(found.evidence),
        )


class StageFeelingOut(BaseModel):
    """What was felt at a stage of the journey."""

    stage: StageWord
    feeling: MeanFeelingOut


class MonthFeelingOut(BaseModel):
    """What was felt in a month (UTC), as it was then: not weighed by age."""

    month: str = Field(examples=["2026-11"])
    feeling: MeanFeelingOut


class TopicFeelingOut(BaseModel):
    """Something that delighted or frustrated."""

    topic: str = Field(examples=["waiting"])
    label: str = Field(examples=["the wait"])
    evidence_count: int
    faded_count: float = Field(description="What is left of evidence_count after fading")
    evidence: list[MemoryEvidenceOut]

    @classmethod
    def of(cls, found: TopicFeeling) -> Self:
        """Return the answer for a topic."""
        return cls(
            topic=found.topic,
            label=found.label,
            evidence_count=found.n,
            faded_count=round(found.weight, 4),
            evidence=_cited(found.evidence),
        )


class PreferenceOut(BaseModel):
    """Words of a note that tell what the customer wants."""

    text: str = Field(examples=["Prefers to be called in the evening"])
    faded_count: float
    evidence: MemoryEvidenceOut

    @classmethod
    def of(cls, found: Quote) -> Self:
        """Return the answer for a preference."""
        return cls(text=found.text, faded_count=round(found.weight, 4), evidence=MemoryEvidenceOut.of(found.evidence))


class PromiseOut(BaseModel):
    """Something that was promised: a follow-up, or words of a note without one (undated)."""

    text: str = Field(examples=["Call her when size 38 is in."])
    operator: str = Field(examples=["Ines Vogt"])
    state: PromiseWord
    due_at: datetime | None
    was_due_at: datetime | None = Field(
        None, description="Where it was put off: what it was promised for, and is over"
    )
    evidence: MemoryEvidenceOut

    @classmethod
    def of(cls, found: Promise) -> Self:
        """Return the answer for a promise."""
        return cls.model_validate(
            {
                "text": found.text,
                "operator": found.operator,
                "state": found.state,
                "due_at": to_datetime(found.due_at) if found.due_at is not None else None,
                "was_due_at": to_datetime(found.was_due_at) if found.was_due_at is not None else None,
                "evidence": MemoryEvidenceOut.of(found.evidence),
            }
        )


class SentenceOut(BaseModel):
    """One sentence of the summary and what it rests on."""

    text: str = Field(examples=["Frustrated by the wait (2 statements, the newest 5 days ago)."])
    evidence: list[MemoryEvidenceOut]

    @classmethod
    def of(cls, found: Sentence) -> Self:
        """Return the answer for a sentence."""
        return cls(text=found.text, evidence=_cited(found.evidence))


class JourneyFeelingsOut(BaseModel):
    """What was felt at the stages of one journey, unweighted; stages of which nothing is known are left out."""

    profile_id: UUID
    visit_id: UUID | None
    stages: list[StageFeelingOut]

    @classmethod
    def of(cls, profile: UUID, visit: UUID | None, found: dict[Stage, Mean]) -> Self:
        """Return the answer for a journey."""
        stages = [
            {"stage": stage.value, "feeling": MeanFeelingOut.of(found[stage])} for stage in Stage if stage in found
        ]
        return cls.model_validate({"profile_id": profile, "visit_id": visit, "stages": stages})


class MemoryOut(BaseModel):
    """The emotional memory of a customer."""

    profile_id: UUID
    as_of: datetime
    half_life_days: int = Field(description="After so many days a feeling counts half")
    preference_half_life_days: int
    summary: list[SentenceOut]
    now: MeanFeelingOut
    stages: list[StageFeelingOut]
    months: list[MonthFeelingOut] = Field(description="The newest 24 with a statement, in their order")
    delights: list[TopicFeelingOut]
    frustrations: list[TopicFeelingOut]
    preferences: list[PreferenceOut]
    promises: list[PromiseOut]

    @classmethod
    def of(cls, profile: UUID, memory: Memory) -> Self:
        """Return the answer for a customer."""
        return cls(
            profile_id=profile,
            as_of=to_datetime(memory.as_of),
            half_life_days=FEELING_HALF_LIFE_DAYS,
            preference_half_life_days=PREFERENCE_HALF_LIFE_DAYS,
            summary=[SentenceOut.of(one) for one in tell(memory)],
            now=MeanFeelingOut.of(memory.now),
            stages=[
                StageFeelingOut.model_validate({"stage": one.stage.value, "feeling": MeanFeelingOut.of(one.mean)})
                for one in memory.stages
            ],
            months=[MonthFeelingOut(month=one.month, feeling=MeanFeelingOut.of(one.mean)) for one in memory.months],
            delights=[TopicFeelingOut.of(one) for one in memory.delights],
            frustrations=[TopicFeelingOut.of(one) for one in memory.frustrations],
            preferences=[PreferenceOut.of(one) for one in memory.preferences],
            promises=[PromiseOut.of(one) for one in memory.promises],
        )
