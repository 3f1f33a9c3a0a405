"""The clocks an agent reads: one place, so that tests and simulations can give others."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core.limits import NS_PER_S

_PAIRS: Final = 3


@dataclass(frozen=True)
class Clock:
    """Two readings of time."""

    now_ns: Callable[[], int] = time.time_ns
    """Nanoseconds since the epoch, UTC; may jump."""
    monotonic_s: Callable[[], float] = time.monotonic
    """Seconds from an unknown start; never jumps."""


class ArrivalClock:
    """Maps monotonic seconds to UTC, so that what arrives in a row is stamped in a row.

    A reading is stamped with monotonic time, which costs nothing and never jumps; the way from there to UTC is
    measured once in a while and not for each reading. When the wall clock is set, readings follow at the next
    `refresh`, never in the middle of a chunk.

    Parameters
    ----------
    clock : Clock
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._utc_ns = 0
        self._monotonic_s = 0.0
        self.refresh()

    def refresh(self) -> int:
        """Measure anew; return by how many ns the wall clock has moved against the monotonic one since then."""
        best_s, utc_ns, monotonic_s = float("inf"), 0, 0.0
        for _ in range(_PAIRS):  # somebody else may run between the two readings; the closest pair counts
            before_s, now_ns, after_s = self._clock.monotonic_s(), self._clock.now_ns(), self._clock.monotonic_s()
            if after_s - before_s < best_s:
                best_s, utc_ns, monotonic_s = after_s - before_s, now_ns, (before_s + after_s) / 2
        moved_ns = utc_ns - self.utc_ns(monotonic_s)
        self._utc_ns, self._monotonic_s = utc_ns, monotonic_s
        return moved_ns

    def utc_ns(self, monotonic_s: float) -> int:
        """Return the nanoseconds since the epoch of a monotonic time near the latest `refresh`."""
        return self._utc_ns + round((monotonic_s - self._monotonic_s) * NS_PER_S)
