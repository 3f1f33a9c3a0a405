"""The signal log: one row a batch, in the order in which the one ingest committed them, and its cursors.

The order is the engine's input: a snapshot and the rows after it give the state that was lost. It holds because
one connection at a time appends for a store (`claim`, `storage.log.owners`), so a number that was drawn later is also
committed later.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from core.limits import FUTURE_BOUND_NS
from storage.connect import Connection
from storage.instants import to_datetime, to_ns

CursorKey: TypeAlias = tuple[int, bytes]
"""(edge_no, boot): one start of one edge."""

_LOCK: Final = 0x696E67657374  # "ingest" in ASCII
_APPEND: Final = (
    "copy signal_log (received_at, log_no, store_no, edge_no, boot, sequence, signals, first_at, last_at, sha256,"
    " batch, redacted) from stdin (format binary)"
)
_APPEND_TYPES: Final = (
    "timestamptz", "int8", "int4", "int4", "uuid", "int8", "int4", "timestamptz", "timestamptz", "bytea", "bytea",
    "int4",
)  # fmt: skip

_TALLY: Final = """
with logged as (
    select edge_no, boot, sequence, sum(signals) as signals, count(*) as times
      from signal_log join store using (store_no) where store.id = %(store)s
     group by edge_no, boot, sequence
), boots as (
    select edge_no, boot, committed
      from edge_cursor join edge using (edge_no) join store using (store_no) where store.id = %(store)s
), gaps as (
    select edge_no, boot, first_sequence, last_sequence, signals
      from signal_gap join store using (store_no) where store.id = %(store)s
), told as (  -- gaps may overlap: an edge that starts anew may drop what it had sent before, without knowing
    select range_agg(told) as spans
      from (select edge_no, boot, numrange(sequence, sequence + 1::numeric) as told
              from logged join boots using (edge_no, boot) where sequence <= committed
             union all
            select edge_no, boot, numrange(first_sequence, last_sequence + 1::numeric) from gaps) as each
     group by edge_no, boot
)
select coalesce(sum(logged.times), 0),
       coalesce(sum(logged.signals), 0),
       (select coalesce(sum(committed), 0) from boots)
         - (select coalesce(sum(upper(span) - lower(span)), 0) from told, unnest(spans) as span),
       coalesce(sum(logged.times - 1), 0),
       (select coalesce(sum(signals), 0) from gaps)
  from logged
