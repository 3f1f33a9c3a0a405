"""A small store with shoppers, its batches, and what the database should hold about them in the end."""

import json
import random
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np

from core.dwell.engine import StoreEngine, compile_kernels
from core.dwell.model import load as load_model
from core.dwell.model import prior_model
from core.floorplan import FloorPlan, StorePlan, load
from core.records import VisitArray
from core.wire import Batch, decode, encode
from ingest.rows import to_signals
from storage.connect import Connection
from storage.log.edge_status import EdgeChange, edge_changes
from storage.log.signals import read
from storage.models import AdoptedModel, adopted_models
from storage.stores import EdgeNumber, adopted_plans, edges_heard
from storage.visits import visit_ids

S = 1_000_000_000
ZONES = 4
BATCH_S = 10


def floor_plan(store: str, *, zones: int = ZONES) -> FloorPlan:
    return load(
        json.dumps(
            {
                "stores": [
                    {
                        "id": store,
                        "timezone": "Europe/Berlin",
                        "zones": [{"id": f"z{n}", "kind": "department"} for n in range(zones)],
                        "anchors": [{"id": f"a{n}", "zone": f"z{n}"} for n in range(zones)],
                    }
                ]
            }
        )
    )


def batch(
    sequence: int,
    *,
    boot: bytes = bytes(16),
    ts: list[int] | None = None,
    anchors: tuple[str, ...] = ("a0",),
    anchor: list[int] | None = None,
    rssi_dbm: list[int] | None = None,
    devices: int = 1,
    device: list[int] | None = None,
) -> Batch:
    """A batch by hand: one signal now unless told otherwise; devices are numbered from 1."""
    stamps = ts if ts is not None else [time.time_ns()]
    rows = len(stamps)
    return Batch(
        boot=boot,
        sequence=sequence,
        anchors=anchors,
        devices=(np.arange(devices * 16, dtype=np.uint32) // 16 + 1).astype(np.uint8).reshape(-1, 16),
        ts=np.array(stamps, np.int64) // 1_000 * 1_000,
        anchor=np.array(anchor if anchor is not None else [0] * rows, np.uint16),
        device=np.array(device if device is not None else [0] * rows, np.uint16),
        rssi_dbm=np.array(rssi_dbm if rssi_dbm is not None else [-60] * rows, np.int16),
    )


def walks(
    seed: int, boot: bytes, *, batches: int, shoppers: int = 12, anchors: range = range(ZONES)
) -> Iterator[bytes]:
    """Batches of shoppers who change zones every two minutes, heard by these anchors, ending now; seeded."""
    rng = np.random.default_rng(seed)
    begin_us = (time.time_ns() - batches * BATCH_S * S) // 1_000
    devices = rng.integers(0, 256, (shoppers, 16), np.uint8)
    heard = len(anchors)
    for number in range(batches):
        offset_us = np.sort(rng.integers(0, BATCH_S * 1_000_000, shoppers * 5)) + number * BATCH_S * 1_000_000
        device = rng.integers(0, shoppers, len(offset_us))
        zone = (device + offset_us // 120_000_000) % ZONES
        anchor = rng.integers(0, heard, len(offset_us))
        near = np.array(list(anchors))[anchor] == zone
        level = np.where(near, -52, -78) + rng.integers(-3, 4, len(offset_us))
        yield encode(
            Batch(
                boot=boot,
                sequence=number + 1,
                anchors=tuple(f"a{n}" for n in anchors),
                devices=devices,
                ts=(begin_us + offset_us) * 1_000,
                anchor=anchor.astype(np.uint16),
                device=device.astype(np.uint16),
                rssi_dbm=level.astype(np.int16),
            )
        )


def warm_kernels() -> None:
    """Compile what an ingest runs, into numba's cache."""
    compile_kernels(floor_plan("warm").stores[0])
    engine = StoreEngine(floor_plan("warm").stores[0])
    for payload in walks(1, bytes(16), batches=60):
        engine.push(to_signals([decode(payload)], engine.plan, engine)[0])
    engine.presence()
    StoreEngine.restore(engine.snapshot(), engine.plan)


def name(prefix: str = "store") -> str:
    """An id that no other test uses on the same broker."""
    return f"{prefix}-{random.randbytes(4).hex()}"


def cold_replay(connection: Connection, store_no: int) -> set[tuple[Any, ...]]:
    """Every visit that a fresh engine finds in the log, as rows."""
    plans = adopted_plans(connection, store_no)
    assert len(plans) == 1, "these tests do not change the plan"
    plan = plans[0].plan
    engine = StoreEngine(plan)
    events: list[AdoptedModel | EdgeNumber | EdgeChange] = [
        *edges_heard(connection, store_no, after=0),
        *adopted_models(connection, store_no, after=0),
        *edge_changes(connection, store_no, after=0),
    ]
    events.sort(key=lambda event: event.log_no)
    found: set[tuple[Any, ...]] = set()
    for row in read(connection, store_no, after=0, most=1_000_000):
        while events and events[0].log_no < row.log_no:
            event = events.pop(0)
            if isinstance(event, AdoptedModel):
                engine.adopt(prior_model(plan) if event.model is None else load_model(event.model, plan))
            elif isinstance(event, EdgeChange):
                _hear(engine, event)
            else:
                engine.expect(event.edge_no)
        if row.batch:
            visits = engine.push(
                to_signals([decode(row.batch)], plan, engine)[0], source=row.edge_no, arrived_at=row.received_at
            )
            found |= _rows(plan, visits, engine)
    return found


def _hear(engine: StoreEngine, change: EdgeChange) -> None:
    if change.state == "online":
        engine.source_up(change.edge_no)
    else:
        engine.source_down(change.edge_no, drained=change.drained)
    for anchors, alive in ((change.anchors_down, False), (change.anchors_up, True)):
        index = [engine.plan.anchor_index[anchor] for anchor in anchors]
        engine.heartbeat(np.array(index, np.int64), alive, change.at)


def _rows(plan: StorePlan, visits: VisitArray, engine: StoreEngine) -> set[tuple[Any, ...]]:
    names = visit_ids(plan, visits, engine.pseudonyms(visits["device"]))
    return {
        (
            row["kind"].item(),
            visit.tobytes(),
            *(int(row[name]) // 1_000 for name in _INSTANTS),
            row["zone"].item(),
            row["signals"].item(),
            row["closed_by"].item(),
            row["revision"].item(),
            bool(row["forced"]),
        )
        for row, visit in zip(visits, names, strict=True)
    }


_INSTANTS = ("entered_at", "left_at", "entered_earliest", "entered_latest", "left_earliest", "left_latest")


def stored_visits(connection: Connection, store_no: int) -> set[tuple[Any, ...]]:
    """Every visit in the database, in the form of `cold_replay`."""
    instants = ", ".join(f"(extract(epoch from {instant}) * 1000000)::bigint" for instant in _INSTANTS)
    rest = "signals, closed_by, revision, forced"
    rows = connection.execute(
        f"select 0, visit_id, {instants}, zone_no, {rest} from zone_visit where store_no = %(store_no)s"
        f" union all select 1, visit_id, {instants}, -1, {rest} from store_visit where store_no = %(store_no)s",
        {"store_no": store_no},
    ).fetchall()
    assert len({row[:3] for row in rows}) == len(rows), "a visit stands there twice"
    return {(row[0], row[1].bytes, *row[2:]) for row in rows}


def digests(payloads: list[bytes]) -> list[bytes]:
    return sorted(sha256(payload).digest() for payload in payloads)
