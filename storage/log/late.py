"""Batches of which the engine left signals out because they were late, and which of them visits were revised for."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.connect import Connection
from storage.instants import to_datetime


@dataclass(frozen=True)
class LateBatch:
    """A row of the log with late signals; `received_at` is ns."""

    log_no: int
    signals: int
    received_at: int


def save_late(connection: Connection, store_no: int, batches: Sequence[LateBatch]) -> None:
    """Keep which rows had late signals; in the transaction that writes the engine's progress, repeated or not."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into late_batch (store_no, log_no, signals, received_at) values (%s, %s, %s, %s)"
            " on conflict do nothing",
            [(store_no, late.log_no, late.signals, to_datetime(late.received_at)) for late in batches],
        )


def late_stores(connection: Connection, *, settled_before: int, waited_before: int) -> list[int]:
    """Return the stores with open late batches that are due, those that wait longest first.

    All of a store's came before `settled_before`, or one before `waited_before` (ns).
    """
    rows = connection.execute(
        "select store_no from late_batch where revised_at is null group by store_no"
        " having max(received_at) < %s or min(received_at) < %s order by min(received_at)",
        [to_datetime(settled_before), to_datetime(waited_before)],
    ).fetchall()
    return [row[0] for row in rows]


def late_open(connection: Connection) -> int:
    """Count the late batches of all stores that visits were not revised for."""
    row = connection.execute("select count(*) from late_batch where revised_at is null").fetchone()
    return 0 if row is None else int(row[0])


def open_late(connection: Connection, store_no: int, *, most: int) -> list[int]:
    """Return the log numbers of a store's open late batches, the first ones."""
    rows = connection.execute(
        "select log_no from late_batch where store_no = %s and revised_at is null order by log_no limit %s",
        [store_no, most],
    ).fetchall()
    return [row[0] for row in rows]


def late_between(connection: Connection, store_no: int, log_nos: Sequence[int]) -> set[int]:
    """Return which of these rows of the log had late signals, revised for or not."""
    rows = connection.execute(
        "select log_no from late_batch where store_no = %s and log_no = any(%s)", [store_no, list(log_nos)]
    ).fetchall()
    return {row[0] for row in rows}


def close_late(connection: Connection, store_no: int, log_nos: Sequence[int]) -> None:
    """Mark late batches as revised for; in the transaction that writes the changes."""
    connection.execute(
        "update late_batch set revised_at = now() where store_no = %s and log_no = any(%s) and revised_at is null",
        [store_no, list(log_nos)],
    )
