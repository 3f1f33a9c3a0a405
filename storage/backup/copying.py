"""Make a backup of one moment while everything runs, and put it into an empty database."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from psycopg import sql

from core.errors import ConfigurationError
from storage.access.grants import enrol
from storage.backup.checksum import TableSum, checksums
from storage.backup.programs import find_program, run
from storage.connect import Connection, connect, reachable
from storage.edition import read_edition
from storage.migrate import pending

ENDING: Final = ".sojourn-backup"
READER: Final = "sojourn_reader"
"""What migrations grant to, beside the roles of `storage.access.grants`; a dump of a database holds none of them."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What stands beside a backup, in a JSON file of its own."""

    made_at: datetime
    timescaledb: str
    newest_migration: str
    tables: dict[str, TableSum]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore found; `different` names the tables whose checksum is another one."""

    tables: dict[str, TableSum]
    different: tuple[str, ...]


def back_up(database_url: str, folder: Path, *, programs: Path | None = None) -> Path:
    """Write a backup into a folder and return its path; beside it stands what it holds (`About`).

    Checksums and dump are of the same moment: the dump reads the snapshot of the transaction that sums up.

    Raises
    ------
    ConfigurationError, UnavailableError
        If pg_dump is not there or fails, or the database is away.
    """
    program = find_program("pg_dump", programs)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made_at = datetime.now(UTC)
    path = folder / f"{made_at:%Y%m%dT%H%M%SZ}{ENDING}"
    draft = path.with_suffix(".partial")
    draft.touch(mode=0o600)
    try:
        with connect(database_url, application_name="sojourn backup") as connection, reachable():
            _, version = read_edition(connection)
            with connection.transaction():
                connection.execute("set transaction isolation level repeatable read, read only")
                connection.execute("set local idle_in_transaction_session_timeout = 0")  # as long as the dump takes
                (snapshot,) = connection.execute("select pg_export_snapshot()").fetchone() or ("",)
                run(program, database_url, "--format=custom", f"--snapshot={snapshot}", f"--file={draft}")
                about = About(
                    made_at=made_at,
                    timescaledb=version,
                    newest_migration=_newest(connection),
                    tables=checksums(connection),
                )
        path.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(about)))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def restore(database_url: str, path: Path, *, programs: Path | None = None) -> Compared:
    """Put a backup into an empty database and compare its checksums.

    Raises
    ------
    ConfigurationError
        If the database is not empty, TimescaleDB is another version, or pg_restore is not there.
    UnavailableError
        If the database is away or pg_restore fails.
    """
    program = find_program("pg_restore", programs)
    about = read_about(path)
    with connect(database_url, application_name="sojourn restore") as connection, reachable():
        _prepare(connection, about)
        connection.execute("select timescaledb_pre_restore()")
    try:
        run(program, database_url, "--format=custom", "--no-owner", "--exit-on-error", str(path))
    finally:
        with connect(database_url, application_name="sojourn restore") as connection, reachable():
            connection.execute("select timescaledb_post_restore()")
    with connect(database_url, application_name="sojourn restore") as connection, reachable():
        connection.execute("analyze")
        pending(connection)  # raises if this program is not the one for it
        found = checksums(connection)
    return compare(about.tables, found)


def compare(before: Mapping[str, TableSum], after: Mapping[str, TableSum]) -> Compared:
    """Return what there is now and what of it is not what it was."""
    return Compared(
        tables=dict(after), different=tuple(name for name, one in before.items() if after.get(name) != one)
    )


def read_about(path: Path) -> About:
    """Return what stands beside a backup.

    Raises
    ------
    ConfigurationError
        If it is not there or cannot be read.
    """
    try:
        return msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=About)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigurationError(
            f"What {path.name} holds cannot be read.", hint="Keep the JSON file beside each backup."
        ) from error


def _prepare(connection: Connection, about: About) -> None:
    held = connection.execute("select to_regclass('sojourn_migration') is not null").fetchone()
    if held == (True,):
        raise ConfigurationError(
            "This database holds something already.", hint="Name an empty one: `create database restored`."
        )
    connection.execute("set client_min_messages = warning")
    connection.execute("create extension if not exists timescaledb")
    _, version = read_edition(connection)
    if version != about.timescaledb:
        raise ConfigurationError(
            f"The backup is of TimescaleDB {about.timescaledb}, this server has {version}.",
            hint="Restore with the version of the backup, then `alter extension timescaledb update`.",
        )
    if connection.execute("select from pg_roles where rolname = %s", [READER]).fetchone() is None:
        connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(READER)))
    # and who may act as whom: the restored database says that all is granted already, so no migration does it again
    enrol(connection)


def _newest(connection: Connection) -> str:
    row = connection.execute("select max(name) from sojourn_migration").fetchone()
    return "" if row is None or row[0] is None else str(row[0])
