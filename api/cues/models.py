"""What the endpoints of cues and trials take and answer."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from api.profiles.understanding_routes import CueOrderOut, CueWord
from core.journey.trials import RETURN_WITHIN_DAYS, Effect, Effects
from storage.cues.log import CueRow
from storage.cues.trials import Trial

OutcomeWord = Literal["done", "declined", "not_met"]


class ToldCueOut(BaseModel):
    """A cue that was told as a customer arrived, and what came of it."""

    cue_no: int
    store: str = Field(examples=["marktplatz"])
    profile_id: UUID
    display_name: str = Field(examples=["Amara Okafor"])
    loyalty_tier: str | None
    visit_id: UUID
    arrived_at: datetime
    told_at: datetime
    cue: CueWord
    because: str = Field(examples=["Gold, and has been away for 60 days."])
    rule_no: int | None = Field(description="Rule of the policy that decided, from 1; null for preference or quiet")
    policy_version: int = Field(description="Of the store; 0: the default")
    trial_no: int | None = Field(description="Trial that was running")
    tried: bool | None = Field(description="Whether this customer is in the half that the trial's policy is tried on")
    outcome: OutcomeWord | None = Field(description="What staff said of it")
    outcome_by: str | None
    outcome_at: datetime | None
    order: CueOrderOut | None = Field(description="The order that the cue speaks of, while it is known")
    left_at: datetime | None = Field(description="When the visit ended; null while it goes on, or is not decided yet")

    @classmethod
    def of(cls, row: CueRow) -> Self:
        """Return the answer for a cue."""
        return cls.model_validate(msgspec.structs.asdict(row) | {"order": CueOrderOut.of(row.order)})


class ToldCuesOut(BaseModel):
    """A page of cues, newest first."""

    cues: list[ToldCueOut]
    next_cursor: str | None


class OutcomeIn(BaseModel):
    """What came of a cue."""

    model_config = ConfigDict(extra="forbid")

    outcome: OutcomeWord


class TrialIn(BaseModel):
    """A policy to be tried on a random half of a store's customers."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["Greet everybody"])]
    rules: Annotated[
        list[dict[str, Any]],
        Field(max_length=20, description="As those of a policy", examples=[[{"cue": "greet", "says": "On trial."}]]),
    ]


class TrialMadeOut(BaseModel):
    """A trial that has begun."""

    trial_no: int


class EffectOut(BaseModel):
    """A difference between both halves, and the interval that holds the true one in 95 of 100 trials."""

    tried: float = Field(description="The half with the policy on trial")
    kept: float = Field(description="The half with the store's policy")
    tried_count: int
    kept_count: int
    change: float
    low: float
    high: float

    @classmethod
    def of(cls, found: Effect | None) -> Self | None:
        """Return the answer, null while there are too few."""
        if found is None:
            return None
        return cls.model_validate({name: round(value, 4) for name, value in msgspec.structs.asdict(found).items()})


class TrialOut(BaseModel):
    """A trial and what it has changed so far; one visit for each customer, the first."""

    trial_no: int
    name: str
    made_by: str
    begun_at: datetime
    ended_at: datetime | None
    rules: list[dict[str, Any]]
    customers_count: int = Field(description="Customers whose first visit in the trial has ended")
    dwell: EffectOut | None = Field(description="Middle length in seconds; change is a ratio, 1.1: a tenth longer")
    bought: EffectOut | None = Field(description="Share who bought in the visit; change is a difference of shares")
    returned: EffectOut | None = Field(
        description=f"Share who came back within {RETURN_WITHIN_DAYS} days, of those for whom they are over"
    )

    @classmethod
    def of(cls, trial: Trial, found: Effects) -> Self:
        """Return the answer for a trial."""
        rules = [
            {name: value for name, value in rule.items() if value is not None}
            for rule in msgspec.to_builtins(trial.policy)["rules"]
        ]
        return cls(
            trial_no=trial.trial_no,
            name=trial.name,
            made_by=trial.made_by,
            begun_at=trial.begun_at,
            ended_at=trial.ended_at,
            rules=rules,
            customers_count=found.customers,
            dwell=EffectOut.of(found.dwell),
            bought=EffectOut.of(found.bought),
            returned=EffectOut.of(found.returned),
        )


class TrialsOut(BaseModel):
    """Trials of a store, newest first."""

    trials: list[TrialOut]
