"""Kernels of what a user would build: each says after every advertisement in which zone a device is.

All take the signals of devices one after another, in order of time: `device`, `ts_ns`, `anchor`, `rssi_dbm`, shape
(n,), and `zone_of`, shape (anchors,); they write `state`, the zone from each signal on. What is heard within 100 ms
is one advertisement and decided at its end, so that no method sees half an advertisement.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

STEP_NS = 100_000_000
GONE_NS = 60_000_000_000  # after a minute of silence everything starts anew
UNHEARD_DBM = -1000.0


@njit(cache=True, nogil=True)
def step_end(device: NDArray[np.int64], ts_ns: NDArray[np.int64], begin: int) -> int:
    """Return where the advertisement that begins at a signal ends (exclusive)."""
    end = begin + 1
    while end < len(ts_ns) and device[end] == device[begin] and ts_ns[end] - ts_ns[begin] <= STEP_NS:
        end += 1
    return end


@njit(cache=True, nogil=True)
def decide(level: NDArray[np.float64], current: int, hysteresis_db: float) -> int:
    """Return the zone with the highest level, or the current one where that leads by no more than the hysteresis."""
    best = int(np.argmax(level))
    if level[best] == UNHEARD_DBM:
        return current
    if current < 0 or level[best] > level[current] + hysteresis_db:
        return best
    return current


@njit(cache=True, nogil=True)
def window_levels(
    anchor: NDArray[np.int64],
    rssi_dbm: NDArray[np.float64],
    zone_of: NDArray[np.int64],
    median: bool,
    sorted_dbm: NDArray[np.float64],
    count: NDArray[np.int64],
    level: NDArray[np.float64],
) -> None:
    """Write the level of each zone: the mean or median of the readings of its strongest anchor.

    `sorted_dbm`, shape (anchors, at least the readings), and `count`, shape (anchors,), are room to work in.
    """
    level[:] = UNHEARD_DBM
    count[:] = 0
    for row in range(len(anchor)):
        one = anchor[row]
        place = count[one]
        while place > 0 and sorted_dbm[one, place - 1] > rssi_dbm[row]:
            sorted_dbm[one, place] = sorted_dbm[one, place - 1]
            place -= 1
        sorted_dbm[one, place] = rssi_dbm[row]
        count[one] += 1
    for one in range(len(zone_of)):
        heard = count[one]
        if heard:
            low, high = (heard - 1) // 2, heard // 2
            value = (sorted_dbm[one, low] + sorted_dbm[one, high]) / 2 if median else sorted_dbm[one, :heard].mean()
            level[zone_of[one]] = max(level[zone_of[one]], value)


@njit(cache=True, nogil=True)
def windowed(
    device: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    anchor: NDArray[np.int64],
    rssi_dbm: NDArray[np.float64],
    zone_of: NDArray[np.int64],
    window_ns: int,
    median: bool,
    hysteresis_db: float,
    state: NDArray[np.int64],
) -> None:
    """Decide by the mean or median of a sliding window, with hysteresis."""
    level = np.empty(zone_of.max() + 1)
    count = np.empty(len(zone_of), np.int64)
    sorted_dbm = np.empty((len(zone_of), 64))
    since, begin, current = 0, 0, -1
    while begin < len(ts_ns):
        if begin == 0 or device[begin] != device[begin - 1] or ts_ns[begin] - ts_ns[begin - 1] > GONE_NS:
            since, current = begin, -1
        end = step_end(device, ts_ns, begin)
        while ts_ns[since] <= ts_ns[end - 1] - window_ns:
            since += 1
        if end - since > sorted_dbm.shape[1]:
            sorted_dbm = np.empty((len(zone_of), 2 * (end - since)))
        window_levels(anchor[since:end], rssi_dbm[since:end], zone_of, median, sorted_dbm, count, level)
        current = decide(level, current, hysteresis_db)
        state[begin:end] = current
        begin = end


@njit(cache=True, nogil=True)
def averaged(
    device: NDArray[np.int64],
    ts_ns: NDArray[np.int64],
    anchor: NDArray[np.int64],
    rssi_dbm: NDArray[np.float64],
    zone_of: NDArray[np.int64],
    share: float,
    interval_ns: int,
    expire_ns: int,
    hysteresis_db: float,
    state: NDArray[np.int64],
) -> None:
    """Decide by an exponential moving average of each anchor's readings, with hysteresis; silent anchors expire.

    A reading has the weight `share` after `interval_ns`, more after a longer gap, less after a shorter one.
    """
    level = np.empty(zone_of.max() + 1)
    mean = np.zeros(len(zone_of))
    heard_ns = np.full(len(zone_of), -(1 << 60))
    begin, current = 0, -1
    while begin < len(ts_ns):
        if begin == 0 or device[begin] != device[begin - 1] or ts_ns[begin] - ts_ns[begin - 1] > GONE_NS:
            heard_ns[:] = -(1 << 60)
            current = -1
        end = step_end(device, ts_ns, begin)
        now_ns = ts_ns[end - 1]
        for row in range(begin, end):
            one = anchor[row]
            gap_ns = ts_ns[row] - heard_ns[one]
            weight = 1.0 if gap_ns > expire_ns else 1 - (1 - share) ** (gap_ns / interval_ns)
            mean[one] += weight * (rssi_dbm[row] - mean[one])
            heard_ns[one] = ts_ns[row]
        level[:] = UNHEARD_DBM
        for one in range(len(zone_of)):
            if heard_ns[one] >= now_ns - expire_ns:
                level[zone_of[one]] = max(level[zone_of[one]], mean[one])
        current = decide(level, current, hysteresis_db)
        state[begin:end] = current
        begin = end
