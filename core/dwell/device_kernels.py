"""Open addressing over 16-byte pseudonyms (eight times faster than numba's typed.Dict)."""

from typing import Any

import numpy as np
from numba import njit

from core.dwell.prefetch import prefetch_row

EMPTY = -1
HALF = np.uint64(32)
QUARTER = np.uint64(16)
# rows between asking for memory and using it: the slot first, then the key that the slot names
SLOT_AHEAD = 16
KEY_AHEAD = 8
MANY = 16_384  # devices whose keys and slots no longer lie in the second-level cache; with fewer, asking costs more

# places in `counts`
ROWS = 0  # rows of keys that were ever in use
FREE = 1  # rows on the free list
TAKEN = 2  # of `wanted`
COUNTS = 3


@njit(cache=True, nogil=True)
def _slot(low: Any, high: Any, last: int) -> Any:
    """Return where a pseudonym is looked for first: it is a keyed hash already, so folding is enough."""
    folded = low ^ high
    folded ^= folded >> HALF
    folded ^= folded >> QUARTER
    return np.int64(folded & np.uint64(last))


@njit(cache=True, nogil=True)
def look_up(keys: Any, wanted: Any, slots: Any, free: Any, hour: int, named: Any, counts: Any, index: Any) -> bool:
    """Find or add keys. Return False if it stopped for want of room.

    keys : uint64 (room, 2); wanted : uint64 (k, 2); slots : int32 (a power of two), EMPTY or a row of keys
    free : int32, rows that may be given anew, the last one first
    named : int32 (room,), `hour` is written there for each row that was found or added
    counts : int64 (COUNTS,); index : int32 (k,), written
    """
    last = slots.size - 1
    count = counts[ROWS]
    spare = counts[FREE]
    asked = wanted.shape[0] - SLOT_AHEAD if count > MANY else 0
    for row in range(counts[TAKEN], wanted.shape[0]):
        if row < asked:
            prefetch_row(slots, _slot(wanted[row + SLOT_AHEAD, 0], wanted[row + SLOT_AHEAD, 1], last))
            ahead = slots[_slot(wanted[row + KEY_AHEAD, 0], wanted[row + KEY_AHEAD, 1], last)]
            if ahead != EMPTY:
                prefetch_row(keys, ahead)
        low = wanted[row, 0]
        high = wanted[row, 1]
        slot = _slot(low, high, last)
        found = slots[slot]
        while found != EMPTY and (keys[found, 0] != low or keys[found, 1] != high):
            slot = (slot + 1) & last
            found = slots[slot]
        if found == EMPTY:
            if spare > 0:
                found = free[spare - 1]
                spare -= 1
            elif count < keys.shape[0]:
                found = np.int32(count)
                count += 1
            else:
                counts[ROWS] = count
                counts[FREE] = spare
                counts[TAKEN] = row
                return False
            keys[found, 0] = low
            keys[found, 1] = high
            slots[slot] = found
        named[found] = hour
        index[row] = found
    counts[ROWS] = count
    counts[FREE] = spare
    counts[TAKEN] = wanted.shape[0]
    return True


@njit(cache=True, nogil=True)
def fill(keys: Any, rows: Any, slots: Any) -> None:
    """Enter rows of keys into slots that are all EMPTY."""
    last = slots.size - 1
    for row in rows:
        slot = _slot(keys[row, 0], keys[row, 1], last)
        while slots[slot] != EMPTY:
            slot = (slot + 1) & last
        slots[slot] = row
