"""The clocks an agent reads: one place, so that tests and simulations can give others."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """Two readings of time."""

    now_ns: Callable[[], int] = time.time_ns
    """Nanoseconds since the epoch, UTC; may jump."""
    monotonic_s: Callable[[], float] = time.monotonic
    """Seconds from an unknown start; never jumps."""
