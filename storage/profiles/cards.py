"""Tickets to the card of one profile: made for a frame in another system, good once, for minutes, kept as a hash."""

from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final
from uuid import UUID

import msgspec
from psycopg import sql

from storage.audit.acting import Acting, as_json
from storage.connect import Connection
from storage.storable import storable

HOLDS_S: Final = 300
"""Long enough to load a page of a CRM, too short to be passed on."""
_TICKET_BYTES: Final = 32
_SWEPT_AT_ONCE: Final = 100


def make_ticket(connection: Connection, profile: UUID, *, by: str, made_as: Acting) -> tuple[str, datetime]:
    """Return a ticket and when it ends; the look that it opens is that of `made_as`."""
    ticket = token_urlsafe(_TICKET_BYTES)
    row = connection.execute(
        "insert into card_ticket (ticket_sha256, profile_id, made_by, made_as, expires_at)"
        " values (%s, %s, %s, %s::jsonb, clock_timestamp() + make_interval(secs => %s)) returning expires_at",
        [_digest(ticket), profile, storable(by), as_json(made_as), HOLDS_S],
    ).fetchone()
    connection.execute(
        sql.SQL(
            "delete from card_ticket where ticket_sha256 in (select ticket_sha256 from card_ticket"
            " where expires_at < now() order by expires_at limit {} for update skip locked)"
        ).format(sql.Literal(_SWEPT_AT_ONCE))
    )
    if row is None:
        raise RuntimeError("An insert gave no row back.")
    expires_at: datetime = row[0]
    return ticket, expires_at


def spend_ticket(connection: Connection, ticket: str) -> tuple[UUID, Acting] | None:
    """Use a ticket up; return whose card it opens and who made it; None if it is unknown, used or over."""
    row = connection.execute(
        "delete from card_ticket where ticket_sha256 = %s and expires_at > clock_timestamp()"
        " and made_as is not null returning profile_id, made_as",
        [_digest(ticket)],
    ).fetchone()
    return (row[0], msgspec.convert(row[1], Acting)) if row is not None else None


def _digest(ticket: str) -> bytes:
    return sha256(ticket.encode("utf-8", "replace")).digest()
