"""Pick the parameters of the other methods on scenes that are not reported: python -m benchmarks.accuracy_pick."""

import itertools
import sys
from collections.abc import Callable
from typing import Final

import numpy as np

from benchmarks import accuracy_peers as peers
from benchmarks.accuracy_scenes import FULL, WORKLOADS, Point, make, seed_of
from benchmarks.accuracy_score import score
from core.records import VisitArray

SEED: Final = 1  # no base of reported scenes
SCENES: Final = 2

_Decode = Callable[[peers.Ordered], VisitArray]


def candidates() -> dict[str, dict[str, _Decode]]:
    """Return what is tried, by method and parameters."""
    found: dict[str, dict[str, _Decode]] = {"strongest of 5 s": {}, "median + hysteresis": {}, "EMA + hysteresis": {}}
    for median in (False, True):
        found["strongest of 5 s"][f"median {median}"] = lambda given, median=median: peers.strongest_of_window(
            given, median=median
        )
    for window, hysteresis_db in itertools.product((3.0, 4.0, 5.0, 7.0, 10.0), (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)):
        found["median + hysteresis"][f"window {window:.0f} adverts, hysteresis {hysteresis_db:.0f} dB"] = (
            lambda given, one=window, other=hysteresis_db: peers.median_hysteresis(given, 1.0, one, other)
        )
    for share, expire, hysteresis_db in itertools.product(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.7), (5.0, 10.0, 20.0), (2.0, 4.0, 6.0, 8.0)
    ):
        found["EMA + hysteresis"][
            f"share {share}, expire {expire:.0f} adverts, hysteresis {hysteresis_db:.0f} dB"
        ] = lambda given, one=share, two=expire, three=hysteresis_db: peers.ema_hysteresis(
            given, 1.0, one, two, three
        )
    return found


def main() -> int:
    """Print the five best of each method."""
    scenes = []
    for workload in WORKLOADS:
        point = Point(workload=workload)
        scenes += [make(point, seed_of(point, number, SEED), FULL) for number in range(SCENES)]
    given = [(scene.truth, peers.ordered(scene.plan, scene.signals)) for scene in scenes]
    for name, tried in candidates().items():
        f1 = {
            words: [score(truth, decode(signals)).measures["f1"] for truth, signals in given]
            for words, decode in tried.items()
        }
        for words in sorted(f1, key=lambda words: -np.mean(f1[words]))[:5]:
            print(f"{name:<22}{words:<56}", np.round(f1[words], 3), f"{np.mean(f1[words]):.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
