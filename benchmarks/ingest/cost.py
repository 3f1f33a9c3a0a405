"""What groups of processes cost: CPU with all that they started, memory, and how it went over time."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import psutil

_MB: Final = 1e6


@dataclass(frozen=True)
class Moment:
    """One look: committed signals, CPU seconds and memory (PSS, MB) of each group."""

    at_s: float
    signals: int
    cpu_s: Mapping[str, float]
    memory_mb: Mapping[str, float]


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process and of everything it started, ended ones included."""
    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        taken = times.user + times.system + times.children_user + times.children_system
        return taken + sum(_own(child) for child in process.children(recursive=True))
    except psutil.NoSuchProcess:
        return 0.0


def _own(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # a backend that has just ended: its parent has its time now
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def memory_mb(pid: int) -> float:
    """Return the memory of a process and of what it started; shared pages count once (PSS)."""
    try:
        process = psutil.Process(pid)
        return sum(_pss(one) for one in [process, *process.children(recursive=True)]) / _MB
    except psutil.NoSuchProcess:
        return 0.0


def _pss(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0.0


class Meter:
    """Looks every `every_s` at groups of processes until it is stopped.

    Parameters
    ----------
    groups : mapping of str to int
        Process ids by name; each stands for itself and what it starts.
    signals : callable
        Returns how many signals are committed.
    every_s : float
    """

    def __init__(self, groups: Mapping[str, int], signals: Callable[[], int], every_s: float) -> None:
        self.moments: list[Moment] = []
        self._groups = groups
        self._signals = signals
        self._every_s = every_s
        self._begun_s = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Meter":
        self._begun_s = time.monotonic()
        self.moments.append(self._look())
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()
        self.moments.append(self._look())

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self.moments.append(self._look())

    def _look(self) -> Moment:
        return Moment(
            round(time.monotonic() - self._begun_s, 2),
            self._signals(),
            {name: cpu_s(pid) for name, pid in self._groups.items()},
            {name: memory_mb(pid) for name, pid in self._groups.items()},
        )


@dataclass(frozen=True)
class Cost:
    """A stretch of time: signals a second, and CPU by group.

    `per_core_second` is signals to CPU seconds of all groups: what one core would do if it did nothing else.
    """

    seconds: float
    signals: int
    cpu_s: Mapping[str, float]
    peak_mb: Mapping[str, float]

    @property
    def per_second(self) -> float:
        """Signals a second of wall time."""
        return self.signals / self.seconds

    @property
    def per_core_second(self) -> float:
        """Signals a second of CPU time."""
        return self.signals / max(sum(self.cpu_s.values()), 1e-9)


def cost_between(moments: list[Moment]) -> Cost:
    """Return the cost from the first to the last of these moments."""
    first, last = moments[0], moments[-1]
    return Cost(
        last.at_s - first.at_s,
        last.signals - first.signals,
        {name: last.cpu_s[name] - first.cpu_s[name] for name in first.cpu_s},
        {name: max(moment.memory_mb[name] for moment in moments) for name in first.memory_mb},
    )
