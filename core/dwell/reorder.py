"""Arrival order becomes order of time, within a lateness bound, whatever the interleaving of sources."""

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.dwell import reorder_kernels as kernels
from core.dwell.settings import Settings
from core.limits import NS_PER_US
from core.records import SIGNAL

LONG_AGO: Final = -(1 << 60)
"""Microseconds; before every signal, and far enough from the end of int64 to be added to."""
_EVER: Final = 1 << 60
"""Microseconds; a patience that nothing exceeds."""


_SLICE_US: Final = 1_000_000
"""What is held lies in slices of a second: a live push is about that long, a release then copies little twice."""
_SLICES_MOST: Final = 4096

_Rows: TypeAlias = NDArray[np.int64]


class Reorder:
    """Hold signals until the watermark has passed them, then release them sorted and without repetitions.

    The watermark is the smallest over all sources of the source's newest time, less the lateness bound; it never goes
    back. A source is not waited for once the patience has run out since it last spoke. Where arrival times are
    known, that is measured by them, and only while somebody is heard: after an outage backlogs arrive in any order
    and at any speed, without anything being late. Where they are not known (offline), it is measured by how far
    the source's newest time lies behind the newest of all.
    """

    def __init__(self, settings: Settings) -> None:
        self._lateness_us = settings.lateness_ns // NS_PER_US
        self._patience_us = settings.patience_ns // NS_PER_US
        self._quiet_us = settings.quiet_ns // NS_PER_US
        self._held_most = settings.held_signals
        self.newest: dict[int, int] = {}
        self.expected: set[int] = set()
        self.stopped: set[int] = set()
        self.hold_until_us = LONG_AGO
        self.watermark_us = LONG_AGO
        self.newest_us = LONG_AGO
        self.arrived_us = LONG_AGO
        self.heard_us = 0
        self.spoke: dict[int, int] = {}
        self.held = 0
        self._slices: dict[int, list[_Rows]] = {}
        self.late = 0
        self.repeated = 0

    def expect(self, source: int) -> None:
        """Hold the watermark until this source has spoken, at most for the patience."""
        if source not in self.newest:
            self.expected.add(source)
            self.spoke[source] = self.heard_us
            if self.newest_us != LONG_AGO:
                self.hold_until_us = self.newest_us + self._patience_us

    def stop(self, source: int) -> None:
        """Wait no longer for a source that has ended with nothing left to send; until it speaks or starts again."""
        self.expected.discard(source)
        self.stopped.add(source)

    def start(self, source: int) -> None:
        """Take back `stop`: the source is waited for again, as long since it last spoke as any other."""
        self.stopped.discard(source)

    def push(self, signals: NDArray[Any], source: int, arrived_us: int | None = None) -> None:
        """Take signals (SIGNAL, ns) of one source in order of arrival, at a time of arrival where that is known."""
        if not len(signals):
            return
        self.expected.discard(source)
        self.stopped.discard(source)
        awaited = [name for name in self.newest if name != source and name not in self.stopped]
        patience_us = self._patience_us
        if arrived_us is not None:
            self._hear(source, arrived_us)
            patient = {name for name, at in self.spoke.items() if self.heard_us - at <= patience_us}
            if self.held > self._held_most:
                patient.clear()
            awaited = [name for name in awaited if name in patient]
            patience_us = _EVER
            hold_until_us = _EVER if self.expected & patient else LONG_AGO
        else:
            if self.newest_us == LONG_AGO:
                self.hold_until_us = int(signals["ts"][0]) // NS_PER_US + patience_us
            hold_until_us = self.hold_until_us if self.expected else LONG_AGO
        others = np.array(sorted(self.newest[name] for name in awaited), np.int64)
        marks = np.array([self.newest.get(source, LONG_AGO), self.watermark_us, self.newest_us], np.int64)
        held = np.empty(len(signals), SIGNAL)
        kept = kernels.admit(signals, others, self._lateness_us, patience_us, hold_until_us, marks, held)
        self.newest[source] = int(marks[kernels.NEWEST])
        self.watermark_us = int(marks[kernels.WATERMARK])
        self.newest_us = int(marks[kernels.NEWEST_OF_ALL])
        self.late += len(signals) - kept
        self.held += kept
        self._hold(_words(held[:kept]))

    def _hear(self, source: int, arrived_us: int) -> None:
        """Let the time go on in which somebody was heard."""
        if self.arrived_us != LONG_AGO:
            self.heard_us += min(max(arrived_us - self.arrived_us, 0), self._quiet_us)
        self.arrived_us = max(self.arrived_us, arrived_us)
        self.spoke[source] = self.heard_us

    def release(self) -> NDArray[Any]:
        """Return what lies before the watermark: SIGNAL with `ts` in microseconds, sorted, repetitions removed."""
        ready = []
        last = self.watermark_us // _SLICE_US
        for slot in [slot for slot in self._slices if slot < last]:
            ready += self._slices.pop(slot)
        if last in self._slices:
            cut = np.concatenate(self._slices.pop(last))
            passed = cut[:, 0] < self.watermark_us
            ready.append(cut[passed])
            self._slices[last] = [cut[~passed]]
        if not ready:
            return np.empty(0, SIGNAL)
        released = np.concatenate(ready)
        self.held -= len(released)
        ordered, repeated = _in_order(released)
        self.repeated += repeated
        return _signals(ordered)

    def _hold(self, rows: _Rows) -> None:
        """Put signals to their slices of time, so that a release touches only what it may take."""
        if not len(rows):
            return
        low, high = kernels.span(rows)
        first = low // _SLICE_US
        slices = high // _SLICE_US - first + 1
        if slices > _SLICES_MOST:  # a lone signal far away; the others find their slices without it
            near = rows[:, 0] < (first + _SLICES_MOST) * _SLICE_US
            self._hold(rows[near])
            self._hold(rows[~near])
            return
        ends = np.zeros(slices + 1, np.int64)
        placed = np.empty_like(rows)
        kernels.scatter(rows, first, _SLICE_US, ends, placed)
        begin = 0
        for slot, end in enumerate(ends[:-1].tolist(), first):
            if end > begin:
                self._slices.setdefault(slot, []).append(placed[begin:end])
            begin = end

    def flush(self) -> NDArray[Any]:
        """Release everything; what comes later is late if it lies before what is released here."""
        if self.newest_us != LONG_AGO:
            self.watermark_us = max(self.watermark_us, self.newest_us + 1)
        return self.release()

    def pending(self) -> NDArray[Any]:
        """Return what is held, by slice of time and order of arrival, `ts` in microseconds."""
        held = [part for slot in sorted(self._slices) for part in self._slices[slot]]
        return _signals(np.concatenate([np.empty((0, 2), np.int64), *held]))

    def preview(self) -> NDArray[Any]:
        """Return what is held as it would be released now; nothing changes."""
        return in_order_of_time(self.pending())[0]

    def restore_pending(self, pending: NDArray[Any]) -> None:
        """Put back what `pending` returned."""
        self._slices = {}
        self.held = len(pending)
        self._hold(_words(pending))


def in_order_of_time(signals: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Return a sorted copy without exact repetitions, and how many those were.

    Signals of equal time are in order of their bytes: decoding does not depend on their order, but equal ones
    become neighbours.
    """
    ordered, repeated = _in_order(_words(signals))
    return _signals(ordered), repeated


def _in_order(rows: _Rows) -> tuple[_Rows, int]:
    if not len(rows):
        return rows, 0
    ordered = np.empty_like(rows)
    buckets = np.zeros((1 << len(rows).bit_length()) + 1, np.int64)
    if not kernels.bucket_sort(rows, buckets, ordered):
        ordered = rows[np.argsort(rows[:, 0], kind="stable")]
    kept = int(kernels.finish_order(ordered))
    return ordered[:kept], len(ordered) - kept


def _words(signals: NDArray[Any]) -> _Rows:
    """Signals as rows of two words: the time, and the other columns as they lie in memory."""
    return np.ascontiguousarray(signals).view(np.int64).reshape(-1, 2)


def _signals(rows: _Rows) -> NDArray[Any]:
    return np.ascontiguousarray(rows).view(SIGNAL)[:, 0]
