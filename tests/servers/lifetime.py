"""Watch which processes and traces a server leaves; run servers from a process that can be killed."""

import json
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

WAIT_S = 30.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, up to `WAIT_S`."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {WAIT_S:.0f} s: {what}"
        time.sleep(0.02)


def processes_of(folder: Path) -> list[int]:
    """Return every process whose command line names a folder: servers, their children, their guards."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = " ".join(process.info["cmdline"] or ())
        if str(folder) in words or str(process.info["cwd"] or "").startswith(str(folder)):
            found.append(process.pid)
    return found


def shared_memory_segments() -> set[str]:
    """Return the ids of all System V shared memory segments."""
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


def accepts(port: int) -> bool:
    """Say whether somebody takes connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Starter:
    """A process that has started both servers."""

    process: subprocess.Popen[str]
    folder: Path
    database_pid: int
    database_port: int
    broker_pid: int
    broker_port: int


_SCRIPT = textwrap.dedent("""
    import json, sys, threading
    from pathlib import Path
    from servers.mosquitto import Mosquitto
    from servers.postgres import Postgres
    from servers.provide import provide

    folder = Path(sys.argv[1])
    installed = provide()
    database = Postgres(installed, folder / "database", sync_initdb=False)
    broker = Mosquitto(installed, folder / "broker")
    started = threading.Thread(target=lambda: (database.start(), broker.start()))
    started.start()  # from a thread that ends: the servers belong to the process, not to the thread
    started.join()
    try:
        print(json.dumps([database.pid, database.port, broker.pid, broker.port]), flush=True)
        sys.stdin.read()
        broker.stop()
        database.stop()
    except KeyboardInterrupt:
        print(json.dumps([database.running, broker.running]), flush=True)
        broker.stop()
        database.stop()
""")


@contextmanager
def starter(folder: Path) -> Iterator[Starter]:
    """Start both servers from a process of their own; closing its standard input ends it in order."""
    with subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        yield Starter(process, folder, *json.loads(process.stdout.readline()))
        if process.poll() is None:
            process.kill()
