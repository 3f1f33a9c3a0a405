"""Rows of the log, or of an archive, as the engine reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core.floorplan import StorePlan
from core.records import SIGNAL, SignalArray
from core.wire import Batch


class Numbering(Protocol):
    """Whatever gives devices their dense index, as `StoreEngine` does."""

    def device_index(self, pseudonyms: NDArray[np.uint8]) -> NDArray[np.int32]: ...  # noqa: D102


@dataclass(frozen=True)
class Columns:
    """Rows as parallel columns: `anchor` into `anchors`, `device` into `devices` (uint8, (k, 16)); `ts` in ns."""

    anchors: Sequence[str]
    devices: NDArray[np.uint8]
    ts: NDArray[np.int64]
    anchor: NDArray[Any]
    device: NDArray[Any]
    rssi_dbm: NDArray[np.int16]


def as_signals(rows: Columns, plan: StorePlan, devices: Numbering) -> SignalArray:
    """Return rows as SIGNAL; the anchor is -1 where the plan has it no longer: it changed since they were logged.

    Devices that are listed without a row never reach the engine.
    """
    named = np.flatnonzero(np.bincount(rows.device, minlength=len(rows.devices)))
    index = np.empty(len(rows.devices), np.int32)
    index[named] = devices.device_index(rows.devices.take(named, axis=0))
    anchors = np.array([plan.anchor_index.get(anchor, -1) for anchor in rows.anchors], np.int16)
    signals = np.empty(len(rows.ts), SIGNAL)
    signals["ts"] = rows.ts
    signals["device"] = index.take(rows.device)
    signals["anchor"] = anchors.take(rows.anchor)
    signals["rssi_dbm"] = rows.rssi_dbm
    return signals


def to_signals(batches: Sequence[Batch], plan: StorePlan, devices: Numbering) -> tuple[SignalArray, list[int]]:
    """Return the rows of batches, one behind the other, as the engine reads them, and how many are of each.

    A row whose anchor the plan no longer has is left out: the plan changed since the row was logged. Devices that
    a batch lists without a row never reach the engine.
    """
    if not batches:
        return np.empty(0, SIGNAL), []
    counts = [len(batch) for batch in batches]
    listed = np.concatenate([batch.devices for batch in batches])
    device = _placed([batch.device for batch in batches], [len(batch.devices) for batch in batches], counts)
    named = np.flatnonzero(np.bincount(device, minlength=len(listed)))
    index = np.empty(len(listed), np.int32)
    index[named] = devices.device_index(listed.take(named, axis=0))
    anchors = np.array([plan.anchor_index.get(anchor, -1) for batch in batches for anchor in batch.anchors], np.int16)
    anchor = _placed([batch.anchor for batch in batches], [len(batch.anchors) for batch in batches], counts)
    signals = np.empty(len(device), SIGNAL)
    signals["ts"] = np.concatenate([batch.ts for batch in batches])
    signals["device"] = index.take(device)
    signals["anchor"] = anchors.take(anchor)
    signals["rssi_dbm"] = np.concatenate([batch.rssi_dbm for batch in batches])
    if not len(anchors) or int(anchors.min()) >= 0:
        return signals, counts
    known = signals["anchor"] >= 0
    of = np.repeat(np.arange(len(counts)), counts)
    return signals[known], np.bincount(of[known], minlength=len(counts)).tolist()


def _placed(columns: Sequence[NDArray[Any]], sizes: Sequence[int], counts: Sequence[int]) -> NDArray[np.int64]:
    """Return indices into lists of these sizes as indices into all of the lists, one behind the other."""
    begins = np.cumsum(sizes) - sizes
    placed: NDArray[np.int64] = np.concatenate(columns).astype(np.int64)
    placed += np.repeat(begins, counts)
    return placed
