"""A database of its own on a server, for a demo or a check: made, and removed again."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from psycopg import errors, sql

from core.errors import ConfigurationError
from storage.connect import connect, reachable


@contextmanager
def scratch_database(database_url: str) -> Iterator[str]:
    """Make a database beside the one that is named and give its URL; drop it at the end.

    Parameters
    ----------
    database_url : str
        postgresql://… of any database of that server; nothing in it is touched.

    Raises
    ------
    ConfigurationError
        If the URL is of another form or its user may not create databases.
    UnavailableError
        If the server is away.
    """
    parts = urlsplit(database_url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ConfigurationError(
            "The address of the database cannot be read.",
            hint="Write it as postgresql://user:password@host:port/name.",
        )
    name = sql.Identifier(identifier := f"sojourn_{secrets.token_hex(6)}")
    with reachable(), connect(database_url, application_name="sojourn-scratch") as connection:
        try:
            connection.execute(sql.SQL("create database {} template template0").format(name))
        except errors.InsufficientPrivilege as error:
            raise ConfigurationError(
                "The user of SOJOURN_DATABASE_URL may not create databases, and yours is not to be written to.",
                hint="Grant it: alter role … createdb.",
            ) from error
    try:
        yield urlunsplit(parts._replace(path=f"/{identifier}"))
    finally:
        with reachable(), connect(database_url, application_name="sojourn-scratch") as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(name))
