"""CPU time of jobs that take turns, peak memory, and what machine it was."""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import TypeAlias

Job: TypeAlias = Callable[[], float]
"""Does its work once and returns nanoseconds of CPU time per signal."""
Say: TypeAlias = Callable[[str], None]
"""Told what is being measured."""


def cpu_ns(work: Callable[[], object]) -> int:
    """Return the CPU time of this thread that `work` takes."""
    begun = time.thread_time_ns()
    work()
    return time.thread_time_ns() - begun


def in_turn(jobs: Mapping[str, Job], rounds: int) -> dict[str, list[float]]:
    """Let every job run once a round, after one run of each that does not count; return what each run took.

    Taking turns, all jobs meet the same neighbours on the machine; and as each walks through more memory than the
    processor caches, each finds its own data cold.
    """
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for name in jobs:
        jobs[name]()
    for _ in range(rounds):
        for name, job in jobs.items():
            taken[name].append(job())
    return taken


def ratio(taken: Mapping[str, list[float]], one: str, other: str) -> float:
    """Return the median over rounds of `one` to `other`: what disturbs a round disturbs both."""
    return median(a / b for a, b in zip(taken[one], taken[other], strict=True))


def memory_bytes(field: str = "VmHWM", pid: int | str = "self") -> int:
    """Return the peak (VmHWM) or present (VmRSS) memory of a process.

    Not `getrusage`: its peak begins with that of the process that started this one.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def machine() -> dict[str, str]:
    """Return processor, cores, memory, system and versions, for whoever reads the numbers later."""
    cpu = _first(Path("/proc/cpuinfo").read_text(), "model name")
    total = int(_first(Path("/proc/meminfo").read_text(), "MemTotal").split()[0]) * 1024
    caches = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout
    gcc = (
        subprocess.run(["gcc", "--version"], capture_output=True, text=True, check=False).stdout if _has_gcc() else ""
    )
    return {
        "processor": cpu,
        "cores": str(cpu_count()),
        "l2": _first(caches, "L2 cache"),
        "l3": _first(caches, "L3 cache"),
        "load": f"{os.getloadavg()[0]:.1f}",
        "memory": f"{total / 2**30:.0f} GiB",
        "system": platform.platform(),
        "python": platform.python_version(),
        "gcc": gcc.splitlines()[0] if gcc else "none",
        **{name: metadata.version(name) for name in ("numpy", "numba", "polars")},
    }


def cpu_count() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))


def _has_gcc() -> bool:
    return shutil.which("gcc") is not None


def _first(text: str, key: str) -> str:
    for line in text.splitlines():
        if line.strip().startswith(key):
            return line.partition(":")[2].strip()
    return "unknown"


class CpuWatch:
    """CPU time of this process and of others that come and go while it is watched.

    Each look adds what every process took since the look before, so that one that ends takes nothing away again: only
    what it took after the last look is missing.

    Parameters
    ----------
    pids : callable
        Returns the other processes there are now.
    """

    def __init__(self, pids: Callable[[], Sequence[int]]) -> None:
        self._pids = pids
        self._seen: dict[int, int] = {}
        self._ticks = 0

    def total_s(self) -> float:
        """Return the seconds so far; never less than before."""
        now = {pid: ticks for pid in self._pids() if (ticks := _ticks(pid)) is not None}
        for pid, ticks in now.items():
            before = self._seen.get(pid, 0)
            self._ticks += ticks - before if ticks >= before else ticks  # less: the number was given to another one
        self._seen = now
        return time.process_time() + self._ticks / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int | None:
    """Return the clock ticks that a process took, in its own code and in the kernel; None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[11]) + int(fields[12])
