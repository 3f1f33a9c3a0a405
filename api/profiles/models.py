"""What the profile endpoints answer: customers who consented. A pseudonym appears in none of these."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.stores.models import VisitOut
from core.floorplan import StorePlan
from core.journey.records import Evidence, Journey, StageReport
from core.journey.rules import RULES
from storage.instants import to_datetime
from storage.profiles.profiles import ConsentRow
from storage.profiles.search import ProfileLine
from storage.profiles.visits import Whereabouts

StageWord = Literal["discover", "plan_enroll", "arrive", "engage", "complete", "reflect"]
StateWord = Literal["reached", "under_way", "not_yet", "skipped"]


class ConsentOut(BaseModel):
    """The consent that holds."""

    purpose: str = Field(examples=["in_store_journey"])
    given_at: datetime
    source: str = Field(description="Where it was given", examples=["app"])
    wording: str = Field(description="Version of the text that was agreed to", examples=["2026-03"])
    expires_at: datetime | None

    @classmethod
    def of(cls, row: ConsentRow, purpose: str) -> Self:
        """Return the answer for a row of the ledger."""
        return cls(
            purpose=purpose,
            given_at=row.occurred_at,
            source=row.source,
            wording=row.wording,
            expires_at=row.expires_at,
        )


class ProfileLineOut(BaseModel):
    """A profile in the list."""

    profile_id: UUID
    display_name: str = Field(examples=["Amara Okafor"])
    loyalty_tier: str | None = Field(examples=["Gold"])
    consented_at: datetime
    in_store_now: str | None = Field(description="Name of the store of a visit in progress", examples=["Marktplatz"])
    in_zone_now: str | None = Field(examples=["Shoe wall"])
    last_visit_at: datetime | None = Field(description="Start of the newest store visit that ended")

    @classmethod
    def of(cls, row: ProfileLine) -> Self:
        """Return the answer for a row."""
        return cls(
            profile_id=row.profile_id,
            display_name=row.display_name,
            loyalty_tier=row.loyalty_tier,
            consented_at=row.consented_at,
            in_store_now=row.store,
            in_zone_now=row.zone,
            last_visit_at=row.last_visit_at,
        )


class ProfilesOut(BaseModel):
    """A page of profiles in the order of their names."""

    profiles: list[ProfileLineOut]
    next_cursor: str | None


class VisitInProgressOut(BaseModel):
    """Where a customer is now; provisional until the dwell engine has decided."""

    visit_id: UUID
    store: str = Field(examples=["marktplatz"])
    timezone: str = Field(examples=["Europe/Berlin"])
    zone: str = Field(examples=["shoes"])
    arrived_at: datetime
    in_zone_since: datetime
    last_signal_at: datetime
    dwell_in_zone_s: float = Field(description="From in_zone_since to the newest signal", examples=[192.5])
    dwell_in_store_s: float = Field(description="From arrived_at to the newest signal", examples=[1300.0])
    confidence: float = Field(description="0..1, probability that the zone is right")

    @classmethod
    def of(cls, here: Whereabouts, plan: StorePlan) -> Self:
        """Return the answer for a visit in progress."""
        return cls(
            visit_id=here.visit_id,
            store=here.store,
            timezone=plan.timezone,
            zone=plan.zones[here.zone_no].id,
            arrived_at=here.arrived_at,
            in_zone_since=here.in_zone_since,
            last_signal_at=here.last_signal_at,
            dwell_in_zone_s=(here.last_signal_at - here.in_zone_since).total_seconds(),
            dwell_in_store_s=(here.last_signal_at - here.arrived_at).total_seconds(),
            confidence=round(here.confidence, 4),
        )


class ProfileOut(BaseModel):
    """A customer who consented."""

    profile_id: UUID
    display_name: str = Field(examples=["Amara Okafor"])
    loyalty_tier: str | None = Field(examples=["Gold"])
    created_at: datetime
    consent: ConsentOut
    visit_in_progress: VisitInProgressOut | None


class StoreVisitOut(BaseModel):
    """A store visit of a profile, with its store."""

    store: str = Field(examples=["marktplatz"])
    timezone: str = Field(examples=["Europe/Berlin"])
    visit: VisitOut


class ProfileVisitsOut(BaseModel):
    """A page of a profile's store visits that ended, newest first."""

    profile_id: UUID
    visits: list[StoreVisitOut]
    next_cursor: str | None


