"""From rows of storage to the inputs of core.journey."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec import structs

from core.floorplan import StorePlan
from core.journey.records import Event, Journey, Stay, StoreVisit
from core.journey.rules import (
    CONSENT_GRANTED,
    CONSENT_WITHDRAWN,
    DISCOVER_LOOK_BACK_NS,
    ORDERED,
    REFLECT_LOOK_AHEAD_NS,
)
from core.journey.stages import journey
from core.limits import NS_PER_US
from storage.connect import Connection
from storage.instants import to_datetime, to_ns
from storage.notes.notes import noted_on
from storage.profiles.events import EVENTS_OF_A_PROFILE, CustomerEvent, customer_events, paid_back, uncancelled
from storage.profiles.profiles import ConsentRow, consent_ledger
from storage.profiles.understanding import Visited
from storage.profiles.visits import VisitDetail, Whereabouts
from storage.visit_queries import VisitRow

_LOOK_BACK: Final = timedelta(microseconds=DISCOVER_LOOK_BACK_NS // NS_PER_US)
_LOOK_AHEAD: Final = timedelta(microseconds=REFLECT_LOOK_AHEAD_NS // NS_PER_US)
_EVENT_OF_STATUS: Final = {"granted": CONSENT_GRANTED, "withdrawn": CONSENT_WITHDRAWN}


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What other systems said of a profile: its words on in-store journeys, and its events as they count.

    `whole`: these are all of its events; else its newest, and of its older ones those that last.
    """

    ledger: list[ConsentRow]
    events: list[CustomerEvent]
    noted: list[tuple[UUID, datetime]] = []
    whole: bool = True


def heard_of(connection: Connection, profile: UUID, *, known_at: datetime | None = None) -> Heard:
    """Return what was heard of a profile, or had been at `known_at`."""
    ledger = consent_ledger(connection, profile)
    events = customer_events(connection, profile, known_at=known_at)
    return Heard(
        ledger=[word for word in ledger if known_at is None or word.recorded_at <= known_at],
        events=events,
        noted=noted_on(connection, profile, known_at=known_at),
        whole=len(events) < EVENTS_OF_A_PROFILE,
    )


