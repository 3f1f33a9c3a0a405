"""The queue of events: written in the transaction of what they tell, taken out by whoever delivers.

A delivery that is taken out counts as lost when LEASE_S are over, and is then tried again: an event arrives at least
once, and the receiver knows a repetition by its id.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID, uuid4

import msgspec
from psycopg import sql

from core.errors import InputError
from core.webhooks import BODY_BYTES, check_event_type
from storage.access.acting import in_own_right
from storage.connect import Connection
from storage.listening import notices
from storage.profiles.profiles import PURPOSE
from storage.storable import cleaned

CHANNEL: Final = "sojourn_webhooks"
WAITING_AT_MOST: Final = 10_000
"""What waits for one subscription; a receiver that is away for three days at two events a minute fits. More is
dropped, counted, and told on the page."""
LEASE_S: Final = 60
"""Twice the longest an attempt may take."""
KEPT: Final = "30 days"
"""How long the log tells what was sent; after that it goes, whatever came of it."""
_SWEPT_AT_ONCE: Final = 1_000

Outcome: TypeAlias = Literal["delivered", "waiting", "dead"]


class DueDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sent now; `secrets` sign it, the newest first. `attempts` counts this one."""

    delivery_id: int
    subscription_id: UUID
    message_id: UUID
    url: str
    secrets: tuple[str, ...]
    body: str
    attempts: int


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an attempt; `outcome` is a sentence, `wait_s` is set if there is to be another."""

    delivery_id: int
    begun_at: datetime
    duration_ms: int
    http_status: int | None
    outcome: str
    delivered: bool
    wait_s: float | None


def enqueue(
    connection: Connection,
    event_type: str,
    payload: Mapping[str, Any],
    *,
    profile: UUID | None = None,
    subscription: UUID | None = None,
) -> int:
    """Queue an event for everybody who wants to hear of it; it is sent when the caller's transaction is committed.

    Parameters
    ----------
    connection : Connection
        In the transaction that writes what the event tells.
    event_type : str
        Such as `service_cue.shown`; core.webhooks.EVENT_TYPES lists them.
    payload : mapping
        JSON, also with UUIDs and times; becomes `data` of the body `{"type", "timestamp", "data"}`.
    profile : UUID or None
        Whom it tells of: nothing is sent once her consent is gone.
    subscription : UUID or None
        Only for this one, whatever it subscribed to.

    Returns
    -------
    int
        For how many subscriptions it was queued.

    Raises
    ------
    InputError
        If the type is none or the body has more than BODY_BYTES.
    """
    check_event_type(event_type)
    said = {"type": event_type, "timestamp": datetime.now(UTC), "data": cleaned(msgspec.to_builtins(dict(payload)))}
    body = msgspec.json.encode(said).decode()
    if len(body.encode()) > BODY_BYTES:
        raise InputError(f"An event has at most {BODY_BYTES} bytes.", hint="Send ids and let it be asked for.")
    with in_own_right(connection):  # whoever tells something reads no other event, and no secret that signs
        return _queue(connection, event_type, body, profile, subscription)


def _queue(
    connection: Connection, event_type: str, body: str, profile: UUID | None, subscription: UUID | None
) -> int:
    wanted = {"type": event_type, "one": subscription, "most": WAITING_AT_MOST}
    rows = connection.execute(
        "select subscription_id, (select count(*) from (select from webhook_delivery delivery"
        "   where delivery.subscription_id = subscription.subscription_id and status = 'waiting'"
        "   limit %(most)s) waiting) < %(most)s"
        "  from webhook_subscription subscription where removed_at is null and paused_at is null"
        "   and case when %(one)s::uuid is null then event_types = '{}' or %(type)s = any (event_types)"
        "            else subscription_id = %(one)s end",
        wanted,
    ).fetchall()
    full = [row[0] for row in rows if not row[1]]
    room = [row[0] for row in rows if row[1]]
    if full:
        connection.execute(
            "update webhook_subscription set dropped = dropped + 1 where subscription_id = any (%s)", [full]
        )
    if room:
        message = uuid4()
        connection.execute(
            "insert into webhook_message (message_id, event_type, body, profile_id) values (%s, %s, %s, %s)",
            [message, event_type, body, profile],
        )
        connection.execute(
            "insert into webhook_delivery (message_id, subscription_id) select %s, unnest(%s::uuid[])",
            [message, room],
        )
        connection.execute(sql.SQL("notify {}").format(sql.Identifier(CHANNEL)))
    return len(room)


def take_due(connection: Connection, *, most: int, each: int, busy: Mapping[UUID, int]) -> list[DueDelivery]:
    """Take out what is due, oldest first for each subscription, and count the attempt.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    most, each : int
        At most so many, and at most so many of one subscription together with those that are `busy`.
    busy : mapping
        Attempts under way, by subscription.
    """
    rows = connection.execute(
        "select due.delivery_id, subscription.subscription_id, message.message_id, subscription.url,"
        "       subscription.secret, subscription.previous_secret, previous_until > now(), message.body,"
        "       attempts + 1,"
        "       message.profile_id is null or consent_holds(message.profile_id, %(purpose)s)"
        "  from webhook_subscription subscription cross join lateral ("
        "   select * from webhook_delivery delivery where delivery.subscription_id = subscription.subscription_id"
        "    and status = 'waiting' and next_at <= clock_timestamp() order by next_at"
        "    limit greatest(0, %(each)s - coalesce((%(busy)s::jsonb ->> subscription.subscription_id::text)::int, 0))"
        "    for update skip locked) due join webhook_message message using (message_id)"
        " where removed_at is null and paused_at is null order by due.next_at limit %(most)s",
        {
            "purpose": PURPOSE,
            "each": each,
            "most": most,
            "busy": msgspec.json.encode({str(one): count for one, count in busy.items()}).decode(),
        },
    ).fetchall()
    connection.execute(
        sql.SQL(
            "update webhook_delivery set attempts = attempts + 1, next_at = clock_timestamp() + interval {}"
            " where delivery_id = any (%s)"
        ).format(sql.Literal(f"{LEASE_S} seconds")),
        [[row[0] for row in rows if row[9]]],
    )
    connection.execute(
        "update webhook_delivery set status = 'withheld', finished_at = clock_timestamp()"
        " where delivery_id = any (%s)",
        [[row[0] for row in rows if not row[9]]],
    )
    return [
        DueDelivery(
            delivery_id=row[0],
            subscription_id=row[1],
            message_id=row[2],
            url=row[3],
            secrets=(row[4], row[5]) if row[5] is not None and row[6] else (row[4],),
            body=row[7],
            attempts=row[8],
        )
        for row in rows
        if row[9]
    ]


def record_attempt(connection: Connection, attempt: Attempt) -> Outcome:
    """Write what came of an attempt, and what follows from it."""
    outcome: Outcome = "delivered" if attempt.delivered else "waiting" if attempt.wait_s is not None else "dead"
    connection.execute(
        "insert into webhook_attempt (delivery_id, begun_at, duration_ms, http_status, outcome)"
        " select %(delivery_id)s, %(begun_at)s, %(duration_ms)s, %(http_status)s, %(outcome)s"
        " where exists (select from webhook_delivery where delivery_id = %(delivery_id)s)",
        msgspec.structs.asdict(attempt),
    )
    connection.execute(
        "update webhook_delivery set status = %(status)s,"
        "       next_at = clock_timestamp() + make_interval(secs => %(wait_s)s),"
        "       finished_at = case when %(status)s = 'waiting' then null else clock_timestamp() end"
        " where delivery_id = %(delivery_id)s and status = 'waiting'",
        {"status": outcome, "wait_s": attempt.wait_s or 0.0, "delivery_id": attempt.delivery_id},
    )
    return outcome


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the queue of subscriptions that are not paused; `overdue_s` is 0 where nothing is due."""

    deliveries: int
    overdue_s: float