class EvidenceOut(BaseModel):
    """What a stage rests on: a row under this kind and id."""

    kind: str = Field(examples=["zone_visit"])
    id: str = Field(examples=["5f0c1c8e-8f5d-4d6c-9a53-0d9be61f3a10"])
    at: datetime
    until: datetime | None
    zone: str | None = Field(examples=["shoes"])

    @classmethod
    def of(cls, evidence: Evidence) -> Self:
        """Return the answer for a piece of evidence."""
        return cls(
            kind=evidence.kind,
            id=evidence.id,
            at=to_datetime(evidence.at),
            until=to_datetime(evidence.until) if evidence.until is not None else None,
            zone=evidence.zone,
        )


class RuleOut(BaseModel):
    """The rule that was applied, in words."""

    id: str = Field(examples=["engage.zone_dwell_or_contact"])
    version: int = Field(examples=[1])
    says: str = Field(examples=["A store visit began."])


class StageOut(BaseModel):
    """One stage of a journey."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "stage": "engage",
                    "label": "Engage",
                    "state": "reached",
                    "at": "2026-11-21T13:02:41.250000Z",
                    "evidence": [
                        {
                            "kind": "zone_visit",
                            "id": "5f0c1c8e-8f5d-4d6c-9a53-0d9be61f3a10",
                            "at": "2026-11-21T13:02:11.250000Z",
                            "until": "2026-11-21T13:06:23.500000Z",
                            "zone": "shoes",
                        }
                    ],
                    "rule": {
                        "id": "engage.zone_dwell_or_contact",
                        "version": 2,
                        "says": "Stayed in one zone for at least 30 s, was spoken with (a note says so),"
                        " or scanned a product.",
                    },
                    "because": "evidence",
                }
            ]
        }
    )

    stage: StageWord
    label: str
    state: StateWord = Field(description="skipped: its time passed without evidence; nothing is ever filled in")
    at: datetime | None = Field(description="When it was reached; null otherwise")
    evidence: list[EvidenceOut]
    rule: RuleOut
    because: str = Field(description="Why the stage is in this state")

    @classmethod
    def of(cls, report: StageReport) -> Self:
        """Return the answer for a stage."""
        return cls.model_validate(
            {
                "stage": report.stage.value,
                "label": report.stage.label,
                "state": report.state.value,
                "at": to_datetime(report.at) if report.at is not None else None,
                "evidence": [EvidenceOut.of(evidence) for evidence in report.evidence],
                "rule": RuleOut(id=report.rule, version=report.rule_version, says=RULES[report.stage].says),
                "because": report.because,
            }
        )


class JourneyOut(BaseModel):
    """The six stages around one store visit: in progress, or else the newest, unless another was asked for.

    Around an order online for who never came, or where one was asked for.
    """

    profile_id: UUID
    visit_id: UUID | None = Field(description="Null around an order online, and for a customer who has not come yet")
    order_id: UUID | None = Field(description="The event of the order online that it surrounds")
    store: str | None
    timezone: str | None
    in_progress: bool
    as_of: datetime = Field(description="What happened until then is known")
    stages: list[StageOut]

    @classmethod
    def of(cls, profile_id: UUID, found: Journey, *, timezone: str | None, in_progress: bool) -> Self:
        """Return the answer for a journey."""
        return cls(
            profile_id=profile_id,
            visit_id=UUID(found.visit) if found.visit is not None else None,
            order_id=UUID(found.order) if found.order is not None else None,
            store=found.store,
            timezone=timezone,
            in_progress=in_progress,
            as_of=to_datetime(found.as_of),
            stages=[StageOut.of(report) for report in found.stages],
        )
