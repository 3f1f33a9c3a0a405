import os
import socket
from pathlib import Path

import psycopg
import pytest

from servers import identity, postgres, process
from servers.errors import PortTaken, RunError
from servers.identity import Identity
from servers.postgres import Postgres
from servers.process import free_port
from servers.provide import Installed

pytestmark = pytest.mark.servers


def test_a_fresh_database_takes_timescaledb(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE EXTENSION timescaledb")
        connection.execute("CREATE TABLE readings (at timestamptz NOT NULL, level int)")
        connection.execute("SELECT create_hypertable('readings', 'at')")
        row = connection.execute("SELECT count(*) FROM timescaledb_information.hypertables").fetchone()
    assert row == (1,)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),  # also in tests: only initdb skips it
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("timescaledb.telemetry_level", "off"),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
    ],
)
def test_settings(database_server: Postgres, setting: str, value: str) -> None:
    with psycopg.connect(database_server.dsn()) as connection:
        assert connection.execute("SELECT current_setting(%s)", [setting]).fetchone() == (value,)


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


def test_a_wrong_password_is_refused(database_server: Postgres) -> None:
    password = (database_server.folder / "password").read_text().strip()
    assert (database_server.folder / "password").stat().st_mode & 0o077 == 0
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(database_server.dsn().replace(password, "wrong"))


def test_starting_twice_and_stopping_twice_is_no_error(own_database: Postgres) -> None:
    pid = own_database.pid
    own_database.start()
    assert own_database.pid == pid
    own_database.stop()
    own_database.stop()
    own_database.kill()


def test_a_port_in_use(installed: Installed, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        server = Postgres(installed, tmp_path, port=other.getsockname()[1], sync_initdb=False)
        with pytest.raises(PortTaken, match=r"Port \d+ .* is taken by another program.* SOJOURN_DATABASE_URL"):
            server.start()


def test_a_port_lost_in_the_last_moment(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(postgres, "port_is_free", lambda _port: True)
        fixed = Postgres(installed, tmp_path, port=taken, sync_initdb=False)
        with pytest.raises(PortTaken):
            fixed.start()
        ports = iter([taken, free_port()])
        monkeypatch.setattr(process, "free_port", lambda: next(ports))
        with Postgres(installed, tmp_path, sync_initdb=False) as chosen:
            assert chosen.port != taken


def test_a_lock_file_whose_process_id_now_belongs_to_somebody_else(own_database: Postgres) -> None:
    own_database.stop()
    pid_file = own_database.data / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{own_database.data}\n0\n{own_database.port}\n\n127.0.0.1\n0 0\nready\n")
    own_database.start()
    with psycopg.connect(own_database.dsn()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_two_servers_never_share_a_data_folder(
    own_database: Postgres, installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_BUSY_S", 0.3)
    with pytest.raises(RunError, match="Another PostgreSQL runs on the data folder"):
        Postgres(installed, own_database.folder).start()
    assert own_database.running


def test_a_folder_of_somebody_else_is_left_alone(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letters.txt").write_text("mine")
    with pytest.raises(RunError, match="is not a database of ours"):
        Postgres(installed, tmp_path, sync_initdb=False).start()
    assert [path.name for path in tmp_path.rglob("*")] == ["data", "letters.txt"]


def test_what_a_killed_first_start_left_is_swept(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "initdb-left" / "data").mkdir(parents=True)
    with Postgres(installed, tmp_path, sync_initdb=False) as server:
        assert server.running
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "log", "password"]


def test_a_server_that_does_not_start_names_its_log(installed: Installed, tmp_path: Path) -> None:
    server = Postgres(installed, tmp_path, sync_initdb=False, settings={"shared_buffers": "nonsense"})
    with pytest.raises(RunError, match=r"stopped right after its start; its log is .*log"):
        server.start()
    assert "nonsense" in server.log.read_text()
    assert not server.running


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
@pytest.mark.parametrize("way", ["namespace", "capability"])
def test_root_becomes_somebody_else(
    way: str, installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody = {"namespace": identity.in_namespace(), "capability": identity.as_nobody()}[way]
    if not identity.works(somebody):
        pytest.skip(f"this machine does not allow it: {' '.join(somebody.prefix)}")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for module in (process, postgres):
        monkeypatch.setattr(module, "server_identity", lambda: somebody)
    with Postgres(installed, closed / "database", sync_initdb=False) as server:
        owner = Path(f"/proc/{server.pid}").stat().st_uid
        assert owner == (somebody.owner if somebody.owner is not None else 0)
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        server.kill()
        server.start()
    # the machine may allow something else tomorrow
    monkeypatch.undo()
    with (
        Postgres(installed, closed / "database") as server,
        psycopg.connect(server.dsn()) as connection,
    ):
        assert connection.execute("SELECT n FROM kept").fetchone() == (1,)


def test_an_ordinary_user_stays_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(identity, "_has_name", lambda: True)
    assert identity.server_identity.__wrapped__() == Identity((), None)
