"""An outbox that is watched: what it held when rows gave way, and which of them a full one had to let go of."""

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import msgspec

from core.limits import NS_PER_US
from core.wire import Batch
from edge.outbox import Dropped, Entry, Outbox, Row

_ROOM_MADE: Final = 0.05
"""Share of its bound that a full outbox frees, as the documents say it; and what a row costs beside its payload."""
_ROW_BYTES: Final = 160


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A row of an outbox: its sequences, the bytes it takes of the bound, whether it may be on its way."""

    boot: bytes
    first: int
    last: int
    gap: bool
    held_bytes: int
    offered: bool


class Look(msgspec.Struct, frozen=True):
    """What an outbox holds, in the order in which rows go, and how many bytes it may hold."""

    rows: tuple[Kept, ...]
    most_bytes: int

    @property
    def is_full(self) -> bool:
        """Whether something has to give way."""
        return self._held_bytes > self.most_bytes

    def due(self) -> list[list[Kept]]:
        """Return what has to give way, a gap each: no more of the oldest that were never offered than makes room."""
        wanted = self._held_bytes - int((1 - _ROOM_MADE) * self.most_bytes) if self.is_full else 0
        oldest = []
        for row in self.rows:
            if not row.offered and wanted > 0:
                oldest.append(row)
                wanted -= row.held_bytes
        runs = [list(run) for _, run in groupby(oldest, key=lambda row: row.boot)]
        return [run for run in runs if len(run) > 1 or not run[0].gap]  # a gap alone is one already

    @property
    def _held_bytes(self) -> int:
        return sum(row.held_bytes for row in self.rows)


def told(batches: Iterable[Batch]) -> tuple[int, int, int]:
    """Return what a gap has to say of the batches it stands for: signals, from and until (ns, whole microseconds)."""
    found = list(batches)
    return (
        sum(map(len, found)),
        min(int(batch.ts.min()) for batch in found) // NS_PER_US * NS_PER_US,
        max(int(batch.ts.max()) for batch in found) // NS_PER_US * NS_PER_US,
    )


class WatchedOutbox(Outbox):
    """The outbox of one start of an edge, which looks into its file before each append.

    What it may have offered it notes itself, and one thread at a time works on it, so that nothing is read out or
    acknowledged between a look and what follows from it. Where nothing damages it, rows give way in appends alone.
    """

    def __init__(self, path: Path, gap_payload: Callable[[Dropped], bytes], most_bytes: int) -> None:
        self._watch = threading.RLock()
        self._read_to = 0
        self.look: Look | None = None
        """While messages are appended: what it holds with them, before anything gives way."""
        super().__init__(path, gap_payload, most_bytes)

    def append(self, entries: Sequence[Entry], at_ns: int) -> list[bytes]:
        """Keep messages."""
        with self._watch:
            self.look = self.look_with(entries)
            try:
                return super().append(entries, at_ns)
            finally:
                self.look = None

    def after(self, place: int, most: int) -> list[Row]:
        """Read rows out to be sent: they may be on their way from then on, and so may all before them."""
        with self._watch:
            rows = super().after(place, most)
            self._read_to = max([self._read_to, *(row.place for row in rows)])
            return rows

    def acknowledge(self, boot: bytes, committed: int) -> int:
        """Remove what the database has."""
        with self._watch:
            return super().acknowledge(boot, committed)

    def leave_room(self, room_bytes: int) -> None:
        """Let it hold so many bytes more than it does now."""
        with self._watch:
            self._most_bytes = self.held_bytes + room_bytes

    def look_with(self, entries: Sequence[Entry]) -> Look:
        """Return what it holds once these are kept and nothing has given way yet."""
        return Look(self.waiting() + tuple(map(_appended, entries)), self._most_bytes)

    def waiting(self) -> tuple[Kept, ...]:
        """Return the rows in the file, in the order in which they go."""
        query = "select boot, first, sequence, gap, length(payload), place from outbox order by place"
        with self._lock:
            return tuple(
                Kept(boot, first, last, bool(gap), _ROW_BYTES + size, place <= self._read_to)
                for boot, first, last, gap, size, place in self._database.execute(query)
            )


def _appended(entry: Entry) -> Kept:
    first = entry.sequence if entry.first is None else entry.first
    return Kept(entry.boot, first, entry.sequence, entry.first is not None, _ROW_BYTES + len(entry.payload), False)