"""


@dataclass(frozen=True)
class LogEntry:
    """One batch to append. `received_at` is ns; `first_ns` and `last_ns` are None where no signal was accepted.

    `redacted` signals of people who were erased were left out.
    """

    store_no: int
    edge_no: int
    boot: bytes
    sequence: int
    received_at: int
    signals: int
    first_ns: int | None
    last_ns: int | None
    sha256: bytes
    batch: bytes
    redacted: int = 0


@dataclass(frozen=True)
class GapEntry:
    """Signals that an edge dropped: sequences `first` to `last` of a boot, between `from_ns` and `until_ns`."""

    store_no: int
    edge_no: int
    boot: bytes
    first: int
    last: int
    signals: int
    from_ns: int
    until_ns: int
    received_at: int


@dataclass(frozen=True)
class LogRow:
    """One batch as the engine reads it back; `received_at` in ns, `batch` is empty where no signal was accepted."""

    log_no: int
    edge_no: int
    received_at: int
    batch: bytes


@dataclass(frozen=True)
class Tally:
    """What is in the log of a store, and whether every cursor is borne out by it."""

    batches: int
    signals: int
    missing_batches: int
    """Sequences up to a committed cursor that are not in the log (or were removed by retention)."""
    duplicate_batches: int
    """Rows whose (edge, boot, sequence) stands in the log before."""
    dropped_signals: int
    """Signals that edges say they dropped; at most so many: an edge that starts anew may have sent some of them."""


def claim(connection: Connection, *, quietly: bool = False, shared: bool = False) -> bool:
    """Become the one ingest of this database for as long as the connection lives; False while another is.

    `shared`: become one of several that own different stores (`storage.log.owners`); False while one wants all.

    The claim and the writes share a connection, so whoever lost the claim can no longer write either. A connection
    that this process left behind, known by its application_name, is ended first: its network may have died without
    the server knowing. `quietly`: nobody's connection is ended.
    """
    if not quietly:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid() and usename = current_user"
            " and application_name = current_setting('application_name')"
        )
    take = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
    return connection.execute(f"select {take}(%s)", [_LOCK]).fetchone() == (True,)


def release(connection: Connection) -> None:
    """Be the one ingest no longer; for whoever claimed it for a moment."""
    connection.execute("select pg_advisory_unlock(%s)", [_LOCK])


def lock_cursors(connection: Connection, keys: Collection[CursorKey]) -> dict[CursorKey, int]:
    """Lock the cursors of these boots until the end of the transaction and return them; a new boot starts at 0."""
    if not keys:
        return {}
    ordered = sorted(keys)  # the same order everywhere, so that two transactions cannot wait for each other
    asked = [[edge_no for edge_no, _ in ordered], [UUID(bytes=boot) for _, boot in ordered]]
    connection.execute(
        "insert into edge_cursor (edge_no, boot, committed)"
        " select edge_no, boot, 0 from unnest(%s::int[], %s::uuid[]) as new (edge_no, boot) on conflict do nothing",
        asked,
    )
    rows = connection.execute(
        "select edge_no, boot, committed from edge_cursor"
        " where (edge_no, boot) in (select * from unnest(%s::int[], %s::uuid[]))"
        " order by edge_no, boot for update",
        asked,
    ).fetchall()
    return {(edge_no, boot.bytes): committed for edge_no, boot, committed in rows}


def advance_cursors(connection: Connection, committed: Mapping[CursorKey, int]) -> None:
    """Write cursors that were locked in this transaction; a cursor never goes back."""
    keys = list(committed)
    connection.execute(
        "update edge_cursor set committed = new.committed, changed_at = clock_timestamp()"
        "  from unnest(%s::int[], %s::uuid[], %s::bigint[]) as new (edge_no, boot, committed)"
        " where edge_cursor.edge_no = new.edge_no and edge_cursor.boot = new.boot"
        "   and edge_cursor.committed < new.committed",
        [
            [edge_no for edge_no, _ in keys],
            [UUID(bytes=boot) for _, boot in keys],
            [committed[key] for key in keys],
        ],
    )


def newest_cursors(connection: Connection, edges: Collection[int], most: int) -> dict[int, dict[bytes, int]]:
    """Return for each edge the committed sequence of its `most` boots that moved last."""
    found: dict[int, dict[bytes, int]] = {edge_no: {} for edge_no in edges}
    rows = connection.execute(
        "select asked.edge_no, newest.boot, newest.committed from unnest(%s::int[]) as asked (edge_no),"
        " lateral (select boot, committed from edge_cursor where edge_no = asked.edge_no"
        "           order by changed_at desc limit %s) as newest",
        [list(found), most],
    ).fetchall()
    for edge_no, boot, committed in rows:
        found[edge_no][boot.bytes] = committed
    return found


def append(connection: Connection, entries: Sequence[LogEntry]) -> list[int]:
    """Append batches in this order and return their numbers, which rise; to be called inside a transaction."""
    if not entries:
        return []
    drawn = connection.execute("select nextval('log_order') from generate_series(1, %s)", [len(entries)]).fetchall()
    numbers = sorted(row[0] for row in drawn)
    with connection.cursor() as cursor, cursor.copy(_APPEND) as copy:
        copy.set_types(_APPEND_TYPES)
        for log_no, entry in zip(numbers, entries, strict=True):
            copy.write_row(
                (
                    to_datetime(entry.received_at),
                    log_no,
                    entry.store_no,
                    entry.edge_no,
                    UUID(bytes=entry.boot),
                    entry.sequence,
                    entry.signals,
                    None if entry.first_ns is None else to_datetime(entry.first_ns),
                    None if entry.last_ns is None else to_datetime(entry.last_ns),
                    entry.sha256,
                    entry.batch,
                    entry.redacted,
                )
            )
    return numbers


def save_gaps(connection: Connection, gaps: Sequence[GapEntry]) -> None:
    """Keep what edges say they dropped; to be called in the transaction that logs the batches that say so."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into signal_gap (edge_no, boot, first_sequence, last_sequence, store_no, signals, from_at,"
            " until_at, received_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            [
                (
                    gap.edge_no,
                    UUID(bytes=gap.boot),
                    gap.first,
                    gap.last,
                    gap.store_no,
                    gap.signals,
                    to_datetime(gap.from_ns),
                    to_datetime(gap.until_ns),
                    to_datetime(gap.received_at),
                )
                for gap in gaps
            ],
        )


