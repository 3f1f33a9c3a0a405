from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import ConfigurationError, UnavailableError
from servers.process import free_port
from storage.connect import connect
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
