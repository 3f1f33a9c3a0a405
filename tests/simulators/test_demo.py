import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from servers.home import sojourn_home
from servers.provide import Installed

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("installed")]
ROOT = Path(__file__).parents[2]


def demo(*arguments: str, shoppers: int = 20) -> list[str]:
    return [sys.executable, "-m", "sojourn", "demo", "--shoppers", str(shoppers), *arguments]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOJOURN_")}
    return {**kept, "SOJOURN_HOME": str(sojourn_home()), "PYTHONUNBUFFERED": "1", "TERM": "dumb"}


class Running:
    """A demo that runs until it is told to stop."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.output: list[str] = []

    def read_until(self, words: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if words in line:
                return
        raise AssertionError(f"{words!r} was never said:\n{''.join(self.output)}")

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def folders(self) -> set[Path]:
        """The run folder, as its processes name it; other demos may run in the same home."""
        words = " ".join(word for process in self.family() for word in cmdline(process))
        return {Path(found) for found in re.findall(rf"{re.escape(str(sojourn_home()))}/demo-[\w.-]+", words)}

    def end(self) -> str:
        rest, _ = self.process.communicate(timeout=60)
        return "".join(self.output) + rest


@pytest.fixture
def running(installed: Installed) -> Iterator[Running]:
    with subprocess.Popen(
        demo(), cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield Running(process)
        if process.poll() is None:
            process.kill()


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def assert_gone(family: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(family, timeout=30)
    assert [process.cmdline() for process in alive] == []


def test_a_short_demo_loses_nothing_counts_nothing_twice_and_leaves_nothing() -> None:
    run = subprocess.run(
        demo("--for", "20", "--json", shoppers=60), cwd=ROOT, env=environment(), capture_output=True, text=True,
        timeout=200, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout.splitlines()[-1])
    assert list(report) == ["signals", "visits", "profiles_with_journey", "signal_to_page_s"]
    signals = report["signals"]
    assert signals["sent"] == signals["logged"] == signals["decoded"] > 100_000
    assert signals["missing"] == signals["duplicated"] == 0
    visits = report["visits"]
    assert visits["truth"] > 500
    assert visits["matched"] > 0.6 * visits["truth"]
    assert visits["store"] > 50
    assert report["profiles_with_journey"] == 12
    assert 0 < report["signal_to_page_s"]["p50"] <= report["signal_to_page_s"]["p99"]
    assert "http://127.0.0.1:" in run.stderr


def test_ctrl_c_leaves_no_process_and_no_folder(running: Running) -> None:
    running.read_until("in a browser")
    family = running.family()
    folders = running.folders()
    assert len(folders) == 1
    names = " ".join(word for process in family for word in process.cmdline())
    assert all(word in names for word in ("ingest", "api", "simulate-live", "mosquitto", "postgres"))
    running.process.send_signal(signal.SIGINT)
    assert "nothing is left behind" in running.end()
    assert running.process.returncode == 0
    assert_gone(family)
    assert all(not folder.exists() for folder in folders)


def test_being_stopped_while_starting_leaves_nothing_either(running: Running) -> None:
    folders: set[Path] = set()
    while not folders:
        folders = running.folders()
        assert running.process.poll() is None
    family = running.family()
    running.process.send_signal(signal.SIGTERM)
    running.end()
    assert_gone(family)
    assert all(not folder.exists() for folder in folders)


def test_a_demo_that_is_killed_takes_its_processes_along(running: Running) -> None:
    running.read_until("in a browser")
    family = running.family()
    running.process.kill()
    running.process.wait()
    assert_gone(family)


def test_a_process_that_dies_is_reported_with_the_end_of_its_log(running: Running) -> None:
    running.read_until("in a browser")
    family = running.family()
    ingest = next(process for process in family if "ingest" in process.cmdline())
    ingest.kill()
    said = running.end()
    assert running.process.returncode == 1
    assert "`sojourn ingest` ended by itself (exit code -9)" in said
    assert_gone(family)


def test_a_chosen_port_that_is_taken_is_one_sentence(installed: Installed) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        run = subprocess.run(
            demo("--for", "5", "--port", str(port)), cwd=ROOT, env=environment(), capture_output=True, text=True,
            timeout=100, check=False,
        )  # fmt: skip
    assert run.returncode == os.EX_UNAVAILABLE
    assert run.stderr.strip() == (
        f"Port {port} on 127.0.0.1 is taken by another program. Stop it, or choose another with --port."
    )