def waiting(connection: Connection) -> Waiting:
    """Return what is in the queue."""
    row = connection.execute(
        "select count(*), coalesce(extract(epoch from clock_timestamp() - min(next_at)), 0)::float8"
        "  from webhook_delivery join webhook_subscription subscription using (subscription_id)"
        " where status = 'waiting' and removed_at is null and paused_at is null"
    ).fetchone()
    deliveries, overdue_s = row if row is not None else (0, 0.0)
    return Waiting(deliveries=deliveries, overdue_s=max(overdue_s, 0.0))


def sweep(connection: Connection) -> int:
    """Take the oldest messages out of the log, with their deliveries and attempts, once they are KEPT long enough."""
    return connection.execute(
        sql.SQL(
            "delete from webhook_message where message_id in (select message_id from webhook_message"
            " where made_at < now() - interval {} order by made_at limit {})"
        ).format(sql.Literal(KEPT), sql.Literal(_SWEPT_AT_ONCE))
    ).rowcount


async def listen(database_url: str) -> AsyncGenerator[None, None]:
    """Yield when listening has begun, and then whenever something was queued.

    Raises
    ------
    UnavailableError
        If the database is away or goes away.
    """
    async with aclosing(notices(database_url, CHANNEL, application_name="sojourn webhooks listening")) as heard:
        async for _ in heard:
            yield None
