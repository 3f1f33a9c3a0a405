"""`python -m benchmarks recompute`: days of stores decoded again, on one worker and on several, in turn."""

import argparse
import json
import os
import shlex
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.measuring import machine
from benchmarks.recompute.filling import fill
from benchmarks.recompute.measuring import Ran, recompute
from benchmarks.results_part import replace_part
from servers.postgres import Postgres
from servers.provide import provide
from storage.connect import connect
from storage.migrate import migrate

GOAL: Final = 1.8
"""Of two workers over one."""
_COLUMNS: Final = (
    "workers",
    "load before",
    "wall, s",
    "before, tasks, after",
    "tasks one by one (longest)",
    "CPU of workers",
    "driver",
    "database",
)


def main(arguments: list[str]) -> int:
    """Fill a log, recompute it in turn with each number of workers, and print what each run took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recompute", description=__doc__)
    parser.add_argument("--stores", type=int, default=4)
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--shoppers", type=int, default=500, help="of a store and day")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=2, help="how often each number of workers has its turn")
    parser.add_argument("--results", type=Path, help="Markdown file whose part is replaced")
    asked = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="sojourn-recompute-") as folder,
        Postgres(provide(), Path(folder)) as database,
    ):
        url = database.dsn()
        migrate(url)
        with connect(url) as connection:
            begun_s = time.monotonic()
            signals = fill(connection, stores=asked.stores, days=asked.days, shoppers=asked.shoppers)
            print(f"{signals:,} signals in the log after {time.monotonic() - begun_s:.0f} s", flush=True)
            # loads kernels and the log into memory, and compiles what was never compiled here
            recompute(connection, url, database.pid, days=1, workers=1)
            runs = []
            for workers in asked.workers * asked.rounds:
                runs.append(recompute(connection, url, database.pid, days=asked.days, workers=workers))
                print(json.dumps(asdict(runs[-1])), flush=True)
            begun_s = time.monotonic()
            recompute(connection, url, database.pid, days=asked.days, workers=asked.workers[-1], switch=True)
            switch_s = time.monotonic() - begun_s
            changed = connection.execute("select count(*) from visit_revision").fetchone() or (0,)
    command = ["python", "-m", "benchmarks", "recompute", *arguments]
    text = markdown(runs, command, signals=signals, switch_s=switch_s, changed=int(changed[0]))
    print(text)
    if asked.results is not None:
        replace_part(asked.results, "recompute", text)
    return 0


def markdown(runs: Sequence[Ran], command: Sequence[str], *, signals: int, switch_s: float, changed: int) -> str:
    """Return the part of the results file."""
    at = machine()
    one, most = min(run.workers for run in runs), max(run.workers for run in runs)
    lines = [
        "## Recomputation",
        "",
        f"Machine: {at['processor']}, {at['cores']} cores, {at['memory']}. Load after it: {os.getloadavg()[0]:.1f}",
        "(its own and others').",
        "",
        f"    {shlex.join(command)}",
        "",
        f"{signals:,} signals in the log, {runs[0].tasks} days of stores, each decoded from 12 hours before it;",
        "every run is the whole command (`sojourn recompute --dry-run --afresh`), in this order.",
        f"The switch after them took {switch_s:.1f} s for {changed:,} revisions, whatever the number of workers.",
        "",
        f"| {' | '.join(_COLUMNS)} |",
        "|---|---|---|---|---|---|---|---|",
        *map(_row, runs),
        "",
    ]
    if one < most:
        wall = _ratio(runs, one, most, "wall_s")
        tasks = _ratio(runs, one, most, "tasks_s")
        lines += [
            f"**{most} workers beside {one}: {wall:.2f} times as fast for the command, {tasks:.2f} for its tasks**",
            f"(medians; the goal is {GOAL} on two). CPU for the same, of workers, driver and database together:",
            f"{_cpu_ratio(runs, one, most):.2f} times as much.",
        ]
    return "\n".join(lines)


def _row(run: Ran) -> str:
    workers = ", ".join(f"{seconds:.1f}" for seconds in run.workers_cpu_s) or "the driver"
    parts = f"{run.before_s:.1f}, {run.tasks_s:.1f}, {run.after_s:.1f}"
    return (
        f"| {run.workers} | {run.load:.1f} | {run.wall_s:.1f} | {parts} | {run.took_s:.1f} ({run.longest_s:.1f}) "
        f"| {workers} | {run.driver_cpu_s:.1f} | {run.database_cpu_s:.1f} |"
    )


def _ratio(runs: Sequence[Ran], one: int, most: int, what: str) -> float:
    return _median(runs, one, what) / _median(runs, most, what)


def _median(runs: Sequence[Ran], workers: int, what: str) -> float:
    return median(float(getattr(run, what)) for run in runs if run.workers == workers)


def _cpu_ratio(runs: Sequence[Ran], one: int, most: int) -> float:
    """How much more CPU the same work takes on more workers; it is what another machine's walls cannot hide."""

    def cpu_s(workers: int) -> float:
        return median(
            sum(run.workers_cpu_s) + run.driver_cpu_s + run.database_cpu_s for run in runs if run.workers == workers
        )

    return cpu_s(most) / cpu_s(one)
