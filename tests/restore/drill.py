"""The drill of a restore: a store's day, a backup of it, another server, and the same visits."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from ingest.commit import Directory, commit
from ingest.feed import restore as restore_feed
from ingest.messages import read
from storage.backup.checksum import TableSum, checksums
from storage.backup.copying import Compared, back_up, read_about, restore
from storage.connect import Connection, connect, in_transaction
from storage.migrate import migrate, pending
from storage.privacy.erasing import ask, waiting, work_all
from storage.privacy.keys import PrivacyFolder
from storage.privacy.restoring import Again, reapply
from storage.stores import save_plan
from tests.api.seeding import PLAN, SMALL_PLAN, add_customers, add_stores, database_now, fill, floor_plan
from tests.ingest import world

BOOT = b"\x0a" * 16
STORE = "drill"


@dataclass(frozen=True)
class Came:
    """A message as the broker would give it."""

    payload: bytes
    topic: str = f"sojourn/1/{STORE}/edge-1/signals"
    received_at: int = 0


@dataclass(frozen=True)
class Drilled:
    """What a drill found and how long it took."""

    before: dict[str, TableSum]
    compared: Compared
    backup_bytes: int
    backup_s: float
    restore_s: float


def seed(database_url: str, *, batches: int, people: bool = True) -> None:
    """Make a database that looks like one of a store after a day: log, visits, customers and their notes."""
    migrate(database_url)
    with connect(database_url) as connection:
        if people:
            plan = floor_plan().stores[0]
            number = add_stores(connection, PLAN, SMALL_PLAN)[plan.id]
            now = database_now(connection)
            fill(connection, plan, number, now=now)
            add_customers(connection, plan, number, now=now - timedelta(hours=1))
        save_plan(connection, world.floor_plan(STORE))
        take_in(connection, list(world.walks(11, BOOT, batches=batches)))


def take_in(connection: Connection, payloads: list[bytes]) -> int:
    """Do what ingest does with these messages; return how many it took into the log."""
    directory = Directory()
    directory.adopt(connection)
    now_ns = time.time_ns()
    readings = [reading for payload in payloads if (reading := read(Came(payload, received_at=now_ns))) is not None]
    committed = commit(connection, directory, readings, {})
    feed = restore_feed(connection, directory.plans[STORE].store_no)
    feed.catch_up(connection, stopped=lambda: False)
    feed.write(connection, snapshot=True)
    return len(committed.logged)


def drill(database_url: str, empty_url: str, folder: Path, programs: Path) -> Drilled:
    """Back up one database and restore it into another, which is empty."""
    with timed() as backup_s:
        path = back_up(database_url, folder, programs=programs)
    with timed() as restore_s:
        compared = restore(empty_url, path, programs=programs)
    return Drilled(read_about(path).tables, compared, path.stat().st_size, backup_s(), restore_s())


def goes_on(restored_url: str, *, after: int) -> None:
    """Let ingest work on what was restored: what it has counts once, what is new is taken."""
    with connect(restored_url) as connection:
        assert pending(connection) == []
        before = checksums(connection)["signal_log"].rows
        sent = list(world.walks(11, BOOT, batches=after + 5))
        assert take_in(connection, sent[:after]) == 0, "what was committed before the backup counts once"
        assert take_in(connection, sent[after:]) == 5
        assert checksums(connection)["signal_log"].rows == before + 5
        (store_no,) = connection.execute("select store_no from store where id = %s", [STORE]).fetchone() or (0,)
        assert world.stored_visits(connection, store_no) == world.cold_replay(connection, store_no)


def erase_somebody(database_url: str, privacy: Path) -> UUID:
    """Erase one customer, after the backup; return her profile."""
    folder = PrivacyFolder(privacy)
    with connect(database_url) as connection:
        (profile,) = connection.execute("select min(profile_id::text)::uuid from profile").fetchone() or (None,)
        assert (
            in_transaction(connection, lambda connection: ask(connection, profile, asked_by="the drill")) is not None
        )
        _work(connection, folder)
        assert not _is_there(connection, profile)
    return UUID(str(profile))


def erase_again(restored_url: str, profile: UUID, privacy: Path) -> Again:
    """Do what `sojourn suppress reapply` does: the backup has brought her back, and she goes; return how many did."""
    folder = PrivacyFolder(privacy)
    with connect(restored_url) as connection:
        assert _is_there(connection, profile), "the backup is older than her erasure"
        again = reapply(connection, folder)
        _work(connection, folder)
        assert not _is_there(connection, profile)
    return again


def _work(connection: Connection, folder: PrivacyFolder) -> None:
    while waiting(connection):
        work_all(connection, folder, lambda: datetime.now(UTC), stopped=lambda: False)


def _is_there(connection: Connection, profile: UUID) -> bool:
    row = connection.execute("select exists (select from profile where profile_id = %s)", [profile]).fetchone()
    return row == (True,)


@contextmanager
def timed() -> Iterator[Callable[[], float]]:
    begun, ended = time.monotonic(), 0.0
    yield lambda: ended - begun
    ended = time.monotonic()
