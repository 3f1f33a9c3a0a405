"""From the signal log into an archive: a day of a store at a time, whole or not at all, as often as new rows come."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from core.errors import InputError
from core.wire import Batch, decode
from storage.archive.partitions import (
    DAY_NS,
    ROW_GROUP,
    SCHEMA,
    Manifest,
    Partition,
    checksum,
    fetch,
    put,
    read_manifest,
    remove,
    stands,
)
from storage.archive.places import Place
from storage.archive.workspace import Workspace
from storage.connect import Connection
from storage.instants import to_datetime
from storage.log.signals import LogRow, first_row, read_rows

_ROWS_A_READ: Final = 256
_SIGNALS_A_PIECE: Final = 2_000_000
"""Signals held while pieces are written: 100 MB."""


def days_of(connection: Connection, store_no: int, until: datetime) -> list[Partition]:
    """Return the days (UTC) of a store's log that were over at `until`, with signals, by the store's id."""
    rows = connection.execute(
        "select store.id, day::date from store, lateral (select distinct generate_series(date_trunc('day', first_at,"
        " 'UTC'), last_at, interval '1 day') as day from signal_log where store_no = store.store_no"
        " and first_at is not null) as told where store.store_no = %s and day + interval '1 day' <= %s order by 2",
        [store_no, until],
    ).fetchall()
    return [Partition(store, day) for store, day in rows]


def archive_day(
    connection: Connection, place: Place, store_no: int, one: Partition, *, check: bool = False
) -> Manifest | None:
    """Bring a partition to where the log is; None if there was nothing new.

    What the partition held is kept, also where the log has dropped it. The new file is counted and read back before
    the log may drop the day. A file that is missing, or has another size than its manifest says, is made anew; with
    `check` one that was changed in place too, which costs reading it.

    Raises
    ------
    UnavailableError
        If database or archive are away.
    InputError
        If what the archive held is damaged and the log does not have all of it any more.
    """
    before = read_manifest(place, one)
    if before is not None and not stands(place, one, before, read=check):
        return renew(connection, place, store_no, one)
    begin, end = one.begin_ns, one.begin_ns + DAY_NS
    wanted = _log_nos(connection, store_no, begin, end, after=-1 if before is None else before.through_log_no)
    if not wanted:
        return None
    if before is None:
        return _made(connection, place, store_no, one, wanted)
    with Workspace() as folder:
        held = Path(folder, "before")
        try:
            before = fetch(place, one, held)
        except InputError:
            return renew(connection, place, store_no, one)
        return _made(connection, place, store_no, one, wanted, before=(held, before))


def renew(connection: Connection, place: Place, store_no: int, one: Partition) -> Manifest | None:
    """Make a damaged partition anew from the log; None if nothing of the day is there any more: it is gone then.

    Raises
    ------
    UnavailableError
        If database or archive are away.
    InputError
        If the log does not have all of it. It stays as it was: part of a day would pass for a day with few people.
    """
    before = read_manifest(place, one)
    wanted = _log_nos(connection, store_no, one.begin_ns, one.begin_ns + DAY_NS, after=-1)
    if before is None or before.first_log_no < 0:  # nothing is known of what it held but what the log has
        whole = bool(wanted)
    else:  # rows of people who were erased are empty, not gone
        whole = _reaches(connection, store_no, before.first_log_no)
    if not whole:
        raise InputError(
            f"{one.folder} of the archive {place.target} is damaged, and the signal log has that day no more.",
            hint="Put it back from a copy of your own, or leave it: it goes with the policy.",
        )
    made = _made(connection, place, store_no, one, wanted) if wanted else None
    if made is None:
        remove(place, one)
    return made


def _reaches(connection: Connection, store_no: int, log_no: int) -> bool:
    """Whether the log goes back to a row; the oldest ones are the first to go."""
    row = connection.execute(
        "select exists (select from signal_log where store_no = %s and log_no <= %s)", [store_no, log_no]
    ).fetchone()
    return row == (True,)


def _made(
    connection: Connection,
    place: Place,
    store_no: int,
    one: Partition,
    wanted: list[int],
    *,
    before: tuple[Path, Manifest] | None = None,
) -> Manifest | None:
    """Write rows of the log into a partition, behind what was there; None if they have no signals of the day."""
    with Workspace() as folder:
        pieces, rows, held = ([before[0]], before[1].rows, before[1]) if before is not None else ([], 0, None)
        for number, frame in enumerate(_frames(connection, store_no, one, wanted)):
            pieces.append(Path(folder, f"piece-{number}"))
            frame.write_parquet(pieces[-1], compression="zstd")
            rows += len(frame)
        if not rows:
            return None
        begins = first_row(connection, store_no, after=-1)
        whole = begins is not None and begins[0] == 1 and one.begin_ns <= begins[1] < one.begin_ns + DAY_NS
        return _put(place, one, pieces, wanted, held, whole=whole, rows=rows)


def _put(
    place: Place,
    one: Partition,
    pieces: list[Path],
    wanted: list[int],
    before: Manifest | None,
    *,
    whole: bool,
    rows: int,
) -> Manifest:
    made = pieces[0].with_name("part")
    pl.scan_parquet(pieces, glob=False).sink_parquet(made, compression="zstd", row_group_size=ROW_GROUP)
    first, last, counted = _span(made)
    if counted != rows:
        raise RuntimeError(f"{counted} rows were written, not {rows}")
    manifest = Manifest(
        rows=rows,
        sha256=checksum(made),
        bytes=made.stat().st_size,
        first_log_no=wanted[0] if before is None else min(before.first_log_no, wanted[0]),
        through_log_no=wanted[-1],
        first_ns=first,
        last_ns=last,
        whole_before=whole or (before is not None and before.whole_before),
        # list_version is 0: nobody was taken out of the new rows, and the log itself may not be gone through yet
        archived_at=datetime.now(UTC),
    )
    put(place, one, made, manifest, before)  # it was read back: from here on the log may drop the day
    return manifest


def _span(path: Path) -> tuple[int, int, int]:
    told = pl.scan_parquet(path, glob=False).select(
        pl.col("ts").min().alias("first"), pl.col("ts").max().alias("last"), pl.len().alias("rows")
    )
    first, last, rows = told.collect().row(0)
    return first, last, rows


def _log_nos(connection: Connection, store_no: int, begin: int, end: int, *, after: int) -> list[int]:
    rows = connection.execute(
        "select log_no from signal_log where store_no = %s and log_no > %s and first_at < %s and last_at >= %s"
        " and received_at >= %s order by log_no",
        # no signal is accepted that is further ahead than a day
        [store_no, after, to_datetime(end), to_datetime(begin), to_datetime(begin) - timedelta(days=1)],
    ).fetchall()
    return [row[0] for row in rows]


def _frames(connection: Connection, store_no: int, one: Partition, log_nos: list[int]) -> Iterator[pl.DataFrame]:
    held: list[pl.DataFrame] = []
    for place in range(0, len(log_nos), _ROWS_A_READ):
        rows = read_rows(connection, store_no, log_nos[place : place + _ROWS_A_READ])
        held += [_frame(row, decode(row.batch), one) for row in rows if row.batch]
        if sum(map(len, held)) >= _SIGNALS_A_PIECE:
            yield pl.concat(held)
            held = []
    if held:
        yield pl.concat(held)


def _frame(row: LogRow, batch: Batch, one: Partition) -> pl.DataFrame:
    kept = np.flatnonzero((batch.ts >= one.begin_ns) & (batch.ts < one.begin_ns + DAY_NS))
    anchors = pl.Series(list(batch.anchors), dtype=pl.String)
    devices = pl.Series([device.tobytes().hex() for device in batch.devices], dtype=pl.String)
    return pl.DataFrame(
        {
            "ts": batch.ts[kept],
            "store": pl.repeat(one.store, len(kept), dtype=pl.String, eager=True),
            "anchor": anchors.gather(batch.anchor[kept]),
            "device": devices.gather(batch.device[kept]),
            "rssi_dbm": batch.rssi_dbm[kept].astype(np.int16),
            "log_no": pl.repeat(row.log_no, len(kept), dtype=pl.Int64, eager=True),
        },
        schema=SCHEMA,
    )
