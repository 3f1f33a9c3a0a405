"""A signal log of whole days, which live engines have taken in: shops open ten hours, shoppers walk through zones.

Written straight into the log, without a broker: what is measured begins there.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.ingest.air import HEARD_BY, SIGNALS, ZONES, plan_text
from core.dwell.model import prior_model
from core.floorplan import load
from core.limits import NS_PER_S, PSEUDONYM_BYTES
from core.wire import Batch, encode
from ingest.feed import restore
from storage.connect import Connection, in_transaction
from storage.log.signals import LogEntry, append
from storage.models import save_model
from storage.stores import adopt_plans, edge_numbers, load_plans, save_plan

FIRST_DAY: Final = datetime(2026, 11, 2, tzinfo=UTC)
_DAY_NS: Final = 24 * 3600 * NS_PER_S
_OPENS_S: Final = 10 * 3600
_OPEN_S: Final = 10 * 3600
_STAYS: Final = 4
_STAY_S: Final = 180
_EVERY_S: Final = 2
"""A tag advertises once in two seconds."""
SIGNALS_A_SHOPPER: Final = _STAYS * _STAY_S // _EVERY_S * HEARD_BY
_CLERKS: Final = 3
"""Who is heard on the morning after the last day, so that the engines have decided that one."""
_NEAR_DBM: Final = -55.0
_FAR_DBM: Final = -78.0
_NOISE_DB: Final = 4.0
_ROWS_AT_ONCE: Final = 1_000
_LONGEST_NS: Final = 60 * NS_PER_S


def fill(connection: Connection, *, stores: int, days: int, shoppers: int) -> int:
    """Write so many days of each store, let engines take them in, and keep a newer model; return the signals.

    Under that model two neighbouring zones sound the other way round: what is recomputed differs from what stands in
    one zone of eight.
    """
    save_plan(connection, load(plan_text(stores)))
    adopt_plans(connection)
    signals = 0
    for stored in load_plans(connection):
        random = np.random.default_rng(stored.store_no)
        edge_no = edge_numbers(connection, [(stored.store_no, "edge-0")])[stored.store_no, "edge-0"].edge_no
        entries = list(_entries(random, stored.store_no, edge_no, days, shoppers))
        signals += sum(entry.signals for entry in entries)
        for start in range(0, len(entries), _ROWS_AT_ONCE):
            some = entries[start : start + _ROWS_AT_ONCE]
            in_transaction(connection, lambda connection, some=some: append(connection, some))  # type: ignore[misc]
        feed = restore(connection, stored.store_no)
        feed.catch_up(connection, stopped=lambda: False)
        feed.write(connection, snapshot=True)
        prior = prior_model(stored.plan)
        swapped = [1, 0, *range(2, len(stored.plan.anchors))]
        newer = replace(prior, level_dbm=prior.level_dbm[:, swapped], detection=prior.detection[:, swapped])
        in_transaction(connection, lambda c, newer=newer, no=stored.store_no: save_model(c, no, newer, span=None))  # type: ignore[misc]
    connection.execute("vacuum analyze")
    connection.execute("checkpoint")
    return signals


def _entries(
    random: np.random.Generator, store_no: int, edge_no: int, days: int, shoppers: int
) -> Iterator[LogEntry]:
    boot, sequence, first_ns = random.bytes(16), 0, int(FIRST_DAY.timestamp()) * NS_PER_S
    for day in range(days + 1):
        opens_ns = first_ns + day * _DAY_NS + _OPENS_S * NS_PER_S
        for batch in _batches(random, opens_ns, shoppers if day < days else _CLERKS, boot, sequence):
            sequence, payload = batch.sequence, encode(batch)
            yield LogEntry(
                store_no, edge_no, boot, sequence, int(batch.ts[-1]), len(batch), int(batch.ts[0]),
                int(batch.ts[-1]), sha256(payload).digest(), payload,
            )  # fmt: skip


def _batches(random: np.random.Generator, opens_ns: int, shoppers: int, boot: bytes, before: int) -> Iterator[Batch]:
    """Yield what the store's one edge sends in a day."""
    pseudonyms = random.integers(0, 256, (shoppers, PSEUDONYM_BYTES), np.uint8)
    ts, anchor, device, rssi_dbm = _heard(random, opens_ns, shoppers)
    anchors = tuple(f"a{number}" for number in range(ZONES))
    # full, and no longer than an edge waits when few are there
    quiet = np.flatnonzero(np.diff(ts // _LONGEST_NS)) + 1
    cuts = np.union1d(np.arange(0, len(ts), SIGNALS), quiet).tolist()
    for place, (start, stop) in enumerate(pairwise([*cuts, len(ts)])):
        rows = slice(start, stop)
        named, index = np.unique(device[rows], return_inverse=True)
        yield Batch(
            boot=boot,
            sequence=before + 1 + place,
            anchors=anchors,
            devices=pseudonyms[named],
            ts=ts[rows],
            anchor=anchor[rows],
            device=index.astype(np.uint16),
            rssi_dbm=rssi_dbm[rows],
        )


def _heard(
    random: np.random.Generator, opens_ns: int, shoppers: int
) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.int64], NDArray[np.int16]]:
    """Return the signals of a day in order of time: each shopper stays in four zones, each advert has six hearers."""
    adverts = _STAYS * _STAY_S // _EVERY_S
    comes_s = random.uniform(0, _OPEN_S - _STAYS * _STAY_S, shoppers)
    after_s = np.arange(adverts) * _EVERY_S + random.uniform(0, _EVERY_S, (shoppers, adverts))
    at_us = ((comes_s[:, None] + after_s) * 1e6).astype(np.int64)
    first = random.integers(0, ZONES, shoppers)
    zone = (first[:, None] + (after_s // _STAY_S).astype(np.int64)) % ZONES
    others = (random.integers(0, ZONES - 1, (shoppers, adverts, 1)) + np.arange(HEARD_BY - 1)) % (ZONES - 1) + 1
    anchor = np.concatenate([zone[..., None], (zone[..., None] + others) % ZONES], axis=2)
    level = np.full(anchor.shape, _FAR_DBM)
    level[..., 0] = _NEAR_DBM
    level += random.normal(0, _NOISE_DB, anchor.shape)
    ts = opens_ns + np.repeat(at_us.ravel() * 1_000, HEARD_BY)
    device = np.repeat(np.arange(shoppers), adverts * HEARD_BY)
    order = np.argsort(ts, kind="stable")
    return (
        ts[order],
        anchor.ravel()[order].astype(np.uint16),
        device[order],
        level.ravel()[order].round().clip(-110, -20).astype(np.int16),
    )
