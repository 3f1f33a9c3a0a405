"""Readings on their way from a source (a scanner, a simulator) into the agent."""

import queue
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

QUEUE_CHUNKS: Final = 256
"""Chunks that wait for the agent. A scanner hands over a few a second, so this is a minute of a stuck disk."""


class Readings(NamedTuple):
    """What a source heard, as parallel columns of length n; identities leave the process only as pseudonyms.

    `ts` int64 ns since the epoch (UTC, stamped on arrival), `anchor` int into `anchors`, `device` int into
    `identities` (what each device calls itself), `rssi_dbm` int16.
    """

    ts: NDArray[np.int64]
    anchor: NDArray[np.int64]
    device: NDArray[np.int64]
    rssi_dbm: NDArray[np.int16]
    anchors: tuple[str, ...]
    identities: tuple[bytes, ...]


class ReadingQueue:
    """Where sources put readings and the agent takes them; several sources may share one.

    Bounded: a chunk that finds no place within its wait is turned away and counted in `turned_away`. A radio
    cannot wait and gives 0 seconds, a simulator or a file waits.
    """

    def __init__(self, chunks: int = QUEUE_CHUNKS) -> None:
        self._chunks: queue.Queue[Readings] = queue.Queue(chunks)
        self.turned_away = 0
        """Signals that found no place."""

    def put(self, readings: Readings, wait_s: float = 0.0) -> bool:
        """Hand over a chunk; return whether it was taken."""
        try:
            self._chunks.put(readings, block=wait_s > 0, timeout=wait_s if wait_s > 0 else None)
        except queue.Full:
            self.turned_away += len(readings.ts)
            return False
        return True

    def take(self, wait_s: float) -> Readings | None:
        """Return the next chunk, or None if none came within `wait_s` seconds."""
        try:
            return self._chunks.get(block=wait_s > 0, timeout=wait_s if wait_s > 0 else None)
        except queue.Empty:
            return None

    def __len__(self) -> int:
        return self._chunks.qsize()
