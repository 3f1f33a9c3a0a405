"""What reorder holds, by slot of time: a ring for the minutes after the watermark, slices for what lies further away.

The doorway to the ring of reorder_kernels.py.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.dwell import reorder_kernels as kernels
from core.limits import NS_PER_US

Rows: TypeAlias = NDArray[np.int64]
"""Signals as rows of two words, shape (n, 2): the time, and the other columns as they lie in memory."""

LONG_AGO: Final = -(1 << 60)
"""Microseconds; before every signal, and far enough from the end of int64 to be added to."""
EVER: Final = 1 << 60
"""Microseconds; after every signal."""

_SLOTS_A_SLICE: Final = kernels.SLOTS // 4
"""The ring takes in whole slices; with four it reaches at least three of them, 400 s, beyond the watermark."""
_SLICE_NS: Final = _SLOTS_A_SLICE * kernels.SLOT_US * NS_PER_US
_SLICES_MOST: Final = 4096
_PARTS_MOST: Final = 64
"""Arrays of one slice, which are joined beyond that: a backlog comes in small batches."""
_ROWS_AT_ONCE: Final = 32_768
"""Half a megabyte is released at a time, so that the decoder finds it in the second-level cache."""
_WORDS_AT_FIRST: Final = 64 * kernels.BLOCK
_NOBODY: Final = np.empty(0, np.int64)
AS_NAMED: Final = np.empty(0, np.int32)
"""Devices are named by their index."""


class Held:
    """Signals that wait for the watermark: eight bytes each, in blocks of 31, and sixteen far ahead of it."""

    def __init__(self) -> None:
        self._first: int | None = None  # slot that the ring begins with
        self._early = False  # signals came that lie before it; that ends with the first release
        self._in_ring = 0
        self._words: NDArray[np.int64] = np.zeros(_WORDS_AT_FIRST, np.int64)
        self._cursor: NDArray[np.int64] = np.zeros(kernels.SLOTS, np.int64)
        self._marks: NDArray[np.int64] = np.zeros(kernels.MARKS, np.int64)
        self._marks[kernels.USED] = kernels.BLOCK  # place 0 means none
        self._marks[kernels.EARLIEST] = EVER
        self._counts: NDArray[np.int32] = np.zeros(1 << kernels.BUCKET_BITS, np.int32)
        self._work: NDArray[np.int64] = np.empty((2, _ROWS_AT_ONCE), np.int64)
        self._out: Rows = np.empty((_ROWS_AT_ONCE, 2), np.int64)
        self._outside: Rows = np.empty((0, 2), np.int64)
        self._slices: dict[int, list[Rows]] = {}  # times in ns
        self._in_slices = 0

    def __len__(self) -> int:
        return self._in_ring + self._in_slices

    def admit(
        self,
        rows: Rows,
        index: NDArray[np.int32],
        others: NDArray[np.int64],
        bounds_us: tuple[int, int, int],
        marks_us: tuple[int, int, int],
    ) -> tuple[int, list[int]]:
        """Hold what is not late.

        Parameters
        ----------
        rows : Rows
            At least one, times in ns.
        index : int32
            What to hold for the devices that rows name; empty: those.
        others : int64, ascending
            The newest time of every other source that is waited for.
        bounds_us : (int, int, int)
            Lateness, patience, time that must be passed before the watermark moves.
        marks_us : (int, int, int)
            Newest time of the source, watermark, newest time of all.

        Returns
        -------
        int
            How many rows are held.
        list of int
            `marks_us` as they are then.
        """
        if self._first is None:  # the watermark will lie so far before the first signal
            self._first = (int(rows[0, 0]) // NS_PER_US - bounds_us[0]) >> kernels.SLOT_SHIFT
        self._make_room(len(rows))
        self._marks[:3] = marks_us
        kept = int(
            kernels.admit(
                rows, index, others, *bounds_us, self._marks, self._first, self._words, self._cursor, self._outside
            )
        )
        marks = self._marks.tolist()
        outside = marks[kernels.FAR]
        self._in_ring += kept - outside
        if outside:
            aside = self._outside[:outside].copy()
            self._early |= int(aside[:, 0].min()) < (self._first << kernels.SLOT_SHIFT) * NS_PER_US
            self._put_aside(aside)
        return kept, marks[:3]

    def put(self, rows: Rows) -> None:
        """Hold rows whatever their time, in ns."""
        if len(rows):
            self._first = (
                self._first if self._first is not None else int(rows[:, 0].min()) // _SLICE_NS * _SLOTS_A_SLICE
            )
            self.admit(rows, AS_NAMED, _NOBODY, (0, 0, EVER), (EVER, LONG_AGO, EVER))

    def take(self, before_us: int) -> Iterator[Rows]:
        """Yield what lies before a time, sorted by both words and without repetitions, times in microseconds.

        Each array is valid until the next is asked for.
        """
        if self._first is None or before_us == LONG_AGO:
            return
        last = before_us >> kernels.SLOT_SHIFT
        if self._early:
            self._begin_anew(last)
        if self._first > last:
            return
        end = None
        while end != last:
            begin = self._fetch(last)
            end = min(last, begin + kernels.SLOTS - _SLOTS_A_SLICE)
            yield from self._release(begin, before_us if end == last else end << kernels.SLOT_SHIFT)
            self._first = end

    def rows(self, since_us: int = LONG_AGO) -> Rows:
        """Return a copy of all rows from a time on, the beginning of a slot, times in microseconds, in no order."""
        ring: Rows = np.empty((self._in_ring, 2), np.int64)
        written = 0
        if self._first is not None:
            first = max(self._first, since_us >> kernels.SLOT_SHIFT)
            written = kernels.unload(first, self._first + kernels.SLOTS, self._words, self._cursor, ring)
        if not self._slices:
            return ring[:written]
        aside = np.concatenate([rows for parts in self._slices.values() for rows in parts])
        aside[:, 0] //= NS_PER_US
        return np.concatenate([ring[:written], aside[aside[:, 0] >= since_us]])

    @property
    def earliest_us(self) -> int:
        """The earliest time of what came to be held since it was last set."""
        return int(self._marks[kernels.EARLIEST])

    @earliest_us.setter
    def earliest_us(self, at_us: int) -> None:
        self._marks[kernels.EARLIEST] = at_us

    def clear(self) -> None:
        """Hold nothing."""
        self._first = None
        self._early = False
        self._in_ring = 0
        self._cursor[:] = 0
        self._marks[[kernels.FREE, kernels.USED]] = 0, kernels.BLOCK
        self._slices = {}
        self._in_slices = 0

    def _begin_anew(self, last: int) -> None:
        """Move the ring back, so that all that is held and may still come lies after its beginning."""
        rows = self.rows()
        slot = int(rows[:, 0].min()) >> kernels.SLOT_SHIFT
        rows[:, 0] *= NS_PER_US
        self.clear()
        self._first = min(slot, last)
        self.put(rows)

    def _fetch(self, last: int) -> int:
        """Take in the slices that the ring reaches; return its first slot, of an empty one where signals may be."""
        first = self._first
        assert first is not None  # noqa: S101  # `take` is done before there is any signal
        if not self._slices:
            return first if self._in_ring else last
        if not self._in_ring:
            self._first = first = min(last, max(first, min(self._slices) * _SLOTS_A_SLICE))
        for number in sorted(self._slices):
            if (number + 1) * _SLOTS_A_SLICE > first + kernels.SLOTS:
                break
            rows = np.concatenate(self._slices.pop(number))
            self._in_slices -= len(rows)
            self.put(rows)
        return first

    def _release(self, begin: int, before_us: int) -> Iterator[Rows]:
        self._marks[kernels.SLOT] = begin
        done = 0
        while not done:
            written = int(
                kernels.release(
                    before_us, self._marks, self._words, self._cursor, self._counts, self._work, self._out
                )
            )
            taken, done = self._marks.tolist()[kernels.TAKEN : kernels.DONE + 1]
            self._in_ring -= taken
            if written:
                yield self._out[:written]
            elif not done:  # a slot with more signals than there is room for
                self._work = np.empty((2, 2 * self._work.shape[1]), np.int64)
                self._out = np.empty((self._work.shape[1], 2), np.int64)

    def _make_room(self, rows: int) -> None:
        """Let the arena have a new block for every slot that rows may touch and for what fills up."""
        if len(self._outside) < rows:
            self._outside = np.empty((rows, 2), np.int64)
        used = int(self._marks[kernels.USED])
        wanted = used + kernels.BLOCK * (min(rows, kernels.SLOTS) + rows // (kernels.BLOCK - 1) + 1)
        if wanted > len(self._words):
            words = np.empty(max(wanted, 2 * len(self._words)), np.int64)
            words[:used] = self._words[:used]
            self._words = words

    def _put_aside(self, rows: Rows) -> None:
        """Put rows that the ring does not reach to their slices."""
        self._in_slices += len(rows)
        while len(rows):
            low, high = kernels.span(rows)
            first = low // _SLICE_NS
            count = high // _SLICE_NS - first + 1
            beyond = rows[:0]
            if count > _SLICES_MOST:  # a lone signal far away; the others find their slices without it
                count = _SLICES_MOST
                near = rows[:, 0] // _SLICE_NS < first + count
                rows, beyond = rows[near], rows[~near]
            ends = np.zeros(count + 1, np.int64)
            placed = np.empty_like(rows)
            kernels.scatter(rows, first, _SLICE_NS, ends, placed)
            begin = 0
            for number, end in enumerate(ends[:-1].tolist(), first):
                if end > begin:
                    parts = self._slices.setdefault(number, [])
                    parts.append(placed[begin:end])
                    if len(parts) > _PARTS_MOST:
                        parts[:] = [np.concatenate(parts)]
                begin = end
            rows = beyond
