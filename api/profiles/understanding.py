"""What is understood of a customer, put together from visits and events; each part says when it cannot be said."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from api.metrics.dwell_cache import StoreDwells
from core.floorplan import StorePlan
from core.journey.cues import Cue, Situation
from core.journey.habits import DAY_NS, NO_BREAK_DAYS, Rhythm, Standing, occasions, rhythm, standing
from core.journey.matters import Came, Did, Mattering, what_matters
from core.journey.returning import Attendance, expected_visits, return_probability, still_a_customer
from core.journey.rules import ORDERED
from core.journey.shoppers import FEWEST_OF_A_CUSTOMER, browses
from storage.instants import to_ns
from storage.profiles.events import CustomerEvent, paid_back
from storage.profiles.profiles import ConsentRow
from storage.profiles.understanding import StoredModel, Visited

AHEAD_DAYS: Final = 30
"""The month that campaigns are planned in."""
_PREFERENCE: Final = "service_preferred"
_WORDS: Final = ("query", "product", "service")
"""What an event is about, whichever it has."""
_ONLINE: Final = frozenset({"promotion_viewed", "searched", "product_viewed", "cart_added", "wished"})


class Returning(msgspec.Struct, frozen=True, kw_only=True):
    """Will she come back: `alive` that she still is a customer, `within` and `visits` of the next AHEAD_DAYS."""

    model: str
    alive: float
    within: float
    visits: float
    occasions: int
    customers: int
    through: datetime


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a comparison: how many visits and their middle length (s), None without visits."""

    count: int
    middle_s: float | None


class Bought(msgspec.Struct, frozen=True, kw_only=True):
    """Orders on one side, in store or online: how many, and the middle total in the currency used most."""

    orders: int
    middle_total: float | None
    currency: str | None
    newest_at: datetime | None


class Understanding(msgspec.Struct, frozen=True, kw_only=True):
    """What is understood; None where it cannot be said, `gaps` tell why.

    `own` and `store` are where the visit asked for stands among her others and among those to its store.
    """

    visits: int
    days_away: float | None
    rhythm: Rhythm | None
    returning: Returning | None
    visit: Visited | None
    own: Standing | None
    store: Standing | None
    browses: float | None
    weekdays: Part
    weekends: Part
    orders_in_store: int
    orders_online: int
    looked_online: int
    in_store: Bought
    online: Bought
    matters: tuple[Mattering, ...]
    gaps: tuple[str, ...]


def understand(
    visits: list[Visited],
    events: list[CustomerEvent],
    dwells: StoreDwells | None,
    model: StoredModel | None,
    *,
    asked: UUID | None,
    arrived_at: datetime | None = None,
    since: datetime | None = None,
    now: datetime,
) -> Understanding:
    """Put together what is understood of a customer.

    Parameters
    ----------
    visits : list of Visited
        Her visits that ended, oldest first.
    events : list of CustomerEvent
    dwells : StoreDwells or None
        Of the store of the visit that is compared.
    model : StoredModel or None
    asked : UUID or None
        The visit that is compared; None: the newest.
    arrived_at : datetime or None
        When the visit in progress began, if there is one: who is here is not away.
    since : datetime or None
        When the consent that holds followed on a time without (`unbroken_since`): what she did then nobody knows, so
        rhythm, absence and return go by the visits since.
    now : datetime
    """
    known = [one for one in visits if since is None or one.entered_at >= since]
    chosen = next((one for one in reversed(visits) if asked in (None, one.visit_id)), None)
    others = [one.dwell_s for one in visits if chosen is not None and one.visit_id != chosen.visit_id]
    entered = [to_ns(one.entered_at) for one in known]
    if arrived_at is not None:
        entered.append(to_ns(arrived_at))
    found = rhythm(entered, as_of=to_ns(now))
    returning = _returning(entered, model, to_ns(now))
    here = [one.dwell_s for one in visits if chosen is not None and one.store == chosen.store]
    kinds = dwells.kinds if dwells is not None else None
    share = browses(kinds, here) if kinds is not None else None
    weekend = [one for one in visits if one.entered_at.astimezone(ZoneInfo(one.timezone)).weekday() >= 5]
    weekday = [one for one in visits if one not in weekend]
    orders = kept_orders(events)
    return Understanding(
        visits=len(visits),
        days_away=_days(now - known[-1].left_at) if known else None,
        rhythm=found,
        returning=returning,
        visit=chosen,
        own=standing(chosen.dwell_s, others) if chosen is not None else None,
        store=standing(chosen.dwell_s, dwells.dwells_s) if chosen is not None and dwells is not None else None,
        browses=share,
        weekdays=_part(weekday),
        weekends=_part(weekend),
        orders_in_store=sum(event.store != "" for event in orders),
        orders_online=sum(event.store == "" for event in orders),
        looked_online=sum(event.kind in _ONLINE for event in events),
        in_store=_bought([event for event in orders if event.store != ""]),
        online=_bought([event for event in orders if event.store == ""]),
        matters=_matters(visits, events, share, dwells, now),
        gaps=_gaps(found, returning, model, dwells, share, anew=len(known) < len(visits)),
    )


def unbroken_since(ledger: Sequence[ConsentRow]) -> datetime | None:
    """Return when the newest time without consent ended, by the words of a ledger, oldest first; None without one.

    A day and less is passed over: at most one visit is missed, and who takes a new wording withdraws the old.
    """
    since: datetime | None = None
    ended: datetime | None = None
    granted = False
    for word in ledger:
        if word.status != "granted":
            ended = min(ended, word.occurred_at) if ended is not None else word.occurred_at
            continue
        if granted and ended is not None and word.occurred_at - ended > timedelta(days=NO_BREAK_DAYS):
            since = word.occurred_at
        granted, ended = True, word.expires_at
    return since


