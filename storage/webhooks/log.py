"""The log of deliveries: what was told to whom, what was tried, and the dead letters that can be sent again."""

from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from psycopg import sql

from core.errors import InputError
from storage.access.acting import in_own_right
from storage.audit.seen import saw
from storage.connect import Connection
from storage.page_cursors import read_cursor, write_cursor
from storage.profiles.profiles import PURPOSE

DELIVERIES_PER_PAGE: Final = 200
ATTEMPTS_SHOWN: Final = 100
"""Ten at a time, and somebody who sends a dead letter again ten times should look elsewhere."""

DeliveryStatus: TypeAlias = Literal["waiting", "delivered", "dead", "withheld"]

_COLUMNS: Final = (
    "delivery_id, message_id, subscription_id, event_type, message.made_at, status, attempts, next_at, finished_at,"
    " (select outcome from webhook_attempt attempt where attempt.delivery_id = delivery.delivery_id"
    "   order by attempt_no desc limit 1), subscription.url"
)
_SOURCE: Final = (
    "webhook_delivery delivery join webhook_message message using (message_id)"
    " join webhook_subscription subscription using (subscription_id)"
)
_SEEN: Final = "(message.profile_id is null or consent_holds(message.profile_id, %(purpose)s))"


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way to one subscription; `said` is what came of the newest attempt."""

    delivery_id: int
    message_id: UUID
    subscription_id: UUID
    event_type: str
    made_at: datetime
    status: str
    attempts: int
    next_at: datetime
    finished_at: datetime | None
    said: str | None
    url: str


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt; without `http_status` nothing was answered."""

    begun_at: datetime
    duration_ms: int
    http_status: int | None
    outcome: str


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some deliveries, newest first, and where to go on."""

    deliveries: tuple[DeliveryRow, ...]
    next_cursor: str | None


def deliveries_page(
    connection: Connection,
    *,
    subscription: UUID | None = None,
    status: DeliveryStatus | None = None,
    limit: int,
    cursor: str | None = None,
) -> DeliveryPage:
    """Return deliveries, newest first; one that tells of a customer without consent is not shown.

    Raises
    ------
    InputError
        If the cursor does not fit or the limit is out of bounds.
    """
    if not 1 <= limit <= DELIVERIES_PER_PAGE:
        raise InputError(f"A page has 1 to {DELIVERIES_PER_PAGE} deliveries.", where="limit")
    question = ("webhook deliveries", str(subscription), status)
    values: dict[str, Any] = {"limit": limit + 1, "purpose": PURPOSE}
    clauses = [sql.SQL(_SEEN)]
    if subscription is not None:
        clauses.append(sql.SQL("delivery.subscription_id = %(subscription)s"))
        values["subscription"] = subscription
    if status is not None:
        clauses.append(sql.SQL("delivery.status = %(status)s"))
        values["status"] = status
    if cursor is not None:
        clauses.append(sql.SQL("delivery_id < %(before)s"))
        values["before"] = read_cursor(cursor, question, int)
    query = sql.SQL("select {} from {} where {} order by delivery_id desc limit %(limit)s").format(
        sql.SQL(_COLUMNS), sql.SQL(_SOURCE), sql.SQL(" and ").join(clauses)
    )
    with in_own_right(connection):  # whether a consent holds is looked at for whoever may not read consents
        rows = connection.execute(query, values).fetchall()
    found = tuple(_delivery(row) for row in rows[:limit])
    return DeliveryPage(
        deliveries=found,
        next_cursor=write_cursor(found[-1].delivery_id, question) if len(rows) > limit else None,
    )


def find_delivery(
    connection: Connection, delivery: int, *, with_people: bool
) -> tuple[DeliveryRow, str, list[AttemptRow]] | None:
    """Return a delivery, the body that is sent, and its attempts, oldest first; None if it may not be seen.

    What a body tells of a customer is in it only `with_people`: for whom may read of every customer; to have it is to
    have read of her. Else its `data` is null.
    """
    query = sql.SQL(
        "select {}, message.body, message.profile_id from {} where delivery_id = %(delivery)s and {}"
    ).format(sql.SQL(_COLUMNS), sql.SQL(_SOURCE), sql.SQL(_SEEN))
    with in_own_right(connection):
        row = connection.execute(query, {"delivery": delivery, "purpose": PURPOSE}).fetchone()
    if row is None:
        return None
    attempts = connection.execute(
        "select begun_at, duration_ms, http_status, outcome from webhook_attempt where delivery_id = %s"
        " order by attempt_no desc limit %s",
        [delivery, ATTEMPTS_SHOWN],
    ).fetchall()
    tried = [
        AttemptRow(begun_at=one[0], duration_ms=one[1], http_status=one[2], outcome=one[3])
        for one in reversed(attempts)
    ]
    body, profile = row[11], row[12]
    if profile is not None and not with_people:
        body = msgspec.json.encode(msgspec.json.decode(body) | {"data": None}).decode()
    elif profile is not None:
        saw(profile)
    return _delivery(row), body, tried


def send_again(connection: Connection, delivery: int) -> bool:
    """Queue a delivery once more, at once and with all attempts; False if there is none, or it waits already."""
    with in_own_right(connection):
        done = connection.execute(
            "update webhook_delivery delivery set status = 'waiting', attempts = 0, next_at = clock_timestamp(),"
            "       finished_at = null"
            "  from webhook_message message, webhook_subscription subscription"
            " where delivery.delivery_id = %(delivery)s and status <> 'waiting'"
            "   and message.message_id = delivery.message_id and removed_at is null"
            "   and subscription.subscription_id = delivery.subscription_id"
            "   and (message.profile_id is null or consent_holds(message.profile_id, %(purpose)s))",
            {"delivery": delivery, "purpose": PURPOSE},
        ).rowcount
    if done:
        connection.execute("notify sojourn_webhooks")
    return done > 0


def _delivery(row: tuple[Any, ...]) -> DeliveryRow:
    return DeliveryRow(
        delivery_id=row[0],
        message_id=row[1],
        subscription_id=row[2],
        event_type=row[3],
        made_at=row[4],
        status=row[5],
        attempts=row[6],
        next_at=row[7],
        finished_at=row[8],
        said=row[9],
        url=row[10],
    )
