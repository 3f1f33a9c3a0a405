"""Access for the API's writes that outlives the database's absence: one transaction a request."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TypeVar

from psycopg import errors

from core.errors import InputError, UnavailableError
from storage.audit.acting import SETTING, acting, as_json
from storage.connect import Connection, in_transaction, open_pool, reachable

WRITERS: Final = 4
"""Writes of people and other systems are seldom beside reads; imports run one after the other anyway."""
_WAIT_S: Final = 2.0
"""As for reading: what cannot be written in two seconds says so."""
_LOCK_TIMEOUT: Final = "4s"
_STATEMENT_TIMEOUT: Final = "60s"
"""The largest import's slowest statement takes seconds."""

T = TypeVar("T")


class Writer:
    """A bounded pool of connections that write.

    Parameters
    ----------
    database_url : str
        A libpq URL or connection string.
    application_name : str
        What pg_stat_activity shows.
    connections : int
        How many are open at most.
    pooled : bool
        The URL leads to a pooler in transaction mode.
    """

    def __init__(
        self,
        database_url: str,
        *,
        application_name: str = "sojourn api writing",
        connections: int = WRITERS,
        pooled: bool = False,
    ) -> None:
        self._pool = open_pool(
            database_url, application_name=application_name, most=connections, wait_s=_WAIT_S, pooled=pooled
        )

    def close(self) -> None:
        """Close every connection; harmless when repeated."""
        self._pool.close()

    def fares(self) -> Mapping[str, int]:
        """Return how the pool fares, in psycopg_pool's words: pool_size, pool_available, requests_waiting, …."""
        return self._pool.get_stats()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and commit it; it may run again where the database asks for that.

        What it changes of people is entered into the audit log in the name of whoever is at work.

        Raises
        ------
        UnavailableError
            If the database is away, too busy or not migrated; whether the commit took place is then unknown.
        InputError
            If a value is nothing the database can hold.
        """
        with self._lent() as connection:
            return in_transaction(connection, lambda lent: work(_bounded(lent)))

    def add(self, work: Callable[[Connection], T]) -> T:
        """Run the one statement of `work` by itself: one round trip, committed when it returns; errors as above."""
        with self._lent() as connection:
            return work(connection)

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        try:
            with reachable(), self._pool.connection() as connection:
                yield connection
        except (errors.UndefinedTable, errors.UndefinedFunction) as error:
            raise UnavailableError(
                "The database has no tables of this version yet.", hint="Run `sojourn migrate`."
            ) from error
        except errors.DataError as error:
            raise InputError(
                "A value cannot be kept.", hint="Leave out characters that are no text, such as NUL."
            ) from error
        except (errors.LockNotAvailable, errors.QueryCanceled) as error:
            raise UnavailableError("Somebody else is writing the same.", hint="Send it again in a moment.") from error
        except UnavailableError as error:
            if isinstance(error.__cause__, errors.ReadOnlySqlTransaction):
                self._pool.drain()  # the server was demoted: new connections find the one that can write
            if isinstance(error.__cause__, errors.LockNotAvailable | errors.QueryCanceled):
                raise UnavailableError(
                    "Somebody else is writing the same.", hint="Send it again in a moment."
                ) from error
            # what libpq says names hosts and roles: it stays out of what callers see
            raise UnavailableError(
                "The database is away or too busy.", hint="Send it again with the same Idempotency-Key."
            ) from error


def _bounded(connection: Connection) -> Connection:
    who = acting.get()
    connection.execute(
        "select set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true),"
        " set_config('TimeZone', 'UTC', true), set_config(%s, %s, true)",
        [_LOCK_TIMEOUT, _STATEMENT_TIMEOUT, SETTING, as_json(who) if who is not None else ""],
    )
    return connection
