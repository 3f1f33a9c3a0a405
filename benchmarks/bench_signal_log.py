"""What the signal log costs per signal: one row a batch, beside one row a signal.

    python -m benchmarks.bench_signal_log postgresql://…            (a database that may be written to)

Both tables are hypertables filled by COPY in transactions of the same size, with `fsync` and `synchronous_commit`
on. Per signal the rows carry what an engine needs: time, device, anchor, level, edge.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import numpy as np

from core.wire import Batch, decode, encode
from storage.connect import Connection, connect, in_transaction
from storage.copy import Field, copy_columns
from storage.log.signals import LogEntry, append

BATCHES_A_COMMIT = 64
_ROW = {
    "ts": Field.TIMESTAMPTZ,
    "store_no": Field.INT4,
    "edge_no": Field.INT4,
    "device": Field.UUID,
    "anchor_no": Field.INT2,
    "rssi_dbm": Field.INT2,
}


@dataclass(frozen=True)
class Cost:
    """What one way of logging took; sizes in bytes."""

    name: str
    signals: int
    write_s: float
    table_bytes: int
    wal_bytes: int
    read_s: float

    def line(self) -> str:
        """Return one row of the table that is printed."""
        write, read = self.signals / self.write_s / 1e3, self.signals / self.read_s / 1e3
        stored, wal = self.table_bytes / self.signals, self.wal_bytes / self.signals
        return f"{self.name:<18}{write:>14,.0f}{read:>14,.0f}{stored:>14.1f}{wal:>14.1f}"


def batches(count: int, signals: int, seed: int) -> Iterator[Batch]:
    """Seconds of a store: 150 devices, 12 anchors, levels around -70 dBm, times in arrival order."""
    rng = np.random.default_rng(seed)
    devices = rng.integers(0, 256, (150, 16), np.uint8)
    boot = uuid4().bytes
    begin = 1_790_000_000_000_000_000
    for number in range(count):
        named, device = np.unique(rng.integers(0, len(devices), signals), return_inverse=True)
        offset_us = np.sort(rng.integers(0, 1_000_000, signals))
        yield Batch(
            boot=boot,
            sequence=number + 1,
            anchors=tuple(f"anchor-{n}" for n in range(12)),
            devices=devices[named],
            ts=begin + number * 1_000_000_000 + offset_us * 1_000,
            anchor=rng.integers(0, 12, signals).astype(np.uint16),
            device=device.astype(np.uint16),
            rssi_dbm=rng.normal(-70, 6, signals).clip(-119, 0).astype(np.int16),
        )


def measure(connection: Connection, name: str, table: str, given: list[Batch], ways: "Ways") -> Cost:
    """Write all batches and read them back."""
    before = _wal(connection)
    begun_s = time.perf_counter()
    for start in range(0, len(given), BATCHES_A_COMMIT):
        part = given[start : start + BATCHES_A_COMMIT]
        in_transaction(connection, lambda c, part=part: ways.write(c, part))  # type: ignore[misc]
    write_s = time.perf_counter() - begun_s
    wal_bytes = _wal(connection) - before
    begun_s = time.perf_counter()
    read = ways.read(connection)
    read_s = time.perf_counter() - begun_s
    signals = sum(map(len, given))
    if read != signals:
        raise RuntimeError(f"{read} signals were read back, {signals} written")
    (size,) = connection.execute("select hypertable_size(%s::regclass)", [table]).fetchone() or (0,)
    return Cost(name, signals, write_s, size, wal_bytes, read_s)


@dataclass(frozen=True)
class Ways:
    """How to write batches and how to read everything back, as a count of signals."""

    write: Callable[[Connection, list[Batch]], None]
    read: Callable[[Connection], int]


def _write_batches(connection: Connection, given: list[Batch]) -> None:
    now = time.time_ns()
    entries = [
        LogEntry(
            store_no=1,
            edge_no=1,
            boot=batch.boot,
            sequence=batch.sequence,
            received_at=now,
            signals=len(batch),
            first_ns=int(batch.ts[0]),
            last_ns=int(batch.ts[-1]),
            sha256=bytes(32),
            batch=encode(batch),
        )
        for batch in given
    ]
    append(connection, entries)


def _read_batches(connection: Connection) -> int:
    with connection.cursor(binary=True) as cursor:
        cursor.execute("select batch from signal_log order by store_no, log_no")
        return sum(len(decode(bytes(row[0]))) for row in cursor)


def _write_rows(connection: Connection, given: list[Batch]) -> None:
    signals = sum(map(len, given))
    copy_columns(
        connection,
        "bench_signal",
        _ROW,
        {
            "ts": np.concatenate([batch.ts for batch in given]),
            "store_no": np.ones(signals, np.int32),
            "edge_no": np.ones(signals, np.int32),
            "device": np.concatenate([batch.devices[batch.device] for batch in given]),
            "anchor_no": np.concatenate([batch.anchor for batch in given]),
            "rssi_dbm": np.concatenate([batch.rssi_dbm for batch in given]),
        },
    )


def _read_rows(connection: Connection) -> int:
    read = 0
    with connection.cursor().copy(
        "copy (select ts, device, anchor_no, rssi_dbm from bench_signal order by ts) to stdout (format binary)"
    ) as copy:
        for piece in copy:
            read += len(piece)
    return (read - 21) // 46  # header and trailer; count of fields, four lengths, 8 + 16 + 2 + 2 bytes


def _wal(connection: Connection) -> int:
    row = connection.execute("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint").fetchone()
    return 0 if row is None else int(row[0])


def main(arguments: list[str]) -> None:
    """Run both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database_url")
    parser.add_argument("--signals", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=500, help="signals to a batch")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    made = list(batches(given.signals // given.batch, given.batch, given.seed))
    with connect(given.database_url, application_name="sojourn bench") as connection:
        fsync = connection.execute(
            "select current_setting('fsync'), current_setting('synchronous_commit')"
        ).fetchone()
        if connection.execute("select exists (select from signal_log)").fetchone() != (False,):
            raise SystemExit("The signal log of this database holds something. Use a database made for this.")
        connection.execute(
            "create table bench_signal (ts timestamptz not null, store_no int not null, edge_no int not null,"
            " device uuid not null, anchor_no smallint not null, rssi_dbm smallint not null)"
        )
        connection.execute("select create_hypertable('bench_signal', by_range('ts', interval '1 day'))")
        print(
            f"{len(made)} batches of {given.batch} signals, seed {given.seed}, fsync and synchronous_commit {fsync}"
        )
        print(f"{'one row a':<18}{'write k/s':>14}{'read k/s':>14}{'bytes/signal':>14}{'WAL b/signal':>14}")
        for name, table, ways in (
            ("batch", "signal_log", Ways(_write_batches, _read_batches)),
            ("signal", "bench_signal", Ways(_write_rows, _read_rows)),
        ):
            print(measure(connection, name, table, made, ways).line())
        connection.execute("drop table bench_signal")
        connection.execute("truncate signal_log")


if __name__ == "__main__":
    main(sys.argv[1:])
