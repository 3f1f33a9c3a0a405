"""The accuracy grid: how well visits and dwell times agree with what really happened, ours beside others.

    python -m benchmarks.accuracy --quick            (a minute)
    python -m benchmarks.accuracy --results benchmarks/RESULTS.md --json accuracy.json

Nothing is tuned to what is reported here: our parameters are priors or come from self-calibration on the scene's own
signals (never from its truth); those of the others were picked on seeds that are not reported.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.accuracy_methods import methods
from benchmarks.accuracy_scenes import FULL, QUICK, WORKLOADS, Point, Size, grid, make, make_still, seed_of
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
    found = {}
    for name, (decode, decode_still) in methods(scene).items():
        reported = decode(scene)
        scored = score(scene.truth, reported.visits)
        scored.measures["late_share"] = reported.late_share
        scored.measures["switches_per_hour"] = switches_per_hour(still.truth, decode_still(still).visits)
        found[name] = scored
    return found


def tasks(workloads: Sequence[str], only: Sequence[str], seeds: int, base: int, size: Size) -> list[Task]:
    """Return all scenes of the grid; `only` names dimensions, all where it is empty."""
    return [
        Task(dimension, point, seed_of(point, number, base), size)
        for workload in WORKLOADS
        if workload in workloads
        for dimension, point in grid(workload)
        if not only or dimension in only
        for number in range(seeds)
    ]


def gather(given: Sequence[Task], found: Sequence[dict[str, Scored]]) -> list[dict[str, Any]]:
    """Return per point and method the mean and the spread (standard deviation) over seeds of every measure."""
    points: dict[tuple[str, Point], list[dict[str, Scored]]] = {}
    for task, scored in zip(given, found, strict=True):
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


def main(argv: list[str]) -> int:
    """Run the grid and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--workload", choices=WORKLOADS, action="append")
    parser.add_argument("--only", action="append", default=[], help="a dimension (or usual); may be repeated")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--seed", type=int, default=SEED, help="another base gives other scenes throughout")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", nargs="?", const="-")
    given = parser.parse_args(argv)
    began = time.perf_counter()
    seeds = given.seeds if given.seeds is not None else (2 if given.quick else 5)
    todo = tasks(given.workload or WORKLOADS, given.only, seeds, given.seed, QUICK if given.quick else FULL)
    if given.processes > 1:
        with ProcessPoolExecutor(given.processes) as pool:
            found = list(pool.map(run, todo))
    else:
        found = list(map(run, todo))
    points = gather(todo, found)
    for row in points:
        print(row["workload"], row["dimension"], row["value"] if row["value"] is not None else "")
        for name, of in row["methods"].items():
            told = {key: of["measures"][key]["mean"] for key in MEASURES}
            print(f"   {name:<24}", "  ".join(f"{key} {value:.3f}" for key, value in told.items() if value is not None))
    print(f"took {time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
