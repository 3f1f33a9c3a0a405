"""Which rows of the outbox are on their way: the publisher's book-keeping, without sockets or threads."""

from enum import Enum, auto
from typing import Final

from core.limits import BATCHES_UNDERWAY
from edge.outbox import Row

MOST_ROWS: Final = BATCHES_UNDERWAY
"""Messages on their way at once."""
PATIENCE_S: Final = (5.0, 300.0)
"""First and longest wait for the committed cursor to move. A commit takes well under a second; after five the edge
asks. The longest wait ends in sending again even if nobody answered."""
REFUSED_S: Final = 2.0
"""Wait after the broker refused a message or had nobody to give it to."""


class Step(Enum):
    """What the publisher has to do about rows that are on their way."""

    WAIT = auto()
    HELLO = auto()
    SEND_AGAIN = auto()


class Window:
    """Rows from publish to commit.

    A broker's own acknowledgement does not count: it may lose its state, and with it every message. While the
    committed cursor does not move, the edge says hello; ingest's answer tells that it is there and does not have the
    rows, so they are sent again. Without an answer they are not, because then they wait at the broker.
    """

    def __init__(self, most: int = MOST_ROWS) -> None:
        self._most = most
        self._places: dict[tuple[bytes, int], int] = {}  # in order of sending
        self._patience_s = PATIENCE_S[0]
        self._quiet_since_s = 0.0
        self._asked_s: float | None = None
        self._answered = False
        self._refused_until_s: float | None = None

    def __len__(self) -> int:
        return len(self._places)

    @property
    def free(self) -> int:
        """How many more rows may be sent now."""
        return 0 if self._refused_until_s is not None else self._most - len(self._places)

    @property
    def behind(self) -> int:
        """Place behind which to read on."""
        return next(reversed(self._places.values())) if self._places else 0

    def sent(self, row: Row, now_s: float) -> None:
        """Note that a row was handed to the client."""
        if not self._places:
            self._quiet_since_s, self._asked_s = now_s, None
        self._places[row.boot, row.sequence] = row.place

    def refused(self, now_s: float) -> None:
        """Note that a message found no taker: hold back for a while, then send all again."""
        if self._refused_until_s is None:
            self._refused_until_s = now_s + REFUSED_S

    def committed(self, boot: bytes, sequence: int, now_s: float) -> bool:
        """Note that the database has a boot's rows up to a sequence; return whether any was on its way."""
        gone = [key for key in self._places if key[0] == boot and key[1] <= sequence]
        for key in gone:
            del self._places[key]
        if gone:
            self._quiet_since_s, self._asked_s, self._answered = now_s, None, False
            self._patience_s = PATIENCE_S[0]
        return bool(gone)

    def asked(self, now_s: float) -> None:
        """Note that a hello was sent."""
        self._asked_s, self._answered = now_s, False

    def answered(self) -> None:
        """Note that ingest said what it has."""
        self._answered = self._asked_s is not None

    def forget(self, now_s: float) -> None:
        """Note that nothing is on its way any more: the connection that carried it is gone."""
        self._places.clear()
        self._refused_until_s = None
        self._quiet_since_s, self._asked_s, self._answered = now_s, None, False

    def step(self, now_s: float) -> Step:
        """Return what is due. Sending again asks for twice the patience next time."""
        if self._refused_until_s is not None:
            return Step.SEND_AGAIN if now_s >= self._refused_until_s else Step.WAIT
        if not self._places:
            return Step.WAIT
        if self._asked_s is not None:
            if self._answered or now_s - self._quiet_since_s >= PATIENCE_S[1]:
                self._patience_s = min(2 * self._patience_s, PATIENCE_S[1])
                return Step.SEND_AGAIN
            return Step.HELLO if now_s - self._asked_s >= self._patience_s else Step.WAIT
        return Step.HELLO if now_s - self._quiet_since_s >= self._patience_s else Step.WAIT
