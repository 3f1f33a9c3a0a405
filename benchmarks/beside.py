"""Peers in processes of their own, taking turns; PostgreSQL from the servers that the project brings along."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.measuring import Say
from benchmarks.peers.databases import DATABASE
from benchmarks.peers.job import Columns, Peer
from benchmarks.peers.table import PEERS
from benchmarks.workload import StoreLoad
from servers.apt import Progress
from servers.errors import FetchError, ServersError
from servers.postgres import Postgres
from servers.provide import provide

TOP: Final = Path(__file__).parents[1]
PEERS_PYTHON: Final = TOP / ".cache/bench/bin/python"
"""Made by `make setup-bench`; without it peers are looked for beside ours."""
_LIMIT_S: Final = 900


@dataclass
class Beside:
    """What one peer took at one size: CPU and wall nanoseconds per signal, bytes; or why it was not measured."""

    peer: Peer
    signals: int = 0
    cpu_ns: list[float] = field(default_factory=list)
    wall_ns: list[float] = field(default_factory=list)
    peak_bytes: int = 0
    before_bytes: int = 0
    sessions: int = 0
    version: str = ""
    reason: str | None = None

    @property
    def ns(self) -> float | None:
        """Median CPU nanoseconds per signal."""
        return median(self.cpu_ns) if self.cpu_ns else None

    def told(self, engine_ns: float) -> dict[str, Any]:
        """Return it for the JSON."""
        if self.ns is None:
            return {"ns": None, "job": self.peer.job, "ratio_to_engine": None, "reason": self.reason}
        return {
            "ns": round(self.ns, 2),
            "job": self.peer.job,
            "ratio_to_engine": round(self.ns / engine_ns, 2),
            "signals": self.signals,
            "peak_mb": round(self.peak_bytes / 1e6, 1),
            "job_mb": round((self.peak_bytes - self.before_bytes) / 1e6, 1),
            "sessions": self.sessions,
            "version": self.version,
        }


def beside(
    stores: list[StoreLoad], rounds: int, say: Say, *, quick: bool, names: list[str] | None = None
) -> dict[str, Beside]:
    """Let every peer do its job on a workload, once a round, in turn.

    Parameters
    ----------
    stores : list of StoreLoad
    rounds : int
    say : Say
    quick : bool
        Whether slow peers get little (some seconds in all) or as much as they can take.
    names : list of str, optional
        Only these.
    """
    found = {name: Beside(peer) for name, peer in PEERS.items() if names is None or name in names}
    with tempfile.TemporaryDirectory(prefix="sojourn-bench-") as folder, _database(Path(folder), found) as dsn:
        columns = Columns.of(stores)
        columns.write(Path(folder))
        for _ in range(rounds):
            for name, result in found.items():
                if result.reason is not None or (result.cpu_ns and result.signals < len(columns)):
                    continue  # a slow one, measured on a part: once is enough
                say(f"{name} beside ours")
                part = min(len(columns), result.peer.quick if quick else result.peer.most)
                _take(result, _run(result.peer, Path(folder), part, dsn))
    return found


def _take(result: Beside, told: dict[str, Any]) -> None:
    result.reason = told.get("missing")
    if result.reason is None:
        result.signals, result.sessions, result.version = told["signals"], told["sessions"], told["version"]
        result.cpu_ns.append(told["cpu_ns"])
        result.wall_ns.append(told["wall_ns"])
        result.peak_bytes = max(result.peak_bytes, told["peak_bytes"])
        result.before_bytes = max(result.before_bytes, told["before_bytes"])


def _run(peer: Peer, folder: Path, signals: int, dsn: str | None) -> dict[str, Any]:
    """Run a peer's process; whatever goes wrong in it becomes a reason."""
    python = PEERS_PYTHON if PEERS_PYTHON.exists() and peer.name != "sojourn" else Path(sys.executable)
    environment = dict(os.environ)
    if dsn is not None:
        environment[DATABASE] = dsn
    command = [str(python), "-m", "benchmarks.peers", peer.name, str(folder), str(signals)]
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=TOP, env=environment, timeout=_LIMIT_S
        )
        told: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"missing": f"took longer than {_LIMIT_S} s"}
    except (IndexError, ValueError):
        last = run.stderr.strip().splitlines()
        return {"missing": f"failed: {last[-1] if last else run.returncode}"}
    return told


@contextmanager
def _database(folder: Path, wanted: dict[str, Beside]) -> Iterator[str | None]:
    """Start the project's own PostgreSQL if it has been fetched; give `dsn pid`."""
    if "postgresql" not in wanted:
        yield None
        return
    try:
        server = Postgres(provide(fetch=_fetch_nothing), folder / "database", sync_initdb=False)
        server.start()
    except ServersError as error:
        wanted["postgresql"].reason = f"{error.what} {error.hint}".strip()
        yield None
        return
    try:
        yield f"{server.dsn()} {server.pid}"
    finally:
        server.stop()


def _fetch_nothing(_work: Path, _progress: Progress) -> list[Path]:
    raise FetchError("The project's own PostgreSQL is not there.", hint="`python -m servers` fetches it.")
