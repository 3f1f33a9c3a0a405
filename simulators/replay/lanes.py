"""The way of a recording's rows to the lanes of their stores, a batch at a time."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Protocol

import polars as pl

from core.floorplan import FloorPlan, StorePlan
from core.records import SignalArray
from simulators.recordings.rejects import REJECTS_SCHEMA, Rejects
from simulators.recordings.rows import Recording, Rows
from simulators.recordings.signals import StoreRows, split


class Progress(Protocol):
    """Told how far a step has come."""

    def __call__(self, step: str, share: float) -> None:
        """`step` is `calibrate` or `replay`, `share` 0..1."""


def no_progress(step: str, share: float) -> None:
    """Tell nobody."""


class Lane(Protocol):
    """One store on its way through a recording."""

    rows: StoreRows

    def take(self, signals: SignalArray) -> None:
        """Take in the store's next signals."""


def run(
    source: Recording,
    plan: FloorPlan,
    lane_of: Callable[[StorePlan], Lane],
    refused: Rejects,
    progress: Callable[[float], None],
) -> int:
    """Lead every row of a recording into the lane of its store.

    While the lanes work on one batch in threads (parsing and kernels release the GIL) the next one is read. So two
    batches are in memory, and each lane sees its signals in order.

    Parameters
    ----------
    source : Recording
    plan : FloorPlan
    lane_of : callable
        Makes the lane of a store, called once for each store that is heard of.
    refused : Rejects
        Takes rows that are no signals.
    progress : callable
        Told the share that has been read.

    Returns
    -------
    int
        How many rows there were.
    """
    stores = frozenset(plan.store_index)
    lanes: dict[str, Lane] = {}
    count = 0

    def take(name: str, rows: Rows, part: pl.DataFrame) -> pl.DataFrame:
        signals, rejects = lanes[name].rows.signals(rows, part)
        lanes[name].take(signals)
        return rejects

    with ThreadPoolExecutor(threads()) as pool:
        working: Iterable[pl.DataFrame] = ()
        for rows in source.rows():
            refused.add(pl.concat([REJECTS_SCHEMA.to_frame(), *working]))  # waits for the lanes
            parts = split(rows, stores)
            for name in parts.stores:
                if name not in lanes:
                    lanes[name] = lane_of(plan.stores[plan.store_index[name]])
            taken = pool.map(take, parts.stores, [rows] * len(parts.stores), parts.stores.values())
            working = chain([parts.rejects], taken)
            count += len(rows.frame)
            progress(rows.share)
        refused.add(pl.concat([REJECTS_SCHEMA.to_frame(), *working]))
    for lane in lanes.values():
        signals, rejects = lane.rows.rest()
        lane.take(signals)
        refused.add(rejects)
    return count


def threads() -> int:
    """Return how many lanes work at the same time: one a processor that this process may use."""
    return max(1, len(os.sched_getaffinity(0)))
