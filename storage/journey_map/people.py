"""Visits, stays, events, consents and notes of many customers at once; only of those whose consent holds."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from core.journey.rules import DISCOVER_LOOK_BACK_NS, PASSED_BY, REFLECT_LOOK_AHEAD_NS, RULES, Stage
from core.journey.walks import Span, walks
from core.limits import NS_PER_S
from storage.connect import Connection
from storage.instants import to_ns
from storage.profiles.events import CustomerEvent, event_of, paid_back, uncancelled
from storage.profiles.profiles import PURPOSE
from storage.profiles.visits import STAYS_PER_VISIT

PROFILES_LOOKED_AT: Final = 1_000
"""A share of 1,000 customers is sure to 3 points of a hundred, and they are read in a second."""
ROWS_LOOKED_AT: Final = 60_000
"""Events and visits of a look: read and judged in two seconds. When they are spent, no further customer is looked at;
of those who are, nothing is left out."""
_AT_ONCE: Final = 50
"""Customers of one question: few enough that the last one does not spend much more than there is."""
_KINDS: Final = sorted({kind for rule in RULES.values() for kind in rule.kinds})
"""What can be evidence; carts and lists of products are most of what a shop sends, and mean no stage."""
_UNDOING: Final = ("cancelled", "wish_removed", "appointment_cancelled")
"""What takes something out, whenever it comes."""
_BROWSING: Final = sorted(RULES[Stage.DISCOVER].kinds - {PASSED_BY})
"""Dozens in a session, of which one reaches Discover."""
_LOOK_BACK: Final = timedelta(seconds=DISCOVER_LOOK_BACK_NS // NS_PER_S)
_LOOK_AHEAD: Final = timedelta(seconds=REFLECT_LOOK_AHEAD_NS // NS_PER_S, days=1)
"""What a customer says after her visit, which may have lasted as long as a day."""


class SampledPeople(msgspec.Struct, frozen=True, kw_only=True):
    """Profiles whose consent holds: all, or the first by id that are looked at, and about how many there are.

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
    `notes` (id, at, feeling, by staff). `events_read` is how many events there were, with those passed over.
    """

    profile_id: UUID
    visits: list[JourneyVisit]
    events: list[tuple[UUID, int, str, datetime, str, bool]]
    words: list[tuple[int, str, datetime]]
    notes: list[tuple[UUID, datetime, str, bool]]
    events_read: int = 0


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


def look_at(
    connection: Connection, sample: SampledPeople, *, begin: datetime, end: datetime, rows_most: int = ROWS_LOOKED_AT
) -> tuple[SampledPeople, list[JourneyPerson]]:
    """Return who of a sample was looked at, the first of it until `rows_most` were read, and what they did.

    Of product views, searches and promotions the first and the last of each kind in an hour are read.
    """
    people: list[JourneyPerson] = []
    rows = looked = 0
    while looked < len(sample.profiles) and rows < rows_most:
        these = sample.profiles[looked : looked + _AT_ONCE]
        read = read_people(connection, these, begin=begin, end=end, browsing=False)
        rows += sum(len(one.visits) + one.events_read for one in read)
        people += read
        looked += len(these)
    if looked == len(sample.profiles):
        return sample, people
    return SampledPeople(profiles=sample.profiles[:looked], total=sample.total, whole=False), people


def read_people(
    connection: Connection, profiles: Sequence[UUID], *, begin: datetime, end: datetime, browsing: bool = True
) -> list[JourneyPerson]:
    """Return what the journeys of some profiles with visits in [begin, end) are made of: all of it.

    Without `browsing` those events of _BROWSING are left out that are neither the first nor the last of their kind in
    an hour: whether Discover was reached is told alike, and when to the hour.
    """
    values = {
        "profiles": list(profiles), "purpose": PURPOSE, "since": begin - _LOOK_BACK, "until": end + _LOOK_AHEAD,
        "asked": [*_KINDS, *_UNDOING], "undoing": [*_UNDOING, "refunded"], "browsing": [] if browsing else _BROWSING,
    }  # fmt: skip
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
    for profile, (events, read) in _events(connection, values).items():
        if profile in people:
            people[profile].events_read = read
            back = paid_back(events)
            people[profile].events += [
                (one.event_id, one.revision, one.kind, one.occurred_at, one.store, one.event_id in back)
                for one in events
                if one.kind in _KINDS
            ]
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
        " where of_profile = any (array(select profile_id from person where kept_id = any (%(profiles)s)))"
        "   and noted_at >= %(since)s order by noted_at, note_id",
        values,
    ).fetchall():
        if row[0] in people:
            people[row[0]].notes.append(row[1:])
    return list(people.values())


def _events(connection: Connection, values: dict[str, Any]) -> dict[UUID, tuple[list[CustomerEvent], int]]:
    """Return the events of each person that stand, oldest first, and how many were read for them."""
    found: dict[UUID, list[CustomerEvent]] = defaultdict(list)
    read: dict[UUID, int] = defaultdict(int)
    columns = "event_id, revision, kind, source, occurred_at, recorded_at, store_no, detail, source_key"
    for row in connection.execute(
        "select person.kept_id, event_id, revision, kind, source, occurred_at, recorded_at, coalesce(store.id, ''),"  # noqa: S608 - constants
        "       detail, source_key, in_all"
        "  from (select * from person where kept_id = any (%(profiles)s)"
        "    and consent_holds(profile_id, %(purpose)s) offset 0) person"
        f" cross join lateral (select {columns}, in_all from (select event.*, count(*) over () as in_all,"
        "     date_bin('1 hour', occurred_at, 'epoch') as hour,"
        "     date_bin('1 hour', lag(occurred_at) over of_a_kind, 'epoch') as hour_before,"
        "     date_bin('1 hour', lead(occurred_at) over of_a_kind, 'epoch') as hour_after"
        "    from event_seen event where event.profile_id = person.profile_id and newest and not removed"
        "     and occurred_at >= %(since)s and kind = any (%(asked)s)"
        "     and (occurred_at < %(until)s or kind = any (%(undoing)s))"
        "    window of_a_kind as (partition by kind order by occurred_at, event_id)) near"
        "   where kind <> all (%(browsing)s) or (hour_before = hour and hour_after = hour) is not true"
        f"  union all select {columns}, 1 from event_seen event where event.profile_id = person.profile_id"
        "     and newest and not removed and kind = 'enrolled' and occurred_at < %(since)s) event"
        " left join store using (store_no)"
        # what was in a store that may not be seen would look as if it were online
        " where event.store_no is null or store.id is not null order by occurred_at, event_id",
        values,
    ).fetchall():
        found[row[0]].append(event_of(row[1:10]))
        read[row[0]] = max(read[row[0]], row[10])
    return {profile: (uncancelled(events), read[profile]) for profile, events in found.items()}


def _visits(connection: Connection, values: dict[str, Any]) -> list[tuple[UUID, JourneyVisit]]:
    rows = connection.execute(
        "select link.profile_id, visit_id, store.id, store_no, entered_at, left_at, dwell_s, closed_by.word,"
        "       visit.device"
        # lateral: by the index of each device, not by reading every visit of the time
        "  from profile_device link cross join lateral (select * from store_visit"
        "    where store_visit.device = link.device and not withdrawn and role = 0"
        "     and entered_at >= link.valid_from and entered_at < link.valid_to"
        "     and entered_at >= %(since)s and entered_at < %(until)s offset 0) visit"
        "  join store using (store_no) join closed_by on closed_by.code = visit.closed_by"
        " where link.profile_id = any (%(profiles)s) order by entered_at desc, visit_id",
        values,
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
