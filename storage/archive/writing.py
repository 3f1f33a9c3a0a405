"""From the signal log into an archive: a day of a store at a time, whole or not at all, as often as new rows come."""

import tempfile
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
)
from storage.archive.places import Place
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


def archive_day(connection: Connection, place: Place, store_no: int, one: Partition) -> Manifest | None:
    """Bring a partition to where the log is; None if there was nothing new.

    What the partition held is kept, also where the log has dropped it. The new file is counted and read back before
    its manifest, which makes it valid, is written.

    Raises
    ------
    UnavailableError
        If database or archive are away.
    InputError
        If what the archive held is damaged and the log does not have it any more.
    """
    before = read_manifest(place, one)
    begin, end = one.begin_ns, one.begin_ns + DAY_NS
    wanted = _log_nos(connection, store_no, begin, end, after=-1 if before is None else before.through_log_no)
    if not wanted:
        return None
    with tempfile.TemporaryDirectory(prefix="sojourn-archive-") as folder:
        pieces: list[Path] = []
        rows = 0
        if before is not None:
            held = Path(folder, "before")
            try:
                before = fetch(place, one, held)
            except InputError:
                wanted = _log_nos(connection, store_no, begin, end, after=-1)
                if wanted[:1] != [before.first_log_no]:
                    raise
                before = None  # the log still has all of it
            else:
                pieces.append(held)
                rows = before.rows
        for frame in _frames(connection, store_no, one, wanted):
            pieces.append(Path(folder, f"piece-{len(pieces)}"))
            frame.write_parquet(pieces[-1], compression="zstd")
            rows += len(frame)
        if not rows:
            return None
        begins = first_row(connection, store_no, after=-1)
        whole = begins is not None and begins[0] == 1 and begin <= begins[1] < end
        return _put(place, one, pieces, wanted, before, whole=whole, rows=rows)


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
        list_version=0 if before is None else before.list_version,
        whole_before=whole or (before is not None and before.whole_before),
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
