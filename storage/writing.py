"""Access that writes for the API: a bounded pool that outlives the database's absence, one transaction a request."""

from collections.abc import Callable
from typing import Final, TypeVar

from psycopg import errors

from core.errors import InputError, UnavailableError
from storage.connect import Connection, in_transaction, open_pool, reachable
from storage.reading import POOL_TIMEOUT_S, check_url

WRITERS: Final = 4
"""What people write are single rows within milliseconds; four at once are hundreds a second."""

T = TypeVar("T")


class Writer:
    """A bounded pool of connections that write.

    Parameters
    ----------
    database_url : str
        A libpq URL or connection string.

    Raises
    ------
    ConfigurationError
        If the URL cannot be read; whether the database is there is not asked yet.
    """

    def __init__(self, database_url: str) -> None:
        check_url(database_url)
        self._pool = open_pool(
            database_url, application_name="sojourn api writes", most=WRITERS, wait_s=POOL_TIMEOUT_S
        )

    def close(self) -> None:
        """Close every connection; harmless when repeated."""
        self._pool.close()

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction and commit it; it may run several times (see `in_transaction`).

        Raises
        ------
        UnavailableError
            If the database is away, too busy or not migrated.
        InputError
            If a value is nothing the database can hold.
        """
        try:
            with reachable(), self._pool.connection() as connection:
                return in_transaction(connection, work)
        except errors.UndefinedTable as error:
            raise UnavailableError(
                "The database has no tables of this version yet.",
                hint="Run `sojourn migrate`; the rest comes by itself.",
            ) from error
        except errors.DataError as error:
            raise InputError(
                "A value cannot be kept.", hint="Leave out characters that are no text, such as NUL."
            ) from error
