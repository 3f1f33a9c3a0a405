"""A real TimescaleDB.

`database_url`        a fresh, migrated database on the session's server
`empty_database_url`  a fresh database without anything in it
`database_server`     the session's server; leave it running
`own_database`        a server of the test's own: stop, kill and start it at will
"""

import itertools
import shutil
import time
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


def standby_of(primary: Postgres, installed: Installed, folder: Path) -> Postgres:
    """A server that follows another one, which is stopped and started for its copy; commits wait for it from then on.

    Both have the same password. It is the test's to stop.
    """
    primary.stop()
    folder.mkdir()
    shutil.copytree(primary.data, folder / "data", symlinks=True)
    shutil.copy(primary.folder / "password", folder / "password")
    (folder / "data/standby.signal").touch()
    primary.start()
    standby = Postgres(installed, folder, settings={"primary_conninfo": f"{primary.dsn()}?application_name=standby"})
    standby.start()
    with psycopg.connect(primary.dsn(), autocommit=True) as connection:
        connection.execute("alter system set synchronous_standby_names = 'standby'")
        connection.execute("select pg_reload_conf()")
        while connection.execute("select 1 from pg_stat_replication where sync_state = 'sync'").fetchone() is None:
            time.sleep(0.05)
    return standby


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
