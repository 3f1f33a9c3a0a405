"""The one place that opens connections to the database, and that says what its failures mean."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

import psycopg
import psycopg_pool
import tenacity
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from core.errors import ConfigurationError, UnavailableError
from storage.refusals import SPELT_OUT, refusal

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
AsyncConnection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]
Pool: TypeAlias = psycopg_pool.ConnectionPool[Connection]

CONNECT_TIMEOUT_S: Final = 5
"""A database on the same continent answers within a tenth of this."""
_KEEPALIVE: Final = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""A half-open connection is found after 25 s; a shorter time would take a busy network for a dead one."""
_SERVER_KEEPALIVE: Final = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""The same for the server, whose default is two hours: a lock of a client that vanished is free after 25 s."""
_IDLE_IN_TRANSACTION: Final = "60s"
"""A process that was stopped in a transaction lets go of its locks; the longest of ours takes seconds."""
_POOL_GIVES_UP_S: Final = 1.0
"""A pool's own retries slow down over minutes, and whoever asks would wait for the next one. After it has given up,
each question tries to connect at once, so that a database that is back serves within a second."""
_LIFETIME_S: Final = 60.0
"""A pool renews its connections, for ten milliseconds of work a minute: none stays with a server that nobody asked
whether it was demoted."""
LOOK_EVERY_S: Final = 5.0
"""How often a connection that only reads or listens is asked whether it still leads to the server that is written to:
one that was demoted and goes on answering would tell what was, and nothing that is new."""
_TRIES: Final = 8
"""Serialisation failures and deadlocks end after one or two tries; eight take two seconds."""

T = TypeVar("T")
_CONFLICTS: Final = (errors.SerializationFailure, errors.DeadlockDetected)
_CATALOG_CONFLICT: Final = "tuple concurrently updated"
"""What PostgreSQL says (as an internal error) where two change one row of its catalog, a migration's grants and the
making of a chunk for example: the other is done in a moment."""
_AWAY: Final = (
    psycopg.OperationalError,  # refused, cut, shut down, out of space or connections
    psycopg.InterfaceError,  # the connection was closed before
    errors.ReadOnlySqlTransaction,  # a primary that became a standby is as good as dead
    errors.IdleInTransactionSessionTimeout,
    psycopg_pool.PoolTimeout,
)


def connect(database_url: str, *, application_name: str = "sojourn") -> Connection:
    """Open a connection that speaks UTC and can write; each statement outside `in_transaction` is its own.

    Parameters
    ----------
    database_url : str
        As libpq reads it, for example postgresql://user:secret@host:5432/name.
    application_name : str
        What pg_stat_activity shows.

    Raises
    ------
    UnavailableError
        If nothing that can write answers there within CONNECT_TIMEOUT_S.
    ConfigurationError
        If `database_url` cannot be read.
    """
    with reachable():
        return psycopg.connect(database_url, **_settings(database_url, application_name))


def read_url(database_url: str) -> dict[str, Any]:
    """Return the parameters of a libpq URL or connection string, by their names.

    Raises
    ------
    ConfigurationError
        If it cannot be read, or a host or port of it can be none. Of the URL it says nothing: libpq repeats the part
        that it cannot read, which is the password where that has a character with a meaning in URLs.
    """
    with suppress(psycopg.ProgrammingError):
        given = conninfo_to_dict(database_url)
        ports = str(given.get("port") or "0").split(",")
        if "@" not in str(given.get("host") or "") and all(not port or port.isdecimal() for port in ports):
            return given
    raise ConfigurationError(
        "The database URL cannot be read.",
        hint=f"SOJOURN_DATABASE_URL looks like postgresql://user:password@host:5432/sojourn; {SPELT_OUT}.",
    )


def address_digest(database_url: str) -> str:
    """Return 16 hexadecimal digits that stand for the database at this address, whoever asks for it.

    Raises
    ------
    ConfigurationError
        If `database_url` cannot be read.
    """
    asked = read_url(database_url)
    address = "|".join(str(asked.get(word, "")) for word in ("host", "hostaddr", "port", "dbname"))
    return blake2b(address.encode(), digest_size=8).hexdigest()


async def connect_async(database_url: str, *, application_name: str) -> AsyncConnection:
    """Open a connection as `connect` does, for an event loop."""
    with reachable():
        return await psycopg.AsyncConnection.connect(database_url, **_settings(database_url, application_name))


def timeline(connection: Connection) -> str:
    """Return the history that a primary writes; another one where a standby has taken over."""
    row = connection.execute("select left(pg_walfile_name(pg_current_wal_lsn()), 8)").fetchone()
    if row is None:  # a function always answers
        raise RuntimeError("The database returned no timeline.")
    return str(row[0])


def open_pool(
    database_url: str,
    *,
    application_name: str,
    most: int,
    wait_s: float = 5.0,
    pooled: bool = False,
    attributes: Mapping[str, Any] = MappingProxyType({}),
    configure: Callable[[Connection], None] | None = None,
    check: Callable[[Connection], None] = psycopg_pool.ConnectionPool.check_connection,
) -> Pool:
    """Return a pool of up to `most` connections, open but not yet connected.

    It starts while the database is away; asking it for a connection then raises after `wait_s` seconds, which
    `reachable` turns into an UnavailableError.

    Parameters
    ----------
    database_url : str
        As libpq reads it; several hosts may stand in it, of which the one that can write is used.
    application_name : str
    most : int
    wait_s : float
    pooled : bool
        The URL leads to a pooler that gives each transaction another session (pgbouncer's transaction mode): nothing
        is set for a session then and nothing is prepared, and whoever takes a connection sets what it needs in its
        transaction.
    attributes : mapping
        Further parameters of psycopg's connect, which win.
    configure : callable, optional
        Called with each new connection.
    check : callable
        Called with a connection before it is lent; where it raises one of psycopg's errors another one is made.
    """
    settings = _settings(database_url, application_name, pooled=pooled) | dict(attributes)
    return psycopg_pool.ConnectionPool(
        database_url,
        kwargs=settings,
        min_size=1,
        max_size=most,
        timeout=wait_s,
        reconnect_timeout=_POOL_GIVES_UP_S,
        max_lifetime=_LIFETIME_S,
        configure=configure,
        check=check,
        name=application_name,
        open=True,
    )


@contextmanager
def reachable() -> Iterator[None]:
    """Turn what psycopg raises when the database is away into an UnavailableError."""
    try:
        yield
    except _AWAY as error:
        said, why = " ".join(str(error).split()).rstrip(".?! "), refusal(error)
        does = "does not let us in" if why.answers else "does not answer"
        raise UnavailableError(f"The database {does}: {said}.", hint=why.do) from error


def _is_conflict(error: BaseException) -> bool:
    return isinstance(error, _CONFLICTS) or (
        isinstance(error, errors.InternalError_) and _CATALOG_CONFLICT in str(error)
    )


def in_transaction(connection: Connection, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction and commit it; run it again where the database asks for that.

    Parameters
    ----------
    connection : Connection
        Not in a transaction. After an UnavailableError it is to be closed: whether a commit that was under way
        took place is then unknown.
    work : callable
        May run several times, so it must not change anything outside the database.

    Raises
    ------
    UnavailableError
        If the database went away, or kept refusing for conflicts with others.
    """
    if not connection.closed and connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        raise RuntimeError("in_transaction inside a transaction would not commit")

    def once() -> T:
        with connection.transaction():
            return work(connection)

    tries = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_conflict),
        stop=tenacity.stop_after_attempt(_TRIES),
        wait=tenacity.wait_exponential_jitter(multiplier=0.01, max=2.0, jitter=0.05),
        reraise=True,
    )
    with reachable():
        return tries(once)


def _settings(database_url: str, application_name: str, *, pooled: bool = False) -> dict[str, Any]:
    given = read_url(database_url)
    options = f"-c timezone=UTC -c idle_in_transaction_session_timeout={_IDLE_IN_TRANSACTION} {_SERVER_KEEPALIVE}"
    settings: dict[str, Any] = {
        "autocommit": True,  # else a read would open a transaction that nobody ends
        "application_name": application_name,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "target_session_attrs": "read-write",
        **_KEEPALIVE,
        # psycopg's default prepares a statement after its fifth use; the session behind a pooler would not know it
        "prepare_threshold": None if pooled else 5,
    }
    for name in set(settings) & set(given):
        del settings[name]
    if pooled:  # a pooler refuses most of them
        return settings
    said = given.get("options")
    settings["options"] = f"{options} {said}" if said else options
    return settings
