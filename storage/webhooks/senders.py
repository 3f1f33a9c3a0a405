"""Systems whose signed webhooks are taken in, each with a secret of its own."""

from datetime import datetime
from typing import Final

import msgspec
from psycopg import sql

from core.errors import InputError
from storage.access.acting import in_own_right
from storage.connect import Connection
from storage.webhooks.subscriptions import CHANGE_OVER

SENDERS: Final = 100
"""Tills, shops and apps of the largest chain we know of."""


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """A system that sends; `heard_at` is when something with a good signature came last."""

    source: str
    made_at: datetime
    heard_at: datetime | None


class SenderKnownError(InputError):
    """There is a sender of this name already."""


def add_sender(connection: Connection, source: str, secret: str) -> None:
    """Let a system send.

    Raises
    ------
    SenderKnownError
        If there is one of this name.
    InputError
        If there are SENDERS of them.
    """
    connection.execute("lock table webhook_sender in share row exclusive mode")  # while they are counted
    row = connection.execute("select count(*), bool_or(source = %s) from webhook_sender", [source]).fetchone()
    if row is not None and row[1]:
        raise SenderKnownError(f"There is a sender {source!r} already.", hint="Give it a new secret, or remove it.")
    if row is not None and row[0] >= SENDERS:
        raise InputError(f"There are at most {SENDERS} senders.", hint="Remove one first.")
    connection.execute("insert into webhook_sender (source, secret) values (%s, %s)", [source, secret])


def senders(connection: Connection) -> list[Sender]:
    """Return the senders there are, by name."""
    rows = connection.execute("select source, made_at, heard_at from webhook_sender order by source").fetchall()
    return [Sender(source=row[0], made_at=row[1], heard_at=row[2]) for row in rows]


def sender_secrets(connection: Connection, source: str) -> list[str]:
    """Return the secrets that hold for a sender, the newest first; empty if there is none."""
    with in_own_right(connection):  # whoever sends reads no secret of anybody
        row = connection.execute(
            "select secret, case when previous_until > now() then previous_secret end"
            "  from webhook_sender where source = %s",
            [source],
        ).fetchone()
    return [secret for secret in row or () if secret is not None]


def renew_sender(connection: Connection, source: str, secret: str) -> bool:
    """Give a sender a new secret; the old one holds beside it for a day. False if there is none."""
    query = sql.SQL(
        "update webhook_sender set previous_secret = secret, previous_until = now() + interval {}, secret = %s"
        " where source = %s"
    ).format(sql.Literal(CHANGE_OVER))
    return connection.execute(query, [secret, source]).rowcount > 0


def remove_sender(connection: Connection, source: str) -> bool:
    """Take nothing from a system any more. False if there is none."""
    return connection.execute("delete from webhook_sender where source = %s", [source]).rowcount > 0


def heard(connection: Connection, source: str) -> None:
    """Write that something with a good signature came."""
    with in_own_right(connection):
        connection.execute("update webhook_sender set heard_at = clock_timestamp() where source = %s", [source])
