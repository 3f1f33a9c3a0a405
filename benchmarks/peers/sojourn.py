"""Ours in the peers' place: from raw ids to visits, for its memory beside theirs."""

from typing import Any

import numpy as np

from benchmarks.peers.job import Columns, Peer
from benchmarks.workload import ZONES, Chunk, StoreLoad, plan_of
from core.floorplan import StorePlan
from core.limits import PSEUDONYM_BYTES
from core.records import SIGNAL


def _stores(columns: Columns) -> list[tuple[StorePlan, list[Chunk]]]:
    pseudonyms = np.random.default_rng(1).integers(
        0, 256, (int(columns.device.max()) + 1, PSEUDONYM_BYTES), dtype=np.uint8
    )
    given = []
    for number in np.unique(columns.zone // ZONES).tolist():
        chosen = np.flatnonzero(columns.zone // ZONES == number)
        signals = np.zeros(len(chosen), SIGNAL)
        signals["ts"], signals["device"] = columns.ts[chosen], columns.device[chosen]
        signals["anchor"], signals["rssi_dbm"] = columns.zone[chosen] % ZONES, columns.rssi_dbm[chosen]
        store = StoreLoad(plan_of(number), signals, pseudonyms, np.empty(0))
        given.append((store.plan, store.chunks()))
    return given


def _engine(given: Any) -> int:
    from benchmarks.ours import run_engine

    visits = 0
    for plan, chunks in given:
        for some in run_engine(plan, chunks)[1]:
            visits += int((some["kind"] == 0).sum())
    return visits


SOJOURN = Peer(
    "sojourn",
    "raw ids to zone visits: streaming sticky Viterbi with bounds, confidence and reasons",
    ("numba",),
    _stores,
    _engine,
    5_000_000,
    20_000_000,
)
