"""An outbox that is watched: what gives way has to, and no more of it than a full one may let go of."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from edge.outbox import Dropped, Entry, Outbox
from tests.pipeline.database import BrokenPromiseError

_ROOM_MADE: Final = 0.05
"""Share of its bound that a full outbox frees, as the documents say it; and what a row costs beside its payload."""
_ROW_BYTES: Final = 160

_Waiting: TypeAlias = dict[tuple[bytes, int, bytes], int]
"""Bytes that a row takes of the bound, by boot, sequence and SHA-256, in the order in which rows go."""


class WatchedOutbox(Outbox):
    """The outbox of one start of an edge, which looks into its file before and after each append.

    Nothing damages outboxes in these simulations, so that rows give way in appends alone.

    Parameters
    ----------
    gave_way : set of (bytes, int)
        Learns the boot and sequence of each batch that had to give way.
    """

    def __init__(
        self,
        path: Path,
        gap_payload: Callable[[Dropped], bytes],
        most_bytes: int,
        gave_way: set[tuple[bytes, int]],
    ) -> None:
        super().__init__(path, gap_payload, most_bytes)
        self._gave_way = gave_way

    def append(self, entries: Sequence[Entry], *how: Any) -> list[bytes]:
        """Keep messages; BrokenPromiseError where rows give way without need, or more than is needed."""
        waiting = self._waiting()
        digests = super().append(entries, *how)
        waiting |= {
            (entry.boot, entry.sequence, digest): _ROW_BYTES + len(entry.payload)
            for entry, digest in zip(entries, digests, strict=True)
        }
        left = self._waiting()
        gone = [row for row in waiting if row not in left]
        wanted = sum(waiting.values()) - int((1 - _ROOM_MADE) * self._most_bytes)
        if gone and sum(waiting.values()) <= self._most_bytes:
            raise BrokenPromiseError(f"{len(gone)} rows of an outbox gave way that had room")
        if sum(waiting[row] for row in gone[:-1]) >= max(wanted, 1):
            raise BrokenPromiseError(f"{len(gone)} rows of {len(waiting)} gave way, which is more than was needed")
        self._gave_way |= {(boot, sequence) for boot, sequence, _ in gone}
        return digests

    def _waiting(self) -> _Waiting:
        query = "select boot, sequence, sha256, length(payload) from outbox order by place"
        return {
            (boot, sequence, sha): _ROW_BYTES + size for boot, sequence, sha, size in self._database.execute(query)
        }
