"""Fake time: what is to happen, in order of its moment; nothing here waits."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Final

START_NS: Final = 1_760_000_000 * 10**9


class Time:
    """The moments of one simulation. Everything that happens is an event; events of one moment keep their order."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def after(self, delay_s: float, what: Callable[[], None]) -> None:
        """Let something happen so much later."""
        heapq.heappush(self._events, (self.now_s + delay_s, next(self._order), what))

    def step(self) -> None:
        """Go on to the next event."""
        self.now_s, _, what = heapq.heappop(self._events)
        what()


class WallClock:
    """The clock of one machine: its wall time may jump, its monotonic time does not. Stands in for module `time`."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self.ahead_ns = 0

    def time_ns(self) -> int:
        """Nanoseconds since the epoch, by this machine."""
        return START_NS + int(self._time.now_s * 1e6) * 1000 + self.ahead_ns

    def monotonic(self) -> float:
        """Seconds from an unknown start."""
        return self._time.now_s
