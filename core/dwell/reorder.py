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


class Reorder:
    """Hold signals until the watermark has passed them, then release them sorted and without repetitions.

    The watermark is the smallest over all sources of the source's newest time, less the lateness bound. A source
    whose newest lies more than the patience behind the newest of all is not waited for. It never goes back.
    """

    def __init__(self, settings: Settings) -> None:
        self._lateness_us = settings.lateness_ns // NS_PER_US
        self._patience_us = settings.patience_ns // NS_PER_US
        self.newest: dict[int, int] = {}
        self.expected: set[int] = set()
        self.hold_until_us = LONG_AGO
        self.watermark_us = LONG_AGO
        self.newest_us = LONG_AGO
        self._pending: list[NDArray[Any]] = []
        self.late = 0
        self.repeated = 0

    def expect(self, source: int) -> None:
        """Hold the watermark until this source has spoken, at most for the patience."""
        if source not in self.newest:
            self.expected.add(source)
            if self.newest_us != LONG_AGO:
                self.hold_until_us = self.newest_us + self._patience_us

    def push(self, signals: NDArray[Any], source: int) -> None:
        """Take signals (SIGNAL, ns) of one source in order of arrival."""
        if not len(signals):
            return
        self.expected.discard(source)
        if self.newest_us == LONG_AGO:
            self.hold_until_us = int(signals["ts"][0]) // NS_PER_US + self._patience_us
        hold_until_us = self.hold_until_us if self.expected else LONG_AGO
        others = np.array(sorted(at for name, at in self.newest.items() if name != source), np.int64)
        marks = np.array([self.newest.get(source, LONG_AGO), self.watermark_us, self.newest_us], np.int64)
        held = np.empty(len(signals), SIGNAL)
        kept = kernels.admit(signals, others, self._lateness_us, self._patience_us, hold_until_us, marks, held)
        self.newest[source] = int(marks[kernels.NEWEST])
        self.watermark_us = int(marks[kernels.WATERMARK])
        self.newest_us = int(marks[kernels.NEWEST_OF_ALL])
        self.late += len(signals) - kept
        self._pending.append(held[:kept])

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
