"""Arrival order becomes order of time, within a lateness bound, whatever the interleaving of sources."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dwell import reorder_kernels as kernels
from core.dwell.held import AS_NAMED, EVER, LONG_AGO, Held, Rows
from core.dwell.settings import Settings
from core.limits import NS_PER_US
from core.records import SIGNAL


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
        self._held = Held()
        self.late = 0
        self.repeated = 0

    def expect(self, source: int) -> None:
        """Hold the watermark until this source has spoken, at most for the patience."""
        if source not in self.newest:
            self.expected.add(source)
            self.spoke[source] = self.heard_us
            if self.newest_us != LONG_AGO:
                self.hold_until_us = self.newest_us + self._patience_us

    @property
    def held(self) -> int:
        """Signals that wait."""
        return len(self._held)

    def stop(self, source: int) -> None:
        """Wait no longer for a source that has ended with nothing left to send; until it speaks or starts again."""
        self.expected.discard(source)
        self.stopped.add(source)

    def start(self, source: int) -> None:
        """Take back `stop`: the source is waited for again, as long since it last spoke as any other."""
        self.stopped.discard(source)

    def push(
        self,
        signals: NDArray[Any],
        source: int,
        arrived_us: int | None = None,
        index: NDArray[np.int32] = AS_NAMED,
    ) -> None:
        """Take signals (SIGNAL, ns) of one source in order of arrival, at a time of arrival where that is known.

        index : int32 (k,), of the devices that `signals` name 0..k-1; empty: they name indices
        """
        if not len(signals):
            return
        rows = rows_of(signals)
        self.expected.discard(source)
        self.stopped.discard(source)
        awaited = [newest for name, newest in self.newest.items() if name != source and name not in self.stopped]
        patience_us = self._patience_us
        if arrived_us is not None:
            self._hear(source, arrived_us)
            patient = {name for name, at in self.spoke.items() if self.heard_us - at <= patience_us}
            if self.held > self._held_most:
                patient.clear()
            patient -= self.stopped
            awaited = [newest for name, newest in self.newest.items() if name != source and name in patient]
            patience_us = EVER
            hold_until_us = EVER if self.expected & patient else LONG_AGO
        else:
            if self.newest_us == LONG_AGO:
                self.hold_until_us = int(rows[0, 0]) // NS_PER_US + patience_us
            hold_until_us = self.hold_until_us if self.expected else LONG_AGO
        kept, marks = self._held.admit(
            rows,
            index,
            np.array(sorted(awaited), np.int64),
            (self._lateness_us, patience_us, hold_until_us),
            (self.newest.get(source, LONG_AGO), self.watermark_us, self.newest_us),
        )
        self.newest[source], self.watermark_us, self.newest_us = marks
        self.late += len(rows) - kept

    def _hear(self, source: int, arrived_us: int) -> None:
        """Let the time go on in which somebody was heard."""
        if self.arrived_us != LONG_AGO:
            self.heard_us += min(max(arrived_us - self.arrived_us, 0), self._quiet_us)
        self.arrived_us = max(self.arrived_us, arrived_us)
        self.spoke[source] = self.heard_us

    def releases(self) -> Iterator[NDArray[Any]]:
        """Yield what lies before the watermark: SIGNAL with `ts` in microseconds, sorted, repetitions removed.

        Some ten thousand at a time; each array is valid until the next is asked for.
        """
        waiting = self.held
        for rows in self._held.take(self.watermark_us):
            self.repeated += waiting - self.held - len(rows)
            waiting = self.held
            yield _signals(rows)

    def release(self) -> NDArray[Any]:
        """Return all that `releases` yields as an array of its own."""
        return np.concatenate([np.empty(0, SIGNAL), *(signals.copy() for signals in self.releases())])

    def end(self) -> None:
        """Move the watermark behind the newest signal; what comes later is late if it lies before that."""
        if self.newest_us != LONG_AGO:
            self.watermark_us = max(self.watermark_us, self.newest_us + 1)

    def flush(self) -> NDArray[Any]:
        """Release everything."""
        self.end()
        return self.release()

    def pending(self) -> NDArray[Any]:
        """Return what is held in order of time, repetitions too, `ts` in microseconds."""
        return _signals(_in_order(self._held.rows(), once=False))

    def devices(self) -> NDArray[np.int64]:
        """Return the device of each signal that is held."""
        devices: NDArray[np.int64] = self._held.rows()[:, 1] & kernels.PLACE
        return devices

    def preview(self, since_us: int = LONG_AGO) -> NDArray[Any]:
        """Return what is held from a time on (the beginning of a slot) as it would be released; nothing changes."""
        return _signals(_in_order(self._held.rows(since_us), once=True))

    def note_changes(self) -> None:
        """Begin to note how early what is held changes."""
        self._held.earliest_us = EVER

    @property
    def changed_from_us(self) -> int:
        """The earliest time of what came to be held since `note_changes`."""
        return self._held.earliest_us

    @property
    def told_through_us(self) -> int:
        """What the slowest source has told, as far as sources are waited for; nothing earlier is expected."""
        return self.watermark_us + self._lateness_us

    def restore_pending(self, pending: NDArray[Any]) -> None:
        """Put back what `pending` returned."""
        rows = rows_of(pending).copy()
        rows[:, 0] *= NS_PER_US
        self._held.clear()
        self._held.put(rows)


def in_order_of_time(signals: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Return a sorted copy without exact repetitions, and how many those were.

    Signals of equal time are in order of their bytes: decoding does not depend on their order, but equal ones
    become neighbours.
    """
    rows = rows_of(signals)
    ordered = _in_order(rows, once=True)
    return _signals(ordered), len(rows) - len(ordered)


def rows_of(signals: NDArray[Any]) -> Rows:
    """Return signals as rows of two words: the time, and the other columns as they lie in memory."""
    rows = np.ascontiguousarray(signals).view(np.int64).reshape(-1, 2)
    return rows if rows.flags.aligned and rows.flags.writeable else rows.copy()  # kernels are compiled for such


def _in_order(rows: Rows, *, once: bool) -> Rows:
    if not len(rows):
        return rows
    ordered = np.empty_like(rows)
    buckets = np.zeros((1 << len(rows).bit_length()) + 1, np.int64)
    if not kernels.bucket_sort(rows, buckets, ordered):
        ordered = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    return ordered[: int(kernels.finish_order(ordered, once))]


def _signals(rows: Rows) -> NDArray[Any]:
    return np.ascontiguousarray(rows).view(SIGNAL)[:, 0]
