"""An outbox that is judged at once: what gives way has to, the oldest first, and no more of it than makes room."""

from collections.abc import Callable, Sequence
from pathlib import Path

from edge.outbox import Dropped, Entry
from tests.edge.watched_outbox import WatchedOutbox
from tests.pipeline.database import BrokenPromiseError


class JudgedOutbox(WatchedOutbox):
    """The outbox of one start of an edge, which looks into its file before and after each append.

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

    def append(self, entries: Sequence[Entry], at_ns: int) -> list[bytes]:
        """Keep messages; BrokenPromiseError where other rows give way than have to."""
        look = self.look_with(entries)
        digests = super().append(entries, at_ns)
        left = self.waiting()
        gone = [row for row in look.rows if row not in left]
        due = [row for run in look.due() for row in run]
        if gone != due:
            full = "was full" if look.is_full else "had room"
            raise BrokenPromiseError(
                f"{[row.last for row in gone]} gave way of an outbox that {full}, not {[row.last for row in due]}"
            )
        self._gave_way |= {(row.boot, row.last) for row in gone}
        return digests
