"""What the endpoints of alerts and their rules take and answer."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from core.memory.foresight import AlertRule
from core.memory.hits import hit_rate
from storage.instants import to_datetime
from storage.memory.alerts import AlertRow, RuleCount, RuleSetting
from storage.notes.notes import OPERATOR_CHARACTERS

RuleWord = Literal["mood_low", "promise_overdue", "long_stay", "queue_left", "delight", "slipping"]


class AlertEvidenceOut(BaseModel):
    """What an alert rests on."""

    kind: str = Field(examples=["note"])
    id: str
    at: datetime
    until: datetime | None
    zone: str | None = Field(examples=["Shoe wall"])


class CustomerAlertOut(BaseModel):
    """What a rule foresaw of a customer, and why."""

    alert_id: UUID
    profile_id: UUID
    profile_name: str = Field(examples=["Amara Okafor"])
    rule: RuleWord
    rule_version: int
    because: str = Field(examples=["The mood was low 2 times within 30 days, the last time on Thu 26 Nov 2026."])
    evidence: list[AlertEvidenceOut]
    made_at: datetime
    open: bool = Field(description="A task of it is not done")
    was_right: bool | None = Field(description="What a person said")
    judged_by: str | None
    judged_at: datetime | None
    followed: bool | None = Field(description="Whether within 30 days came what the rule foresees; null until then")

    @classmethod
    def of(cls, row: AlertRow) -> Self:
        """Return the answer for an alert."""
        values = {name: getattr(row, name) for name in cls.model_fields if name != "evidence"}
        cited = [
            one | {"at": to_datetime(one["at"]), "until": to_datetime(one["until"]) if one["until"] else None}
            for one in row.evidence
        ]
        return cls.model_validate(values | {"evidence": cited})


class CustomerAlertsOut(BaseModel):
    """A page of alerts, newest first."""

    alerts: list[CustomerAlertOut]
    next_cursor: str | None


class VerdictIn(BaseModel):
    """What a person says of an alert."""

    model_config = ConfigDict(extra="forbid")
    was_right: bool


class LookedOut(BaseModel):
    """What a look found."""

    alert_count: int = Field(description="New alerts")


class CustomerRuleIn(BaseModel):
    """Whether a rule is looked at, and into whose task list its alerts go."""

    model_config = ConfigDict(extra="forbid")
    enabled: bool = True
    operator: Annotated[str, StringConstraints(strip_whitespace=True, max_length=OPERATOR_CHARACTERS)] | None = Field(
        None,
        description="One of GET /v1/colleagues. Default: who of them last wrote a note on the customer, else nobody",
    )


class CustomerRuleOut(BaseModel):
    """A rule in words, who looks after it, and how often it was right."""

    rule: RuleWord
    version: int
    label: str = Field(examples=["Frustration is building"])
    says: str
    act: str = Field(description="What its task says", examples=["Call, listen, and make good what went wrong."])
    due_s: int = Field(description="The task is due after so many seconds", examples=[86_400])
    enabled: bool
    operator: str | None
    alert_count: int
    judged_count: int = Field(description="Of which is known whether they were right")
    right_count: int
    hit_share: float | None = Field(description="right_count / judged_count, null without any", examples=[0.8])
    hit_low_share: float | None = Field(description="95 % bounds (Wilson)")
    hit_high_share: float | None

    @classmethod
    def of(cls, rule: AlertRule, setting: RuleSetting, count: RuleCount) -> Self:
        """Return the answer for a rule."""
        hits = hit_rate(count.alerts, count.right, count.wrong)
        return cls.model_validate(
            {
                "rule": rule.rule,
                "version": rule.version,
                "label": rule.label,
                "says": rule.says,
                "act": rule.act,
                "due_s": rule.due_h * 3600,
                "enabled": setting.enabled,
                "operator": setting.operator,
                "alert_count": hits.alerts,
                "judged_count": hits.judged,
                "right_count": hits.right,
                "hit_share": hits.share,
                "hit_low_share": hits.low,
                "hit_high_share": hits.high,
            }
        )


class CustomerRulesOut(BaseModel):
    """Every rule."""

    rules: list[CustomerRuleOut]
