"""`python -m benchmarks soak`: a whole store at half of what the machine can take, for half an hour, and what grows.

Edges (real agents and outboxes), broker, ingest and database on this machine. First the edges hear as much as gets
committed: that is the top rate. Then they hear half of it, and every ten seconds memory, open files, connections, lag
and outboxes are written down. Flat means: the last third is not above the second by more than its own scatter.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import msgspec
import psutil
from rich.console import Console
from rich.progress import Progress

from benchmarks.drawing import over_time
from benchmarks.soak_edges import EDGES, ZONES, Told
from core.floorplan import load
from core.limits import NS_PER_S
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from servers.provide import provide
from simulators.demo.processes import Processes
from storage.connect import Connection, connect
from storage.log.ingest_status import load_status
from storage.log.signals import tally
from storage.migrate import migrate
from storage.stores import save_plan

STORE: Final = "soak"
_EVERY_S: Final = 10.0
_TOP_S: Final = 60.0
_SETTLE_S: Final = 20.0
_MB: Final = 1e6


@dataclass(frozen=True)
class Sample:
    """One look: memory is what a process holds alone (USS, MB); lag from a signal's time to its commit, seconds."""

    at_s: float
    signals: int
    lag_s: float
    ingest_mb: float
    edges_mb: float
    broker_mb: float
    database_mb: float
    files: int
    connections: int
    outbox_rows: int
    outbox_mb: float
    parked: int


class Edges:
    """The process of the edges and what it last said."""

    def __init__(self, mqtt_url: str, folder: Path, rate: float) -> None:
        with (folder / "edges.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.soak_edges", STORE, mqtt_url, str(folder), str(rate)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.told = Told(0, 0, 0, 0, 0)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        if self.process.stdout is not None:
            for line in self.process.stdout:
                self.told = msgspec.json.decode(line, type=Told)

    def end(self) -> int:
        """Let them deliver what they have; 0 if all of it arrived."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        code = self.process.wait(120)
        self._thread.join(5)
        return code


@contextmanager
def hearing(mqtt_url: str, folder: Path, rate: float) -> Iterator[Edges]:
    """Run the edges; they are ended in any case."""
    edges = Edges(mqtt_url, folder, rate)
    try:
        yield edges
    finally:
        if edges.process.poll() is None:
            edges.process.kill()
            edges.process.wait()


def main(arguments: list[str]) -> int:
    """Measure; print a table; 0 if nothing grew and nothing is missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, help="signals a second, instead of half the top rate")
    parser.add_argument("--out", type=Path, help="folder for soak.json and soak.svg")
    asked = parser.parse_args(arguments)
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="sojourn-soak-") as name:
        folder = Path(name)
        installed = provide()
        with Postgres(installed, folder / "database") as database, Mosquitto(installed, folder / "broker") as broker:
            url = database.dsn()
            migrate(url)
            with connect(url) as connection:
                save_plan(connection, load(_plan()))
            servers = {"SOJOURN_DATABASE_URL": url, "SOJOURN_MQTT_URL": broker.url}
            with Processes(folder, servers) as processes, connect(url) as connection:
                processes.start("ingest")
                _await_ingest(connection)
                top = None if asked.rate else _top(broker.url, folder, connection)
                rate = asked.rate if top is None else top / 2
                samples, missing = _soak(connection, broker, database, folder, rate, asked.minutes * 60, console)
                processes.check()
    verdict = _verdict(samples)
    told = {
        "command": shlex.join(["python", "-m", "benchmarks", "soak", *arguments]),
        "top_signals_a_s": top,
        "rate_signals_a_s": rate,
        "minutes": asked.minutes,
        "signals": samples[-1].signals,
        "missing_batches": missing,
        **verdict,
    }
    print(json.dumps(told, indent=1))
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / "soak.json").write_text(json.dumps({**told, "samples": [asdict(one) for one in samples]}))
        (asked.out / "soak.svg").write_text(picture(samples))
    return 1 if missing or verdict["grew"] else 0


def picture(samples: list[Sample]) -> str:
    """Return memory and lag over time."""
    minutes = [one.at_s / 60 for one in samples]
    names = {"ingest": "ingest_mb", "edges": "edges_mb", "broker": "broker_mb"}
    memory = {name: [float(getattr(one, field)) for one in samples] for name, field in names.items()}
    return over_time("Half an hour at half the top rate: memory of each process, MB", minutes, memory)


