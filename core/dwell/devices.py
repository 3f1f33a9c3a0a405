"""Pseudonyms to dense indices and back."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.dwell import device_kernels as kernels
from core.dwell.reorder_kernels import DEVICE
from core.errors import InputError
from core.identity import nobody
from core.limits import PSEUDONYM_BYTES

DEVICES_MOST: Final = DEVICE + 1
"""What reorder has bits for: half a thousand million devices of one store within two days."""
_FIRST_ROWS: Final = 512
_SLOTS_A_ROW: Final = 4
"""The slots are at most a quarter full: half full, a look-up often met another device first and cost twice."""
_WORDS: Final = 2  # a pseudonym as two 64-bit words
Erased: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.bool_]]
"""Tells which pseudonyms (uint8, shape (k, PSEUDONYM_BYTES)) are of somebody who was erased."""


class DeviceTable:
    """Dense indices 0, 1, 2, … in order of first sight; those of forgotten devices are given anew, the lowest first.

    The index of a device does not change as long as it is not forgotten.
    """

    def __init__(self) -> None:
        self._keys: NDArray[np.uint64] = np.zeros((_FIRST_ROWS, _WORDS), np.uint64)
        self._named: NDArray[np.int32] = np.zeros(_FIRST_ROWS, np.int32)
        self._slots: NDArray[np.int32] = np.full(_SLOTS_A_ROW * _FIRST_ROWS, kernels.EMPTY, np.int32)
        self._free: NDArray[np.int32] = np.zeros(0, np.int32)
        self._count = 0

    def __len__(self) -> int:
        """Above every index, those of forgotten devices too."""
        return self._count

    def index(self, pseudonyms: NDArray[np.uint8], hour: int = 0) -> NDArray[np.int32]:
        """Return the index of each pseudonym; new ones are added.

        Parameters
        ----------
        pseudonyms : uint8, shape (k, PSEUDONYM_BYTES)
        hour : int
            When they are named, see `named`.

        Raises
        ------
        InputError
            If the shape or dtype is another, or there are more than DEVICES_MOST.
        """
        if pseudonyms.ndim != 2 or pseudonyms.shape[1] != PSEUDONYM_BYTES or pseudonyms.dtype != np.uint8:
            raise InputError(f"Pseudonyms come as bytes of shape (k, {PSEUDONYM_BYTES}), not {pseudonyms.shape}.")
        wanted = np.ascontiguousarray(pseudonyms).view("<u8")
        wanted = wanted if wanted.flags.aligned and wanted.flags.writeable else wanted.copy()
        found = np.empty(len(wanted), np.int32)
        counts = np.array([self._count, len(self._free), 0], np.int64)
        while not kernels.look_up(self._keys, wanted, self._slots, self._free, hour, self._named, counts, found):
            self._count = int(counts[kernels.ROWS])
            self._free = self._free[: counts[kernels.FREE]]
            self._grow()
        self._count = int(counts[kernels.ROWS])
        self._free = self._free[: counts[kernels.FREE]]
        return found

    def pseudonyms(self, index: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the pseudonyms at these indices: uint8, shape (k, PSEUDONYM_BYTES)."""
        index = np.asarray(index)
        if len(index) and (int(index.min()) < 0 or int(index.max()) >= self._count):
            raise InputError("A device index is not in the table.")
        rows: NDArray[np.uint8] = self._keys[index].view(np.uint8).reshape(-1, PSEUDONYM_BYTES)
        return rows

    def named(self) -> NDArray[np.int32]:
        """Return the hour in which each index was last asked for, shape (len,), as a view."""
        return self._named[: self._count]

    def forget(self, index: NDArray[Any]) -> None:
        """Take out devices; their pseudonyms can still be read until the index is given anew."""
        self._free = np.sort(np.concatenate([self._free, index.astype(np.int32)]))[::-1].copy()
        self._fill(len(self._slots))

    def redact(self, erased: Erased) -> int:
        """Put nobody in the place of devices that are erased, forgotten ones too; return how many.

        The index stays, so that what is under way can end; whoever comes again is a new device.
        """
        index = np.flatnonzero(erased(self._keys[: self._count].view(np.uint8).reshape(-1, PSEUDONYM_BYTES)))
        if len(index):
            self._keys[index] = nobody(index).view("<u8")
            self._fill(len(self._slots))
        return len(index)

    def free(self) -> NDArray[np.int32]:
        """Return the indices that are to be given anew, the next one last; for snapshots."""
        return self._free.copy()

    def rows(self) -> NDArray[np.uint64]:
        """Return all keys in order, those of forgotten devices too, uint64, shape (len, 2); for snapshots."""
        return self._keys[: self._count].copy()

    @classmethod
    def from_rows(
        cls, rows: NDArray[np.uint64], free: NDArray[np.int32] | None = None, named: NDArray[np.int32] | None = None
    ) -> "DeviceTable":
        """Rebuild a table from `rows()`, `free()` and `named()`."""
        table = cls()
        table._count = len(rows)
        room = max(_FIRST_ROWS, len(rows))
        table._keys = np.zeros((room, _WORDS), np.uint64)
        table._keys[: len(rows)] = rows
        table._named = np.zeros(room, np.int32)
        if named is not None:
            table._named[: len(rows)] = named
        if free is not None:
            table._free = free
        table._fill(1 << (_SLOTS_A_ROW * room - 1).bit_length())
        return table

    def _grow(self) -> None:
        """Make room for twice as many."""
        if len(self._keys) >= DEVICES_MOST:
            raise InputError(f"A store has at most {DEVICES_MOST} devices.")
        room = 2 * len(self._keys)
        keys = np.zeros((room, _WORDS), np.uint64)
        keys[: self._count] = self._keys[: self._count]
        named = np.zeros(room, np.int32)
        named[: self._count] = self._named[: self._count]
        self._keys, self._named = keys, named
        self._fill(1 << (_SLOTS_A_ROW * room - 1).bit_length())

    def _fill(self, slots: int) -> None:
        self._slots = np.full(slots, kernels.EMPTY, np.int32)
        known = np.ones(self._count, np.bool_)
        known[self._free] = False
        kernels.fill(self._keys, np.flatnonzero(known), self._slots)
