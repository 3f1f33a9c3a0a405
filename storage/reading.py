"""Read-only access to the database that outlives its absence.

The service starts while the database is away; every use then raises UnavailableError at once, and works again as
soon as the database is back.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from core.errors import ConfigurationError, InputError, UnavailableError
from storage.connect import Connection, open_pool, reachable

POOL_CONNECTIONS: Final = 8
"""Queries take milliseconds; on the smallest machine two cores are busy with four of them."""
POOL_TIMEOUT_S: Final = 2.0
"""A page that cannot be had in two seconds says so."""
STATEMENT_TIMEOUT_MS: Final = 5_000
"""Every query here is bounded; one that takes longer holds a connection that others need."""
DEAD_AFTER_MS: Final = 10_000
"""A link that swallows everything is given up after ten seconds, the longest a page may look alive wrongly."""

_log = structlog.get_logger()


class Reader:
    """A bounded pool of read-only connections.

    Parameters
    ----------
    database_url : str
        A libpq URL or connection string.
    connections : int
        How many are open at most.

    Raises
    ------
    ConfigurationError
        If the URL cannot be read; whether the database is there is not asked yet.
    """

    def __init__(self, database_url: str, *, connections: int = POOL_CONNECTIONS) -> None:
        self._pool = open_pool(
            _reading(database_url), application_name="sojourn api", most=connections, wait_s=POOL_TIMEOUT_S
        )
        self._away = False

    def close(self) -> None:
        """Close every connection; harmless when repeated."""
        self._pool.close()

    def fares(self) -> Mapping[str, int]:
        """Return how the pool fares, in psycopg_pool's words: pool_size, pool_available, requests_waiting, …."""
        return self._pool.get_stats()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection in autocommit mode.

        Raises
        ------
        UnavailableError
            If the database is away, too busy or not migrated.
        InputError
            If a value that was asked with is nothing the database can hold.
        """
        try:
            with reachable(), self._pool.connection() as connection:
                yield connection
        except errors.UndefinedTable as error:
            raise UnavailableError(
                "The database has no tables of this version yet.",
                hint="Run `sojourn migrate`; the rest comes by itself.",
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


def check_url(database_url: str) -> None:
    """Raise ConfigurationError if a database URL cannot be read; nothing is asked of the database."""
    _reading(database_url)


def _reading(database_url: str) -> str:
    """Add to a database URL what every connection of the read side has."""
    try:
        given = conninfo_to_dict(database_url)
        options = f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_TIMEOUT_MS}"
        said = given.get("options")
        return make_conninfo(
            database_url,
            # not "read-write", which our own read-only sessions would fail
            target_session_attrs="primary",
            options=f"{options} {said}" if said else options,
            tcp_user_timeout=DEAD_AFTER_MS,
        )
    except errors.ProgrammingError as error:
        raise ConfigurationError(
            "The database URL cannot be read.",
            hint="It looks like postgresql://user:password@host:5432/sojourn; see SOJOURN_DATABASE_URL.",
        ) from error
