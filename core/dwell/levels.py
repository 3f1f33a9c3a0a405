"""What a store's own signals say of levels and detection as a whole, before any spot is looked at by itself.

A spot that was seldom visited cannot tell what it sounds like; the store can: how loud its devices are, how fast
levels fall with distance (a line over the prior's levels, which are linear in log-distance), how much each gateway
hears above or below that line (antenna, mounting), and how often. Each spot is shrunk to this, not to the bare prior.
"""

from math import erf, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.dwell.model import DETECTION_MAX, DETECTION_MIN, SENSITIVITY_DBM, SPREAD_DB

ANCHOR_SIGNALS: Final = 200
"""A gateway's own level moves half-way from the store's line after so many signals: seven stays, as for a spot."""
ANCHOR_ADVERTS: Final = 20
"""The same for how often it hears, in adverts."""
SLOPE_RANGE: Final = (0.4, 2.0)
"""Path-loss exponents of 1 to 5 beside the prior's 2.4: what has been measured indoors."""
VARIANCE_LEAST: Final = 1.0
"""dB²; spots that the prior puts nearly at one level tell no slope."""
_PASSES: Final = 3  # slope and anchors explain each other; the third pass moves levels by less than .1 dB

_Cells = NDArray[np.float64]


def levels_of_store(prior_dbm: _Cells, count: _Cells, total: _Cells) -> _Cells:
    """Return the levels that the store's line and its anchors suggest, dBm, shape (spots, anchors).

    Parameters
    ----------
    prior_dbm, count, total : float64, shape (spots, anchors)
        The prior's levels; how many signals were heard of each spot at each anchor (weighted) and the sum of their
        levels.
    """
    if not count.any():
        return prior_dbm
    slope, middle, seen_middle = 1.0, 0.0, 0.0
    of_anchor = np.zeros(prior_dbm.shape[1])
    told = count * (prior_dbm > SENSITIVITY_DBM)  # the prior cuts off what is out of reach: no line goes through that
    if not told.any():
        told = count
    mean_dbm = total / np.maximum(count, 1e-9)
    for _ in range(_PASSES):
        level_dbm = mean_dbm - of_anchor
        middle = float(np.average(prior_dbm, weights=told))
        seen_middle = float(np.average(level_dbm, weights=told))
        variance = float(np.average((prior_dbm - middle) ** 2, weights=told))
        if variance > VARIANCE_LEAST:
            together = np.average((prior_dbm - middle) * (level_dbm - seen_middle), weights=told)
            slope = float(np.clip(together / variance, *SLOPE_RANGE))
        line = seen_middle + slope * (prior_dbm - middle)
        of_anchor = (count * (mean_dbm - line)).sum(axis=0) / (count.sum(axis=0) + ANCHOR_SIGNALS)
    suggested: _Cells = seen_middle + slope * (prior_dbm - middle) + of_anchor
    return suggested


def detection_of_store(
    prior: _Cells,
    prior_dbm: _Cells,
    *,
    level_dbm: _Cells,
    spread_db: float,
    steps: NDArray[np.float64],
    heard: _Cells,
) -> _Cells:
    """Return the detection that the store suggests: the prior's, moved with the levels, times each anchor's own rate.

    Parameters
    ----------
    prior, prior_dbm : float64, shape (spots, anchors)
        The prior's detection and levels.
    level_dbm : float64, shape (spots, anchors)
        From `levels_of_store`.
    spread_db : float
        Of one reading.
    steps : float64, shape (spots, anchors)
        Adverts sent from each spot while each anchor worked.
    heard : float64, shape (spots, anchors)
        How many of them each anchor heard.
    """
    moved = prior * _received(level_dbm, spread_db) / _received(prior_dbm, SPREAD_DB)
    expected = (steps * moved).sum(axis=0)
    rate = (heard.sum(axis=0) + ANCHOR_ADVERTS) / (expected + ANCHOR_ADVERTS)
    suggested: _Cells = np.clip(moved * rate, DETECTION_MIN, DETECTION_MAX)
    return suggested


def _received(level_dbm: _Cells, spread_db: float) -> _Cells:
    """Share of readings about a level that lie above the sensitivity, at least a thousandth."""
    away = (level_dbm - SENSITIVITY_DBM) / (spread_db * sqrt(2))
    share: _Cells = np.maximum(0.5 * (1 + np.vectorize(erf, otypes=[float])(away)), 1e-3)
    return share
