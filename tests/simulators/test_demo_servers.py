import io
import os
import socket
from pathlib import Path

import pytest
from rich.console import Console

from core.errors import UnavailableError
from servers.mosquitto import Mosquitto
from servers.process import port_is_free
from simulators.demo import servers as demo_servers
from simulators.demo.processes import Processes
from simulators.demo.servers import free_api_port, run_folder, running_servers
from storage.connect import connect
from tests.api.serving import wait_for


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_next_free_port_is_taken_and_told(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(demo_servers, "PORT", port)
        found = free_api_port(None, console)
    assert found > port
    assert said(console) == f"Port {port} is taken; the pages are on {found}.\n"


def test_a_free_port_needs_no_words(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert port_is_free(port)
    monkeypatch.setattr(demo_servers, "PORT", port)
    assert free_api_port(None, console) == port
    assert said(console) == ""


def test_the_folder_of_a_run_goes_and_takes_those_of_killed_runs_along(tmp_path: Path) -> None:
    killed = tmp_path / "demo-killed"
    (killed / "database").mkdir(parents=True)
    with run_folder(tmp_path) as folder:
        assert not killed.exists()
        assert folder.stat().st_mode & 0o077 == 0
        with run_folder(tmp_path) as second:  # another demo at the same time
            assert folder.exists()
            assert second != folder
        assert folder.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.servers
def test_servers_of_ones_own_get_a_database_that_goes_away(
    empty_database_url: str, broker: Mosquitto, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOJOURN_DATABASE_URL", empty_database_url)
    monkeypatch.setenv("SOJOURN_MQTT_URL", broker.url)

    def databases() -> set[str]:
        with connect(empty_database_url, application_name="test") as connection:
            return {row[0] for row in connection.execute("select datname from pg_database").fetchall()}

    before = databases()
    with running_servers(tmp_path, tmp_path, console) as servers:
        assert servers.mqtt_url == broker.url
        assert servers.database_url != empty_database_url
        with connect(servers.database_url, application_name="test") as connection:
            connection.execute("create table things ()")
        assert len(databases() - before) == 1
    assert databases() == before
    assert os.listdir(tmp_path) == []  # noqa: PTH208  # nothing was fetched or made


@pytest.mark.servers
def test_a_broker_of_ones_own_that_is_away_is_one_sentence(
    empty_database_url: str, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOJOURN_DATABASE_URL", empty_database_url)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("SOJOURN_MQTT_URL", f"mqtt://127.0.0.1:{port}")
    with (
        pytest.raises(UnavailableError, match=f"The broker at 127.0.0.1:{port} does not answer"),
        running_servers(tmp_path, tmp_path, console),
    ):
        pass


def test_a_database_of_ones_own_that_is_away_is_one_sentence(
    tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("SOJOURN_DATABASE_URL", f"postgresql://nobody@127.0.0.1:{port}/none")
    monkeypatch.setenv("SOJOURN_MQTT_URL", "mqtt://127.0.0.1:1")
    with (
        pytest.raises(UnavailableError, match="SOJOURN_DATABASE_URL"),
        running_servers(tmp_path, tmp_path, console),
    ):
        pass


def test_what_its_processes_said_last_is_told_when_they_are_not_ready(tmp_path: Path) -> None:
    with Processes(tmp_path, {}) as processes:
        processes.start("no-such-command")
        wait_for(lambda: "No such command" in processes.tails(), "the end of the log")
        assert processes.tails().startswith("── no-such-command ──\n")
