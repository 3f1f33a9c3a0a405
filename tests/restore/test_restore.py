"""A backup that nobody has restored is a hope: here it is restored, compared, and worked on."""

from pathlib import Path

import pytest

from core.errors import ConfigurationError, UnavailableError
from servers.clients import provide_clients
from servers.postgres import Postgres
from storage.backup.checksum import checksums
from storage.backup.copying import back_up, compare, restore
from storage.connect import connect
from tests.restore.drill import drill, erase_again, erase_somebody, goes_on, seed

pytestmark = pytest.mark.servers
BATCHES = 40


@pytest.fixture(scope="session")
def programs() -> Path:
    return provide_clients()


def test_a_restored_database_holds_the_same_and_goes_on(
    database_url: str, empty_database_url: str, tmp_path: Path, programs: Path
) -> None:
    seed(database_url, batches=BATCHES)
    found = drill(database_url, empty_database_url, tmp_path / "backups", programs)
    assert found.compared.different == ()
    assert found.compared.tables == found.before
    assert found.before["signal_log"].rows == BATCHES
    for table in ("zone_visit", "store_visit", "profile", "consent_event", "edge_cursor"):
        assert found.before[table].rows > 0, table
    (backup,) = (tmp_path / "backups").glob("*.sojourn-backup")
    assert backup.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigurationError, match="holds something already"):
        restore(empty_database_url, backup, programs=programs)
    erased = erase_somebody(database_url, tmp_path / "privacy")
    assert erase_again(empty_database_url, erased, tmp_path / "privacy").profiles == 1
    goes_on(empty_database_url, after=BATCHES)

    with connect(database_url) as connection:  # a table that is not what it was is found
        before = checksums(connection)
        connection.execute(
            "update zone_visit set dwell_s = dwell_s + 0.001 where visit_id ="
            " (select min(visit_id::text)::uuid from zone_visit)"
        )
        assert compare(before, checksums(connection)).different == ("zone_visit",)
        assert compare(before, before).different == ()


def test_what_cannot_be_says_what_to_do(database_url: str, tmp_path: Path, programs: Path) -> None:
    with pytest.raises(ConfigurationError, match="postgresql-client-17"):
        back_up(database_url, tmp_path, programs=tmp_path)
    with pytest.raises(ConfigurationError, match="Keep the JSON file beside each backup"):
        restore(database_url, tmp_path / "none.sojourn-backup", programs=programs)
    (tmp_path / "pg_dump").write_text("#!/bin/sh\necho no room >&2\nexit 1\n")
    (tmp_path / "pg_dump").chmod(0o755)
    with pytest.raises(UnavailableError, match="pg_dump fails: no room"):
        back_up(database_url, tmp_path / "backups", programs=tmp_path)
    assert list((tmp_path / "backups").iterdir()) == [], "nothing half done stays"


def test_a_server_that_knew_none_of_our_roles_has_them_after_a_restore(
    database_url: str, own_database: Postgres, tmp_path: Path, programs: Path
) -> None:
    """Roles belong to the server, not to the database: a dump holds neither them nor who may act as whom."""
    backup = back_up(database_url, tmp_path / "backups", programs=programs)
    with connect(own_database.dsn()) as connection:
        connection.execute("create database restored")
    restored = own_database.dsn("restored")
    assert restore(restored, backup, programs=programs).different == ()
    with connect(restored) as connection, connection.transaction():
        lock = "select has_function_privilege(%s, 'pg_advisory_lock(bigint)', 'execute')"
        may = [connection.execute(lock, [role]).fetchone() for role in ("sojourn_reader", "sojourn_crm_everywhere")]
        assert may == [(False,), (True,)], "which are rights of the database, not of the server"
        connection.execute("set local role sojourn_crm_everywhere")  # as the API does for a request
        assert connection.execute("select count(*) from profile").fetchone() == (0,)