def cited_between(begin: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Return between which times lies what a journey may cite, of a visit or order from `begin` to `end`."""
    return begin - _LOOK_BACK, end + _LOOK_AHEAD


def heard_around(
    connection: Connection,
    profile: UUID,
    heard: Heard,
    begin: datetime,
    end: datetime,
    *,
    known_at: datetime | None = None,
) -> Heard:
    """Return what was heard with all that a journey from `begin` to `end` may cite, however much came since."""
    if heard.whole:
        return heard
    near = customer_events(connection, profile, known_at=known_at, between=cited_between(begin, end))
    found = {one.event_id: one for one in near}
    found |= {one.event_id: one for one in heard.events}
    return structs.replace(heard, events=sorted(found.values(), key=lambda one: one.occurred_at))


def heard_around_visit(
    connection: Connection,
    profile: UUID,
    heard: Heard,
    detail: VisitDetail | None,
    *,
    known_at: datetime | None = None,
) -> Heard:
    """Return what was heard with all that the journey of a visit may cite."""
    if detail is None:
        return heard
    visit = _store_visit(detail)
    begin, end = to_datetime(visit.entered_at), to_datetime(visit.left_at)
    return heard_around(connection, profile, heard, begin, end, known_at=known_at)


def heard_around_order(
    connection: Connection, profile: UUID, heard: Heard, order: UUID, *, known_at: datetime | None = None
) -> Heard:
    """Return what was heard with all that the journey of an order may cite."""
    placed = next((one.occurred_at for one in heard.events if one.event_id == order), None)
    return heard if placed is None else heard_around(connection, profile, heard, placed, placed, known_at=known_at)


def online_journey(
    order: str, at: datetime, visits: Sequence[tuple[datetime, datetime]], events: list[Event], *, now: datetime
) -> Journey:
    """Return the journey around an order online, which was placed `at`; `visits` are (entered_at, left_at)."""
    before = max((min(left, at) for entered, left in visits if entered <= at), default=None)
    after = min((entered for entered, _ in visits if entered > at), default=None)
    return journey(
        None,
        [],
        events,
        as_of=to_ns(now),
        previous_left_at=to_ns(before) if before is not None else None,
        next_entered_at=to_ns(after) if after is not None else None,
        order=order,
    )


def journey_of_order(heard: Heard, visits: Sequence[Visited], order: UUID, *, now: datetime) -> Journey | None:
    """Return the journey around one order online of a profile; None if she has no such order."""
    found = next(
        (one for one in uncancelled(heard.events) if one.event_id == order and one.kind == ORDERED and not one.store),
        None,
    )
    if found is None:
        return None
    times = [(one.entered_at, one.left_at) for one in visits]
    return online_journey(str(order), found.occurred_at, times, _events(heard), now=now)


def journey_of(
    heard: Heard,
    detail: VisitDetail | None,
    plan: StorePlan | None,
    *,
    now: datetime,
) -> Journey:
    """Return the journey around a store visit of a profile.

    Parameters
    ----------
    heard : Heard
        What other systems said of the profile.
    detail : VisitDetail or None
        The store visit; None if there is none yet.
    plan : StorePlan or None
        Of the visit's store.
    now : datetime
        Up to when things are known, unless the visit is in progress: then its newest signal says that.
    """
    events = _events(heard)
    if detail is None or plan is None:
        return journey(None, [], events, as_of=to_ns(now))
    running = detail.running
    stays = [_decided(row, plan) for row in detail.stays]
    if running is not None:
        stays.append(_running(running, plan))
    return journey(
        _store_visit(detail),
        stays,
        events,
        # a note says as well as a signal that the customer is still there
        as_of=to_ns(
            max([running.last_signal_at, *(at for _, at in heard.noted if at <= now)]) if running is not None else now
        ),
        previous_left_at=to_ns(detail.previous_left_at) if detail.previous_left_at is not None else None,
        next_entered_at=to_ns(detail.next_entered_at) if detail.next_entered_at is not None else None,
    )


def _events(heard: Heard) -> list[Event]:
    events = [
        Event(id=str(row.consent_no), kind=_EVENT_OF_STATUS[row.status], at=to_ns(row.occurred_at))
        for row in heard.ledger
    ]
    stand = uncancelled(heard.events)
    back = paid_back(stand)
    events += [
        Event(
            id=str(row.event_id),
            revision=row.revision,
            kind=row.kind,
            at=to_ns(row.occurred_at),
            store=row.store,
            paid_back=row.event_id in back,
        )
        for row in stand
    ]
    return events + [Event(id=str(note), kind="noted", at=to_ns(at)) for note, at in heard.noted]


def _store_visit(detail: VisitDetail) -> StoreVisit:
    if detail.running is not None:
        here = detail.running
        return StoreVisit(
            id=str(here.visit_id),
            store=detail.store,
            entered_at=to_ns(here.arrived_at),
            left_at=to_ns(here.last_signal_at),
        )
    if detail.ended is None:  # storage says exactly one of the two is there
        raise RuntimeError("A visit detail without a visit.")
    return StoreVisit(
        id=str(detail.ended.visit_id),
        store=detail.store,
        entered_at=to_ns(detail.ended.entered_at),
        left_at=to_ns(detail.ended.left_at),
        closed_by=detail.ended.closed_by.word,
    )


def _decided(row: VisitRow, plan: StorePlan) -> Stay:
    if row.zone_no is None:  # zone visits always have one
        raise RuntimeError("A zone visit without a zone.")
    zone = plan.zones[row.zone_no]
    return Stay(
        id=str(row.visit_id),
        revision=row.revision,
        zone=zone.id,
        zone_kind=zone.kind,
        entered_at=to_ns(row.entered_at),
        left_at=to_ns(row.left_at),
    )


def _running(here: Whereabouts, plan: StorePlan) -> Stay:
    zone = plan.zones[here.zone_no]
    return Stay(
        id=str(here.stay_id),
        in_progress=True,
        zone=zone.id,
        zone_kind=zone.kind,
        entered_at=to_ns(here.in_zone_since),
        left_at=to_ns(here.last_signal_at),
    )
