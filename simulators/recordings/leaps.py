"""One row far ahead of the rows around it: every row after it is late, and the row itself is most likely wrong."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.limits import NS_PER_S
from simulators.recordings.times import FOLLOWERS

LEAP_NS: Final = 3600 * NS_PER_S
"""Networks hold rows up by seconds, wrong clocks and wrong time zones by an hour and more."""


class Leap(NamedTuple):
    """A row that lies ahead of its neighbours: its line, its time and how far ahead, ns."""

    line: int
    ts: int
    ahead_ns: int


class Leaps:
    """Looks for the first row of a store that lies more than an hour ahead of both what came before and what follows.

    That holds while most of the FOLLOWERS rows after it lie within an hour of the newest before it. A pause of the
    store is no such leap (what follows stays ahead), nor is a recording in another order (what follows lies
    elsewhere).
    """

    def __init__(self) -> None:
        self.lone: Leap | None = None
        self._newest_ns: int | None = None
        self._ts = np.zeros(0, np.int64)  # rows whose followers are not known yet
        self._lines = np.zeros(0, np.int64)

    def add(self, ts: NDArray[np.int64], lines: NDArray[np.int64], *, last: bool) -> None:
        """Take in the next rows (ns, and where they stand); `last` says that nothing follows."""
        if self.lone is not None:
            return
        ts, lines = np.concatenate([self._ts, ts]), np.concatenate([self._lines, lines])
        ready = len(ts) if last else max(0, len(ts) - FOLLOWERS)
        self._ts, self._lines = ts[ready:], lines[ready:]
        if not ready:
            return
        first = self._newest_ns is None  # nothing before it: what follows says where it ought to lie
        begin = int(np.median(ts[1 : 1 + FOLLOWERS])) if len(ts) > 1 else int(ts[0])
        before = np.maximum.accumulate(np.concatenate([[begin if first else self._newest_ns], ts[:ready]]))
        for place in np.flatnonzero(ts[:ready] - before[:-1] > LEAP_NS).tolist():
            followers = ts[place + 1 : place + 1 + FOLLOWERS]
            near = np.abs(followers - before[place]) <= LEAP_NS
            if 2 * int(near.sum()) > len(followers):
                self.lone = Leap(int(lines[place]), int(ts[place]), int(ts[place] - before[place]))
                return
        self._newest_ns = int(before[-1])
