"""Reminders: each open follow-up is told once when it falls due, to whoever subscribed and on every page."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from storage.access.colleagues import unowned
from storage.connect import Connection
from storage.webhooks import enqueue

REMINDED_AT_ONCE: Final = 500
"""Of one transaction; the rest comes with the next."""


class DueCount(msgspec.Struct, frozen=True, kw_only=True):
    """What is due by the end of an operator's day, how much of it is overdue, and how much more is nobody's."""

    due: int
    overdue: int
    nobodys: int


def remind(connection: Connection, now: datetime) -> int:
    """Tell of the open follow-ups that have fallen due and were not told yet; return how many.

    One whose note or alert may not be seen, as its consent is gone, waits: nobody is told of it, unless it is back.
    """
    rows = connection.execute(
        "update follow_up set reminded_at = %(now)s where follow_up_id in (select follow_up_id from follow_up"
        "  where done_at is null and reminded_at is null and due_at <= %(now)s"
        "   and exists (select from follow_up_seen seen where seen.follow_up_id = follow_up.follow_up_id)"
        "  order by due_at limit %(limit)s for update skip locked) returning follow_up_id",
        {"now": now, "limit": REMINDED_AT_ONCE},
    ).fetchall()
    told = 0
    for follow_up, note, alert, profile, operator, due_at, timezone, instructions in connection.execute(
        "select follow_up_id, note_id, alert_id, profile_id, operator, due_at, timezone, instructions"
        " from follow_up_seen where follow_up_id = any(%s) order by due_at, follow_up_id",
        [[row[0] for row in rows]],
    ).fetchall():
        payload = {
            "follow_up_id": str(follow_up),
            "note_id": _text(note),
            "alert_id": _text(alert),
            "profile_id": _text(profile),
            "operator": operator,
            "due_at": due_at.isoformat(),
            "timezone": timezone,
            "instructions": instructions,
        }
        enqueue(connection, "follow_up.due", payload, profile=profile)
        told += 1
    return told


def due_count(connection: Connection, operator: str, now: datetime) -> DueCount:
    """Return how much is due by the end of today, in each follow-up's time zone: for an operator, and nobody's."""
    row = connection.execute(
        "select count(*) filter (where lower(operator) = lower(%(operator)s)),"
        "  count(*) filter (where lower(operator) = lower(%(operator)s) and due_at < %(now)s),"
        "  count(*) filter (where follow_up_id = any(%(nobodys)s)) from follow_up_seen"
        " where done_at is null"
        " and (lower(operator) = lower(%(operator)s) or follow_up_id = any(%(nobodys)s))"
        " and due_at < %(now)s::timestamptz + interval '2 days'"
        " and (due_at at time zone timezone)::date <= (%(now)s::timestamptz at time zone timezone)::date",
        {"operator": operator, "now": now, "nobodys": unowned(connection, before=now + timedelta(days=2))},
    ).fetchone()
    due, overdue, nobodys = row if row is not None else (0, 0, 0)
    return DueCount(due=due, overdue=overdue, nobodys=nobodys)


def _text(name: UUID | None) -> str | None:
    return str(name) if name is not None else None
