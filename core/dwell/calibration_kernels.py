"""Sums over labelled signals for calibration."""

from typing import Any

from numba import njit


@njit(cache=True, nogil=True)
def find_adverts(signals: Any, step_us: int, first: Any) -> None:
    """Tell which signals are the first of an advert: of a device, or `step_us` after the one before.

    signals : SIGNAL in microseconds, sorted by device and time; first : bool (n,)
    """
    device = -1
    begun = 0
    for row in range(signals.size):
        at = signals[row]["ts"]
        first[row] = signals[row]["device"] != device or at - begun >= step_us
        if first[row]:
            device = signals[row]["device"]
            begun = at


@njit(cache=True, nogil=True)
def tally(
    signals: Any,
    first: Any,
    spot: Any,
    weight: Any,
    offset_db: Any,
    block: Any,
    sent: Any,
    steps: Any,
    heard_in: Any,
    heard: Any,
    count: Any,
    total: Any,
    last_step: Any,
) -> None:
    """Count adverts by block of time and spot, and by anchor; sum levels by spot and anchor.

    signals : SIGNAL in microseconds, sorted by device and time; first : bool (n,), from `find_adverts`
    spot : int64 (n,), -1 to leave one out; weight : float64 (n,); offset_db : float64 by device
    block : int64 (n,), of each signal (core.dwell.outages)
    sent, steps : float64 (blocks, spots), adverts as they are and as they weigh; heard_in : int64 (blocks, anchors),
    of signals that are left out too; heard, count, total : float64 (spots, anchors), as they weigh; all added to
    last_step : int64 (anchors,), work space
    """
    number = 0
    share = 0.0
    last_step[:] = -1
    for row in range(signals.size):
        place = spot[row]
        if first[row]:
            number += 1
            share = min(1.0, weight[row])  # however sure a label is, an advert is heard or missed once
            if place >= 0:
                sent[block[row], place] += 1
                steps[block[row], place] += share
        anchor = signals[row]["anchor"]
        heard_in[block[row], anchor] += 1
        if place < 0:
            continue
        count[place, anchor] += weight[row]
        total[place, anchor] += weight[row] * (signals[row]["rssi_dbm"] - offset_db[signals[row]["device"]])
        if last_step[anchor] != number:
            last_step[anchor] = number
            heard[place, anchor] += share


@njit(cache=True, nogil=True)
def residuals(signals: Any, spot: Any, weight: Any, level_dbm: Any, total: Any, square: Any, count: Any) -> None:
    """Sum by device how far its readings lie from the levels: `total`, `square`, `count` float64 by device."""
    for row in range(signals.size):
        if spot[row] < 0:
            continue
        device = signals[row]["device"]
        away = signals[row]["rssi_dbm"] - level_dbm[spot[row], signals[row]["anchor"]]
        total[device] += weight[row] * away
        square[device] += weight[row] * away * away
        count[device] += weight[row]
