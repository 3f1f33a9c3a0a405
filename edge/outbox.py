"""The outbox: what was accepted and is not yet known to be in the database. The only queue of an edge.

SQLite in WAL mode with `synchronous=FULL`: an append that returned survives a power cut. A row goes only when ingest
says that its database has it. When full, the oldest rows that were never sent become one gap, which travels in their
place, so that the database learns what is missing. So does a row whose bytes are no longer those that were accepted,
or that SQLite cannot read any more: the others then move into a new file.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import structlog

from core.errors import ConfigurationError, UnavailableError
from edge.outbox_salvage import copy_readable, is_damaged, put_in_place, refuses_writes, remove_companions

MOST_BYTES: Final = 512 * 1024 * 1024
"""At 8 bytes a signal: 18 hours of 1,000 signals/s without a network, a week of 110/s."""
ROW_BYTES: Final = 160
"""What a row costs beside its payload: its columns, the index and their share of a page."""
_ROOM: Final = 0.05
"""Share of the bound that is freed at once when full, so that not every append has to drop."""
_WAL_BYTES: Final = 16 * 1024 * 1024  # the log is cut back to this after a burst
_RESERVE_BYTES: Final = 2 * 1024 * 1024
"""Kept on the disk for when it is full: what removes rows writes first, and if they stayed nothing would ever go."""
_PRIVATE: Final = 0o600
"""Pseudonyms are for the edge alone; SQLite gives its log the rights of its file."""
_FORMAT: Final = 1
_SCHEMA: Final = """
create table outbox (
    place    integer primary key autoincrement,  -- never used again: the publisher remembers how far it came
    boot     blob not null,
    sequence integer not null,
    first    integer not null,  -- of a gap: the first sequence it stands for; otherwise equal to sequence
    gap      integer not null,
    signals  integer not null,
    from_us  integer not null,
    until_us integer not null,
    at_ns    integer not null,
    sha256   blob not null,
    payload  blob not null,
    unique (boot, sequence)
);
create table counts (dropped integer not null);
insert into counts values (0);
"""

_STORED: Final = (
    "select place, boot, sequence, first, gap, signals, from_us, until_us, length(payload) from outbox where"
)

T = TypeVar("T")
log = structlog.get_logger()


class Entry(NamedTuple):
    """A message to be kept: its identity, the signals in it and when they were heard (us since the epoch).

    `first` is None for a batch; for a gap the first sequence that it stands for.
    """

    boot: bytes
    sequence: int
    payload: bytes
    signals: int
    from_us: int
    until_us: int
    first: int | None = None


class Row(NamedTuple):
    """A message that waits. `place` orders the outbox: rows are sent and dropped in that order."""

    place: int
    boot: bytes
    sequence: int
    payload: bytes
    sha256: bytes
    at_ns: int


class Dropped(NamedTuple):
    """Rows of one boot that gave way: sequences `first`..`last`, their signals and times (us since the epoch)."""

    boot: bytes
    first: int
    last: int
    signals: int
    from_us: int
    until_us: int


class _Stored(NamedTuple):
    """A row without its payload."""

    place: int
    boot: bytes
    sequence: int
    first: int
    gap: int
    signals: int
    from_us: int
    until_us: int
    payload_bytes: int


class _Held(NamedTuple):
    rows: int
    payload_bytes: int
    signals: int
    dropped: int


class Outbox:
    """Rows on disk until they are acknowledged; one process at a time, any thread.

    Parameters
    ----------
    path : Path
        The SQLite file; made where it does not exist. A file that is no outbox is set aside, not overwritten.
    gap_payload : callable
        Makes the message that travels in place of dropped rows.
    most_bytes : int
        Bound on payloads and their rows.

    Raises
    ------
    ConfigurationError
        If another agent has it open.
    UnavailableError
        If the disk refuses.
    """

    def __init__(self, path: Path, gap_payload: Callable[[Dropped], bytes], most_bytes: int = MOST_BYTES) -> None:
        self.path = path
        self._gap_payload = gap_payload
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._gone = threading.Condition()
        self._database, self._held = _open(path)
        self._offered_to = 0  # highest place that was read out to be sent: these rows may be on their way
        self._given: tuple[bytes, int] | None = None  # the boot that writes here now, and its newest sequence
        self._reserve = path.with_name(f"{path.name}-reserve")
        self._keep_reserve()

    @property
    def rows(self) -> int:
        """Messages that wait."""
        return self._held.rows

    @property
    def signals(self) -> int:
        """Signals in the messages that wait."""
        return self._held.signals

    @property
    def dropped(self) -> int:
        """Signals dropped since this outbox was made."""
        return self._held.dropped

    @property
    def held_bytes(self) -> int:
        """What counts against the bound."""
        return self._held.payload_bytes + ROW_BYTES * self._held.rows

    def append(self, entries: Sequence[Entry], at_ns: int) -> list[bytes]:
        """Keep messages, all in one transaction: when this returns they survive a power cut.

        Parameters
        ----------
        entries : sequence of Entry
            In the order in which they shall be sent; the sequences of a boot ascend.
        at_ns : int
            Time now; told, never judged.

        Returns
        -------
        list of bytes
            SHA-256 of each payload.

        Raises
        ------
        UnavailableError
            If the disk refuses; then nothing of it is kept.
        """
        digests = [sha256(entry.payload).digest() for entry in entries]
        rows = [
            (
                e.boot,
                e.sequence,
                e.sequence if e.first is None else e.first,
                int(e.first is not None),
                e.signals,
                e.from_us,
                e.until_us,
                at_ns,
                digest,
                e.payload,
            )
            for e, digest in zip(entries, digests, strict=True)
        ]

        def keep() -> None:
            with self._lock, self._transaction():
                self._database.executemany(
                    "insert into outbox"
                    " (boot, sequence, first, gap, signals, from_us, until_us, at_ns, sha256, payload)"
                    " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    rows,
                )
                held = self._held
                self._held = held._replace(
                    rows=held.rows + len(entries),
                    payload_bytes=held.payload_bytes + sum(len(entry.payload) for entry in entries),
                    signals=held.signals + sum(entry.signals for entry in entries),
                )
                if self.held_bytes > self._most_bytes:
                    self._make_room()

        self._mending(keep)
        if entries:
            self._given = (entries[-1].boot, entries[-1].sequence)
        return digests

    def after(self, place: int, most: int) -> list[Row]:
        """Return up to `most` rows behind a place, in order, as they were accepted; damaged ones as gaps.

        From now on they may be on their way: a full outbox drops neither them nor what stands before them. That is
        noted under the lock under which they are read, because another thread may append before they are sent.
        """
        return self._mending(lambda: self._after(place, most))

    def _after(self, place: int, most: int) -> list[Row]:
        query = (
            "select place, boot, sequence, payload, sha256, at_ns from outbox where place > ? order by place limit ?"
        )
        with self._lock:
            try:
                found = [Row(*row) for row in self._database.execute(query, (place, most))]
                damaged = [row.place for row in found if sha256(row.payload).digest() != row.sha256]
                if damaged:
                    self._give_up(damaged)
                    found = [Row(*row) for row in self._database.execute(query, (place, most))]
            except sqlite3.Error as error:
                raise _refused(self.path, error) from error
            if found:
                self._offered_to = max(self._offered_to, found[-1].place)
        return found

    def acknowledge(self, boot: bytes, committed: int) -> int:
        """Remove what the database has: every row of a boot up to a sequence.

        Returns
        -------
        int
            How many rows went. A cursor beyond what the boot that writes now has given out is not ours: then nothing
            goes. Of an earlier boot the database may have more than this disk, which lost its newest rows (it did not
            write what it said, or is a copy of an older one): it then has what waits of it too.
        """
        try:
            gone = self._mending(lambda: self._remove(boot, committed))
        except UnavailableError:
            if not self._reserve.exists():
                raise
            self._reserve.unlink()
            gone = self._remove_bit_by_bit(boot, committed)
        self._keep_reserve()
        with self._gone:
            self._gone.notify_all()
        return gone

    def _mending(self, work: Callable[[], T]) -> T:
        """Do something; if the file turns out to be damaged, move what can be read into a new one and do it there."""
        try:
            return work()
        except UnavailableError as error:
            if not (is_damaged(error.__cause__) or refuses_writes(error.__cause__, self.path)):
                raise
        with self._lock:
            self._mend()
        return work()

    def _mend(self) -> None:
        fresh = self.path.with_name(f"{self.path.name}.mended")
        fresh.unlink(missing_ok=True)
        remove_companions(fresh)
        try:
            mended, _ = _prepared(fresh)
            try:
                lost = copy_readable(self._database, mended, lambda row: self._gap_payload(Dropped(*row)))
            finally:
                mended.close()
        except sqlite3.Error as error:
            raise UnavailableError(
                f"The outbox {self.path} is damaged and cannot be mended: {error}.",
                hint="Look at the space on its disk, then start the edge again: a damaged file is then set aside.",
            ) from error
        with suppress(sqlite3.Error):
            self._database.close()
        aside = put_in_place(fresh, self.path)
        self._database, self._held = _open(self.path)
        log.error(
            "the outbox was damaged and is mended; gaps stand for rows that could not be read",
            rows=len(lost),
            signals=sum(row.signals for row in lost),
            kept_as=str(aside),
        )

    def _remove(self, boot: bytes, committed: int) -> int:
        of_boot = "from outbox where boot = ?"
        with self._lock, self._transaction():
            if self._given is not None and self._given[0] == boot and committed > self._given[1]:
                sent = self._given[1]
                log.error("more is said to be committed than was sent; kept all", committed=committed, sent=sent)
                return 0
            gone, payload_bytes, signals = self._database.execute(
                f"select count(*), coalesce(sum(length(payload)), 0), coalesce(sum(signals), 0)"
                f" {of_boot} and sequence <= ?",
                (boot, committed),
            ).fetchone()
            self._database.execute(f"delete {of_boot} and sequence <= ?", (boot, committed))
            held = self._held
            self._held = _Held(
                held.rows - gone, held.payload_bytes - payload_bytes, held.signals - signals, held.dropped
            )
        return int(gone)

    def _remove_bit_by_bit(self, boot: bytes, committed: int) -> int:
        """Remove rows one by one, each with no more room on a full disk than its own pages take."""
        gone = 0
        query = "select sequence from outbox where boot = ? and sequence <= ? order by sequence"
        with self._lock:
            sequences = self._database.execute(query, (boot, committed)).fetchall()
        for (sequence,) in sequences:
            gone += self._remove(boot, sequence)
            with self._lock, suppress(sqlite3.Error):
                self._database.execute("pragma wal_checkpoint(truncate)")
        return gone

    def _keep_reserve(self) -> None:
        """Take the reserve (again) if the disk has room for it."""
        if self._reserve.exists():
            return
        try:
            with self._reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, _RESERVE_BYTES)
        except OSError:
            with suppress(OSError):
                self._reserve.unlink(missing_ok=True)

    def wait_until_empty(self, most_s: float) -> None:
        """Wait until no row is left, at most so many seconds."""
        with self._gone:
            self._gone.wait_for(lambda: self._held.rows == 0, most_s)

    def close(self) -> None:
        """Close the file; rows stay."""
        with self._lock:
            self._database.close()

    def _make_room(self) -> None:
        """Turn the oldest rows that were never offered into gaps, one a boot, until there is room again."""
        wanted = self.held_bytes - int(self._most_bytes * (1 - _ROOM))
        chosen: list[_Stored] = []
        never_offered = self._database.execute(f"{_STORED} place > ? order by place", (self._offered_to,))
        for row in map(_Stored._make, never_offered):
            chosen.append(row)
            wanted -= row.payload_bytes + ROW_BYTES
            if wanted <= 0:
                break
        for _, same in groupby(chosen, key=lambda row: row.boot):
            run = list(same)
            if len(run) > 1 or not run[0].gap:
                self._drop(run)

    def _give_up(self, places: list[int]) -> None:
        """Let gaps stand for rows whose payloads the disk has changed: they are not what was accepted."""
        with self._transaction():
            for place in places:
                row = _Stored._make(self._database.execute(f"{_STORED} place = ?", (place,)).fetchone())
                log.error("a row of the outbox is damaged and given up", sequence=row.sequence, signals=row.signals)
                self._drop([row])

    def _drop(self, run: list[_Stored]) -> None:
        last = run[-1]
        dropped = Dropped(
            last.boot,
            run[0].first,
            last.sequence,
            sum(row.signals for row in run),
            min(row.from_us for row in run),
            max(row.until_us for row in run),
        )
        payload = self._gap_payload(dropped)
        self._database.execute("delete from outbox where place >= ? and place < ?", (run[0].place, last.place))
        self._database.execute(
            "update outbox set first = ?, gap = 1, signals = ?, from_us = ?, until_us = ?, sha256 = ?, payload = ?"
            " where place = ?",
            (
                dropped.first,
                dropped.signals,
                dropped.from_us,
                dropped.until_us,
                sha256(payload).digest(),
                payload,
                last.place,
            ),
        )
        fresh = sum(row.signals for row in run if not row.gap)
        self._database.execute("update counts set dropped = dropped + ?", (fresh,))
        held = self._held
        self._held = held._replace(
            rows=held.rows - len(run) + 1,
            payload_bytes=held.payload_bytes - sum(row.payload_bytes for row in run) + len(payload),
            dropped=held.dropped + fresh,
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, the counters included."""
        before = self._held
        try:
            self._database.execute("begin immediate")
            yield
            self._database.execute("commit")
        except BaseException as error:
            self._held = before
            if self._database.in_transaction:
                self._database.execute("rollback")
            if isinstance(error, sqlite3.Error):
                raise _refused(self.path, error) from error
            raise


