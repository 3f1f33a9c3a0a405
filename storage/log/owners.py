"""Who may write for a store, where several ingests share a database: an owner and an epoch a store.

Each transaction of an owner reads its epoch under a lock. A claim raises the epoch and so waits for the transaction
that is under way; whatever the former owner begins after that is refused, however long it was asleep.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from core.errors import FencedError, UnavailableError
from storage.connect import Connection, in_transaction

Owned: TypeAlias = Mapping[int, int] | None
"""Epoch by store number; None: all stores are this ingest's, for it is the only one (`storage.log.signals.claim`)."""

_LEAD: Final = 0x6C656164  # "lead" in ASCII
_PATIENCE_S: Final = 2
"""An owner's transactions take tenths of a second; one that idles for longer is of a process that stands still."""
_TRIES: Final = 5


def claim_stores(connection: Connection, owner: str, ids: Sequence[str]) -> dict[int, int]:
    """Become the owner of these stores and return their epochs by store number; unknown ids are left out.

    A former owner that stands still in the middle of a transaction loses its connection, and with it that
    transaction.

    Raises
    ------
    UnavailableError
        If the database is away, or a former owner's transaction does not end.
    """

    def work(connection: Connection) -> dict[int, int]:
        connection.execute(f"set local lock_timeout = '{_PATIENCE_S}s'")
        rows = connection.execute(
            "insert into store_owner (store_no, epoch, owner)"
            " select store_no, 1, %s from store where id = any(%s) order by store_no"
            " on conflict (store_no) do update set epoch = store_owner.epoch + 1, owner = excluded.owner,"
            " claimed_at = excluded.claimed_at, suppression = 0 returning store_no, epoch",
            [owner, list(ids)],
        )
        return dict(rows.fetchall())

    for _ in range(_TRIES - 1):
        try:
            return in_transaction(connection, work)
        except UnavailableError:
            if connection.closed:
                raise
            _end_standing(connection, owner, ids)
    return in_transaction(connection, work)


def check_owned(connection: Connection, owned: Owned, store_nos: Collection[int]) -> None:
    """Make sure, until the end of the transaction, that these stores are still the caller's.

    Raises
    ------
    FencedError
        If another ingest has claimed one of them since.
    """
    if owned is None or not store_nos:
        return
    rows = connection.execute(
        "select store_no, epoch from store_owner where store_no = any(%s) order by store_no for share",
        [sorted(store_nos)],
    ).fetchall()
    now: dict[int, int] = dict(rows)
    lost = sorted(no for no in store_nos if no not in owned or now.get(no) != owned[no])
    if lost:
        raise FencedError(f"Another ingest has taken over {len(lost)} stores (number {lost[0]} first).")


def note_suppression(connection: Connection, owner: str, version: int) -> None:
    """Note that the engines of an owner's stores know the suppression list up to a version."""
    connection.execute(
        "update store_owner set suppression = %s where owner = %s and suppression < %s", [version, owner, version]
    )


def suppressed_everywhere(connection: Connection, version: int) -> bool:
    """Whether the engines of all stores that have an owner know the suppression list up to a version."""
    return connection.execute(
        "select not exists (select from store_owner where suppression < %s)", [version]
    ).fetchone() == (True,)


def lead(connection: Connection) -> bool:
    """Become the one of several ingests that does what is done once a database; as long as the connection lives."""
    return connection.execute("select pg_try_advisory_lock(%s)", [_LEAD]).fetchone() == (True,)


def _end_standing(connection: Connection, owner: str, ids: Sequence[str]) -> None:
    """End connections of former owners that idle in a transaction."""
    connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
        " and usename = current_user and pid <> pg_backend_pid() and state = 'idle in transaction'"
        " and state_change < clock_timestamp() - make_interval(secs => %s) and application_name in"
        " (select owner from store_owner join store using (store_no) where store.id = any(%s) and owner <> %s)",
        [_PATIENCE_S / 2, list(ids), owner],
    )
