"""Rows of the log become what the engine reads, one batch or many at a time."""

import numpy as np
from numpy.typing import NDArray

from core.dwell.devices import DeviceTable
from core.wire import Batch, Gap
from ingest.rows import to_signals
from tests.ingest.world import floor_plan

PLAN = floor_plan("rows").stores[0]
KNOWN = [anchor.id for anchor in PLAN.anchors]


class Numbers:
    """Numbers devices, and tells which it was asked for."""

    def __init__(self) -> None:
        self.table = DeviceTable()

    def device_index(self, pseudonyms: NDArray[np.uint8]) -> NDArray[np.int32]:
        return self.table.index(pseudonyms)


def batch(seed: int, rows: int, anchors: list[str]) -> Batch:
    rng = np.random.default_rng(seed)
    gap = None if rows else Gap(first=1, signals=3, from_ns=0, until_ns=1)
    return Batch(
        boot=bytes(16),
        sequence=seed + 1,
        anchors=tuple(anchors),
        devices=np.random.default_rng(seed % 2).integers(0, 256, (5, 16), dtype=np.uint8),
        ts=rng.integers(0, 10**9, rows) * 1000,
        anchor=rng.integers(0, max(len(anchors), 1), rows).astype(np.uint16),
        device=rng.integers(0, 4, rows).astype(np.uint16),  # the fifth is listed without a row
        rssi_dbm=rng.integers(-90, -40, rows).astype(np.int16),
        gap=gap,
    )


def test_many_batches_give_what_each_gives_alone() -> None:
    batches = [
        batch(0, 30, KNOWN[:2]),
        batch(1, 0, []),
        batch(2, 20, [KNOWN[-1], "taken-down"]),
        batch(3, 1, ["taken-down"]),
        batch(4, 25, KNOWN[::-1]),
    ]
    alone, together = Numbers(), Numbers()
    each = [to_signals([one], PLAN, alone) for one in batches]
    signals, counts = to_signals(batches, PLAN, together)
    assert signals.tobytes() == np.concatenate([rows for rows, _ in each]).tobytes()
    assert counts == [sum(count) for _, count in each]
    assert counts[0] == 30
    assert counts[1] == counts[3] == 0
    assert 0 < counts[2] < 20
    assert len(together.table) == 5, "four of five devices of one list have rows, and one of the other"
    assert to_signals([], PLAN, together)[1] == []