def read(connection: Connection, store_no: int, *, after: int, most: int) -> list[LogRow]:
    """Return the next batches of a store after a log number, in log order; at most `most` of them."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            "select log_no, edge_no, received_at, batch from signal_log where store_no = %s and log_no > %s"
            " order by log_no limit %s",
            [store_no, after, most],
        )
        return [LogRow(log_no, edge_no, to_ns(at), bytes(batch)) for log_no, edge_no, at, batch in cursor]


@dataclass(frozen=True)
class LogTimes:
    """Rows of the log by when their signals were: in order of `first_ns`, then `log_no`; arrays of int64."""

    log_no: NDArray[np.int64]
    first_ns: NDArray[np.int64]
    last_ns: NDArray[np.int64]


def rows_between(connection: Connection, store_no: int, *, after: int, from_ns: int, until_ns: int) -> LogTimes:
    """Return the rows of a store after a log number that hold a signal of `from_ns` <= t < `until_ns`, or may."""
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(
            "select log_no, first_at, last_at from signal_log where store_no = %s and log_no > %s"
            " and first_at < %s and last_at >= %s and received_at >= %s order by first_at, log_no",
            [
                store_no,
                after,
                to_datetime(until_ns),
                to_datetime(from_ns),
                # no signal is accepted that is further ahead than this
                to_datetime(from_ns - FUTURE_BOUND_NS),
            ],
        )
        found = np.array([(no, to_ns(first), to_ns(last)) for no, first, last in rows], np.int64).reshape(-1, 3)
    return LogTimes(found[:, 0], found[:, 1], found[:, 2])


def read_rows(connection: Connection, store_no: int, log_nos: Sequence[int]) -> list[LogRow]:
    """Return these rows of a store, in log order."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(
            "select log_no, edge_no, received_at, batch from signal_log where store_no = %s and log_no = any(%s)"
            " order by log_no",
            [store_no, list(log_nos)],
        )
        return [LogRow(log_no, edge_no, to_ns(at), bytes(batch)) for log_no, edge_no, at, batch in cursor]


def span_of(connection: Connection, store_no: int, log_nos: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return (log_no, first, last) of these rows that hold signals; times in ns."""
    rows = connection.execute(
        "select log_no, first_at, last_at from signal_log where store_no = %s and log_no = any(%s)"
        " and first_at is not null order by log_no",
        [store_no, list(log_nos)],
    ).fetchall()
    return [(no, to_ns(first), to_ns(last)) for no, first, last in rows]


def heard_until(connection: Connection, store_no: int, log_no: int, rows: int) -> int | None:
    """Return the newest time of a signal (ns) in the last `rows` rows up to a log number, None without any."""
    row = connection.execute(
        "select max(last_at) from (select last_at from signal_log where store_no = %s and log_no <= %s"
        " order by log_no desc limit %s) as newest",
        [store_no, log_no, rows],
    ).fetchone()
    return None if row is None or row[0] is None else to_ns(row[0])


def first_row(connection: Connection, store_no: int, *, after: int) -> tuple[int, int] | None:
    """Return sequence and earliest time (ns) of the first row with signals after a log number."""
    row = connection.execute(
        "select sequence, first_at from signal_log where store_no = %s and log_no > %s and first_at is not null"
        " order by log_no limit 1",
        [store_no, after],
    ).fetchone()
    return None if row is None else (row[0], to_ns(row[1]))


def tally(connection: Connection, store: str) -> Tally:
    """Count what the log of a store (by its id) holds; reads all of its rows, so it is for demos and checks."""
    row = connection.execute(_TALLY, {"store": store}).fetchone()
    if row is None:  # an aggregate always has a row
        raise RuntimeError("The database returned no tally.")
    return Tally(*map(int, row))  # numeric: what two edges say may be more together than a bigint holds
