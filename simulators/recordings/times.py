"""Times that cannot be: a row of next year would make every row after it late.

A recording has no clock beside it; the newest time that was heard of stands in for the one that ingest has.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.limits import PAST_BOUND_NS

TIME_BEFORE_NS: Final = 2**62
"""The year 2116: the last time that the wire carries."""
FOLLOWERS: Final = 32
"""A leap ahead is believed when most of so many rows after it agree; a faulty clock is one among several anchors."""


class Judged(NamedTuple):
    """What is known of the first `decided` rows; the rows after them wait for what follows."""

    possible: NDArray[np.bool_]  # shape (decided,)
    decided: int


class Times:
    """Judges the times of one store in order of arrival, the same however they are cut into pieces.

    A time is impossible if it is before 1970 or after 2116, if it lies more than a week before the newest so far (no
    edge keeps signals for longer), or if it leaps more than a week ahead and most of the rows after it do not follow.
    """

    def __init__(self) -> None:
        self._newest_ns: int | None = None

    def judge(self, ts: NDArray[np.int64], *, last: bool) -> Judged:
        """Judge some rows.

        Parameters
        ----------
        ts : ndarray of int64
            The rows that were left waiting, and new ones; ns.
        last : bool
            Whether nothing follows: then every row is decided.
        """
        if not len(ts):
            return Judged(np.ones(0, np.bool_), 0)
        if self._newest_ns is not None:
            newest = np.maximum.accumulate(np.concatenate(([self._newest_ns], ts)))
            if int(ts.max()) < TIME_BEFORE_NS and not (np.abs(ts - newest[:-1]) > PAST_BOUND_NS).any():
                self._newest_ns = int(newest[-1])
                return Judged(np.ones(len(ts), np.bool_), len(ts))
        return self._judge_singly(ts, last=last)

    def _judge_singly(self, ts: NDArray[np.int64], *, last: bool) -> Judged:
        possible = np.zeros(len(ts), np.bool_)
        newest = self._newest_ns
        for place, time in enumerate(ts.tolist()):
            if not 0 <= time < TIME_BEFORE_NS or (newest is not None and time < newest - PAST_BOUND_NS):
                continue
            if newest is None or time > newest + PAST_BOUND_NS:
                followers = ts[place + 1 : place + 1 + FOLLOWERS]
                if len(followers) < FOLLOWERS and not last:
                    self._newest_ns = newest
                    return Judged(possible[:place], place)
                near = (followers >= time - PAST_BOUND_NS) & (followers <= time + PAST_BOUND_NS)
                if 2 * int(near.sum()) < len(followers):
                    continue
            possible[place] = True
            newest = time if newest is None or time > newest else newest
        self._newest_ns = newest
        return Judged(possible, len(ts))
