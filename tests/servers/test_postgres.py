import psycopg
import pytest

from servers.postgres import Postgres

pytestmark = pytest.mark.servers


def test_a_fresh_database_takes_timescaledb(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE EXTENSION timescaledb")
        row = connection.execute("SELECT current_setting('timescaledb.license'), current_setting('fsync')").fetchone()
    assert row == ("apache", "on")


def test_what_was_committed_survives_sigkill(own_database: Postgres) -> None:
    with psycopg.connect(own_database.dsn()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    address = own_database.dsn()
    own_database.kill()
    assert not own_database.running
    own_database.start()
    assert own_database.dsn() == address
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (1,)
