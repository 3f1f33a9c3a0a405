"""What is unusual among the looks of the last week: `core.audit.hints` says what each hint is and why."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from core.audit.hints import (
    AGAIN_DAYS,
    HINTS_SHOWN,
    LISTED_A_DAY,
    LOOK_MINUTES,
    LOOKED_AT_DAYS,
    MANY_AN_HOUR,
    NIGHT_FROM_HOUR,
    NIGHT_TO_HOUR,
    TIMES_USUAL,
    USUAL_DAYS,
    HintWord,
)
from storage.connect import Connection

BUDGET: Final = "budget"
"""The problem of whoever has used up what a day holds, as it is told and entered."""

_LOOKS: Final = """
with look as (
    select distinct on (actor, profile_id, date_bin(%(look)s::interval, at, timestamptz '2000-01-01'))
           entry.at, entry.actor, entry.stores, subject.profile_id
      from audit_entry entry join audit_subject subject using (entry_no)
     where entry.kind = 'read' and entry.outcome = 'done' and entry.actor_kind <> 'program'
       and entry.at > %(now)s - %(reach)s::interval and subject.profile_id is not null
)
"""
_MANY: Final = (
    _LOOKS
    + """, hour as (
    select actor, date_trunc('hour', at) as hour, count(distinct profile_id) as people, max(at) as at
      from look group by 1, 2
)
select hour.at, hour.actor, null::uuid, hour.people, usual.people
  from hour cross join lateral (
       select coalesce(percentile_cont(0.5) within group (order by earlier.people), 0) as people from hour earlier
        where earlier.actor = hour.actor and earlier.hour < hour.hour
          and earlier.hour >= hour.hour - %(usual)s::interval) usual
 where hour.hour > %(now)s - %(days)s::interval and hour.people > %(many)s and hour.people > %(times)s * usual.people
 order by hour.at desc limit %(shown)s
"""
)
_LISTED: Final = """
with day as (
    select actor, (at at time zone 'UTC')::date as day, count(distinct profile_id) as people, max(at) as at
      from audit_entry entry join audit_subject subject using (entry_no)
     where entry.kind = 'list' and entry.outcome = 'done' and entry.actor_kind <> 'program'
       and entry.at > %(now)s - %(reach)s::interval and subject.profile_id is not null
     group by 1, 2
)
select day.at, day.actor, null::uuid, day.people, usual.people
  from day cross join lateral (
       select coalesce(percentile_cont(0.5) within group (order by earlier.people), 0) as people from day earlier
        where earlier.actor = day.actor and earlier.day < day.day
          and earlier.day >= day.day - %(usual)s::interval) usual
 where day.at > %(now)s - %(days)s::interval and day.people > %(listed)s and day.people > %(times)s * usual.people
 order by day.at desc limit %(shown)s
"""
_NIGHT: Final = (
    _LOOKS
    + """
select max(at), actor, null::uuid, count(*), null::float
  from look
 where at > %(now)s - %(days)s::interval and exists (select from store) and not exists (
       select from store where (look.stores is null or store.id = any(look.stores))
          and extract(hour from look.at at time zone store.timezone) >= %(night_to)s
          and extract(hour from look.at at time zone store.timezone) < %(night_from)s)
 group by actor, date_trunc('day', at) order by 1 desc limit %(shown)s
"""
)
_AGAIN: Final = (
    _LOOKS
    + """
select max(at), actor, profile_id, count(distinct (at at time zone 'UTC')::date), null::float
  from look where at > %(now)s - %(days)s::interval
 group by actor, profile_id having count(distinct (at at time zone 'UTC')::date) >= %(again)s
 order by 1 desc limit %(shown)s
"""
)
_ELSEWHERE: Final = (
    _LOOKS
    + """
select max(at), actor, null::uuid, count(distinct profile_id), null::float
  from look
 where at > %(now)s - %(days)s::interval and cardinality(stores) > 0 and not exists (
       select from profile_device link
         join store_visit visit on visit.device = link.device and visit.entered_at >= link.valid_from
                               and visit.entered_at < link.valid_to
         join store using (store_no)
        where link.profile_id = look.profile_id and store.id = any(look.stores))
 group by actor order by 1 desc limit %(shown)s
"""
)
_EXPORTS: Final = """
select at, actor, null::uuid, coalesce((detail ->> 'people_count')::bigint, cardinality(commitments)), null::float
  from audit_entry where kind = 'export' and outcome = 'done' and at > %(now)s - %(days)s::interval
 order by at desc limit %(shown)s
"""
_BUDGET: Final = """
select max(at), actor, null::uuid, sum(1 + coalesce((detail ->> 'more')::bigint, 0))::bigint, null::float
  from audit_entry where kind = 'key' and outcome = 'refused' and detail ->> 'why' = %(budget)s
   and at > %(now)s - %(days)s::interval
 group by actor, date_trunc('day', at) order by 1 desc limit %(shown)s
"""
_QUERIES: Final[dict[HintWord, str]] = {
    "many": _MANY,
    "listed": _LISTED,
    "night": _NIGHT,
    "again": _AGAIN,
    "elsewhere": _ELSEWHERE,
    "export": _EXPORTS,
    "budget": _BUDGET,
}


class Unusual(msgspec.Struct, frozen=True, kw_only=True):
    """Something to ask about: who, when last, whose profile where it is one, how many, and what is usual."""

    hint: HintWord
    at: datetime
    actor: str
    profile_id: UUID | None
    count: int
    usual: float | None


def unusual(connection: Connection, now: datetime) -> list[Unusual]:
    """Return what was unusual in the week before `now`, kind by kind, the newest first."""
    values: dict[str, Any] = {
        "now": now,
        "look": f"{LOOK_MINUTES} minutes",
        "days": f"{LOOKED_AT_DAYS} days",
        "usual": f"{USUAL_DAYS} days",
        "reach": f"{LOOKED_AT_DAYS + USUAL_DAYS} days",
        "many": MANY_AN_HOUR,
        "listed": LISTED_A_DAY,
        "times": TIMES_USUAL,
        "night_from": NIGHT_FROM_HOUR,
        "night_to": NIGHT_TO_HOUR,
        "again": AGAIN_DAYS,
        "shown": HINTS_SHOWN,
        "budget": BUDGET,
    }
    return [
        Unusual(hint=hint, at=at, actor=actor, profile_id=profile, count=count, usual=usual)
        for hint, query in _QUERIES.items()
        for at, actor, profile, count, usual in connection.execute(query, values)
    ]
