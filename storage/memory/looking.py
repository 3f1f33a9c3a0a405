"""Whom the rules look at next, and the stays and stores that they need."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from core.journey.walks import Span, walks
from storage.connect import Connection
from storage.instants import to_ns

STAYS_LOOKED_AT: Final = 2_000
"""Eight days of a customer who changes zones every minute for half an hour a day."""


class StayRow(msgspec.Struct, frozen=True, kw_only=True):
    """A zone visit that ended, by the names of its zone and of the store visit around it."""

    stay_id: UUID
    visit_id: UUID
    zone: str
    zone_kind: str
    entered_at: datetime
    left_at: datetime


def looked_at_next(connection: Connection, *, limit: int) -> list[UUID]:
    """Return profiles to look at: first those with news since the last look, then those longest not looked at."""
    rows = connection.execute(
        "with news as (select distinct person.kept_id as profile_id from note join person using (profile_id)"
        "   left join alert_look looked on looked.profile_id = person.kept_id"
        "   where note.noted_at > now() - interval '8 days'"
        "   and greatest(note.received_at, note.edited_at) > coalesce(looked.looked_at, '-infinity')),"
        " due as (select distinct person.kept_id as profile_id from follow_up task join note using (note_id)"
        "   join person using (profile_id) left join alert_look looked on looked.profile_id = person.kept_id"
        "   where task.done_at is null"
        "   and task.due_at + interval '1 day' between coalesce(looked.looked_at, '-infinity') and now())"
        " select profile_id from ("
        "  select profile_id, 0 as turn, null::timestamptz as looked_at from news"
        "  union select profile_id, 0, null from due"
        "  union all (select profile.profile_id, 1, looked.looked_at from profile left join alert_look looked"
        "   using (profile_id) where profile.merged_into is null and profile.removed_at is null"
        "   order by looked.looked_at nulls first limit %(limit)s)) wanted"
        " group by profile_id order by min(turn), min(looked_at) nulls first, profile_id limit %(limit)s",
        {"limit": limit},
    ).fetchall()
    return [row[0] for row in rows]


def mark_looked(connection: Connection, profile: UUID, at: datetime) -> None:
    """Remember when a profile was looked at."""
    connection.execute(
        "insert into alert_look (profile_id, looked_at) values (%s, %s)"
        " on conflict (profile_id) do update set looked_at = excluded.looked_at",
        [profile, at],
    )


def stays_since(connection: Connection, profile: UUID, since: datetime) -> list[StayRow]:
    """Return the stays of a customer's visits that began after `since`, newest first; of each walk by one device."""
    rows = connection.execute(
        "select stay.visit_id, visit.visit_id, coalesce(zone.name, zone.id), zone.kind, stay.entered_at,"
        "       stay.left_at, visit.store_no, visit.entered_at, visit.left_at"
        "  from profile_device link"
        "  join store_visit visit on visit.device = link.device and not visit.withdrawn and visit.role = 0"
        "   and visit.entered_at >= link.valid_from and visit.entered_at < link.valid_to"
        "   and visit.entered_at >= %(since)s"
        "  join zone_visit stay on stay.device = visit.device and stay.store_no = visit.store_no"
        "   and not stay.withdrawn and stay.entered_at >= visit.entered_at and stay.entered_at <= visit.left_at"
        "  join zone on zone.store_no = stay.store_no and zone.zone_no = stay.zone_no"
        " where link.profile_id = %(profile)s order by stay.entered_at desc, stay.visit_id limit %(limit)s",
        {"profile": profile, "since": since, "limit": STAYS_LOOKED_AT},
    ).fetchall()
    visits = {row[1]: Span(place=row[6], entered_at=to_ns(row[7]), left_at=to_ns(row[8])) for row in rows}
    walked = walks(visits, visits.__getitem__)
    stands = {walk[0] for walk in walked}
    return [StayRow(**dict(zip(StayRow.__struct_fields__, row[:6], strict=True))) for row in rows if row[1] in stands]


def order_stores(connection: Connection, since: datetime) -> frozenset[str]:
    """Return the stores of which orders came in since then: there, and only there, no order means nothing bought."""
    rows = connection.execute(
        "select store.id from store where exists (select from customer_event event"
        "  where event.newest and event.store_no = store.store_no and event.kind = 'ordered' and not event.removed"
        "  and event.occurred_at >= %s)",
        [since],
    ).fetchall()
    return frozenset(row[0] for row in rows)
