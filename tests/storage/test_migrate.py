import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from core.errors import ConfigurationError, UnavailableError
from servers.process import free_port
from storage.access.grants import ungranted
from storage.connect import Connection, connect
from storage.edition import Edition, read_edition
from storage.migrate import NO_TRANSACTION, migrate, migrations, pending

pytestmark = pytest.mark.servers


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    return folder


def test_every_file_is_applied_once_in_order(empty_database_url: str) -> None:
    names = [migration.name for migration in migrations()]
    assert names == sorted(names)
    assert len(names) >= 4
    assert migrate(empty_database_url) == names
    assert migrate(empty_database_url) == []
    with connect(empty_database_url) as connection:
        assert pending(connection) == []
        assert read_edition(connection)[0] in Edition


def test_starts_at_the_same_time_do_not_collide(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda _: migrate(empty_database_url), range(4)))
    assert sorted(name for names in applied for name in names) == [migration.name for migration in migrations()]


def test_a_changed_file_is_an_error_that_names_it(empty_database_url: str, tmp_path: Path) -> None:
    write(tmp_path, a="create table a (x int)")
    assert migrate(empty_database_url, folder=tmp_path) == ["a.sql"]
    write(tmp_path, a="create table a (x bigint)")
    with pytest.raises(ConfigurationError, match=r"a\.sql was changed"):
        migrate(empty_database_url, folder=tmp_path)


def test_a_newer_database_is_an_error(empty_database_url: str, tmp_path: Path) -> None:
    migrate(empty_database_url, folder=write(tmp_path, a="select 1", b="select 2"))
    (tmp_path / "b.sql").unlink()
    with pytest.raises(ConfigurationError, match=r"b\.sql, which this program does not know"):
        migrate(empty_database_url, folder=tmp_path)


def test_a_file_cannot_slip_in_before_applied_ones(empty_database_url: str, tmp_path: Path) -> None:
    migrate(empty_database_url, folder=write(tmp_path, b="select 1"))
    with pytest.raises(ConfigurationError, match=r"a\.sql comes before b\.sql"):
        migrate(empty_database_url, folder=write(tmp_path, a="select 2"))


def test_a_file_that_fails_leaves_nothing(empty_database_url: str, tmp_path: Path) -> None:
    write(tmp_path, a="create table kept (x int)", b="create table gone (x int); select nonsense")
    with pytest.raises(UnavailableError, match=r"refuses the migration b\.sql"):
        migrate(empty_database_url, folder=tmp_path)
    with connect(empty_database_url) as connection:
        found = connection.execute("select to_regclass('kept') is null, to_regclass('gone') is null").fetchone()
    assert found == (False, True)
    write(tmp_path, b="create table gone (x int)")
    assert migrate(empty_database_url, folder=tmp_path) == ["b.sql"]


def test_the_marker_runs_a_file_outside_of_a_transaction(empty_database_url: str, tmp_path: Path) -> None:
    index = "create index concurrently if not exists a_x on a (x)"
    write(tmp_path, a="create table a (x int)", b=index)
    with pytest.raises(UnavailableError, match="transaction block"):
        migrate(empty_database_url, folder=tmp_path)
    write(tmp_path, b=f"{NO_TRANSACTION}\n{index}")
    assert migrate(empty_database_url, folder=tmp_path) == ["b.sql"]


def test_a_database_that_is_away_is_a_sentence() -> None:
    with pytest.raises(UnavailableError, match=r"does not answer.*SOJOURN_DATABASE_URL"):
        migrate(f"postgresql://postgres@127.0.0.1:{free_port()}/nothing")


def test_a_url_that_is_none_is_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="postgresql://"):
        migrate("http://127.0.0.1/")


def test_a_database_without_the_extension_says_what_to_run(empty_database_url: str) -> None:
    with connect(empty_database_url) as connection, pytest.raises(UnavailableError, match="sojourn migrate"):
        read_edition(connection)


@pytest.fixture
def nobody_special(empty_database_url: str) -> Iterator[tuple[str, Connection]]:
    """The URL of a login that owns the database and may make no roles, and a superuser's connection."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("create extension timescaledb")
        connection.execute("create role nobody_special login password 'known'")
        connection.execute(f'alter database "{connection.info.dbname}" owner to nobody_special')
        connection.execute("alter schema public owner to nobody_special")
        yield make_conninfo(empty_database_url, user="nobody_special", password="known"), connection
        connection.execute("reassign owned by nobody_special to current_user")
        connection.execute("drop owned by nobody_special")
        connection.execute("drop role nobody_special")


def test_a_login_that_may_not_make_roles_is_told_what_to_have_run(
    nobody_special: tuple[str, Connection], database_template: str
) -> None:
    """The server has the roles of another database already; this login may not act as them."""
    assert database_template
    url, superuser = nobody_special
    with pytest.raises(ConfigurationError) as refused:
        migrate(url)
    with connect(url) as connection:
        assert pending(connection) == []
        lacks = ungranted(connection)
        assert lacks is not None
        assert "sojourn_operations_everywhere" in lacks
    to_run = re.search("Let a superuser run: (.*); then run", refused.value.hint)
    assert to_run is not None
    superuser.execute(to_run[1].encode())
    assert migrate(url) == []
    with connect(url) as connection:
        assert ungranted(connection) is None
        connection.execute("set role sojourn_operations_everywhere")
        assert connection.execute("select count(*) from store").fetchone() == (0,)


def test_a_right_that_is_lacking_is_found(database_url: str) -> None:
    with connect(database_url) as connection:
        assert ungranted(connection) is None
        connection.execute("revoke update on note from sojourn_crm")
        assert ungranted(connection) == "the role sojourn_crm may not use the table note"
