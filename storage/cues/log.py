"""Who has just arrived, the cues that were told, and what came of them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from psycopg import sql

from core.errors import InputError
from storage.audit.seen import AboutPerson
from storage.connect import Connection
from storage.listening import notices
from storage.page_cursors import read_cursor, write_cursor
from storage.profiles.people import OF_PERSON
from storage.profiles.profiles import PURPOSE
from storage.storable import storable
from storage.webhooks import enqueue

CHANNEL: Final = "sojourn_cues"
EVENT_TYPE: Final = "service_cue.shown"
CUES_PER_PAGE: Final = 200
ARRIVALS_AT_ONCE: Final = 50
"""Of one look; more customers at the door are told of at the next look, a moment later."""
STILL_NEWS_FOR: Final = "10 minutes"
"""Who came earlier (before this service was up) has been met or not; a cue would come too late."""
ONCE_WITHIN: Final = "30 minutes"
"""Who steps out and comes back, or carries two devices, is not greeted twice."""

OutcomeWord: TypeAlias = Literal["done", "declined", "not_met"]

_COLUMNS: Final = (
    "cue_no, visit_id, store.id, profile_id, profile.display_name, profile.loyalty_tier, arrived_at, told_at, cue,"
    " because, rule_no, policy_version, trial_no, tried, outcome, outcome_by, outcome_at,"
    " about.event_id, about.occurred_at, about.store, about.detail, walk.left_at"
)
_SOURCE: Final = (
    "cue_log join profile using (profile_id) join store using (store_no) left join lateral"
    " (select event.event_id, event.occurred_at, coalesce(place.id, '') as store, event.detail"
    "    from event_seen event left join store place on place.store_no = event.store_no"
    "   where event.event_id = cue_log.order_event and event.newest and not event.removed) about on true"
    # whoever carries two devices has left when both have
    " left join lateral (select max(visit.left_at) as left_at from profile_device link join store_visit visit"
    "    on visit.device = link.device and not visit.withdrawn and visit.store_no = cue_log.store_no"
    "   and visit.entered_at >= link.valid_from and visit.entered_at < link.valid_to"
    "   and visit.entered_at <= cue_log.told_at and visit.left_at >= cue_log.arrived_at"
    "  where link.profile_id = cue_log.profile_id and not exists (select from profile_device held join presence here"
    "     using (device) where held.profile_id = cue_log.profile_id and here.store_no = cue_log.store_no"
    "      and here.arrived_at >= held.valid_from and here.arrived_at < held.valid_to)) walk on true"
)
_SEEN: Final = (
    "consent_holds(profile_id, %(purpose)s) and merged_into is null and removed_at is null"
    " and not consent_broken(profile_id, %(purpose)s, arrived_at)"
)


class NewCue(msgspec.Struct, frozen=True, kw_only=True):
    """A cue to be told."""

    visit_id: UUID
    store: str
    store_no: int
    profile_id: UUID
    arrived_at: datetime
    cue: str
    because: str
    rule_no: int | None
    policy_version: int
    trial_no: int | None
    tried: bool | None
    order_event: UUID | None = None


class CueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The order that a cue speaks of; `store` is empty online."""

    event_id: UUID
    occurred_at: datetime
    store: str
    detail: dict[str, Any]


class CueRow(AboutPerson, frozen=True, kw_only=True):
    """A cue that was told; `outcome` is what staff said of it.

    `left_at` is when the visit ended: None while the customer is in the store, or where nobody knows yet.
    """

    cue_no: int
    visit_id: UUID
    store: str
    profile_id: UUID
    display_name: str
    loyalty_tier: str | None
    arrived_at: datetime
    told_at: datetime
    cue: str
    because: str
    rule_no: int | None
    policy_version: int
    trial_no: int | None
    tried: bool | None
    outcome: OutcomeWord | None
    outcome_by: str | None
    outcome_at: datetime | None
    order: CueOrder | None
    left_at: datetime | None


class CuePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some cues, newest first, and where to go on."""

    cues: tuple[CueRow, ...]
    next_cursor: str | None


def arrivals(connection: Connection, store: str) -> list[UUID]:
    """Return the customers who have arrived in a store and were not told of yet; only with a consent that holds."""
    rows = connection.execute(
        sql.SQL(
            "select link.profile_id from store join presence using (store_no)"
            "  join profile_device link on link.device = presence.device"
            "   and presence.arrived_at >= link.valid_from and presence.arrived_at < link.valid_to"
            " where store.id = %(store)s and presence.role = 0"
            "   and presence.arrived_at > clock_timestamp() - interval {news}"
            "   and exists (select from device_link where device_link.device = presence.device)"
            "   and not exists (select from cue_log told where told.profile_id in (select profile_id from person"
            "      where kept_id = link.profile_id)"
            "     and told.store_no = store.store_no and told.told_at > clock_timestamp() - interval {once})"
            " order by presence.arrived_at limit %(limit)s"
        ).format(news=sql.Literal(STILL_NEWS_FOR), once=sql.Literal(ONCE_WITHIN)),
        {"store": store, "limit": ARRIVALS_AT_ONCE},
    ).fetchall()
    return list(dict.fromkeys(row[0] for row in rows))


def tell(connection: Connection, cue: NewCue) -> int | None:
    """Write a cue, and let pages and subscribed systems know, all with the caller's transaction.

    Returns
    -------
    int or None
        Its number; None if somebody else told of this visit already.
    """
    # two services that saw the same arrival: one tells
    connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"cue {cue.profile_id}"])
    row = connection.execute(
        sql.SQL(
            "insert into cue_log (visit_id, store_no, profile_id, arrived_at, cue, because, rule_no, policy_version,"
            "  trial_no, tried, order_event)"
            " select %(visit_id)s, %(store_no)s, %(profile_id)s, %(arrived_at)s, %(cue)s, %(because)s, %(rule_no)s,"
            "  %(policy_version)s, %(trial_no)s, %(tried)s, %(order_event)s"
            " where consent_holds(%(profile_id)s, %(purpose)s)"
            "  and not exists (select from cue_log told where told.profile_id = any({of_person})"
            "   and told.store_no = %(store_no)s and told.told_at > clock_timestamp() - interval {within})"
            " on conflict (visit_id) do nothing returning cue_no, told_at"
        ).format(of_person=sql.SQL(OF_PERSON), within=sql.Literal(ONCE_WITHIN)),
        msgspec.structs.asdict(cue) | {"purpose": PURPOSE, "profile": cue.profile_id},
    ).fetchone()
    if row is None:
        return None
    number: int = row[0]
    enqueue(
        connection,
        EVENT_TYPE,
        {
            "cue_no": number,
            "store": cue.store,
            "profile_id": cue.profile_id,
            "visit_id": cue.visit_id,
            "cue": cue.cue,
            "because": cue.because,
            "arrived_at": cue.arrived_at,
            "told_at": row[1],
            "order_event_id": cue.order_event,
        },
        profile=cue.profile_id,
    )
    connection.execute("select pg_notify(%s, %s)", [CHANNEL, cue.store])
    return number


def cues_page(connection: Connection, store_no: int, *, limit: int, cursor: str | None = None) -> CuePage:
    """Return the cues told in a store, newest first; only of customers whose consent holds.

    Raises
    ------
    InputError
        If the cursor does not fit or the limit is out of bounds.
    """
    if not 1 <= limit <= CUES_PER_PAGE:
        raise InputError(f"A page has 1 to {CUES_PER_PAGE} cues.", where="limit")
    question = ("cues", store_no)
    values: dict[str, Any] = {"store_no": store_no, "limit": limit + 1, "purpose": PURPOSE}
    clause = sql.SQL("true")
    if cursor is not None:
        values["before"] = read_cursor(cursor, question, int)
        clause = sql.SQL("cue_no < %(before)s")
    query = sql.SQL(
        "select {} from {} where cue_log.store_no = %(store_no)s and {} and {} order by cue_no desc limit %(limit)s"
    ).format(sql.SQL(_COLUMNS), sql.SQL(_SOURCE), sql.SQL(_SEEN), clause)
    rows = connection.execute(query, values).fetchall()
    found = tuple(_cue(row) for row in rows[:limit])
    return CuePage(cues=found, next_cursor=write_cursor(found[-1].cue_no, question) if len(rows) > limit else None)


def cues_after(connection: Connection, store_no: int, cue_no: int) -> list[CueRow]:
    """Return the cues told in a store after a number, oldest first."""
    query = sql.SQL(
        "select {} from {} where cue_log.store_no = %(store_no)s and cue_no > %(after)s and {}"
        " order by cue_no limit %(limit)s"
    ).format(sql.SQL(_COLUMNS), sql.SQL(_SOURCE), sql.SQL(_SEEN))
    values = {"store_no": store_no, "after": cue_no, "limit": CUES_PER_PAGE, "purpose": PURPOSE}
    return [_cue(row) for row in connection.execute(query, values).fetchall()]


def newest_cue_no(connection: Connection) -> int:
    """Return the number of the newest cue, 0 without any."""
    row = connection.execute("select coalesce(max(cue_no), 0) from cue_log").fetchone()
    number: int = row[0] if row is not None else 0
    return number


def say_outcome(connection: Connection, cue_no: int, outcome: OutcomeWord, *, by: str) -> bool:
    """Write what came of a cue; the newest word counts. False if there is no such cue to be seen."""
    query = sql.SQL(
        "update cue_log set outcome = %(outcome)s, outcome_by = %(by)s, outcome_at = clock_timestamp()"
        " where cue_no = %(cue_no)s and consent_holds(profile_id, %(purpose)s)"
        " returning (select id from store where store.store_no = cue_log.store_no)"
    )
    values = {"outcome": outcome, "by": storable(by), "cue_no": cue_no, "purpose": PURPOSE}
    row = connection.execute(query, values).fetchone()
    if row is not None:
        connection.execute("select pg_notify(%s, %s)", [CHANNEL, row[0]])
    return row is not None


async def listen(database_url: str) -> AsyncGenerator[str | None, None]:
    """Yield None as soon as every cue from then on will be heard, then the id of each store with news.

    Raises
    ------
    UnavailableError
        If the database is away or goes away.
    """
    async with aclosing(notices(database_url, CHANNEL, application_name="sojourn api cues")) as heard:
        async for payload in heard:
            yield payload


def _cue(row: tuple[Any, ...]) -> CueRow:
    return CueRow(
        cue_no=row[0],
        visit_id=row[1],
        store=row[2],
        profile_id=row[3],
        display_name=row[4],
        loyalty_tier=row[5],
        arrived_at=row[6],
        told_at=row[7],
        cue=row[8],
        because=row[9],
        rule_no=row[10],
        policy_version=row[11],
        trial_no=row[12],
        tried=row[13],
        outcome=row[14],
        outcome_by=row[15],
        outcome_at=row[16],
        order=CueOrder(event_id=row[17], occurred_at=row[18], store=row[19], detail=row[20])
        if row[17] is not None
        else None,
        left_at=row[21],
    )
