"""What is understood of a customer, the service cue, and the policies that decide it."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.inputs.idempotent import OnceDep
from api.problems import described, trial_running, visit_unknown
from api.profiles.journeys import Heard, heard_of
from api.profiles.timeline import said_of
from api.profiles.understanding import (
    AHEAD_DAYS,
    Bought,
    Part,
    Understanding,
    newest_order,
    situation,
    unbroken_since,
    understand,
)
from api.service import ConnectionDep, ProfileDep, Service, ServiceDep, StoreDep, find_store
from core.journey.cues import CueReport, cue, read_policy, speaks_of_order
from core.journey.habits import Standing
from core.journey.matters import Mattering
from storage.connect import Connection
from storage.cues.log import CueOrder
from storage.cues.trials import PolicyFor, TrialRunningError, change_policy, policy_for
from storage.instants import to_datetime
from storage.profiles.events import CustomerEvent, uncancelled
from storage.profiles.profiles import ProfileRow
from storage.profiles.understanding import StoredPolicy, Visited, cue_policy, current_model, visits_of
from storage.profiles.visits import Whereabouts, whereabouts

router = APIRouter(prefix="/v1", tags=["understanding"])
CueWord = Literal["greet", "offer", "recognise", "leave_alone"]


class StandingOut(BaseModel):
    """Where a visit's length stands among others."""

    among_count: int = Field(examples=[12])
    middle_s: float = Field(description="Median of the others", examples=[1260.0])
    share: float = Field(description="0..1, part of them that is shorter", examples=[0.75])

    @classmethod
    def of(cls, row: Standing | None) -> Self | None:
        """Return the answer, null where nothing can be said."""
        if row is None:
            return None
        return cls(among_count=row.among, middle_s=row.middle, share=round(row.share_below, 4))


class PartOut(BaseModel):
    """One side of a comparison."""

    visits_count: int
    middle_s: float | None = Field(description="Median length", examples=[900.0])

    @classmethod
    def of(cls, row: Part) -> Self:
        """Return the answer for one side."""
        return cls(visits_count=row.count, middle_s=row.middle_s)


class RhythmOut(BaseModel):
    """How the customer comes, by at least five visits."""

    usual_days: float = Field(description="Middle pause between visits", examples=[7.0])
    low_days: float = Field(description="Eight of ten pauses are longer than this, or than the next shorter")
    high_days: float
    expected_at: datetime = Field(description="Last visit and the middle pause")
    away_days: float
    unusual: bool = Field(description="Away for over three usual pauses, and for longer than ever before")


class ReturningOut(BaseModel):
    """Whether the customer comes back, by a model of the whole clientele."""

    model: Literal["bg_nbd", "mbg_nbd"]
    alive_share: float = Field(description="0..1, probability that this still is a customer", examples=[0.86])
    within_share: float = Field(description=f"0..1, probability of a visit in the next {AHEAD_DAYS} days")
    expected_visits_count: float = Field(description=f"Visits expected in the next {AHEAD_DAYS} days", examples=[2.4])
    occasions_count: int
    customers_count: int = Field(description="Customers the model was fitted to")
    through: datetime = Field(description="Visits until then went into the model")


class BoughtOut(BaseModel):
    """Orders on one side, in store or online."""

    orders_count: int
    middle_amount: str | None = Field(description="Median total, in the currency used most", examples=["49.00 EUR"])
    newest_at: datetime | None

    @classmethod
    def of(cls, row: Bought) -> Self:
        """Return the answer for one side."""
        amount = f"{row.middle_total:.2f} {row.currency}" if row.middle_total is not None else None
        return cls(orders_count=row.orders, middle_amount=amount, newest_at=row.newest_at)


class SignOut(BaseModel):
    """A rule that holds, and what it rests on."""

    rule: str = Field(examples=["price.promotions"])
    rule_version: int
    says: str = Field(examples=["A third or more of what was looked at online were promotions."])
    things_count: int = Field(description="How many things it rests on")
    evidence: list[dict[str, str]] = Field(
        description="The newest five: kind and id", examples=[[{"kind": "promotion_viewed", "id": "5b0c2c3e-…"}]]
    )


class MatterOut(BaseModel):
    """Something that matters to the customer."""

    matter: Literal["speed", "price", "selection", "recognition"]
    clear: bool = Field(description="Two signs or more, or her own word")
    signs: list[SignOut]

    @classmethod
    def of(cls, row: Mattering) -> Self:
        """Return the answer for something that matters."""
        signs = [
            SignOut(
                rule=sign.rule,
                rule_version=sign.version,
                says=sign.says,
                things_count=sign.count,
                evidence=[{"kind": kind, "id": name} for kind, name in sign.evidence],
            )
            for sign in row.signs
        ]
        return cls.model_validate({"matter": row.matter.value, "clear": row.clear, "signs": signs})


