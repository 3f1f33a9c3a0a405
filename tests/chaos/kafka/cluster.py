"""Three Kafka brokers whose group settles however quickly members come and go: librdkafka's mock cluster over TCP.

Tansu does not: where the leader of a group leaves in order while the group is being formed, it stays the leader, and
everybody who joins waits for it for good (docs/kafka.md).
"""

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.chaos.house import _LEASH, ROOT
from tests.fix_proxy import TcpProxy


class Cluster:
    """Brokers in a process of their own; `servers` is where clients ask for them, and stays.

    Started again they are empty and have other ports, which clients learn at `servers`.
    """

    def __init__(self, log: Path, *, topic: str, partitions: int) -> None:
        self._log = log
        self._environment = {"CLUSTER_TOPIC": topic, "CLUSTER_PARTITIONS": str(partitions)}
        self._process: subprocess.Popen[str] | None = None
        self._door: TcpProxy | None = None

    @property
    def servers(self) -> str:
        if self._door is None:
            raise AssertionError("start it first")
        return f"127.0.0.1:{self._door.port}"

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_LEASH, sys.executable, "-m", "tests.chaos.kafka.cluster_process"],
                cwd=ROOT,
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        brokers = self._process.stdout.readline().strip() if self._process.stdout is not None else ""
        if not brokers:
            raise AssertionError(f"the cluster did not start: {self._log.read_text(errors='replace')}")
        first = f"kafka://{brokers.split(',')[0]}"
        if self._door is None:
            self._door = TcpProxy(first)
        else:
            self._door.turn_to(first)

    def kill(self) -> None:
        """End it at once; all records and offsets are gone."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if self._door is not None:
            self._door.close()
