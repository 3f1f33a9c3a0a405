"""`python -m benchmarks erasure`: a person taken out of a large signal log, from the button to the receipt.

Batches of 200 signals of 20 devices over thirty days; hers is one of the devices in one batch of a hundred. Nothing
is compared: no other program knows the format. The time is that of the whole job, with what it reads beside it.
"""

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.measuring import machine
from core.floorplan import load
from core.wire import Batch, encode
from servers.postgres import Postgres
from servers.provide import provide
from simulators.demo.running import PLAN
from storage.connect import Connection, connect, in_transaction
from storage.instants import to_ns
from storage.log.signals import LogEntry, append
from storage.migrate import migrate
from storage.privacy import erasing
from storage.privacy.keys import PrivacyFolder
from storage.privacy.receipts import find_receipt
from storage.profiles.profiles import create_profile
from storage.stores import edge_numbers, save_plan

SIGNALS_EACH: Final = 200
DEVICES_EACH: Final = 20
DAYS: Final = 30
HERS_EVERY: Final = 100
HERS: Final = b"\1" * 16
AT_ONCE: Final = 500


def main(arguments: list[str]) -> int:
    """Fill, erase and tell; 0 if the receipt says that nothing is left."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks erasure", description=__doc__)
    parser.add_argument("--signals", type=int, default=20_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="sojourn-erasure-") as name,
        Postgres(provide(), Path(name) / "database", sync_initdb=False) as server,
    ):
        migrate(server.dsn())
        with connect(server.dsn(), application_name="benchmark") as connection:
            return _run(connection, PrivacyFolder(Path(name) / "privacy"), asked.signals, asked.seed)


def _run(connection: Connection, folder: PrivacyFolder, signals: int, seed: int) -> int:
    now = datetime.now(UTC)
    profile = create_profile(connection, display_name="Her", devices=[HERS], granted_at=now - timedelta(days=60))
    begun_s = time.monotonic()
    rows = _fill(connection, signals, np.random.default_rng(seed), now)
    filled_s = time.monotonic() - begun_s
    (size,) = connection.execute("select hypertable_size('signal_log')").fetchone() or (0,)
    begun_s, cpu_s = time.monotonic(), time.process_time()
    erasure = in_transaction(connection, lambda lent: erasing.ask(lent, profile, asked_by="benchmark"))
    erasing.work_all(connection, folder, lambda: datetime.now(UTC), stopped=lambda: False)
    took_s, cpu_s = time.monotonic() - begun_s, time.process_time() - cpu_s
    receipt = None if erasure is None else find_receipt(connection, erasure)
    gone = {} if receipt is None else {place.place: place.rows for place in receipt.places if place.rows}
    sys.stdout.write(
        f"{machine()}\n{signals:,} signals in {rows:,} batches, {size / 1e6:,.0f} MB, filled in {filled_s:.0f} s\n"
        f"erased in {took_s:.1f} s ({cpu_s:.1f} s of CPU here, {took_s / rows * 1e6:.0f} us a batch): {gone}\n"
    )
    return 0 if receipt is not None and receipt.state == "done" else 1


def _fill(connection: Connection, signals: int, rng: np.random.Generator, now: datetime) -> int:
    plan = load(PLAN.read_bytes())
    save_plan(connection, plan)
    store_no = connection.execute("select store_no from store where id = %s", [plan.stores[0].id]).fetchone()
    if store_no is None:
        raise RuntimeError("The store has no number.")
    edge_no = edge_numbers(connection, [(store_no[0], "benchmark")])[store_no[0], "benchmark"].edge_no
    anchors = tuple(anchor.id for anchor in plan.stores[0].anchors)
    count = signals // SIGNALS_EACH
    begin_ns, step_ns = to_ns(now - timedelta(days=DAYS)), DAYS * 86_400_000_000_000 // count
    entries: list[LogEntry] = []
    for number in range(count):
        entries.append(_entry(rng, number, begin_ns + number * step_ns, store_no[0], edge_no, anchors))
        if len(entries) == AT_ONCE or number == count - 1:
            batch = entries
            in_transaction(connection, lambda lent: append(lent, batch))  # noqa: B023 - called in this turn
            entries = []
    return count


def _entry(  # noqa: PLR0917 - what a row is made of
    rng: np.random.Generator, number: int, at_ns: int, store_no: int, edge_no: int, anchors: tuple[str, ...]
) -> LogEntry:  # fmt: skip
    devices = rng.integers(2, 256, (DEVICES_EACH, 16)).astype(np.uint8)
    if number % HERS_EVERY == 0:
        devices[0] = np.frombuffer(HERS, np.uint8)
    ts = at_ns // 1000 * 1000 + np.sort(rng.integers(0, 5_000_000, SIGNALS_EACH)) * 1000
    payload = encode(
        Batch(
            boot=bytes(16),
            sequence=number + 1,
            anchors=anchors,
            devices=devices,
            ts=ts,
            anchor=rng.integers(0, len(anchors), SIGNALS_EACH).astype(np.uint16),
            device=(np.arange(SIGNALS_EACH) % DEVICES_EACH).astype(np.uint16),
            rssi_dbm=rng.integers(-95, -40, SIGNALS_EACH).astype(np.int16),
        )
    )
    return LogEntry(
        store_no=store_no,
        edge_no=edge_no,
        boot=bytes(16),
        sequence=number + 1,
        received_at=int(ts[-1]),
        signals=SIGNALS_EACH,
        first_ns=int(ts[0]),
        last_ns=int(ts[-1]),
        sha256=sha256(payload).digest(),
        batch=payload,
    )
