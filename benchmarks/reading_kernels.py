"""What memory alone costs: read every signal once, read every device's record once a signal."""

from typing import Any

from numba import njit

from core.dwell.prefetch import prefetch_row

AHEAD = 6


@njit(cache=True, nogil=True)
def sum_columns(signals: Any) -> int:
    """Return the sum of the four columns of SIGNAL."""
    total = 0
    for index in range(signals.size):
        signal = signals[index]
        total += signal["ts"] + signal["device"] + signal["anchor"] + signal["rssi_dbm"]
    return total


@njit(cache=True, nogil=True)
def touch(signals: Any, state: Any, words: Any) -> int:
    """Return the sum of all words of the records of the signals' devices, in their order.

    state : the records, for asking ahead; words : the same memory as int32 (devices, words of a record)
    """
    total = 0
    for index in range(signals.size):
        if index + AHEAD < signals.size:
            prefetch_row(state, signals[index + AHEAD]["device"])
        place = signals[index]["device"]
        for word in range(words.shape[1]):
            total += words[place, word]
    return total
