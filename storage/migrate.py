"""Bring a database to the schema of this program: plain SQL files, in the order of their names, each once.

A file runs in a transaction of its own. One whose first line is NO_TRANSACTION runs outside of any, for
statements that refuse one (create index concurrently); it holds a single statement that may run again.

A file adds only: programs that do not know it run on beside it, so that an upgrade stops nothing. One that they
cannot live with has NEEDS_NEWER in its first line; programs that do not know it are refused from then on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import psycopg
import structlog
from psycopg import errors, sql

from core.errors import ConfigurationError, UnavailableError
from storage.access.grants import grant
from storage.connect import Connection, connect, reachable
from storage.edition import read_edition

NO_TRANSACTION: Final = "-- sojourn: no-transaction"
NEEDS_NEWER: Final = "-- sojourn: needs-newer-program"
_LOCK: Final = 0x536F6A6F75726E  # "Sojourn" in ASCII: one migration at a time in a database
_EXTENSION_HINT: Final = (
    "Sojourn needs TimescaleDB 2.13 or newer in shared_preload_libraries; `sojourn demo` brings its own,"
    " deploy/compose.yaml another."
)

_log = structlog.get_logger()


@dataclass(frozen=True)
class Migration:
    """One SQL file; `sha256` is of its text."""

    name: str
    text: str
    sha256: bytes

    @property
    def in_transaction(self) -> bool:
        """Whether it runs in a transaction of its own."""
        return not self.text.startswith(NO_TRANSACTION)

    @property
    def needs_newer(self) -> bool:
        """Whether programs that do not know it cannot run on beside it."""
        return self.text.startswith(NEEDS_NEWER)


def migrations(folder: Traversable | None = None) -> list[Migration]:
    """Return the migrations in `folder` (default: those of this program) in the order in which they run."""
    place = folder if folder is not None else files("storage") / "migrations"
    found = sorted((entry for entry in place.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    texts = [(entry.name, entry.read_text(encoding="utf-8")) for entry in found]
    return [Migration(name, text, sha256(text.encode()).digest()) for name, text in texts]


def migrate(database_url: str, *, folder: Traversable | None = None) -> list[str]:
    """Apply what has not been applied yet; safe to call from several processes at once.

    Parameters
    ----------
    database_url : str
        See `storage.connect.connect`.
    folder : Traversable, optional
        Where the files are; default: storage/migrations.

    Returns
    -------
    list of str
        Names of the files that were applied now.

    Raises
    ------
    UnavailableError
        If the database is away, cannot have timescaledb, or refuses a statement.
    ConfigurationError
        If a file that was applied has changed since, or the database needs a newer program.
    """
    wanted = migrations(folder)
    with connect(database_url, application_name="sojourn migrate") as connection, reachable():
        connection.execute("select pg_advisory_lock(%s)", [_LOCK])
        try:
            return _apply(connection, wanted)
        finally:
            if not connection.closed:
                connection.execute("select pg_advisory_unlock(%s)", [_LOCK])


def pending(connection: Connection) -> list[str]:
    """Return the names of this program's migrations that the database lacks; errors as in `migrate`."""
    with reachable():
        return [migration.name for migration in _left(connection, migrations())]


def _apply(connection: Connection, wanted: Sequence[Migration]) -> list[str]:
    _create_extension(connection)
    edition, version = read_edition(connection)
    left = _left(connection, wanted)
    for migration in left:
        _run(connection, migration)
        _log.info("migration applied", name=migration.name)
    # a folder of a test's own need not have the tables of the login
    if connection.execute("select to_regclass('access_granted') is not null").fetchone() == (True,):
        grant(connection)
    _log.info("the schema is current", applied=len(left), timescaledb=version, edition=edition.value)
    return [migration.name for migration in left]


def _create_extension(connection: Connection) -> None:
    try:
        connection.execute("set client_min_messages = warning")
        connection.execute("create extension if not exists timescaledb")
    except (errors.FeatureNotSupported, errors.UndefinedFile) as error:
        raise UnavailableError("The server has no TimescaleDB installed.", hint=_EXTENSION_HINT) from error
    except errors.InsufficientPrivilege as error:
        raise UnavailableError(
            "This role may not create the extension timescaledb.",
            hint="Let a superuser run `create extension timescaledb` in this database once.",
        ) from error
    except psycopg.OperationalError as error:
        if "preload" not in str(error):
            raise
        raise UnavailableError("The server does not preload TimescaleDB.", hint=_EXTENSION_HINT) from error


def _left(connection: Connection, wanted: Sequence[Migration]) -> list[Migration]:
    exists = connection.execute("select to_regclass('sojourn_migration') is not null").fetchone()
    applied: dict[str, bytes] = {}
    if exists == (True,):
        applied = {
            name: bytes(digest)
            for name, digest in connection.execute("select name, sha256 from sojourn_migration").fetchall()
        }
    known = {migration.name for migration in wanted}
    unknown = sorted(applied.keys() - known)
    if unknown and _floor(connection) not in known:
        raise ConfigurationError(
            f"The database has the migration {unknown[0]}, which this program does not know.",
            hint="The database is newer than the program: start the newer program.",
        )
    changed = [m.name for m in wanted if m.name in applied and applied[m.name] != m.sha256]
    if changed:
        raise ConfigurationError(
            f"The migration {changed[0]} was changed after it had been applied.",
            hint="Put its old text back and write the change into a new file.",
        )
    left = [migration for migration in wanted if migration.name not in applied]
    if applied and left and left[0].name < max(applied):
        raise ConfigurationError(
            f"The migration {left[0].name} comes before {max(applied)}, which was applied already.",
            hint="Give it a higher number.",
        )
    return left


def _floor(connection: Connection) -> str | None:
    """Return the newest migration that a program has to know; None on a database from before there was a floor."""
    exists = connection.execute("select to_regclass('schema_floor') is not null").fetchone()
    if exists != (True,):
        return None
    row = connection.execute("select needs from schema_floor").fetchone()
    return None if row is None else str(row[0])


def _run(connection: Connection, migration: Migration) -> None:
    connection.execute(
        "create table if not exists sojourn_migration"
        " (name text primary key, sha256 bytea not null, applied_at timestamptz not null default now())"
    )
    note = sql.SQL("insert into sojourn_migration (name, sha256) values ({}, {})").format(
        migration.name, migration.sha256
    )
    statements = sql.SQL(migration.text)  # files of the program, not input
    try:
        if migration.in_transaction:
            with connection.transaction():
                connection.execute(statements)
                connection.execute(note)
                if migration.needs_newer:
                    connection.execute("update schema_floor set needs = %s, since = now()", [migration.name])
        else:
            connection.execute(statements)
            connection.execute(note)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise UnavailableError(
            f"The database refuses the migration {migration.name}: {' '.join(str(error).split())}.",
            hint="Nothing of this file was kept; mend the cause and migrate again.",
        ) from error
