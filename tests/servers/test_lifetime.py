import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from servers.guard import clean_up
from servers.postgres import Postgres
from servers.process import port_is_free
from servers.provide import Installed
from tests.servers.lifetime import Starter, accepts, processes_of, shared_memory_segments, starter, until

pytestmark = pytest.mark.servers


def nothing_is_left(start: Starter, segments_before: set[str]) -> None:
    until(lambda: not processes_of(start.folder), "no process of the servers is left")
    assert not (start.folder / "database/data/postmaster.pid").exists()
    assert port_is_free(start.database_port)
    assert port_is_free(start.broker_port)
    assert not [path for path in start.folder.rglob("*") if path.is_socket()]
    until(lambda: segment_of_none(segments_before), "no shared memory is left")


def guards_of(start: Starter) -> list[int]:
    """Return the parents of both servers."""
    return [psutil.Process(pid).ppid() for pid in (start.database_pid, start.broker_pid)]


def segment_of_none(before: set[str]) -> bool:
    """Say whether every segment that is new since then still has a process (another server's, then)."""
    lines = [line.split() for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]]
    return not [line for line in lines if line[1] not in before and line[6] == "0"]


def test_servers_die_with_a_starter_that_is_killed(installed: Installed, tmp_path: Path) -> None:
    before = shared_memory_segments()
    with starter(tmp_path) as start:
        assert accepts(start.database_port)
        assert accepts(start.broker_port)
        start.process.kill()
        start.process.wait()
        nothing_is_left(start, before)


def test_a_server_dies_with_a_guard_that_is_killed(installed: Installed, tmp_path: Path) -> None:
    before = shared_memory_segments()
    with starter(tmp_path) as start:
        for guard in guards_of(start):
            assert guard != start.process.pid
            os.kill(guard, signal.SIGKILL)
        until(lambda: not accepts(start.database_port) and not accepts(start.broker_port), "the servers have ended")
        start.process.kill()
        start.process.wait()
        nothing_is_left(start, before)


def test_guard_and_starter_killed_at_once(installed: Installed, tmp_path: Path) -> None:
    before = shared_memory_segments()
    with starter(tmp_path) as start:
        for pid in (start.process.pid, *guards_of(start)):
            os.kill(pid, signal.SIGKILL)
        start.process.wait()
        nothing_is_left(start, before)


def test_ctrl_c_leaves_the_servers_to_their_starter(installed: Installed, tmp_path: Path) -> None:
    before = shared_memory_segments()
    with starter(tmp_path) as start:
        for pid in (*guards_of(start), start.database_pid, start.broker_pid):
            assert os.getpgid(pid) != start.process.pid
        os.killpg(start.process.pid, signal.SIGINT)  # what a terminal does: the whole foreground group
        assert start.process.stdout is not None
        assert json.loads(start.process.stdout.readline()) == [True, True]
        assert start.process.wait(30) == 0
        nothing_is_left(start, before)


def test_an_orderly_end_leaves_nothing(installed: Installed, tmp_path: Path) -> None:
    before = shared_memory_segments()
    with starter(tmp_path) as start:
        assert start.process.stdin is not None
        start.process.stdin.close()
        assert start.process.wait(30) == 0
        nothing_is_left(start, before)


def test_after_a_killed_starter_the_same_data_starts_again(installed: Installed, tmp_path: Path) -> None:
    with starter(tmp_path) as start:
        start.process.kill()
        start.process.wait()
        with Postgres(installed, tmp_path / "database") as again:  # waits until the guard is done
            assert accepts(again.port)


def test_a_killed_postmaster_leaves_no_shared_memory(own_database: Postgres) -> None:
    own_database.start()
    segment = (own_database.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
    assert segment in shared_memory_segments()
    own_database.kill()
    assert segment not in shared_memory_segments()
    assert not (own_database.data / "postmaster.pid").exists()


def test_cleaning_up_where_nothing_is(tmp_path: Path) -> None:
    clean_up(tmp_path / "postmaster.pid")
    (tmp_path / "postmaster.pid").write_text("17\n")
    clean_up(tmp_path / "postmaster.pid")
    assert not list(tmp_path.iterdir())