def _plan() -> str:
    zones = [{"id": f"z{n}", "kind": "department"} for n in range(ZONES)]
    anchors = [{"id": f"a{n}", "zone": f"z{n}"} for n in range(ZONES)]
    return json.dumps({"stores": [{"id": STORE, "timezone": "UTC", "zones": zones, "anchors": anchors}]})


def _await_ingest(connection: Connection) -> None:
    pause = threading.Event()
    for _ in range(3000):
        status = load_status(connection)
        if status is not None and status.broker_connected:
            return
        pause.wait(0.1)
    raise TimeoutError("ingest does not reach the broker")


def _top(mqtt_url: str, folder: Path, connection: Connection) -> float:
    """Return how many signals a second are committed when edges hear without end."""
    with hearing(mqtt_url, folder, 0) as edges:
        pause = threading.Event()
        pause.wait(_SETTLE_S)
        begun_s, before = time.monotonic(), tally(connection, STORE).signals
        pause.wait(_TOP_S)
        rate = (tally(connection, STORE).signals - before) / (time.monotonic() - begun_s)
        edges.end()
    return rate


def _soak(  # noqa: PLR0917  # what is looked at
    connection: Connection, broker: Mosquitto, database: Postgres, folder: Path, rate: float, for_s: float,
    console: Console,
) -> tuple[list[Sample], int]:  # fmt: skip
    before = tally(connection, STORE)
    samples: list[Sample] = []
    with hearing(broker.url, folder, rate) as edges, Progress(console=console) as progress:
        task = progress.add_task("soaking", total=for_s)
        pause = threading.Event()
        begun_s = time.monotonic()
        while (at_s := time.monotonic() - begun_s) < for_s:
            pause.wait(_EVERY_S)
            samples.append(_look(connection, broker, database, edges, at_s, before.signals))
            progress.update(task, completed=at_s)
        left = edges.end()
        accepted = edges.told.batches
    after = tally(connection, STORE)
    return samples, accepted - (after.batches - before.batches) + left


def _look(  # noqa: PLR0917  # what is looked at
    connection: Connection, broker: Mosquitto, database: Postgres, edges: Edges, at_s: float, before: int
) -> Sample:
    status = load_status(connection)
    row = connection.execute("select count(*) from pg_stat_activity where backend_type = 'client backend'").fetchone()
    told = edges.told
    ours = psutil.Process()
    ingest = next(child for child in ours.children() if "ingest" in child.cmdline())
    groups = {
        "ingest": [ingest],
        "edges": [psutil.Process(edges.process.pid)],
        "broker": [psutil.Process(broker.pid)],
        "database": [psutil.Process(database.pid), *psutil.Process(database.pid).children()],
    }
    memory = {name: sum(_uss(one) for one in group) / _MB for name, group in groups.items()}
    newest = 0 if status is None or status.newest_signal_at is None else status.newest_signal_at
    return Sample(
        at_s=round(at_s, 1),
        signals=(0 if status is None else status.signals) - before,
        lag_s=0.0 if status is None else round((status.changed_at - newest) / NS_PER_S, 2),
        **{f"{name}_mb": round(megabytes, 1) for name, megabytes in memory.items()},
        files=sum(one.num_fds() for name in ("ingest", "edges", "broker") for one in groups[name]),
        connections=0 if row is None else int(row[0]),
        outbox_rows=told.rows,
        outbox_mb=round(told.outbox_bytes / _MB, 1),
        parked=0 if status is None else status.parked,
    )


def _uss(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().uss)
    except psutil.NoSuchProcess:  # a backend that has just ended
        return 0.0


def _verdict(samples: list[Sample]) -> dict[str, object]:
    """Compare the last third with the one before it, by medians; what is more than its scatter and 2% has grown."""
    third = len(samples) // 3
    middle, last = samples[third : 2 * third], samples[-third:]
    grew, told = [], {}
    for name in Sample.__dataclass_fields__:
        if name in {"at_s", "signals"}:
            continue
        before = [float(getattr(one, name)) for one in middle]
        after = [float(getattr(one, name)) for one in last]
        told[name] = {
            "second_third": statistics.median(before),
            "last_third": statistics.median(after),
            "most": max(float(getattr(one, name)) for one in samples),
        }
        room = max(0.02 * statistics.median(before), statistics.pstdev(before), 1.0)
        if statistics.median(after) > statistics.median(before) + room:
            grew.append(name)
    return {"edges": EDGES, "measured": told, "grew": grew}
