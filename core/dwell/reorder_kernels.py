"""Lateness by the source's watermark, order of time, exact repetitions."""

from typing import Any

from numba import njit

NS_PER_US = 1000
NEWEST = 0  # places in `marks`: newest time of the pushing source
WATERMARK = 1
NEWEST_OF_ALL = 2
MARKS = 3
BUCKET_MOST = 64  # insertion into so many costs a microsecond, above it a comparison sort is better


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
def ranges(signals: Any, found: Any) -> None:
    """Write the least and the greatest device, anchor and level to `found`, int64 (6,), that starts as wanted."""
    for row in range(signals.size):
        signal = signals[row]
        found[0] = min(found[0], signal["device"])
        found[1] = max(found[1], signal["device"])
        found[2] = min(found[2], signal["anchor"])
        found[3] = max(found[3], signal["anchor"])
        found[4] = min(found[4], signal["rssi_dbm"])
        found[5] = max(found[5], signal["rssi_dbm"])


@njit(cache=True, nogil=True)
def scatter(rows: Any, first: int, width: int, ends: Any, out: Any) -> None:
    """Copy rows to `out` by slice of time, in order of arrival within each.

    Here and below a signal is a row of two words, int64 (n, 2): its time and its other columns as they lie in memory.
    ends : int64 (slices + 1,), zero; then slice i, from (first + i) * width on, lies in ends[i - 1] : ends[i]
    """
    for row in range(rows.shape[0]):
        ends[rows[row, 0] // width - first + 1] += 1
    for place in range(1, ends.size):
        ends[place] += ends[place - 1]
    for row in range(rows.shape[0]):
        slot = rows[row, 0] // width - first
        place = ends[slot]
        ends[slot] = place + 1
        out[place, 0] = rows[row, 0]
        out[place, 1] = rows[row, 1]


@njit(cache=True, nogil=True)
def span(rows: Any) -> tuple[int, int]:
    """Return the earliest and the latest time of rows."""
    low = rows[0, 0]
    high = rows[0, 0]
    for row in range(rows.shape[0]):
        low = min(low, rows[row, 0])
        high = max(high, rows[row, 0])
    return low, high


@njit(cache=True, nogil=True)
def bucket_sort(rows: Any, buckets: Any, out: Any) -> bool:
    """Put rows in order of time up to the order within a bucket; False if a bucket is too full to sort by insertion.

    rows, out : int64 (n, 2); buckets : int64 (a power of two + 1,), work space, zero
    """
    low, high = span(rows)
    shift = 0
    while (high - low) >> shift >= buckets.size - 1:
        shift += 1
    fullest = 0
    for row in range(rows.shape[0]):
        place = ((rows[row, 0] - low) >> shift) + 1
        buckets[place] += 1
        fullest = max(fullest, buckets[place])
    if fullest > BUCKET_MOST:
        return False
    for bucket in range(1, buckets.size):
        buckets[bucket] += buckets[bucket - 1]
    for row in range(rows.shape[0]):
        bucket = (rows[row, 0] - low) >> shift
        place = buckets[bucket]
        buckets[bucket] = place + 1
        out[place, 0] = rows[row, 0]
        out[place, 1] = rows[row, 1]
    return True


@njit(cache=True, nogil=True)
def finish_order(rows: Any) -> int:
    """Sort nearly sorted rows by both words in place, drop exact repetitions, return how many are left."""
    kept = 0
    for row in range(rows.shape[0]):
        at = rows[row, 0]
        word = rows[row, 1]
        place = kept
        while place > 0 and (rows[place - 1, 0] > at or (rows[place - 1, 0] == at and rows[place - 1, 1] > word)):
            place -= 1
        if place > 0 and rows[place - 1, 0] == at and rows[place - 1, 1] == word:
            continue
        for later in range(kept, place, -1):
            rows[later, 0] = rows[later - 1, 0]
            rows[later, 1] = rows[later - 1, 1]
        rows[place, 0] = at
        rows[place, 1] = word
        kept += 1
    return kept
