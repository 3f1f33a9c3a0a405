"""Moves what can still be read of a damaged outbox into a new file; a gap stands for each row that cannot."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_READ: Final = (
    "select place, boot, sequence, first, gap, signals, from_us, until_us, at_ns, sha256 from outbox order by place"
)
_WRITE: Final = (
    "insert into outbox (place, boot, sequence, first, gap, signals, from_us, until_us, at_ns, sha256, payload)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Unreadable(NamedTuple):
    """A row whose payload cannot be read; what stands before the payload still can."""

    boot: bytes
    first: int
    last: int
    signals: int
    from_us: int
    until_us: int


def is_damaged(error: BaseException | None) -> bool:
    """Whether SQLite says that the file itself is not what it wrote."""
    return isinstance(error, sqlite3.DatabaseError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def refuses_writes(error: BaseException | None, path: Path) -> bool:
    """Whether SQLite takes a file for read-only that this process may write: a changed byte of its header says so."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code == sqlite3.SQLITE_READONLY and os.access(path, os.W_OK)


def copy_readable(
    damaged: sqlite3.Connection, fresh: sqlite3.Connection, gap_payload: Callable[[Unreadable], bytes]
) -> list[Unreadable]:
    """Copy every row into an empty outbox, each at its place; return those that a gap stands for now.

    Raises
    ------
    sqlite3.DatabaseError
        If more is damaged than payloads; then nothing is to be used of `fresh`.
    """
    lost = []
    fresh.execute("begin immediate")
    (dropped,) = damaged.execute("select dropped from counts").fetchone()
    for row in damaged.execute(_READ).fetchall():
        place, boot, sequence, first, gap, signals, from_us, until_us, at_ns, digest = row
        try:
            (payload,) = damaged.execute("select payload from outbox where place = ?", (place,)).fetchone()
        except sqlite3.DatabaseError as error:
            if not is_damaged(error):
                raise
            lost.append(Unreadable(boot, first, sequence, signals, from_us, until_us))
            payload = gap_payload(lost[-1])
            digest, dropped, gap = sha256(payload).digest(), dropped + (0 if gap else signals), 1
        fresh.execute(
            _WRITE,
            (place, boot, sequence, first, gap, signals, from_us, until_us, at_ns, digest, payload),
        )
    fresh.execute("update counts set dropped = ?", (dropped,))
    fresh.execute("delete from sqlite_sequence where name = 'outbox'")
    fresh.executemany(  # places go on where they were: the publisher remembers how far it came
        "insert into sqlite_sequence (name, seq) values ('outbox', ?)",
        damaged.execute("select seq from sqlite_sequence where name = 'outbox'").fetchall(),
    )
    fresh.execute("commit")
    return lost


def put_in_place(fresh: Path, path: Path) -> Path:
    """Let a new file take the place of a damaged one in one step; return what the damaged one is called now."""
    aside = path.with_name(f"{path.name}.damaged-{len(list(path.parent.glob(f'{path.name}.damaged-*')))}")
    with suppress(OSError):  # not every file system has hard links; what can be read is in the new file anyway
        os.link(path, aside)
    remove_companions(path)
    fresh.replace(path)
    return aside


def remove_companions(path: Path) -> None:
    """Remove what SQLite keeps beside a file."""
    for companion in (f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(companion).unlink(missing_ok=True)
