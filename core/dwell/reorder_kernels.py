"""Lateness by the source's watermark, order of time, exact repetitions.

A signal is a row of two words, int64 (n, 2): its time, and its other columns as they lie in memory. What is held lies
in a ring of *slots* of 2**16 microseconds, packed into one word: from the highest bit down the time within the slot,
level, anchor, device. So the words of a slot compare like signals, and equal words are exact repetitions. They lie in
blocks; the first word of a block links to the block before.
"""

from typing import Any

import numpy as np
from numba import njit

# places in `marks`
NEWEST = 0  # newest time of the pushing source
WATERMARK = 1
NEWEST_OF_ALL = 2
FREE = 3  # first word of the first free block, 0 if there is none
USED = 4  # words of the arena that ever belonged to a block
FAR = 5  # rows that lie outside the ring
SLOT = 6  # slot that comes next
TAKEN = 7  # words that left the ring
DONE = 8  # 1 if all that was asked for was released
EARLIEST = 9  # earliest time that was held since somebody set it to EVER
MARKS = 10

SLOT_SHIFT = 16
SLOT_US = 1 << SLOT_SHIFT  # at 3,500 signals/s a slot holds 230: it is sorted within the first-level cache
SLOTS = 8192  # nine minutes: lateness and patience, where all goes well
BLOCK = 32  # words: 256 bytes, of which a slot leaves half unused
ONE = (1 << 32) + 1  # a cursor counts the words of its slot above bit 32, below is the place of the next word
PLACE = (1 << 32) - 1
TIME_SHIFT = 47
LEVEL_SHIFT = 39
ANCHOR_SHIFT = 29
DEVICE = (1 << ANCHOR_SHIFT) - 1
LEVEL_LOW = 128  # levels are kept as whole numbers from -128 to 127
LEVELS = 255
SIGN = -(1 << 63)
EVER = 1 << 62  # microseconds, after every signal
EPOCH_US = 9_223_372_036_854_776  # 2**63 ns and 192 more
EPOCH_REST = 192
BUCKET_BITS = 16
FULL = 16  # words of a bucket: insertion into so many costs as much as sorting by digits
BUCKET_MOST = 64  # the same for rows, which are compared by two words


@njit(cache=True, nogil=True)
def _packed(at: Any, word: Any, device: Any) -> Any:
    """Return the packed word of a signal, `at` in microseconds."""
    return (
        (at & (SLOT_US - 1)) << TIME_SHIFT
        | ((word >> 48) + LEVEL_LOW) << LEVEL_SHIFT
        | (word >> 32 & 1023) << ANCHOR_SHIFT
        | device
    )


@njit(cache=True, nogil=True)
def _columns(packed: Any) -> Any:
    """Return level, anchor and device of a packed word as they lie in a row."""
    level = (packed >> LEVEL_SHIFT & LEVELS) - LEVEL_LOW
    return level << 48 | (packed >> ANCHOR_SHIFT & 1023) << 32 | (packed & DEVICE)


@njit(cache=True, nogil=True)
def within(
    rows: Any, devices: int, anchors: int, level_low: int, level_high: int, word_low: int, word_high: int
) -> bool:
    """Return whether every device and anchor is below its count, and every level or app's word in its range."""
    wrong = 0  # negative as soon as one of the differences was
    for row in range(rows.shape[0]):
        word = rows[row, 1]
        level = word >> 48
        wrong |= devices - 1 - (word & PLACE)
        wrong |= anchors - 1 - (word >> 32 & 0xFFFF)
        wrong |= ((level - level_low) | (level_high - level)) & ((level - word_low) | (word_high - level))
    return bool(wrong >= 0)


