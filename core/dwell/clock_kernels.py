"""Counting for the comparison of clocks: gaps between adverts, company of anchors, agreement by lag."""

from typing import Any

from numba import njit

UNIT = 1024  # agreement is counted in 1024ths, so that every sum is a whole number and does not depend on order
COMPARABLE = 10  # gaps this many widths apart are of another number of adverts and are not compared


@njit(cache=True, nogil=True)
def gaps(signals: Any, step_us: int, longest_us: int, last_at: Any, last_device: Any, gap_us: Any) -> None:
    """Write the time since the device's advert before at the same anchor, -1 where there is none to compare.

    signals : SIGNAL in microseconds, sorted by device and time; gap_us : int64 (n,)
    last_at : int64 (anchors,), last_device : int64 (anchors,), -1: work space
    """
    for row in range(signals.size):
        signal = signals[row]
        anchor = signal["anchor"]
        at = signal["ts"]
        gap = at - last_at[anchor]
        gap_us[row] = -1
        if last_device[anchor] != signal["device"]:
            last_device[anchor] = signal["device"]
            last_at[anchor] = at
        elif gap >= step_us:  # else the same advert once more
            last_at[anchor] = at
            if gap <= longest_us:
                gap_us[row] = gap


@njit(cache=True, nogil=True)
def company(signals: Any, gap_us: Any, span_us: int, together: Any, count: Any, met: Any) -> None:
    """Count how much two anchors hear of the same device within the same span of time.

    signals : as in `gaps`, those with a gap count; together : int64 (anchors, anchors), added to, both halves
    count : int64 (anchors,), zero, met : int64 (anchors,): work space
    """
    begin = 0
    for row in range(signals.size + 1):
        if row < signals.size:
            same = signals[row]["device"] == signals[begin]["device"]
            if same and signals[row]["ts"] // span_us == signals[begin]["ts"] // span_us:
                continue
        different = 0
        for inner in range(begin, row):
            anchor = signals[inner]["anchor"]
            if gap_us[inner] >= 0:
                if count[anchor] == 0:
                    met[different] = anchor
                    different += 1
                count[anchor] += 1
        for one in range(different):
            for other in range(different):
                if one != other:
                    together[met[one], met[other]] += min(count[met[one]], count[met[other]])
        for one in range(different):
            count[met[one]] = 0
        begin = row


@njit(cache=True, nogil=True)
def agreement(
    one: Any, other: Any, widths_us: Any, reach_us: int, bin_us: int, excess: Any, doubt: Any, matched: Any, lags: Any
) -> None:
    """Sum, by lag, by how much more two anchors' gaps between adverts agree than by chance.

    Two gaps are compared if they differ by less than COMPARABLE widths, and match if by less than one. What is to be
    expected by chance is the device's own share of matches over all lags.

    one, other : int64 (n, 3), columns device, time, gap, sorted by device and time
    widths_us : int64 (widths,); lag is time at `one` less time at `other`, within +-reach_us, in bins of bin_us
    excess : int64 (widths, bins): matches less expected, in UNITs; doubt : its variance, in squares of a UNIT
    matched : matches; lags : sum of their lags; all added to
    """
    widths = widths_us.size
    last = 0
    begin = 0
    while begin < one.shape[0]:
        device = one[begin, 0]
        end = begin
        while end < one.shape[0] and one[end, 0] == device:
            end += 1
        while last < other.shape[0] and other[last, 0] < device:
            last += 1
        first = last
        while last < other.shape[0] and other[last, 0] == device:
            last += 1
        for width in range(widths):
            near = widths_us[width]
            compared = 0
            alike = 0
            low = first
            for row in range(begin, end):
                while low < last and other[low, 1] < one[row, 1] - reach_us:
                    low += 1
                for place in range(low, last):
                    if other[place, 1] > one[row, 1] + reach_us:
                        break
                    apart = abs(one[row, 2] - other[place, 2])
                    if apart < COMPARABLE * near:
                        compared += 1
                        if apart < near:
                            alike += 1
            if compared == 0:
                continue
            share = UNIT * alike // compared
            variance = share * (UNIT - share)
            low = first
            for row in range(begin, end):
                while low < last and other[low, 1] < one[row, 1] - reach_us:
                    low += 1
                for place in range(low, last):
                    if other[place, 1] > one[row, 1] + reach_us:
                        break
                    apart = abs(one[row, 2] - other[place, 2])
                    if apart < COMPARABLE * near:
                        lag = one[row, 1] - other[place, 1]
                        slot = (lag + reach_us) // bin_us
                        excess[width, slot] -= share
                        doubt[width, slot] += variance
                        if apart < near:
                            excess[width, slot] += UNIT
                            matched[width, slot] += 1
                            lags[width, slot] += lag
        begin = end