class UnderstandingOut(BaseModel):
    """What is understood; null where it cannot be said, and `gaps` tell why."""

    profile_id: UUID
    visits_count: int
    visit_id: UUID | None = Field(description="The visit that is compared")
    own: StandingOut | None = Field(description="Its length among the customer's other visits")
    store: StandingOut | None = Field(description="Its length among the store's newest visits")
    browser_share: float | None = Field(description="0..1, probability of the slow kind of visitor")
    rhythm: RhythmOut | None
    returning: ReturningOut | None
    weekdays: PartOut
    weekends: PartOut
    orders_in_store_count: int
    orders_online_count: int
    looked_online_count: int = Field(description="Products, searches and promotions looked at online or in the app")
    in_store: BoughtOut
    online: BoughtOut
    matters: list[MatterOut] = Field(description="What matters, each with its evidence; empty without a sign")
    gaps: list[str] = Field(examples=[["A rhythm needs five visits."]])

    @classmethod
    def of(cls, profile: UUID, found: Understanding) -> Self:
        """Return the answer for a customer."""
        rhythm, returning = found.rhythm, found.returning
        return cls(
            profile_id=profile,
            visits_count=found.visits,
            visit_id=found.visit.visit_id if found.visit is not None else None,
            own=StandingOut.of(found.own),
            store=StandingOut.of(found.store),
            browser_share=round(found.browses, 4) if found.browses is not None else None,
            rhythm=RhythmOut(
                usual_days=round(rhythm.usual_days, 2),
                low_days=round(rhythm.low_days, 2),
                high_days=round(rhythm.high_days, 2),
                expected_at=to_datetime(rhythm.expected_at),
                away_days=round(rhythm.away_days, 2),
                unusual=rhythm.unusual,
            )
            if rhythm is not None
            else None,
            returning=ReturningOut.model_validate(
                {
                    "model": returning.model,
                    "alive_share": round(returning.alive, 4),
                    "within_share": round(returning.within, 4),
                    "expected_visits_count": round(returning.visits, 3),
                    "occasions_count": returning.occasions,
                    "customers_count": returning.customers,
                    "through": returning.through,
                }
            )
            if returning is not None
            else None,
            weekdays=PartOut.of(found.weekdays),
            weekends=PartOut.of(found.weekends),
            orders_in_store_count=found.orders_in_store,
            orders_online_count=found.orders_online,
            looked_online_count=found.looked_online,
            in_store=BoughtOut.of(found.in_store),
            online=BoughtOut.of(found.online),
            matters=[MatterOut.of(one) for one in found.matters],
            gaps=list(found.gaps),
        )


class CueOrderOut(BaseModel):
    """The order that a cue speaks of."""

    event_id: UUID
    occurred_at: datetime
    store: str | None = Field(description="Null: online", examples=["marktplatz"])
    says: str = Field(description="Total, number, product: what is known of it", examples=["129.90 EUR, R-1042"])

    @classmethod
    def of(cls, row: CueOrder | None) -> Self | None:
        """Return the answer, null where the cue speaks of no order."""
        if row is None:
            return None
        return cls(
            event_id=row.event_id, occurred_at=row.occurred_at, store=row.store or None, says=said_of(row.detail)
        )


class CueOut(BaseModel):
    """What to do for a customer who is in a store now, and why."""

    store: str = Field(examples=["marktplatz"])
    cue: CueWord
    because: str = Field(examples=["Gold, and has been away for 60 days."])
    rule_no: int | None = Field(description="Rule of the policy that decided, from 1; null for preference or quiet")
    policy_version: int = Field(description="0: the default", examples=[3])
    order: CueOrderOut | None = Field(description="The newest order, where the cue or its rule speaks of one")


class CuePolicyOut(BaseModel):
    """The policy of a store: rules in their order, the first that fits decides."""

    store: str = Field(examples=["marktplatz"])
    version: int = Field(description="0: the default, which nobody changed")
    made_by: str | None
    made_at: datetime | None
    rules: list[dict[str, Any]] = Field(
        examples=[[{"cue": "recognise", "says": "Gold, away for long.", "tiers": ["Gold"], "days_away_at_least": 60}]]
    )

    @classmethod
    def of(cls, store: str, row: StoredPolicy) -> Self:
        """Return the answer for a policy."""
        rules = [
            {name: value for name, value in rule.items() if value is not None}
            for rule in msgspec.to_builtins(row.policy)["rules"]
        ]
        return cls(store=store, version=row.version, made_by=row.made_by, made_at=row.made_at, rules=rules)


class CuePolicyIn(BaseModel):
    """A new policy: bounds of a rule that are left out always hold; a bound on what is not known does not."""

    made_by: str = Field(min_length=1, max_length=100, examples=["N. Weber"])
    rules: list[dict[str, Any]] = Field(max_length=20)