@njit(cache=True, nogil=True)
def admit(
    rows: Any,
    index: Any,
    others: Any,
    lateness: int,
    patience: int,
    hold_until: int,
    marks: Any,
    first: int,
    words: Any,
    cursor: Any,
    far: Any,
) -> int:
    """Put signals that are not late to their slots, times floored to microseconds; return how many those were.

    A signal is late if it lies before the watermark that the signals ahead of it have set; so it does not
    matter how they were cut into pushes.

    rows : int64 (n, 2), times in ns; index : int32, what to hold for the devices that rows name; empty: those
    others : int64 ascending, the newest time of every other source
    hold_until : the watermark stays until something is newer; expected sources have not all spoken before that
    marks : int64 (MARKS,), updated; lateness, patience and all but rows[:, 0] in microseconds
    first : slot that the ring begins with; words, cursor : arena and ring, see above, with room for n rows
    far : int64 (n or more, 2), rows outside the ring, marks[FAR] of them
    """
    newest = marks[NEWEST]
    watermark = marks[WATERMARK]
    newest_of_all = marks[NEWEST_OF_ALL]
    earliest = marks[EARLIEST]
    free = marks[FREE]
    used = marks[USED]
    beyond = 0
    kept = 0
    waited = 0  # of `others`: the first that is waited for
    awaited = others[0] if others.size else EVER
    named = index.size > 0
    for row in range(rows.shape[0]):
        # unsigned division by a constant is a multiplication; the sign bit shifts all times above zero
        at = np.int64((np.uint64(rows[row, 0] ^ SIGN) + np.uint64(EPOCH_REST)) // np.uint64(1000)) - EPOCH_US
        word = rows[row, 1]
        device = word & PLACE
        if named:
            device = np.int64(index[device])
        if at >= watermark:
            kept += 1
            earliest = min(earliest, at)
            slot = at >> SLOT_SHIFT
            if 0 <= slot - first < SLOTS:
                place = cursor[slot & (SLOTS - 1)]
                if place & (BLOCK - 1) == 0:  # its block is full, or it has none
                    begin = free
                    if begin != 0:
                        free = words[begin]
                    else:
                        begin = used
                        used += BLOCK
                    words[begin] = place & PLACE
                    place += begin + 1 - (place & PLACE)
                words[place & PLACE] = _packed(at, word, device & DEVICE)
                cursor[slot & (SLOTS - 1)] = place + ONE
            else:
                far[beyond, 0] = rows[row, 0]
                far[beyond, 1] = word & ~PLACE | device
                beyond += 1
        # the watermark moves with what is newest of its source; no branch: half the signals are, at random
        before = newest
        newest = max(newest, at)
        newest_of_all = max(newest_of_all, newest)
        while awaited < newest_of_all - patience:
            waited += 1
            awaited = others[waited] if waited < others.size else EVER
        slowest = min(newest if newest >= newest_of_all - patience else newest_of_all, awaited)
        moves = (newest > before) & (newest_of_all > hold_until)
        watermark = max(watermark, slowest - lateness if moves else watermark)
    marks[NEWEST] = newest
    marks[WATERMARK] = watermark
    marks[NEWEST_OF_ALL] = newest_of_all
    marks[EARLIEST] = earliest
    marks[FREE] = free
    marks[USED] = used
    marks[FAR] = beyond
    return kept


@njit(cache=True, nogil=True)
def release(before: int, marks: Any, words: Any, cursor: Any, counts: Any, work: Any, out: Any) -> int:
    """Take slots from marks[SLOT] on out of the ring up to the time `before`; return how many rows were written.

    It stops where the next slot could not be sorted or written for want of room: marks[DONE] is then 0. A slot is
    sorted by counting into buckets by time, then by insertion; where a bucket is too full for that, by bytes.

    counts : int32 (2**BUCKET_BITS,), work space; work : int64 (2, words of a slot), work space
    out : int64 (m, 2), times in microseconds, sorted by both words, without repetitions
    """
    sorted_words = work[0]
    taken = work[1]
    last = before >> SLOT_SHIFT
    free = marks[FREE]
    written = 0
    gone = 0
    done = 1
    slot = marks[SLOT]
    for slot in range(marks[SLOT], last + 1):
        place = cursor[slot & (SLOTS - 1)]
        count = place >> 32
        cut = SLOT_US if slot < last else before & (SLOT_US - 1)
        if count == 0 or cut == 0:
            continue
        if count > taken.size or count > out.shape[0] - written:
            done = 0
            break
        cursor[slot & (SLOTS - 1)] = 0
        bits = 1
        while count >> bits > 0:
            bits += 1
        bits = min(bits, BUCKET_BITS)  # one or two buckets a word
        shift = 63 - bits
        for bucket in range(1 << bits):
            counts[bucket] = 0
        count = 0
        kept = 0  # in the slot that `before` cuts
        place &= PLACE
        while place != 0:
            begin = (place - 1) & -BLOCK
            for at in range(begin + 1, place):
                word = words[at]
                if word >> TIME_SHIFT < cut:
                    taken[count] = word
                    count += 1
                    counts[word >> shift & 0xFFFF] += 1
                else:
                    sorted_words[kept] = word
                    kept += 1
            place = words[begin]
            words[begin] = free
            free = begin
        if kept > 0:
            for back in range(kept):
                if place & (BLOCK - 1) == 0:
                    begin = free
                    free = words[begin]
                    words[begin] = place & PLACE
                    place += begin + 1 - (place & PLACE)
                words[place & PLACE] = sorted_words[back]
                place += ONE
            cursor[slot & (SLOTS - 1)] = place
        gone += count
        total = 0
        fullest = 0
        for bucket in range(1 << bits):
            held = counts[bucket]
            counts[bucket] = total
            total += held
            fullest = max(fullest, held)
        if fullest > FULL:
            _sort_by_digits(taken, sorted_words, count, counts)
        else:
            for at in range(count):
                word = taken[at]
                bucket = word >> shift & 0xFFFF
                place = counts[bucket]
                counts[bucket] = place + 1
                sorted_words[place & 0x7FFFFFFF] = word
        repeated = False
        for at in range(1, count):
            word = sorted_words[at]
            if sorted_words[at - 1] >= word:
                to = at
                while to > 0 and sorted_words[to - 1] > word:
                    sorted_words[to] = sorted_words[to - 1]
                    to -= 1
                sorted_words[to] = word
                repeated |= to > 0 and sorted_words[to - 1] == word
        base = slot << SLOT_SHIFT
        if repeated:
            before_it = -1
            for at in range(count):
                word = sorted_words[at]
                if word != before_it:
                    out[written, 0] = base + (word >> TIME_SHIFT)
                    out[written, 1] = _columns(word)
                    written += 1
                before_it = word
        else:
            for at in range(count):
                word = sorted_words[at]
                out[written + at, 0] = base + (word >> TIME_SHIFT)
                out[written + at, 1] = _columns(word)
            written += count
    marks[FREE] = free
    marks[SLOT] = slot
    marks[TAKEN] = gone
    marks[DONE] = done
    return written


@njit(cache=True, nogil=True)
def _sort_by_digits(words: Any, out: Any, count: int, counts: Any) -> None:
    """Sort `count` words into `out` by their bytes, the lowest first; bytes that do not differ are passed over."""
    differ = 0
    for at in range(count):
        differ |= words[at] ^ words[0]
    source = words
    target = out
    for shift in range(0, 64, 8):
        if differ >> shift & 255 == 0:
            continue
        for digit in range(256):
            counts[digit] = 0
        for at in range(count):
            counts[source[at] >> shift & 255] += 1
        total = 0
        for digit in range(256):
            held = counts[digit]
            counts[digit] = total
            total += held
        for at in range(count):
            digit = source[at] >> shift & 255
            place = counts[digit]
            counts[digit] = place + 1
            target[place] = source[at]
        source, target = target, source
    for at in range(count):
        out[at] = source[at]


@njit(cache=True, nogil=True)
def unload(first: int, end: int, words: Any, cursor: Any, out: Any) -> int:
    """Copy what lies in these slots of the ring to rows, times in microseconds; return how many those are."""
    written = 0
    for slot in range(first, end):
        place = cursor[slot & (SLOTS - 1)] & PLACE
        while place != 0:
            begin = (place - 1) & -BLOCK
            for at in range(begin + 1, place):
                out[written, 0] = (slot << SLOT_SHIFT) + (words[at] >> TIME_SHIFT)
                out[written, 1] = _columns(words[at])
                written += 1
            place = words[begin]
    return written


@njit(cache=True, nogil=True)
def scatter(rows: Any, first: int, width: int, ends: Any, out: Any) -> None:
    """Copy rows to `out` by slice of time, in order of arrival within each.

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
def finish_order(rows: Any, once: bool) -> int:
    """Sort nearly sorted rows by both words in place, drop exact repetitions if asked, return how many are left."""
    kept = 0
    for row in range(rows.shape[0]):
        at = rows[row, 0]
        word = rows[row, 1]
        place = kept
        while place > 0 and (rows[place - 1, 0] > at or (rows[place - 1, 0] == at and rows[place - 1, 1] > word)):
            place -= 1
        if once and place > 0 and rows[place - 1, 0] == at and rows[place - 1, 1] == word:
            continue
        for later in range(kept, place, -1):
            rows[later, 0] = rows[later - 1, 0]
            rows[later, 1] = rows[later - 1, 1]
        rows[place, 0] = at
        rows[place, 1] = word
        kept += 1
    return kept
