"""Read-only access to the database that outlives its absence.

The service starts while the database is away; every use then raises UnavailableError at once, and works again as
soon as the database is back.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from weakref import WeakKeyDictionary

import structlog
from psycopg import IsolationLevel, OperationalError, errors
from psycopg_pool import ConnectionPool

from core.errors import ForbiddenError, InputError, UnavailableError
from storage.access.acting import reading_as, take_role
from storage.connect import LOOK_EVERY_S, Connection, open_pool, reachable, read_url

POOL_CONNECTIONS: Final = 8
"""Queries take milliseconds; on the smallest machine two cores are busy with four of them."""
POOL_TIMEOUT_S: Final = 2.0
"""A page that cannot be had in two seconds says so."""
STATEMENT_TIMEOUT_MS: Final = 5_000
"""Every query here is bounded; one that takes longer holds a connection that others need."""
DEAD_AFTER_MS: Final = 10_000
"""A link that swallows everything is given up after ten seconds, the longest a page may look alive wrongly."""

_BOUNDED: Final = "select set_config('statement_timeout', %s, true), set_config('TimeZone', 'UTC', true)"

_log = structlog.get_logger()


class Reader:
    """A bounded pool of read-only connections.

    Parameters
    ----------
    database_url : str
        A libpq URL or connection string; of several hosts, the one that can write is read from.
    connections : int
        How many are open at most.
    pooled : bool
        The URL leads to a pooler in transaction mode; each use is then one transaction of one snapshot.
    replica : bool
        Any server will do, also one that only follows; what it says may be seconds old.

    Raises
    ------
    ConfigurationError
        If the URL cannot be read; whether the database is there is not asked yet.
    """

    def __init__(
        self, database_url: str, *, connections: int = POOL_CONNECTIONS, pooled: bool = False, replica: bool = False
    ) -> None:
        asked = read_url(database_url)
        attributes: dict[str, object] = {} if "tcp_user_timeout" in asked else {"tcp_user_timeout": DEAD_AFTER_MS}
        if "target_session_attrs" not in asked:
            attributes["target_session_attrs"] = _wanted(str(asked.get("host") or ""), replica=replica)
        wanted = attributes.get("target_session_attrs", asked.get("target_session_attrs"))
        self._pool = open_pool(
            database_url,
            application_name="sojourn api analytics" if replica else "sojourn api",
            most=connections,
            wait_s=POOL_TIMEOUT_S,
            pooled=pooled,
            attributes=attributes,
            configure=_configure_pooled if pooled else _configure,
            check=_Written() if wanted == "read-write" and not pooled else ConnectionPool.check_connection,
        )
        self._pooled = pooled
        self._away = False

    def close(self) -> None:
        """Close every connection; harmless when repeated."""
        self._pool.close()

    def fares(self) -> Mapping[str, int]:
        """Return how the pool fares, in psycopg_pool's words: pool_size, pool_available, requests_waiting, …."""
        return self._pool.get_stats()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection: in a transaction in the role of whoever is served, or behind a pooler; else autocommit.

        Raises
        ------
        ForbiddenError
            If that role may not read what is asked for.
        UnavailableError
            If the database is away, too busy or not migrated.
        InputError
            If a value that was asked with is nothing the database can hold.
        """
        try:
            with reachable(), self._pool.connection() as connection:
                if self._pooled:
                    with connection.transaction():
                        connection.execute(_BOUNDED, [str(STATEMENT_TIMEOUT_MS)])
                        take_role(connection)
                        yield connection
                else:
                    with reading_as(connection):
                        yield connection
        except errors.UndefinedTable as error:
            raise UnavailableError(
                "The database has no tables of this version yet.",
                hint="Run `sojourn migrate`; the rest comes by itself.",
            ) from error
        except errors.InsufficientPrivilege as error:
            _log.error("the database refuses a role", says=str(error).splitlines()[0])
            raise ForbiddenError(
                "The database does not give this to your role.", hint="Ask somebody whose role has it."
            ) from error
        except errors.DataError as error:
            raise InputError(
                "A value cannot be looked up.", hint="Leave out characters that are no text, such as NUL."
            ) from error
        except UnavailableError as error:
            if isinstance(error.__cause__, errors.QueryCanceled):
                raise UnavailableError(
                    f"The database needed more than {STATEMENT_TIMEOUT_MS // 1000} s for this answer.",
                    hint="Ask for a shorter range, or again later.",
                ) from error
            self._say(away=True)
            # what libpq says names hosts and roles: it stays out of what callers see
            raise UnavailableError(
                "The database is away or too busy.", hint="Nothing is lost; ask again in a few seconds."
            ) from error
        self._say(away=False)

    def _say(self, *, away: bool) -> None:
        """Log the change, not every failed query."""
        if away == self._away:
            return
        self._away = away
        if away:
            _log.warning("the database is away", hint="is it running, and is SOJOURN_DATABASE_URL right?")
        else:
            _log.info("the database is back")


def _wanted(hosts: str, *, replica: bool) -> str:
    """Return which server to read from, in libpq's words."""
    if replica:
        return "any"
    # where another may have taken over, one that was only told not to write any more is not the one to read from
    return "read-write" if "," in hosts else "primary"


class _Written:
    """Refuses a connection whose server has been demoted since, by a look at most every LOOK_EVERY_S."""

    # not its session's own setting, which `_configure` has switched on
    _DEMOTED: Final = (
        "select pg_is_in_recovery() or reset_val = 'on' from pg_settings where name = 'default_transaction_read_only'"
    )

    def __init__(self) -> None:
        self._looked_s: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()

    def __call__(self, connection: Connection) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s.setdefault(connection, now_s) < LOOK_EVERY_S:
            ConnectionPool.check_connection(connection)
            return
        if connection.execute(self._DEMOTED).fetchone() == (True,):
            connection.close()  # one that is well goes back into the pool
            raise OperationalError("this server does not take writes any more")
        self._looked_s[connection] = now_s


def _configure(connection: Connection) -> None:
    # after connecting: as an option of the connection it would look like a server that cannot write
    connection.execute("set default_transaction_read_only = on")
    connection.execute(f"set statement_timeout = {STATEMENT_TIMEOUT_MS}")


def _configure_pooled(connection: Connection) -> None:
    # said with each begin, so that no session has to remember it
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    connection.read_only = True
