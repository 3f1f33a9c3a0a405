"""One run of `sojourn recompute` as somebody starts it: how long it took, and whose CPU it was."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Final

import psutil

from benchmarks.ingest.cost import cpu_s
from benchmarks.recompute.filling import FIRST_DAY
from storage.connect import Connection

_LOOK_S: Final = 0.1
_LONGEST_S: Final = 3_600.0
_WORKER: Final = "spawn_main"
"""In the command line of a process that Dask's nanny has spawned."""
_TASKS: Final = """
select extract(epoch from min(done_at - make_interval(secs => took_s))), extract(epoch from max(done_at)),
       sum(took_s), max(took_s), count(*)
  from recompute_task where run_no = (select max(run_no) from recompute_run)
"""


@dataclass(frozen=True)
class Ran:
    """What a run took, in seconds.

    Wall time: `before_s` the first task, `tasks_s` for all, `after_s` the last; `took_s` all tasks one by one, the
    longest `longest_s`. CPU time: each worker's, the driver's (with one worker it is that one), the database's.
    """

    workers: int
    load: float
    wall_s: float
    before_s: float
    tasks_s: float
    after_s: float
    took_s: float
    longest_s: float
    tasks: int
    workers_cpu_s: tuple[float, ...]
    driver_cpu_s: float
    database_cpu_s: float


def recompute(
    connection: Connection, database_url: str, database_pid: int, *, days: int, workers: int, switch: bool = False
) -> Ran:
    """Run it; without `switch` everything is made out afresh and nothing becomes visible.

    Raises
    ------
    RuntimeError
        With what it said, if it failed.
    """
    last = FIRST_DAY.replace(day=FIRST_DAY.day + days - 1)
    words = [
        "recompute",
        "--from",
        f"{FIRST_DAY:%Y-%m-%d}",
        "--to",
        f"{last:%Y-%m-%d}",
        "--model",
        "latest",
        "--quiet",
    ]
    words += ["--workers", str(workers)] + ([] if switch else ["--dry-run", "--afresh"])
    load, database_cpu_s, begun_at = os.getloadavg()[0], cpu_s(database_pid), time.time()
    process = subprocess.Popen(
        [sys.executable, "-m", "sojourn", *words],
        env={**os.environ, "SOJOURN_DATABASE_URL": database_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watched = _Watched(process.pid)
    said, _ = process.communicate(timeout=_LONGEST_S)
    ended_at = time.time()
    watched.end()
    if process.returncode:
        raise RuntimeError(f"sojourn recompute failed: {said[-2000:]}")
    row = connection.execute(_TASKS).fetchone()
    if row is None or row[0] is None:
        raise RuntimeError("Nothing was recomputed.")
    first_at, last_at, took_s, longest_s, tasks = map(float, row)
    return Ran(
        workers=workers,
        load=load,
        wall_s=ended_at - begun_at,
        before_s=first_at - begun_at,
        tasks_s=last_at - first_at,
        after_s=ended_at - last_at,
        took_s=took_s,
        longest_s=longest_s,
        tasks=int(tasks),
        workers_cpu_s=watched.workers_cpu_s,
        driver_cpu_s=watched.driver_cpu_s,
        database_cpu_s=cpu_s(database_pid) - database_cpu_s,
    )


class _Watched:
    """The CPU time of a process and of the workers it starts, as they were when last seen."""

    def __init__(self, pid: int) -> None:
        self._driver = psutil.Process(pid)
        self._seen: dict[int, float] = {}
        self.driver_cpu_s = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    @property
    def workers_cpu_s(self) -> tuple[float, ...]:
        """Of each worker."""
        return tuple(self._seen.values())

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_S):
            try:
                self.driver_cpu_s = _cpu_s(self._driver)
                children = self._driver.children(recursive=True)
            except psutil.NoSuchProcess:
                return
            for child in children:
                try:
                    if _WORKER in " ".join(child.cmdline()):
                        self._seen[child.pid] = _cpu_s(child)
                except (psutil.NoSuchProcess, psutil.ZombieProcess):
                    continue


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
