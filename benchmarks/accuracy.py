"""The accuracy grid: how well visits and dwell times agree with what really happened, ours beside others.

    python -m benchmarks accuracy --quick            (a minute)
    SOJOURN_RECORDINGS=… python -m benchmarks accuracy --results benchmarks/RESULTS.md --json accuracy.json

Nothing is tuned to what is reported here: our parameters are priors or come from self-calibration on the scene's own
signals (never from its truth); those of the others were picked on seeds that are not reported.
"""

import argparse
import json
import multiprocessing
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import numba
import numpy as np

from benchmarks import accuracy_recordings, accuracy_report
from benchmarks.accuracy_methods import given, methods
from benchmarks.accuracy_scenes import (
    DIMENSIONS,
    FULL,
    QUICK,
    WORKLOADS,
    Point,
    Size,
    grid,
    make,
    make_still,
    seed_of,
)
from benchmarks.accuracy_score import MEASURES, Scored, score, switches_per_hour

SEED: Final = 20_261


class Task(NamedTuple):
    """One scene of one point."""

    dimension: str
    point: Point
    seed: int
    size: Size


def run(task: Task) -> dict[str, Scored]:
    """Return what every method makes of one scene and of devices that stand still."""
    scene, still = make(task.point, task.seed, task.size), make_still(task.point, task.seed, task.size)
    told, told_still = given(scene), given(still)
    found = {}
    for name, (decode, decode_still) in methods(scene).items():
        reported = decode(told)
        scored = score(scene.truth, reported.visits)
        scored.measures["late_share"] = reported.late_share
        scored.measures["switches_per_hour"] = switches_per_hour(still.truth, decode_still(told_still).visits)
        found[name] = scored
    return found


def tasks(workloads: Sequence[str], only: Sequence[str] | None, seeds: int, base: int, size: Size) -> list[Task]:
    """Return all scenes of the grid; `only` names dimensions, all where there is none."""
    return [
        Task(dimension, point, seed_of(point, number, base), size)
        for workload in WORKLOADS
        if workload in workloads
        for dimension, point in grid(workload)
        if not only or dimension in only
        for number in range(seeds)
    ]


def gather(run_tasks: Sequence[Task], found: Sequence[dict[str, Scored]]) -> list[dict[str, Any]]:
    """Return per point and method the mean and the spread (standard deviation) over seeds of every measure."""
    points: dict[tuple[str, Point], list[dict[str, Scored]]] = {}
    for task, scored in zip(run_tasks, found, strict=True):
        points.setdefault((task.dimension, task.point), []).append(scored)
    rows = []
    for (dimension, point), seeds in points.items():
        by_method = {}
        for name in seeds[0]:
            by_method[name] = {
                "measures": {key: _spread([one[name].measures[key] for one in seeds]) for key in MEASURES},
                "reliability": np.sum([one[name].reliability for one in seeds], axis=0).tolist(),
            }
        value = getattr(point, dimension) if dimension != "usual" else None
        rows.append(
            {
                "workload": point.workload,
                "dimension": dimension,
                "value": value,
                "seeds": len(seeds),
                "methods": by_method,
            }
        )
    return rows


def _spread(values: list[float]) -> dict[str, float | None]:
    told = np.array([value for value in values if value == value])  # noqa: PLR0124  # NaN is not itself
    if not len(told):
        return {"mean": None, "sd": None}
    return {"mean": float(told.mean()), "sd": float(told.std(ddof=1)) if len(told) > 1 else None}


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Run the grid and the recordings, and return the result as JSON has it."""
    began = time.perf_counter()
    seeds = asked.seeds if asked.seeds is not None else (2 if asked.quick else 5)
    workloads = asked.workload if asked.workload is not None else list(WORKLOADS)
    todo = tasks(workloads, asked.only, seeds, asked.seed, QUICK if asked.quick else FULL)
    data = accuracy_recordings.folder() if asked.recordings else None
    names = list(accuracy_recordings.RECORDINGS) if data is not None else []
    if asked.processes > 1:
        # not forked: polars has threads
        with ProcessPoolExecutor(asked.processes, multiprocessing.get_context("spawn")) as pool:
            found = list(_told(pool.map(run, todo), len(todo)))
            told = list(pool.map(accuracy_recordings.measure, names, [data] * len(names)))
    else:
        found = list(_told(map(run, todo), len(todo)))
        told = [accuracy_recordings.measure(name, data) for name in names if data is not None]
    return {
        "machine": f"{platform.machine()}, {_processor()}, {os.cpu_count()} cores",
        "versions": f"Python {platform.python_version()}, numpy {np.__version__}, numba {numba.__version__}",
        "command": _command(asked),
        "seed": asked.seed,
        "seeds": seeds,
        "took_s": time.perf_counter() - began,
        "points": gather(todo, found),
        "recordings": {
            name: {method: figures._asdict() for method, figures in of.items()}
            for name, of in zip(names, told, strict=True)
        },
    }


def _told(found: Iterable[dict[str, Scored]], count: int) -> Iterator[dict[str, Scored]]:
    """Say on stderr how far the run has come."""
    for number, one in enumerate(found, start=1):
        print(f"\raccuracy: scene {number} of {count}", end="", file=sys.stderr, flush=True)
        yield one
    print(file=sys.stderr)


def _command(asked: argparse.Namespace) -> str:
    """Return what to type for the same figures, without the names of files."""
    words = ["python", "-m", "benchmarks", "accuracy", *(["--quick"] if asked.quick else [])]
    for name in ("workload", "only"):
        words += [word for value in getattr(asked, name) or () for word in (f"--{name}", value)]
    for name in ("seeds", "seed"):
        if getattr(asked, name) not in (None, SEED):
            words += [f"--{name}", str(getattr(asked, name))]
    return shlex.join(words)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else "unknown processor"


def main(argv: list[str]) -> int:
    """Run the grid and print its section, write it, or print JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="smaller scenes, two a point, the usual point only")
    parser.add_argument("--workload", choices=WORKLOADS, action="append")
    parser.add_argument(
        "--only", choices=["usual", *DIMENSIONS], action="append", help="a dimension; may be repeated"
    )
    parser.add_argument("--seeds", type=int, help="scenes a point")
    parser.add_argument("--seed", type=int, default=SEED, help="another base gives other scenes throughout")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--no-recordings", dest="recordings", action="store_false")
    parser.add_argument("--results", type=Path, help="Markdown file whose accuracy section is replaced")
    parser.add_argument("--json", type=Path, nargs="?", const=Path("-"), help="file, or standard output")
    asked = parser.parse_args(argv)
    if asked.quick and asked.only is None:
        asked.only = ["usual"]
    result = measure(asked)
    if asked.results is not None:
        accuracy_report.write(result, asked.results)
    if asked.json is not None:
        told = json.dumps(result, allow_nan=False)
        if asked.json == Path("-"):
            print(told)
        else:
            asked.json.write_text(told + "\n", encoding="utf-8")
    if asked.results is None and asked.json is None:
        print(accuracy_report.section(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
