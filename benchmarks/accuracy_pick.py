"""Pick the parameters of the other methods on scenes that are not reported: python -m benchmarks.accuracy_pick."""

import itertools
import sys
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

import numpy as np

from benchmarks import accuracy_peers as peers
from benchmarks.accuracy_scenes import FULL, WORKLOADS, Point, make, seed_of
from benchmarks.accuracy_score import score
from core.records import VisitArray

SEED: Final = 1  # no base of reported scenes
SCENES: Final = 2

_Decode: TypeAlias = Callable[[peers.Ordered], VisitArray]


def candidates() -> dict[str, dict[str, _Decode]]:
    """Return what is tried, by method and parameters."""
    strongest = {f"median {median}": partial(peers.strongest_of_window, median=median) for median in (False, True)}
    medians: dict[str, _Decode] = {}
    for window, hysteresis_db in itertools.product((3.0, 4.0, 5.0, 7.0, 10.0), (0.0, 2.0, 4.0, 6.0, 8.0, 10.0)):
        words = f"window {window:.0f} adverts, hysteresis {hysteresis_db:.0f} dB"
        medians[words] = partial(
            peers.median_hysteresis, interval_s=1.0, window_adverts=window, hysteresis_db=hysteresis_db
        )
    averages: dict[str, _Decode] = {}
    for share, expire, hysteresis_db in itertools.product(
        (0.1, 0.2, 0.3, 0.5, 0.7, 0.9), (5.0, 10.0, 20.0), (4.0, 6.0, 8.0, 10.0, 12.0)
    ):
        words = f"share {share}, expire {expire:.0f} adverts, hysteresis {hysteresis_db:.0f} dB"
        averages[words] = partial(
            peers.ema_hysteresis, interval_s=1.0, share=share, expire_adverts=expire, hysteresis_db=hysteresis_db
        )
    return {"strongest of 5 s": {**strongest}, "median + hysteresis": medians, "EMA + hysteresis": averages}


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
