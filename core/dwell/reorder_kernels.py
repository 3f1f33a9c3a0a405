"""Lateness by the source's watermark, order of time, exact repetitions."""

from typing import Any

import numpy as np
from numba import njit

NS_PER_US = 1000
NEWEST = 0  # places in `marks`: newest time of the pushing source
WATERMARK = 1
NEWEST_OF_ALL = 2
MARKS = 3


@njit(cache=True, nogil=True)
def admit(signals: Any, others: Any, lateness: int, patience: int, hold_until: int, marks: Any, out: Any) -> int:
    """Copy signals that are not late, times floored to microseconds; return how many.

    A signal is late if it lies before the watermark that the signals ahead of it have set; so it does not
    matter how they were cut into pushes.

    signals, out : SIGNAL; others : int64 ascending, the newest time of every other source
    hold_until : the watermark stays until something is newer; expected sources have not all spoken before that
    marks : int64 (MARKS,), updated; lateness, patience and all but signals["ts"] in microseconds
    """
    newest = marks[NEWEST]
    watermark = marks[WATERMARK]
    newest_of_all = marks[NEWEST_OF_ALL]
    kept = 0
    first = 0  # of `others` that is waited for
    for row in range(signals.size):
        signal = signals[row]
        at = signal["ts"] // NS_PER_US
        if at >= watermark:
            held = out[kept]
            held["ts"] = at
            held["device"] = signal["device"]
            held["anchor"] = signal["anchor"]
            held["rssi_dbm"] = signal["rssi_dbm"]
            kept += 1
        if at > newest:
            newest = at
            newest_of_all = max(newest_of_all, at)
            while first < others.size and others[first] < newest_of_all - patience:
                first += 1
            slowest = newest_of_all
            if newest >= newest_of_all - patience:
                slowest = newest
            if first < others.size:
                slowest = min(slowest, others[first])
            if newest_of_all > hold_until:
                watermark = max(watermark, slowest - lateness)
    marks[NEWEST] = newest
    marks[WATERMARK] = watermark
    marks[NEWEST_OF_ALL] = newest_of_all
    return kept


@njit(cache=True, nogil=True)
def order_ties(signals: Any) -> int:
    """Sort runs of equal time by (device, anchor, rssi) in place, drop exact repetitions, return how many are left.

    Runs are short, so that an insertion sort is the fastest.
    """
    kept = 0
    begin = 0  # of the run of equal times, in the kept part
    for row in range(signals.size):
        at = signals[row]["ts"]
        device = signals[row]["device"]
        anchor = signals[row]["anchor"]
        rssi = signals[row]["rssi_dbm"]
        if kept > 0 and signals[kept - 1]["ts"] != at:
            begin = kept
        key = (np.int64(device) << 32) + ((np.int64(anchor) + 32768) << 16) + (np.int64(rssi) + 32768)
        place = kept
        repeated = False
        while place > begin:
            before = signals[place - 1]
            other = (
                (np.int64(before["device"]) << 32)
                + ((np.int64(before["anchor"]) + 32768) << 16)
                + (np.int64(before["rssi_dbm"]) + 32768)
            )
            if other <= key:
                repeated = other == key
                break
            place -= 1
        if repeated:
            continue
        for later in range(kept, place, -1):
            signals[later]["ts"] = signals[later - 1]["ts"]
            signals[later]["device"] = signals[later - 1]["device"]
            signals[later]["anchor"] = signals[later - 1]["anchor"]
            signals[later]["rssi_dbm"] = signals[later - 1]["rssi_dbm"]
        signals[place]["ts"] = at
        signals[place]["device"] = device
        signals[place]["anchor"] = anchor
        signals[place]["rssi_dbm"] = rssi
        kept += 1
    return kept
