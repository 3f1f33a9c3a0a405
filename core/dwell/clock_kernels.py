"""Counting for the comparison of clocks: gaps between adverts, company of anchors, agreement by lag."""

from typing import Any

from numba import njit

UNIT = 1024  # agreement is counted in 1024ths, so that every sum is a whole number and does not depend on order
EXCESS = 0  # places in the sums: matches less those expected, in UNITs
DOUBT = 1  # its variance, in squares of a UNIT
COMPARED = 2  # pairs of gaps
MATCHED = 3  # those that agree
LAGS = 4  # sum of the lags of those, microseconds
SUMS = 5
COMPARABLE = 10  # gaps this many widths apart are of another number of adverts and are not compared


@njit(cache=True, nogil=True)
def gaps(signals: Any, step_us: int, longest_us: int, last_at: Any, last_device: Any, gap_us: Any) -> None:
    """Write the times since the device's adverts before at the same anchor, ascending, -1 where there are none.

    signals : SIGNAL in microseconds, sorted by device and time; gap_us : int64 (n, gaps)
    last_at : int64 (anchors, gaps), last_device : int64 (anchors,), -1: work space
    """
    kept = gap_us.shape[1]
    for row in range(signals.size):
        signal = signals[row]
        anchor = signal["anchor"]
        at = signal["ts"]
        gap_us[row, :] = -1
        if last_device[anchor] != signal["device"]:
            last_device[anchor] = signal["device"]
            last_at[anchor, :] = at - longest_us - 1
        elif at - last_at[anchor, 0] < step_us:  # the same advert once more
            continue
        for place in range(kept):
            if at - last_at[anchor, place] <= longest_us:
                gap_us[row, place] = at - last_at[anchor, place]
        for place in range(kept - 1, 0, -1):
            last_at[anchor, place] = last_at[anchor, place - 1]
        last_at[anchor, 0] = at


@njit(cache=True, nogil=True)
def company(signals: Any, gap_us: Any, span_us: int, together: Any, count: Any, met: Any) -> None:
    """Count how much two anchors hear of the same device within the same span of time.

    signals, gap_us : as in `gaps`, those with a gap count; together : int64 (anchors, anchors), added to, both halves
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
            if gap_us[inner, 0] >= 0:
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
    one: Any,
    other: Any,
    widths_us: Any,
    reach_us: int,
    bin_us: int,
    compared: Any,
    matched: Any,
    touched: Any,
    sums: Any,
) -> None:
    """Sum, by lag, by how much more two anchors' gaps between adverts agree than by chance.

    Of the gaps of two adverts the shortest that differ by less than COMPARABLE widths are compared: those over as
    many adverts. They match if they differ by less than one width. What is to be expected by chance is the device's
    own share of matches over all lags.

    one, other : int64 (n, 2 + gaps), columns device, time, gaps as `gaps` writes them, sorted by device and time
    widths_us : int64 (widths,), ascending
    compared, matched : int64 (widths, bins), zero; touched : int64 (bins,): work space, left as it was given
    lag is time at `one` less time at `other`, within +-reach_us, in bins of bin_us
    sums : int64 (5, widths, bins), added to, see EXCESS and the following
    """
    columns = one.shape[1]
    widest = widths_us.size - 1
    begin = 0
    last = 0
    while begin < one.shape[0]:
        device = one[begin, 0]
        end = begin
        while end < one.shape[0] and one[end, 0] == device:
            end += 1
        while last < other.shape[0] and other[last, 0] < device:
            last += 1
        low = last
        while last < other.shape[0] and other[last, 0] == device:
            last += 1
        slots = 0
        for row in range(begin, end):
            while low < last and other[low, 1] < one[row, 1] - reach_us:
                low += 1
            for place in range(low, last):
                lag = one[row, 1] - other[place, 1]
                if lag < -reach_us:
                    break
                slot = (lag + reach_us) // bin_us
                mine = 2
                theirs = 2
                width = widest  # what is comparable for a width is so for all wider ones: one walk does for all
                while width >= 0 and mine < columns and theirs < columns:
                    if one[row, mine] < 0 or other[place, theirs] < 0:
                        break
                    more = one[row, mine] - other[place, theirs]
                    apart = abs(more)
                    while width >= 0 and apart < COMPARABLE * widths_us[width]:
                        if width == widest and compared[width, slot] == 0:
                            touched[slots] = slot
                            slots += 1
                        compared[width, slot] += 1
                        if apart < widths_us[width]:
                            matched[width, slot] += 1
                            sums[LAGS, width, slot] += lag
                        width -= 1
                    if more > 0:
                        theirs += 1
                    else:
                        mine += 1
        for width in range(widths_us.size):
            pairs = 0
            matches = 0
            for at in range(slots):
                pairs += compared[width, touched[at]]
                matches += matched[width, touched[at]]
            share = UNIT * matches // max(pairs, 1)
            for at in range(slots):
                slot = touched[at]
                sums[EXCESS, width, slot] += UNIT * matched[width, slot] - share * compared[width, slot]
                sums[DOUBT, width, slot] += compared[width, slot] * share * (UNIT - share)
                sums[COMPARED, width, slot] += compared[width, slot]
                sums[MATCHED, width, slot] += matched[width, slot]
                compared[width, slot] = 0
                matched[width, slot] = 0
        begin = end
