"""When things were done last, on this process's own clock."""

import time


class Timers:
    """A clock for each thing that is done from time to time, by its name."""

    def __init__(self) -> None:
        self._done_s: dict[str, float] = {}

    def due(self, what: str, every_s: float, *, first: bool = True) -> bool:
        """Whether it is time again; then it counts as done. `first`: the very first time is at once."""
        if self.left_s(what, every_s) > 0:
            return False
        begun = what in self._done_s
        self._done_s[what] = time.monotonic()
        return begun or first

    def left_s(self, what: str, every_s: float) -> float:
        """Seconds until it is due."""
        done_s = self._done_s.get(what)
        return 0.0 if done_s is None else max(done_s + every_s - time.monotonic(), 0.0)
