"""What a calibration looks at: all signals of a store, or of as many of its devices as fit."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.records import SIGNAL, SignalArray

SIGNALS_IN_ALL: Final = 2_000_000
"""Hundreds of devices, so that what limits a level is not their number any more but the shadowing of the stays; 64 MB
while reading, some 200 MB while calibrating."""
SIGNALS_AT_LEAST: Final = 100_000
"""A store gets so many even in the largest chain: they outweigh the pseudo-signals of 12 zones x 12 anchors."""


class Sample:
    """Keeps the signals of as many devices as fit, whole devices and in order of arrival.

    The devices with the smallest hashes are kept. So what is kept depends on the recording alone, not on how it was
    cut into pieces, and spans all of its time. Of a device that does not fit even alone the beginning is kept.

    Parameters
    ----------
    limit : int
        Signals at most, at least 1.
    first : frozenset of bytes
        Ids of devices that are kept before all others: those of a survey.
    """

    def __init__(self, limit: int, first: frozenset[bytes] = frozenset()) -> None:
        self._limit = limit
        self._first = first
        self._hash_of = np.zeros(0, np.uint64)  # by device
        self._below = np.uint64(2**64 - 1)  # devices of this hash or more are out
        self._kept: list[SignalArray] = []
        self._count = 0

    def number(self, ids: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Give devices their indices in order of appearance, see `recordings_signals.Numbering`."""
        begin = len(self._hash_of)
        hashes = np.ascontiguousarray(ids[:, :8]).view("<u8").ravel().copy()
        if self._first:
            hashes[[row.tobytes() in self._first for row in ids]] >>= np.uint64(32)  # small, and still different
        self._hash_of = np.concatenate((self._hash_of, hashes))
        return np.arange(begin, len(self._hash_of), dtype=np.int32)

    def add(self, signals: SignalArray) -> None:
        """Take in some signals whose devices are numbered by `number`."""
        self._kept.append(signals[self._hash_of[signals["device"]] < self._below])
        self._count += len(self._kept[-1])
        if self._count > 2 * self._limit:  # cutting is for all that is kept, so not at every piece
            self._cut()

    def signals(self) -> SignalArray:
        """Return what was kept, at most `limit` signals."""
        self._cut()
        return self._kept[0]

    def _cut(self) -> None:
        kept = np.concatenate(self._kept) if self._kept else np.zeros(0, SIGNAL)
        if len(kept) > self._limit:
            count_of = np.bincount(kept["device"], minlength=len(self._hash_of))
            by_hash = np.argsort(self._hash_of, kind="stable")
            by_hash = by_hash[count_of[by_hash] > 0]
            fitting = max(1, int(np.searchsorted(np.cumsum(count_of[by_hash]), self._limit, "right")))
            if fitting < len(by_hash):
                self._below = self._hash_of[by_hash[fitting]]
                kept = kept[self._hash_of[kept["device"]] < self._below]
            kept = kept[: self._limit]
        self._kept = [kept]
        self._count = len(kept)
