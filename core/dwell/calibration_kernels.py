"""Sums over labelled signals for calibration."""

from typing import Any

from numba import njit


@njit(cache=True, nogil=True)
def tally(
    signals: Any,
    spot: Any,
    offset_db: Any,
    step_us: int,
    steps: Any,
    heard: Any,
    count: Any,
    total: Any,
    last_step: Any,
) -> None:
    """Count adverts and sum levels by spot and anchor.

    signals : SIGNAL in microseconds, sorted by device and time; spot : int64 (n,), -1 to leave one out
    offset_db : float64 by device; steps : int64 (spots,), heard, count : int64 (spots, anchors),
    total : float64 (spots, anchors), all added to; last_step : int64 (anchors,), work space
    """
    device = -1
    begun = 0
    number = 0
    last_step[:] = -1
    for row in range(signals.size):
        at = signals[row]["ts"]
        if signals[row]["device"] != device or at - begun >= step_us:
            device = signals[row]["device"]
            begun = at
            number += 1
            if spot[row] >= 0:
                steps[spot[row]] += 1
        place = spot[row]
        if place < 0:
            continue
        anchor = signals[row]["anchor"]
        count[place, anchor] += 1
        total[place, anchor] += signals[row]["rssi_dbm"] - offset_db[device]
        if last_step[anchor] != number:
            last_step[anchor] = number
            heard[place, anchor] += 1


@njit(cache=True, nogil=True)
def residuals(signals: Any, spot: Any, level_dbm: Any, total: Any, square: Any, count: Any) -> None:
    """Sum by device how far its readings lie from the levels: `total`, `square` float64, `count` int64."""
    for row in range(signals.size):
        if spot[row] < 0:
            continue
        device = signals[row]["device"]
        away = signals[row]["rssi_dbm"] - level_dbm[spot[row], signals[row]["anchor"]]
        total[device] += away
        square[device] += away * away
        count[device] += 1
