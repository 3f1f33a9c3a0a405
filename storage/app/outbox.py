"""The outbox of apps: batches numbered as they are taken in, published again until ingest's cursor is past them."""

from collections.abc import Callable
from typing import Final
from uuid import UUID

import msgspec

from core.errors import UnavailableError
from storage.connect import Connection

EDGE: Final = "app"
"""The id of the edge that apps are, in every store."""
WAITING_MOST: Final = 20_000
"""Batches of one store. Two hours of three requests a second; beyond that the app is told to keep its own."""
AGAIN_S: Final = 10.0
"""A batch that ingest has not committed by then is published again."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A batch to publish."""

    store: str
    sequence: int
    payload: bytes


class StoreOutbox(msgspec.Struct, frozen=True, kw_only=True):
    """How many batches of a store are not known to be in the log."""

    store: str
    boot: bytes
    waiting: int


def put(connection: Connection, store_no: int, encode: Callable[[bytes, int], bytes]) -> int:
    """Keep a batch under the next number, in the caller's transaction; return its sequence.

    Parameters
    ----------
    connection : Connection
    store_no : int
    encode : callable
        Given boot and sequence, returns the batch as bytes.

    Raises
    ------
    UnavailableError
        If WAITING_MOST batches wait: the broker or ingest is away.
    """
    connection.execute("insert into app_edge (store_no) values (%s) on conflict do nothing", [store_no])
    # the row is locked until the commit: numbers have no gaps
    row = connection.execute(
        "update app_edge set sequence = sequence + 1 where store_no = %s returning boot, sequence", [store_no]
    ).fetchone()
    if row is None:
        raise RuntimeError("The edge of the apps is gone.")
    boot, sequence = row
    if sequence - _committed(connection, store_no, boot) > WAITING_MOST:
        raise UnavailableError("Too much of apps waits for the broker.", hint="Keep it and send it again later.")
    connection.execute(
        "insert into app_outbox (store_no, sequence, payload) values (%s, %s, %s)",
        [store_no, sequence, encode(boot.bytes, sequence)],
    )
    return int(sequence)


def take_due(connection: Connection, most: int) -> list[Due]:
    """Return what is to be published now, in order, and note that it is."""
    rows = connection.execute(
        "update app_outbox set sent_at = clock_timestamp() from store where store.store_no = app_outbox.store_no"
        " and (app_outbox.store_no, sequence) in (select store_no, sequence from app_outbox"
        "   where sent_at is null or sent_at < clock_timestamp() - make_interval(secs => %s)"
        "   order by sent_at nulls first, store_no, sequence limit %s for update skip locked)"
        " returning store.id, sequence, payload",
        [AGAIN_S, most],
    ).fetchall()
    return [Due(store=store, sequence=number, payload=bytes(payload)) for store, number, payload in sorted(rows)]


def remove_committed(connection: Connection) -> int:
    """Remove what ingest has committed; return how many batches that were."""
    return connection.execute(
        "delete from app_outbox using app_edge, edge, edge_cursor where app_edge.store_no = app_outbox.store_no"
        " and edge.store_no = app_edge.store_no and edge.id = %s and edge_cursor.edge_no = edge.edge_no"
        " and edge_cursor.boot = app_edge.boot and app_outbox.sequence <= edge_cursor.committed",
        [EDGE],
    ).rowcount


def outboxes(connection: Connection) -> list[StoreOutbox]:
    """Return every store's outbox."""
    rows = connection.execute(
        "select store.id, boot, (select count(*) from app_outbox waiting where waiting.store_no = app_edge.store_no)"
        " from app_edge join store using (store_no) order by 1"
    ).fetchall()
    return [StoreOutbox(store=store, boot=boot.bytes, waiting=waiting) for store, boot, waiting in rows]


def _committed(connection: Connection, store_no: int, boot: UUID) -> int:
    row = connection.execute(
        "select committed from edge_cursor join edge using (edge_no) where store_no = %s and id = %s and boot = %s",
        [store_no, EDGE, boot],
    ).fetchone()
    return 0 if row is None else int(row[0])
