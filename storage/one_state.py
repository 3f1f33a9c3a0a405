"""One state of the database for several questions, and what they have in common asked once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from psycopg.pq import TransactionStatus

from storage.access.acting import in_own_right
from storage.connect import Connection

T = TypeVar("T")
_SEEN: Final[ContextVar[dict[Any, Any] | None]] = ContextVar("seen", default=None)
"""What was read in the present state: an answer, and still more a page, asks several times about the same days."""


@contextmanager
def one_state(connection: Connection) -> Iterator[None]:
    """Let the questions of a page see the same state of the database, and ask what they have in common once.

    Whoever is served keeps the own role; each `snapshot` within counts devices in the process's right by itself.
    """
    if _SEEN.get() is not None:
        yield
        return
    # behind a pooler, or for somebody in a role, a connection is lent in such a transaction
    lent = connection.info.transaction_status != TransactionStatus.IDLE
    with connection.transaction():
        if not lent:
            connection.execute("set transaction isolation level repeatable read")
        before = _SEEN.set({})
        try:
            yield
        finally:
            _SEEN.reset(before)


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """Let several queries see the same state of the database, and count what changed in it once."""
    with one_state(connection), in_own_right(connection):  # counts need devices to be counted, and give none
        yield


def once(key: tuple[Any, ...], make: Callable[[], T]) -> T:
    """Return what `make` returns, made once in a state."""
    seen = _SEEN.get()
    if seen is None:
        return make()
    if key not in seen:
        seen[key] = make()
    found: T = seen[key]
    return found
