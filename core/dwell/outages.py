"""When anchors were dead while a sample was taken: their silence then does not tell what they hear when they work."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

BLOCK_US: Final = 10_000_000
"""Outages are told by blocks of ten seconds: a gateway that restarts is away for longer."""
BLOCKS_MOST: Final = 4096
"""A sample of more than eleven hours has longer blocks, so that sums by block and anchor stay within some 30 MB."""
SILENT_ADVERTS: Final = 60.0
"""Adverts that an anchor should have heard in one silence before that counts as an outage. Alone, chance would do it
once in exp(60); but a spot behind a shelf is missed for as long as somebody stands there, a minute as a rule."""
RATE_LEAST: Final = 0.1
"""An anchor is thought to hear at least a tenth of what is expected of it, or else its outages would hide themselves.
One that hears a fiftieth is still taken at its word: its silences are as long as an outage once in exp(12)."""

_Cells = NDArray[np.float64]


def block_of(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the block that each time (µs, shape (n,), n >= 1) falls into, from 0."""
    begin, end = int(times.min()), int(times.max())
    block: NDArray[np.int64] = (times - begin) // max(BLOCK_US, -(-(end - begin + 1) // BLOCKS_MOST))
    return block


def working(expected: _Cells, heard: NDArray[Any]) -> _Cells:
    """Tell in which blocks each anchor worked: 1 or 0, shape (blocks, anchors).

    An anchor that was never heard has told nothing of itself and worked in none.

    Parameters
    ----------
    expected : float64, shape (blocks, anchors)
        Adverts that each anchor should have heard.
    heard : int64, shape (blocks, anchors)
        Adverts that it heard.
    """
    total = expected.sum(axis=0)
    rate = np.clip(heard.sum(axis=0) / np.maximum(total, 1e-9), RATE_LEAST, 1.0)
    works = np.ones(expected.shape)
    for anchor in np.flatnonzero(rate * total > SILENT_ADVERTS).tolist():
        # blocks of one silence have the same number of blocks with a reading before them
        silence = np.cumsum(heard[:, anchor] != 0)
        quiet = heard[:, anchor] == 0
        missed = np.bincount(silence[quiet], expected[quiet, anchor], int(silence[-1]) + 1)
        works[:, anchor] = ~(quiet & (rate[anchor] * missed[silence] > SILENT_ADVERTS))
    works[:, ~heard.any(axis=0)] = 0.0
    return works
