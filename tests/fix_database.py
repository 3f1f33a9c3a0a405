"""A real TimescaleDB.

`database_url`        a fresh, migrated database on the session's server
`empty_database_url`  a fresh database without anything in it
`database_server`     the session's server; leave it running
`own_database`        a server of the test's own: stop, kill and start it at will
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from servers.postgres import Postgres
from servers.provide import Installed

_numbers = itertools.count(1)
_TEMPLATE = "sojourn_template"


@pytest.fixture(scope="session")
def database_server(installed: Installed, server_folder: Path) -> Iterator[Postgres]:
    with Postgres(installed, server_folder / "database", sync_initdb=False) as server:
        yield server


@pytest.fixture(scope="session")
def database_template(database_server: Postgres) -> str:
    """Name of a migrated database that nobody is connected to; `tests.access` says who may log in."""
    from storage.migrate import migrate  # noqa: PLC0415 - tests without a database need no storage
    from tests.access import let_in  # noqa: PLC0415

    _create(database_server, _TEMPLATE, "template0")
    migrate(database_server.dsn(_TEMPLATE))
    let_in(database_server.dsn(_TEMPLATE))
    with psycopg.connect(database_server.dsn(), autocommit=True) as connection:
        # TimescaleDB's scheduler would connect, and a template must have no connection
        connection.execute(f"ALTER DATABASE {_TEMPLATE} WITH ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [_TEMPLATE])
    return _TEMPLATE


@pytest.fixture
def database_url(database_server: Postgres, database_template: str) -> Iterator[str]:
    yield from _fresh(database_server, database_template)


@pytest.fixture
def empty_database_url(database_server: Postgres) -> Iterator[str]:
    yield from _fresh(database_server, "template0")


@pytest.fixture
def own_database(installed: Installed, tmp_path: Path) -> Iterator[Postgres]:
    with Postgres(installed, tmp_path / "own-database", sync_initdb=False) as server:
        yield server


def _fresh(server: Postgres, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    _create(server, name, template)
    yield server.dsn(name)
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _create(server: Postgres, name: str, template: str) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
