"""Arrival order becomes order of time, within a lateness bound, whatever the interleaving of sources."""

from typing import Any, Final

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
        self.hold_until_us = LONG_AGO
        self.watermark_us = LONG_AGO
        self.newest_us = LONG_AGO
        self.arrived_us = LONG_AGO
        self.heard_us = 0
        self.spoke: dict[int, int] = {}
        self._pending: list[NDArray[Any]] = []
        self.late = 0
        self.repeated = 0

    def expect(self, source: int) -> None:
        """Hold the watermark until this source has spoken, at most for the patience."""
        if source not in self.newest:
            self.expected.add(source)
            self.spoke[source] = self.heard_us
            if self.newest_us != LONG_AGO:
                self.hold_until_us = self.newest_us + self._patience_us

    def push(self, signals: NDArray[Any], source: int, arrived_us: int | None = None) -> None:
        """Take signals (SIGNAL, ns) of one source in order of arrival, at a time of arrival where that is known."""
        if not len(signals):
            return
        self.expected.discard(source)
        awaited = [name for name in self.newest if name != source]
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
        self._pending.append(held[:kept])

    @property
    def held(self) -> int:
        """Signals that wait for the watermark."""
        return sum(map(len, self._pending))

    def _hear(self, source: int, arrived_us: int) -> None:
        """Let the time go on in which somebody was heard."""
        if self.arrived_us != LONG_AGO:
            self.heard_us += min(max(arrived_us - self.arrived_us, 0), self._quiet_us)
        self.arrived_us = max(self.arrived_us, arrived_us)
        self.spoke[source] = self.heard_us

    def release(self) -> NDArray[Any]:
        """Return what lies before the watermark: SIGNAL with `ts` in microseconds, sorted, repetitions removed."""
        pending = self.pending()
        ready = pending["ts"] < self.watermark_us
        self._pending = [pending[~ready]]
        released, repeated = in_order_of_time(pending[ready])
        self.repeated += repeated
        return released

    def flush(self) -> NDArray[Any]:
        """Release everything; what comes later is late if it lies before what is released here."""
        if self.newest_us != LONG_AGO:
            self.watermark_us = max(self.watermark_us, self.newest_us + 1)
        return self.release()

    def pending(self) -> NDArray[Any]:
        """Return what is held, in order of arrival, `ts` in microseconds."""
        if len(self._pending) != 1:
            self._pending = [np.concatenate([np.empty(0, SIGNAL), *self._pending])]
        return self._pending[0]

    def preview(self) -> NDArray[Any]:
        """Return what is held as it would be released now; nothing changes."""
        return in_order_of_time(self.pending())[0]

    def restore_pending(self, pending: NDArray[Any]) -> None:
        """Put back what `pending` returned."""
        self._pending = [pending]


def in_order_of_time(signals: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Return a sorted copy without exact repetitions, and how many those were."""
    ordered = signals[np.argsort(signals["ts"], kind="stable")]
    kept = int(kernels.order_ties(ordered))
    return ordered[:kept], len(ordered) - kept