def _count(database: sqlite3.Connection) -> _Held:
    rows, payload_bytes, signals = database.execute(
        "select count(*), coalesce(sum(length(payload)), 0), coalesce(sum(signals), 0) from outbox"
    ).fetchone()
    (dropped,) = database.execute("select dropped from counts").fetchone()
    return _Held(rows, payload_bytes, signals, dropped)


def _open(path: Path) -> tuple[sqlite3.Connection, _Held]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"The folder {path.parent} cannot be made: {error}.", hint="Give the edge a folder of its own."
        ) from error
    try:
        return _prepared(path)
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise ConfigurationError(
                f"Another agent uses the outbox {path}.", hint="Stop it or give this one a folder of its own."
            ) from error
        if "unsupported file format" not in str(error):  # a header that a disk has changed is damage
            raise _refused(path, error) from error
        damage: sqlite3.DatabaseError = error
    except sqlite3.DatabaseError as error:
        damage = error
    return _begun_anew(path, damage)


def _begun_anew(path: Path, damage: sqlite3.DatabaseError) -> tuple[sqlite3.Connection, _Held]:
    """Set a file aside that is no outbox, or none any more, and begin a new one."""
    aside = path.with_name(f"{path.name}.damaged-{len(list(path.parent.glob(f'{path.name}.damaged-*')))}")
    path.rename(aside)
    remove_companions(path)
    log.warning("outbox damaged, set aside and begun anew", reason=str(damage), kept_as=str(aside))
    return _prepared(path)


