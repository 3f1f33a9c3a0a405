"""The job's numbers, its input, and what a peer is."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.workload import ZONES, StoreLoad

BUCKET_NS: Final = 5_000_000_000
SESSION_NS: Final = 5_000_000_000
SILENCE_BUCKETS: Final = 12
"""A minute: the engine's least departure timeout."""
ZONE_BITS: Final = 8
FLOOR_DBM: Final = 128
"""Loudness and zone in one number, `(rssi + 128) << 8 | zone`: its maximum is the loudest reading with its zone."""
COLUMNS: Final = ("ts", "device", "zone", "rssi_dbm")


@dataclass(frozen=True)
class Columns:
    """Signals of all stores in order of arrival: int64 ns, int32 device, int16 zone, int16 dBm."""

    ts: NDArray[np.int64]
    device: NDArray[np.int32]
    zone: NDArray[np.int16]
    rssi_dbm: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.ts)

    @classmethod
    def read(cls, folder: Path, signals: int) -> "Columns":
        """Read what `write` left: about so many signals, those of every n-th device over the whole time."""
        whole = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in COLUMNS]
        stride = max(1, round(len(whole[0]) / signals))
        if stride == 1:
            return cls(*(column.copy() for column in whole))
        chosen = np.flatnonzero(whole[COLUMNS.index("device")] % stride == 0)
        return cls(*(column[chosen] for column in whole))

    @classmethod
    def of(cls, stores: list[StoreLoad]) -> "Columns":
        """Put stores one after another; devices and zones are numbered through."""
        signals = [store.signals for store in stores]
        devices = np.cumsum([0, *(len(store.pseudonyms) for store in stores)])
        return cls(
            np.concatenate([part["ts"] for part in signals]),
            np.concatenate([part["device"] + np.int32(n) for part, n in zip(signals, devices[:-1], strict=True)]),
            np.concatenate([part["anchor"] + np.int16(n * ZONES) for n, part in enumerate(signals)]),
            np.concatenate([part["rssi_dbm"] for part in signals]),
        )

    def write(self, folder: Path) -> None:
        """Write a file a column."""
        for name in COLUMNS:
            np.save(folder / f"{name}.npy", getattr(self, name))

    def loudness(self) -> NDArray[np.int32]:
        """Return level and zone in one number."""
        return (self.rssi_dbm.astype(np.int32) + FLOOR_DBM) * (1 << ZONE_BITS) + self.zone


def own_cpu_ns() -> int:
    """CPU time of this process with all its threads."""
    return time.process_time_ns()


@dataclass(frozen=True)
class Peer:
    """One alternative.

    `prepare` puts the columns into the peer's own form (not timed), `run` does the job and returns the number of
    sessions. `quick` and `most` are how many signals it gets in the short and the full run: slow ones a part.
    """

    name: str
    job: str
    needs: tuple[str, ...]
    prepare: Callable[[Columns], Any]
    run: Callable[[Any], int]
    quick: int
    most: int
    cpu_ns: Callable[[], int] = own_cpu_ns
    peak_bytes: Callable[[], int] | None = None
    version: Callable[[], str] | None = None
    lacks: Callable[[], str | None] = field(default=lambda: None)
