"""Where events are sent to. A secret is told once, when it is made."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID, uuid4

import msgspec
from psycopg import sql

from core.errors import InputError
from core.webhooks import check_known
from storage.connect import Connection
from storage.storable import storable

SUBSCRIPTIONS: Final = 100
"""Each event is written once for each of them."""
TYPES_PER_SUBSCRIPTION: Final = 50
DESCRIPTION_CHARACTERS: Final = 200
CHANGE_OVER: Final = "24 hours"
"""A receiver has a day to change over to a new secret."""
BY_A_PERSON: Final = "by a person"

Pause: TypeAlias = Literal["pause", "resume"]

_COLUMNS: Final = (
    "subscription_id, url, event_types, description, made_at, paused_at, paused_because, dropped,"
    " (select count(*) from (select from webhook_delivery delivery where status = 'waiting'"
    "   and delivery.subscription_id = subscription.subscription_id limit 10000) waiting)"
)


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are sent to; `event_types` empty: all. `dropped` were not queued because too many waited."""

    subscription_id: UUID
    url: str
    event_types: tuple[str, ...]
    description: str
    made_at: datetime
    paused_at: datetime | None
    paused_because: str | None
    dropped: int
    waiting: int


def add_subscription(
    connection: Connection, *, url: str, event_types: Sequence[str], description: str, secret: str
) -> UUID:
    """Write a subscription; `url` and `secret` are checked by the caller.

    Raises
    ------
    InputError
        If there are SUBSCRIPTIONS of them, or a value is not possible.
    """
    wanted = sorted({check_known(one) for one in event_types})
    if len(wanted) > TYPES_PER_SUBSCRIPTION:
        raise InputError(f"At most {TYPES_PER_SUBSCRIPTION} types; leave them out for all.", where="event_types")
    if len(description) > DESCRIPTION_CHARACTERS:
        raise InputError(f"A description has at most {DESCRIPTION_CHARACTERS} characters.", where="description")
    connection.execute("lock table webhook_subscription in share row exclusive mode")  # while they are counted
    row = connection.execute("select count(*) from webhook_subscription where removed_at is null").fetchone()
    if row is not None and row[0] >= SUBSCRIPTIONS:
        raise InputError(f"There are at most {SUBSCRIPTIONS} subscriptions.", hint="Remove one first.")
    chosen = uuid4()
    connection.execute(
        "insert into webhook_subscription (subscription_id, url, event_types, description, secret)"
        " values (%s, %s, %s, %s, %s)",
        [chosen, url, wanted, storable(description), secret],
    )
    return chosen


def subscriptions(connection: Connection, subscription: UUID | None = None) -> list[Subscription]:
    """Return the subscriptions there are, oldest first, or the one that is asked for."""
    query = sql.SQL(
        "select {} from webhook_subscription subscription where removed_at is null"
        " and (%(one)s::uuid is null or subscription_id = %(one)s) order by made_at, subscription_id"
    ).format(sql.SQL(_COLUMNS))
    rows: list[Any] = connection.execute(query, {"one": subscription}).fetchall()
    return [
        Subscription(
            subscription_id=row[0],
            url=row[1],
            event_types=tuple(row[2]),
            description=row[3],
            made_at=row[4],
            paused_at=row[5],
            paused_because=row[6],
            dropped=row[7],
            waiting=row[8],
        )
        for row in rows
    ]


def pause(connection: Connection, subscription: UUID, change: Pause, *, because: str = BY_A_PERSON) -> bool:
    """Pause or resume a subscription: while it is paused nothing is queued for it and nothing sent.

    Returns
    -------
    bool
        False if there is no such subscription.
    """
    if change == "resume":
        query = "update webhook_subscription set paused_at = null, paused_because = null"
        values: list[Any] = []
    else:
        query = "update webhook_subscription set paused_at = clock_timestamp(), paused_because = %s"
        values = [because]
    query += " where subscription_id = %s and removed_at is null"
    done = connection.execute(sql.SQL(query), [*values, subscription]).rowcount > 0
    if done and change == "resume":
        connection.execute("notify sojourn_webhooks")
    return done


def change_secret(connection: Connection, subscription: UUID, secret: str) -> bool:
    """Give a subscription a new secret; the old one signs beside it for a day. False if it is unknown."""
    query = sql.SQL(
        "update webhook_subscription set previous_secret = secret, previous_until = now() + interval {},"
        " secret = %s where subscription_id = %s and removed_at is null"
    ).format(sql.Literal(CHANGE_OVER))
    return connection.execute(query, [secret, subscription]).rowcount > 0


def remove_subscription(connection: Connection, subscription: UUID) -> bool:
    """Remove a subscription with its secrets; what waits for it is not sent. False if it is unknown."""
    removed = connection.execute(
        "update webhook_subscription set removed_at = clock_timestamp(), secret = '', previous_secret = null"
        " where subscription_id = %s and removed_at is null",
        [subscription],
    ).rowcount
    connection.execute(
        "update webhook_delivery set status = 'withheld', finished_at = clock_timestamp()"
        " where subscription_id = %s and status = 'waiting'",
        [subscription],
    )
    return removed > 0
