"""The API as a process of its own, as people run it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import uvicorn
from fastapi import FastAPI

from api.server import Transport, _config
from tests.access import HEADERS

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
"""How long anything may take on a busy machine before a test gives up: an API starts in 3 s, and took more than 20 on
one whose processors were taken by others."""

T = TypeVar("T")


class Served:
    """A running API; `stop` and `start` keep the port, so that pages can find it again."""

    def __init__(self, database_url: str, log: Path) -> None:
        self._database_url = database_url
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, patience_s: float = PATIENCE_S) -> None:
        """Start, and wait until it answers."""
        program = "import sys; from api import run; run(sys.argv[1], port=int(sys.argv[2]))"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, self._database_url, str(self.port)],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
        try:
            wait_for(self._answers, f"the API; its log:\n{self.log()}", seconds=patience_s)
        except AssertionError:
            self.stop(signal.SIGKILL)
            raise

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Stop, and return how many seconds that took."""
        if self._process is None:
            return 0.0
        began = time.monotonic()
        self._process.send_signal(number)
        self._process.wait(PATIENCE_S)
        self._process = None
        return time.monotonic() - began

    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text() if self._log.exists() else ""

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"the API ended:\n{self.log()}")
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/v1/health").status_code == 200
        return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@contextlib.contextmanager
def answering(app: FastAPI) -> Iterator[httpx.Client]:
    """Run an application in a thread and lend a client that asks it with the tests' key."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as api.server does
        config = _config(app, Transport(), "info")
        config.timeout_graceful_shutdown = 1
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="api", daemon=True)
        thread.start()
        try:
            wait_for(lambda: server.started or not thread.is_alive(), "the application")
            port = listener.getsockname()[1]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S, headers=HEADERS) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(what: Callable[[], T], name: str, *, seconds: float = PATIENCE_S) -> T:
    """Return the first true answer."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {name}")
        time.sleep(0.02)


def events(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    """The events of a live stream: name and data."""
    name = ""
    for line in response.iter_lines():
        if line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            yield name, json.loads(line.removeprefix("data:"))
