"""Sums over labelled signals for calibration."""

from typing import Any

from numba import njit


@njit(cache=True, nogil=True)
def weigh(signals: Any, stay: Any, most: float, count: Any, weight: Any) -> None:
    """Write each signal's weight: the signals of one stay at one anchor count for at most `most` together.

    signals : SIGNAL sorted by device and time; stay : int64 (n,), that of each signal, ascending in runs
    count : int64 (anchors,), work space; weight : float64 (n,)
    """
    begin = 0
    for row in range(signals.size + 1):
        if row < signals.size and stay[row] == stay[begin]:
            continue
        count[:] = 0
        for inner in range(begin, row):
            count[signals[inner]["anchor"]] += 1
        for inner in range(begin, row):
            weight[inner] = min(1.0, most / count[signals[inner]["anchor"]])
        begin = row


@njit(cache=True, nogil=True)
def tally(
    signals: Any,
    spot: Any,
    weight: Any,
    offset_db: Any,
    step_us: int,
    block: Any,
    steps: Any,
    heard_in: Any,
    heard: Any,
    count: Any,
    total: Any,
    last_step: Any,
) -> None:
    """Count adverts by block of time and spot, and by anchor; sum levels by spot and anchor.

    signals : SIGNAL in microseconds, sorted by device and time; spot : int64 (n,), -1 to leave one out
    weight : float64 (n,); offset_db : float64 by device; block : int64 (n,), of each signal (core.dwell.outages)
    steps : float64 (blocks, spots); heard_in : int64 (blocks, anchors), of signals that are left out too; heard,
    count, total : float64 (spots, anchors); all added to; last_step : int64 (anchors,), work space
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
                steps[block[row], spot[row]] += 1
        place = spot[row]
        anchor = signals[row]["anchor"]
        heard_in[block[row], anchor] += 1
        if place < 0:
            continue
        count[place, anchor] += weight[row]
        total[place, anchor] += weight[row] * (signals[row]["rssi_dbm"] - offset_db[device])
        if last_step[anchor] != number:
            last_step[anchor] = number
            heard[place, anchor] += 1


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
