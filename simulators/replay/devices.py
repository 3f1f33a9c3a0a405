"""The devices of a replay: numbers that last, and the engine's indices, which are given anew."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.dwell.engine import StoreEngine
from core.limits import PSEUDONYM_BYTES
from core.records import SignalArray, VisitArray

_AT_FIRST: Final = 1024


class LastingDevices:
    """Numbers devices in order of appearance and names them to an engine push by push.

    Parameters
    ----------
    engine : StoreEngine
    """

    def __init__(self, engine: StoreEngine) -> None:
        self._engine = engine
        self._ids = np.empty((_AT_FIRST, PSEUDONYM_BYTES), np.uint8)
        self._count = 0
        self._number_of = np.empty(_AT_FIRST, np.int32)  # by index of the engine

    def number(self, ids: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Give new devices their numbers, see `recordings_signals.Numbering`."""
        begin, self._count = self._count, self._count + len(ids)
        self._ids = _with_room(self._ids, self._count)
        self._ids[begin : self._count] = ids
        return np.arange(begin, self._count, dtype=np.int32)

    def push(self, signals: SignalArray) -> VisitArray:
        """Push signals whose devices are numbers; return visits with numbers."""
        named = np.flatnonzero(np.bincount(signals["device"], minlength=self._count))
        index_of = np.zeros(self._count, np.int32)
        index_of[named] = index = self._engine.device_index(self._ids.take(named, axis=0))
        self._number_of = _with_room(self._number_of, int(index.max(initial=-1)) + 1)
        self._number_of[index] = named
        return self._numbered(self._engine.push(signals, devices=index_of))

    def finish(self) -> VisitArray:
        """Close what is open and return the visits with numbers."""
        return self._numbered(self._engine.finish())

    def _numbered(self, visits: VisitArray) -> VisitArray:
        visits["device"] = self._number_of[visits["device"]]
        return visits


def _with_room(rows: NDArray[Any], most: int) -> NDArray[Any]:
    if most <= len(rows):
        return rows
    grown = np.empty((max(most, 2 * len(rows)), *rows.shape[1:]), rows.dtype)
    grown[: len(rows)] = rows
    return grown