def _prepared(path: Path) -> tuple[sqlite3.Connection, _Held]:
    """Open for this process alone: exclusive locking needs no shared memory and ends with the process."""
    with suppress(OSError):  # SQLite says better what is wrong with a path
        path.touch(mode=_PRIVATE)
        path.chmod(_PRIVATE)  # one that an earlier version made
    database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        database.execute("pragma locking_mode = exclusive")
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.execute(f"pragma journal_size_limit = {_WAL_BYTES}")
        database.execute("begin immediate")
        (version,) = database.execute("pragma user_version").fetchone()
        if version != _FORMAT and _is_ours(database):  # the tables say which format it is: a disk changed the number
            version = _FORMAT
            database.execute(f"pragma user_version = {_FORMAT}")
        if version == 0:
            for statement in filter(str.strip, _SCHEMA.split(";\n")):
                database.execute(statement)
            database.execute(f"pragma user_version = {_FORMAT}")
        database.execute("commit")
        if version not in (0, _FORMAT):
            raise ConfigurationError(
                f"The outbox {path} has format {version}; this version of Sojourn writes {_FORMAT}.",
                hint="Let the version that wrote it deliver it first.",
            )
        held = _count(database)  # reads every row but for long payloads: damage shows now, or when they are read
    except BaseException:
        database.close()
        raise
    return database, held


def _is_ours(database: sqlite3.Connection) -> bool:
    """Whether the tables are exactly those of this format."""
    made = {sql.casefold() for (sql,) in database.execute("select sql from sqlite_master where type = 'table'")}
    ours = {part.strip().casefold() for part in _SCHEMA.split(";\n") if part.strip().startswith("create")}
    return ours <= made and len(made - ours) == 1  # `sqlite_sequence` is SQLite's own


def _refused(path: Path, error: sqlite3.Error) -> UnavailableError:
    return UnavailableError(
        f"The outbox {path} cannot be used: {error}.", hint="Look at the space on its disk and who owns it."
    )
