"""Pseudonyms to dense indices and back."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.dwell import device_kernels as kernels
from core.errors import InputError
from core.limits import PSEUDONYM_BYTES

_FIRST_SLOTS: Final = 1024
_WORDS: Final = 2  # a pseudonym as two 64-bit words


class DeviceTable:
    """Dense indices 0, 1, 2, … in order of first sight."""

    def __init__(self) -> None:
        self._keys: NDArray[np.uint64] = np.zeros((_FIRST_SLOTS // 2, _WORDS), np.uint64)
        self._slots: NDArray[np.int32] = np.full(_FIRST_SLOTS, kernels.EMPTY, np.int32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def index(self, pseudonyms: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Return the index of each pseudonym; new ones are added.

        Parameters
        ----------
        pseudonyms : uint8, shape (k, PSEUDONYM_BYTES)

        Raises
        ------
        InputError
            If the shape or dtype is another.
        """
        if pseudonyms.ndim != 2 or pseudonyms.shape[1] != PSEUDONYM_BYTES or pseudonyms.dtype != np.uint8:
            raise InputError(f"Pseudonyms come as bytes of shape (k, {PSEUDONYM_BYTES}), not {pseudonyms.shape}.")
        wanted = np.ascontiguousarray(pseudonyms).view("<u8")
        self._make_room(self._count + len(wanted))
        found = np.empty(len(wanted), np.int32)
        self._count = int(kernels.look_up(self._keys, wanted, self._slots, self._count, found))
        return found

    def pseudonyms(self, index: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the pseudonyms at these indices: uint8, shape (k, PSEUDONYM_BYTES)."""
        index = np.asarray(index)
        if len(index) and (int(index.min()) < 0 or int(index.max()) >= self._count):
            raise InputError("A device index is not in the table.")
        rows: NDArray[np.uint8] = self._keys[index].view(np.uint8).reshape(-1, PSEUDONYM_BYTES)
        return rows

    def rows(self) -> NDArray[np.uint64]:
        """Return all keys in order, uint64, shape (len, 2); for snapshots."""
        return self._keys[: self._count].copy()

    @classmethod
    def from_rows(cls, rows: NDArray[np.uint64]) -> "DeviceTable":
        """Rebuild a table from `rows()`."""
        table = cls()
        table.index(np.ascontiguousarray(rows).view(np.uint8).reshape(-1, PSEUDONYM_BYTES))
        return table

    def _make_room(self, most: int) -> None:
        """Keep the slots at most half full (a probe then meets 1.5 entries on average) and the keys long enough."""
        if most > len(self._keys):
            keys = np.zeros((max(most, 2 * len(self._keys)), _WORDS), np.uint64)
            keys[: self._count] = self._keys[: self._count]
            self._keys = keys
        if 2 * most > len(self._slots):
            self._slots = np.full(1 << (2 * most - 1).bit_length(), kernels.EMPTY, np.int32)
            held = self._keys[: self._count].copy()
            again = np.empty(self._count, np.int32)
            kernels.look_up(self._keys, held, self._slots, 0, again)