def situation(
    found: Understanding, events: list[CustomerEvent], tier: str | None, *, plan: StorePlan, now: datetime
) -> Situation:
    """Return what a service cue in a store is decided by; `events` are those that stand."""
    order = newest_order(events)
    complaints = [event.occurred_at for event in events if event.kind == "complained"]
    return Situation(
        visits=found.visits,
        days_away=found.days_away,
        days_since_order=_days(now - order.occurred_at) if order is not None else None,
        tier=tier,
        browses=found.browses,
        appointment_today=_appointment_today(events, plan, now),
        complained_days=_days(now - complaints[-1]) if complaints else None,
        preference=_preference(events),
    )


def newest_order(events: list[CustomerEvent]) -> CustomerEvent | None:
    """Return the newest order of the events that stand, anywhere, that was not paid back."""
    return next(reversed(kept_orders(events)), None)


def kept_orders(events: list[CustomerEvent]) -> list[CustomerEvent]:
    """Return the orders of the events that stand without those that were paid back as a whole."""
    back = paid_back(events)
    return [event for event in events if event.kind == ORDERED and event.event_id not in back]


def _returning(entered: list[int], model: StoredModel | None, now: int) -> Returning | None:
    came = occasions(entered)
    if model is None or not came:
        return None
    seen = Attendance(
        repeats=len(came) - 1,
        recency=(came[-1] - came[0]) / DAY_NS,
        age=max(now - came[0], came[-1] - came[0]) / DAY_NS,
    )
    return Returning(
        model=model.model.kind.value,
        alive=still_a_customer(model.model, seen),
        within=return_probability(model.model, seen, AHEAD_DAYS),
        visits=expected_visits(model.model, seen, AHEAD_DAYS),
        occasions=len(came),
        customers=model.model.customers,
        through=model.through,
    )


def _part(visits: list[Visited]) -> Part:
    return Part(count=len(visits), middle_s=median(one.dwell_s for one in visits) if visits else None)


def _bought(orders: list[CustomerEvent]) -> Bought:
    currencies = Counter(str(event.detail["currency"]) for event in orders if "currency" in event.detail)
    most = currencies.most_common(1)[0][0] if currencies else None
    totals = [float(event.detail["total"]) for event in orders if event.detail.get("currency") == most and most]
    return Bought(
        orders=len(orders),
        middle_total=median(totals) if totals else None,
        currency=most,
        newest_at=orders[-1].occurred_at if orders else None,
    )


def _matters(
    visits: list[Visited],
    events: list[CustomerEvent],
    share: float | None,
    dwells: StoreDwells | None,
    now: datetime,
) -> tuple[Mattering, ...]:
    did = [
        Did(
            id=str(event.event_id),
            kind=event.kind,
            at=to_ns(event.occurred_at),
            words=str(next((event.detail[name] for name in _WORDS if name in event.detail), "")),
        )
        for event in events
    ]
    came = [Came(id=str(one.visit_id), at=to_ns(one.entered_at), dwell_s=one.dwell_s) for one in visits]
    beside = dwells.dwells_s if dwells is not None else []
    return tuple(what_matters(did, came, browses=share, store_dwells_s=beside, as_of=to_ns(now)))


def _gaps(
    found: Rhythm | None,
    returning: Returning | None,
    model: StoredModel | None,
    dwells: StoreDwells | None,
    share: float | None,
    *,
    anew: bool,
) -> tuple[str, ...]:
    gaps = []
    if anew:
        gaps.append("There was a time without consent: absence, rhythm and return are reckoned since then alone.")
    if found is None:
        gaps.append("A rhythm needs five visits.")
    if returning is None:
        gaps.append(
            "A return probability needs a visit."
            if model is not None
            else "No return model was fitted yet (sojourn fit-returns does that)."
        )
    if share is None and dwells is not None and dwells.kinds is None:
        gaps.append("The visits to this store do not divide into two kinds.")
    elif share is None:
        gaps.append(f"Whether this is a browser can be said after {FEWEST_OF_A_CUSTOMER} visits.")
    return tuple(gaps)


def _preference(events: list[CustomerEvent]) -> str | None:
    # of two that were said at one time the quiet one
    said = [
        (event.occurred_at, event.detail.get("service") == Cue.LEAVE_ALONE, event.recorded_at, str(event.event_id),
         str(event.detail.get("service", "")))
        for event in events if event.kind == _PREFERENCE
    ]  # fmt: skip
    newest = max(said)[-1] if said else None
    return newest if newest in set(Cue) else None


def _appointment_today(events: list[CustomerEvent], plan: StorePlan, now: datetime) -> bool:
    zone = ZoneInfo(plan.timezone)
    for event in events:
        if event.kind != "appointment_booked" or event.store not in {"", plan.id}:
            continue
        try:
            starts = datetime.fromisoformat(str(event.detail.get("starts_at", "")))
        except ValueError:
            continue
        local = starts if starts.tzinfo is not None else starts.replace(tzinfo=zone)
        if local.astimezone(zone).date() == now.astimezone(zone).date():
            return True
    return False


def _days(length: timedelta) -> float:
    return length / timedelta(days=1)
