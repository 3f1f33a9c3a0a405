"""Visits, stays, events, consents and notes of many customers at once; only of those whose consent holds."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from core.journey.rules import DISCOVER_LOOK_BACK_NS
from core.journey.walks import Span, walks
from core.limits import NS_PER_S
from storage.connect import Connection
from storage.instants import to_ns
from storage.profiles.events import EVENTS_OF_A_PROFILE, PAID_BACK, UNCANCELLED
from storage.profiles.profiles import PURPOSE
from storage.profiles.visits import STAYS_PER_VISIT

PROFILES_LOOKED_AT: Final = 1_000
"""A share of 1,000 customers is sure to 3 points of a hundred, and they are read in a second."""
VISITS_LOOKED_AT: Final = 10_000
"""Their newest; customers who come daily would otherwise be most of what is read."""
EVENTS_LOOKED_AT: Final = 50_000
_LOOK_BACK: Final = timedelta(seconds=DISCOVER_LOOK_BACK_NS // NS_PER_S)


class SampledPeople(msgspec.Struct, frozen=True, kw_only=True):
    """Profiles whose consent holds: all, or the first PROFILES_LOOKED_AT by id, and about how many there are.

    Ids are drawn at random (version 4), so the first of them are a random sample, the same at each look.
    """

    profiles: list[UUID]
    total: float
    whole: bool


class JourneyVisit(msgspec.Struct, frozen=True, kw_only=True):
    """A store visit that ended, with its stays (id, revision, zone_no, entered_at, left_at)."""

    visit_id: UUID
    store: str
    store_no: int
    entered_at: datetime
    left_at: datetime
    dwell_s: float
    closed_by: str
    stays: list[tuple[UUID, int, int, datetime, datetime]]


class JourneyPerson(msgspec.Struct, kw_only=True):
    """What one customer's journeys are made of, each oldest first.

    `events` are (id, revision, kind, at, store, whether an order was paid back as a whole), `words` (no, status, at),
    `notes` (id, at, feeling, by staff).
    """

    profile_id: UUID
    visits: list[JourneyVisit]
    events: list[tuple[UUID, int, str, datetime, str, bool]]
    words: list[tuple[int, str, datetime]]
    notes: list[tuple[UUID, datetime, str, bool]]


def sample_people(connection: Connection) -> SampledPeople:
    """Return the profiles that a segment is looked for among."""
    rows = connection.execute(
        # by the view, for one index scan each: a function is begun anew for each row
        "select profile_id, merged_into is null and removed_at is null"
        "   and exists (select from consent_current consent"
        "   where consent.profile_id = profile.profile_id and purpose = %s and holds)"
        "  from profile order by profile_id limit %s",
        [PURPOSE, PROFILES_LOOKED_AT + 1],
    ).fetchall()
    whole = len(rows) <= PROFILES_LOOKED_AT
    looked = rows[:PROFILES_LOOKED_AT]
    found = [row[0] for row in looked if row[1]]
    if whole:
        return SampledPeople(profiles=found, total=len(found), whole=True)
    estimate = connection.execute("select reltuples from pg_class where oid = 'profile'::regclass").fetchone()
    rows_estimated = max(float(estimate[0]) if estimate is not None else 0.0, float(len(rows)))
    return SampledPeople(profiles=found, total=rows_estimated * len(found) / len(looked), whole=False)


def read_people(
    connection: Connection, profiles: Sequence[UUID], *, begin: datetime, end: datetime
) -> list[JourneyPerson]:
    """Return what the journeys of some profiles with visits in [begin, end) are made of."""
    values = {"profiles": list(profiles), "purpose": PURPOSE, "since": begin - _LOOK_BACK, "end": end}
    rows = connection.execute(
        "select profile_id from profile where profile_id = any (%(profiles)s)"
        "   and merged_into is null and removed_at is null and consent_holds(profile_id, %(purpose)s)"
        " order by profile_id",
        values,
    ).fetchall()
    people = {row[0]: JourneyPerson(profile_id=row[0], visits=[], events=[], words=[], notes=[]) for row in rows}
    for profile, visit in _visits(connection, values):
        if profile in people:
            people[profile].visits.append(visit)
    for row in connection.execute(
        "select person.kept_id, event_id, revision, kind, occurred_at, coalesce(store.id, ''), paid_back"  # noqa: S608 - ours
        "  from (select * from person where kept_id = any (%(profiles)s)"
        "    and consent_holds(profile_id, %(purpose)s) offset 0) person"
        f" cross join lateral (select *, {PAID_BACK} as paid_back from event_seen event"
        "   where event.profile_id = person.profile_id"
        "    and newest and not removed and (occurred_at >= %(since)s or kind = 'enrolled')"
        f"   and {UNCANCELLED} order by occurred_at desc limit %(each)s) event left join store using (store_no)"
        # what was in a store that may not be seen would look as if it were online
        " where event.store_no is null or store.id is not null order by occurred_at, event_id limit %(limit)s",
        values | {"limit": EVENTS_LOOKED_AT, "each": EVENTS_OF_A_PROFILE},
    ).fetchall():
        if row[0] in people:
            people[row[0]].events.append(row[1:])
    for row in connection.execute(
        "select profile_id, consent_no, status, occurred_at from consent_event"
        " where profile_id = any (%(profiles)s) and purpose = %(purpose)s and occurred_at <= now()"
        " order by occurred_at, consent_no",
        values,
    ).fetchall():
        if row[0] in people:
            people[row[0]].words.append(row[1:])
    for row in connection.execute(
        "select profile_id, note_id, noted_at, feeling, source = 'staff' from note_seen"
        " where profile_id = any (%(profiles)s) and noted_at >= %(since)s order by noted_at, note_id limit %(limit)s",
        values | {"limit": EVENTS_LOOKED_AT},
    ).fetchall():
        if row[0] in people:
            people[row[0]].notes.append(row[1:])
    return list(people.values())


def _visits(connection: Connection, values: dict[str, Any]) -> list[tuple[UUID, JourneyVisit]]:
    rows = connection.execute(
        "select link.profile_id, visit_id, store.id, store_no, entered_at, left_at, dwell_s, closed_by.word,"
        "       visit.device"
        # lateral: by the index of each device, not by reading every visit of the time
        "  from profile_device link cross join lateral (select * from store_visit"
        "    where store_visit.device = link.device and not withdrawn and role = 0"
        "     and entered_at >= link.valid_from and entered_at < link.valid_to"
        "     and entered_at >= %(since)s and entered_at < %(end)s"
        "    order by entered_at desc limit %(limit)s) visit"
        "  join store using (store_no) join closed_by on closed_by.code = visit.closed_by"
        " where link.profile_id = any (%(profiles)s) order by entered_at desc, visit_id limit %(limit)s",
        values | {"limit": VISITS_LOOKED_AT},
    ).fetchall()
    walked = walks(rows, lambda row: Span(place=(row[0], row[3]), entered_at=to_ns(row[4]), left_at=to_ns(row[5])))
    rows = sorted((walk[0] for walk in walked), key=lambda row: (row[4], row[1]))
    stays: dict[UUID, list[tuple[UUID, int, int, datetime, datetime]]] = defaultdict(list)
    for row in connection.execute(
        "select visit.id, stay.visit_id, stay.revision, stay.zone_no, stay.entered_at, stay.left_at"
        "  from unnest(%s::uuid[], %s::uuid[], %s::integer[], %s::timestamptz[], %s::timestamptz[])"
        "    visit (id, device, store_no, begin, ended)"
        " cross join lateral (select * from zone_visit where zone_visit.device = visit.device"
        "    and zone_visit.store_no = visit.store_no and not withdrawn"
        "    and entered_at >= visit.begin and entered_at <= visit.ended limit %s) stay"
        " order by stay.entered_at, stay.visit_id",
        [*([row[place] for row in rows] for place in (1, 8, 3, 4, 5)), STAYS_PER_VISIT],
    ).fetchall():
        stays[row[0]].append(row[1:])
    return [
        (
            row[0],
            JourneyVisit(
                visit_id=row[1],
                store=row[2],
                store_no=row[3],
                entered_at=row[4],
                left_at=row[5],
                dwell_s=row[6],
                closed_by=row[7],
                stays=stays[row[1]],
            ),
        )
        for row in rows
    ]