@router.get(
    "/profiles/{profile}/understanding",
    responses=described(404, 422, 503),
    summary="What is understood of a profile",
)
def read_understanding(
    found: ProfileDep,
    connection: ConnectionDep,
    service: ServiceDep,
    visit: Annotated[UUID | None, Query(description="A visit that ended; default: the newest")] = None,
) -> UnderstandingOut:
    """Compare a visit with the customer's own and the store's, and say when the next one is to be expected."""
    here = whereabouts(connection, found.profile_id) if visit is None else None
    understood, _ = understanding_of(service, connection, found, known_of(connection, found), visit, here=here)
    if visit is not None and understood.visit is None:
        raise visit_unknown()
    return UnderstandingOut.of(found.profile_id, understood)


@router.get("/profiles/{profile}/cue", responses=described(404, 422, 503), summary="The service cue of a visit")
def read_cue(found: ProfileDep, connection: ConnectionDep, service: ServiceDep) -> CueOut | None:
    """Say what to do for a customer who is in a store; null for one who is not."""
    here = whereabouts(connection, found.profile_id)
    if here is None:
        return None
    _, report = understanding_of(service, connection, found, known_of(connection, found), here=here)
    return report


@router.get("/stores/{store}/cue-policy", responses=described(404, 422, 503), summary="The policy of service cues")
def read_cue_policy(stored: StoreDep, connection: ConnectionDep) -> CuePolicyOut:
    """Return the rules that hold now."""
    return CuePolicyOut.of(stored.plan.id, cue_policy(connection, stored.store_no))


@router.put(
    "/stores/{store}/cue-policy",
    responses={200: {"model": CuePolicyOut}, **described(400, 404, 409, 422, 503)},
    summary="Change a store's policy of service cues",
)
def write_cue_policy(stored: StoreDep, given: CuePolicyIn, once: OnceDep) -> Response:
    """Keep a new version; the ones before it stay. 409 while a trial runs, whose other half it is for."""
    policy = read_policy(msgspec.json.encode({"rules": given.rules}))

    def work(connection: Connection) -> tuple[int, Any]:
        try:
            change_policy(connection, stored.store_no, policy, made_by=given.made_by)
        except TrialRunningError as error:
            raise trial_running(error.trial_no) from error
        row = cue_policy(connection, stored.store_no)
        return 200, CuePolicyOut.of(stored.plan.id, row).model_dump(mode="json")

    return once.answer(given.model_dump_json().encode(), work)


class Known(msgspec.Struct, frozen=True):
    """What a customer is understood by: visits that ended, oldest first, and what other systems said."""

    visits: list[Visited]
    heard: Heard


def known_of(connection: Connection, profile: ProfileRow) -> Known:
    """Return what a customer is understood by."""
    return Known(visits_of(connection, profile.profile_id), heard_of(connection, profile.profile_id))


def understanding_of(
    service: Service,
    connection: Connection,
    profile: ProfileRow,
    known: Known,
    visit: UUID | None = None,
    *,
    here: Whereabouts | None = None,
) -> tuple[Understanding, CueOut | None]:
    """Return what is understood of a profile, and its cue where it is now, if it is anywhere."""
    now = service.now()
    visits, events = known.visits, uncancelled(known.heard.events)
    chosen = next((one for one in reversed(visits) if visit in (None, one.visit_id)), None)
    compared = chosen.store if chosen is not None else here.store if here is not None else None
    dwells = None
    if compared is not None:
        dwells = service.dwells.get(connection, find_store(service, connection, compared).store_no, now=now)
    found = understand(
        visits,
        events,
        dwells,
        current_model(connection),
        asked=visit,
        arrived_at=here.arrived_at if here is not None else None,
        since=unbroken_since(known.heard.ledger),
        now=now,
    )
    if here is None:
        return found, None
    stored = find_store(service, connection, here.store)
    held = policy_for(connection, stored.store_no, profile.profile_id)
    facts = situation(found, events, profile.loyalty_tier, plan=stored.plan, now=now)
    return found, _cue_out(here.store, held, cue(held.policy, facts), newest_order(events))


def _cue_out(store: str, held: PolicyFor, report: CueReport, newest: CustomerEvent | None) -> CueOut:
    spoken_of = newest if newest is not None and speaks_of_order(held.policy, report) else None
    order = (
        CueOrder(
            event_id=spoken_of.event_id,
            occurred_at=spoken_of.occurred_at,
            store=spoken_of.store,
            detail=spoken_of.detail,
        )
        if spoken_of is not None
        else None
    )
    return CueOut.model_validate(
        {
            "store": store,
            "cue": report.cue.value,
            "because": report.because,
            "rule_no": report.rule,
            "policy_version": held.version,
            "order": CueOrderOut.of(order),
        }
    )
