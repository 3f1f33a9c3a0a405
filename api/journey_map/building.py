"""From what was read of many customers to their journeys, and to the facts that segments ask for."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import msgspec

from api.profiles.journeys import online_journey
from api.service import Service, find_store
from core.floorplan import StorePlan
from core.journey.records import Event, Journey, Stay, StoreVisit
from core.journey.rules import (
    COMPLETE_SLACK_NS,
    CONSENT_GRANTED,
    CONSENT_WITHDRAWN,
    DISCOVER_LOOK_BACK_NS,
    ORDERED,
    REFLECT_LOOK_AHEAD_NS,
    RULES,
    Stage,
)
from core.journey.segments import Facts, Felt, SegmentRule, fits
from core.journey.stages import journey
from storage.connect import Connection
from storage.instants import to_ns
from storage.journey_map.people import JourneyPerson, JourneyVisit, SampledPeople, look_at, sample_people

_AFTER_NS: Final = max(REFLECT_LOOK_AHEAD_NS, COMPLETE_SLACK_NS)
_STATUS: Final = {"granted": CONSENT_GRANTED, "withdrawn": CONSENT_WITHDRAWN}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Who was looked at and who of them fits."""

    sample: SampledPeople
    facts: list[Facts]

    @property
    def people(self) -> float:
        """About how many customers fit, among all."""
        looked = len(self.sample.profiles)
        return len(self.facts) * self.sample.total / looked if looked else 0.0


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of the customers who are looked at, for the days before `end`.

    `facts` are those that were made of it already, by the store that visits were narrowed to.
    """

    sample: SampledPeople
    people: list[JourneyPerson]
    plans: dict[str, StorePlan]
    begin: datetime
    end: datetime
    facts: dict[str | None, list[Facts]]


Looks: TypeAlias = dict[tuple[int, datetime | None], Looked]
"""What one request has read already, by the days and the end that it looked at."""


def look(service: Service, connection: Connection, days: int, *, end: datetime | None = None) -> Looked:
    """Read what customers did in the days before `end` (default: now)."""
    until = end if end is not None else service.now()
    begin = until - timedelta(days=days)
    sample, people = look_at(connection, sample_people(connection), begin=begin, end=until)
    plans = plans_of(service, connection, people)
    return Looked(sample=sample, people=people, plans=plans, begin=begin, end=until, facts={})


def who_fits(service: Service, looked: Looked, rule: SegmentRule) -> Found:
    """Return the facts of the customers who fit a rule; `looked` is of its days."""
    if rule.store not in looked.facts:
        now = service.now()
        looked.facts[rule.store] = [
            facts_of(one, looked.plans, begin=looked.begin, end=looked.end, now=now, store=rule.store)
            for one in looked.people
        ]
    return Found(sample=looked.sample, facts=[one for one in looked.facts[rule.store] if fits(rule, one)])


def find_people(
    service: Service,
    connection: Connection,
    rule: SegmentRule,
    *,
    end: datetime | None = None,
    looks: Looks | None = None,
) -> Found:
    """Return the facts of the customers who fit a rule in the `rule.days` before `end` (default: now)."""
    held = looks if looks is not None else {}
    key = (rule.days, end)
    if key not in held:
        held[key] = look(service, connection, rule.days, end=end)
    return who_fits(service, held[key], rule)


def plans_of(service: Service, connection: Connection, people: Iterable[JourneyPerson]) -> dict[str, StorePlan]:
    """Return the plans of the stores that were visited."""
    stores = {visit.store for one in people for visit in one.visits}
    return {store: find_store(service, connection, store).plan for store in sorted(stores)}


def facts_of(
    person: JourneyPerson,
    plans: dict[str, StorePlan],
    *,
    begin: datetime,
    end: datetime,
    now: datetime,
    store: str | None = None,
) -> Facts:
    """Return what a customer did in [begin, end), in one store or in all."""
    visits = [visit for visit in person.visits if begin <= visit.entered_at < end and store in {None, visit.store}]
    return Facts(
        dwells_s=tuple(visit.dwell_s for visit in visits),
        orders=sum(
            kind == ORDERED and not back and begin <= at < end and store in {None, where}
            for _, _, kind, at, where, back in person.events
        ),
        felt=tuple(Felt(at=to_ns(at), feeling=feeling) for _, at, feeling, _ in person.notes if begin <= at < end),
        journeys=tuple(journeys_of(person, plans, begin=begin, end=end, now=now, store=store)),
    )


def journeys_of(
    person: JourneyPerson,
    plans: dict[str, StorePlan],
    *,
    begin: datetime,
    end: datetime,
    now: datetime,
    store: str | None = None,
) -> list[Journey]:
    """Return a customer's journeys around visits and orders online in [begin, end), oldest first.

    Of one store only those around visits to it.
    """
    known = _Known(person)
    found: list[tuple[datetime, Journey]] = []
    for place, visit in enumerate(person.visits):
        if not begin <= visit.entered_at < end or store not in {None, visit.store}:
            continue
        before = max((one.left_at for one in person.visits[:place]), default=None)
        after = person.visits[place + 1].entered_at if place + 1 < len(person.visits) else None
        around = journey(
            _store_visit(visit),
            _stays(visit, plans[visit.store]),
            known.around(visit.entered_at, visit.left_at),
            as_of=to_ns(now),
            previous_left_at=to_ns(before) if before is not None else None,
            next_entered_at=to_ns(after) if after is not None else None,
        )
        found.append((visit.entered_at, around))
    if store is None:
        visits = [(visit.entered_at, visit.left_at) for visit in person.visits]
        orders = [
            (at, str(name))
            for name, _, kind, at, where, _ in person.events
            if kind == ORDERED and not where and at < end
        ]
        found += [
            (at, online_journey(order, at, visits, known.around(at, at), now=now))
            for at, order in orders
            if at >= begin
        ]
    return [around for _, around in sorted(found, key=lambda one: one[0])]


class _Known:
    """A person's events, of which a journey is judged by those that can matter to it.

    Those are the ones from the look-back to the look-ahead of its rules, and those that last: somebody with a
    thousand journeys has ten thousand events.
    """

    def __init__(self, person: JourneyPerson) -> None:
        self._events = sorted(_events(person), key=lambda event: event.at)
        self._times = [event.at for event in self._events]
        lasting = RULES[Stage.PLAN_ENROLL].lasting | {CONSENT_WITHDRAWN}
        self._lasting = [event for event in self._events if event.kind in lasting]

    def around(self, begin: datetime, end: datetime) -> list[Event]:
        """Return what can matter to a journey around [begin, end]."""
        first = bisect_left(self._times, to_ns(begin) - DISCOVER_LOOK_BACK_NS)
        last = bisect_right(self._times, to_ns(end) + _AFTER_NS)
        return self._events[first:last] + self._lasting  # what is in both counts once


def _events(person: JourneyPerson) -> list[Event]:
    events = [
        Event(id=str(name), revision=revision, kind=kind, at=to_ns(at), store=store, paid_back=back)
        for name, revision, kind, at, store, back in person.events
    ]
    events += [Event(id=str(number), kind=_STATUS[status], at=to_ns(at)) for number, status, at in person.words]
    events += [Event(id=str(name), kind="noted", at=to_ns(at)) for name, at, _, by_staff in person.notes if by_staff]
    return events


def _store_visit(visit: JourneyVisit) -> StoreVisit:
    return StoreVisit(
        id=str(visit.visit_id),
        store=visit.store,
        entered_at=to_ns(visit.entered_at),
        left_at=to_ns(visit.left_at),
        closed_by=visit.closed_by,
    )


def _stays(visit: JourneyVisit, plan: StorePlan) -> list[Stay]:
    return [
        Stay(
            id=str(name),
            revision=revision,
            zone=plan.zones[zone_no].id,
            zone_kind=plan.zones[zone_no].kind,
            entered_at=to_ns(entered_at),
            left_at=to_ns(left_at),
        )
        for name, revision, zone_no, entered_at, left_at in visit.stays
    ]
