"""What was said about anchors and holds from a time of the data on that is not decoded yet."""

from bisect import insort
from collections.abc import Iterable
from typing import Final

TOLD_MOST: Final = 4096
"""Four changes for each anchor of the largest store within the lateness bound; then the oldest hold at once."""


class Heartbeats:
    """Changes of anchors, down (1) or up (0), by the time from which they hold; in order of time."""

    def __init__(self, waiting: Iterable[tuple[int, int, int]] = ()) -> None:
        self.waiting: list[tuple[int, int, int]] = list(waiting)
        """(µs, anchor, down)."""

    def tell(self, at_us: int, anchor: int, *, down: bool) -> None:
        """Let a change hold from `at_us` on; what was said of the anchor for later is taken back.

        So an edge that comes back after its line was cut takes back what its last will said of its anchors, if that
        has not been decoded yet.
        """
        self.waiting = [entry for entry in self.waiting if entry[1] != anchor or entry[0] < at_us]
        insort(self.waiting, (at_us, anchor, int(down)))

    def due_us(self, before_us: int) -> int | None:
        """Return the time of the next change if it holds before `before_us`, or if too many wait."""
        if self.waiting and (self.waiting[0][0] < before_us or len(self.waiting) > TOLD_MOST):
            return self.waiting[0][0]
        return None

    def take(self) -> tuple[int, bool]:
        """Take the next change: the anchor, and whether it is down."""
        _, anchor, down = self.waiting.pop(0)
        return anchor, bool(down)

    def last(self) -> dict[int, bool]:
        """Return what was said last of each anchor that a change waits for."""
        return {anchor: bool(down) for _, anchor, down in self.waiting}
