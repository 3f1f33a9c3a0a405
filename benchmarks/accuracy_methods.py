"""Every method of the accuracy grid as a function from a scene to visits."""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from benchmarks import accuracy_peers as peers
from benchmarks.accuracy_scenes import Scene
from core.dwell.calibration import calibrate
from core.dwell.engine import StoreEngine
from core.dwell.model import Model, prior_model
from core.dwell.settings import Settings
from core.records import VisitArray

PUSH: Final = 16_384
"""Signals to a push; visits do not depend on it."""


class Reported(NamedTuple):
    """What a method says about a scene."""

    visits: VisitArray
    late_share: float = float("nan")


def ours(scene: Scene, model: Model, settings: Settings | None = None) -> Reported:
    """Decode a scene with the engine as the replay does: one source, in order of arrival.

    Of a visit that was revised, the newest revision counts.
    """
    engine = StoreEngine(scene.plan, model, settings if settings is not None else Settings())
    numbers = np.arange(int(scene.signals["device"].max(initial=0)) + 1, dtype=np.uint64)
    index = engine.device_index(np.stack([numbers, numbers], axis=1).view(np.uint8))
    signals = scene.signals.copy()
    signals["device"] = index[signals["device"]]
    pushed = [engine.push(signals[begin : begin + PUSH]) for begin in range(0, len(signals), PUSH)]
    visits = np.concatenate([*pushed, engine.finish()])
    number_of = np.zeros(len(index), np.int32)
    number_of[index] = np.arange(len(index))
    visits["device"] = number_of[visits["device"]]
    return Reported(_newest(visits), engine.counts.late / max(1, len(signals)))


def _newest(visits: VisitArray) -> VisitArray:
    key = ["device", "kind", "zone", "entered_at"]
    order = np.lexsort((visits["revision"], *(visits[name] for name in reversed(key))))
    ordered = visits[order]
    last = np.ones(len(ordered), np.bool_)
    if len(ordered):
        last[:-1] = ordered[key][1:] != ordered[key][:-1]
    return ordered[last]


Method: TypeAlias = Callable[[Scene], Reported]


def methods(scene: Scene) -> dict[str, tuple[Method, Method]]:
    """Return by name how each method decodes a scene, and how it decodes devices that stand still in that store.

    The second reports stays of any length; ours then runs under the model that was learnt from the first.
    """
    any_length = Settings(stay_min_ns=0)
    found: dict[str, tuple[Method, Method]] = {name: (peer, peer) for name, peer in PEERS.items()}
    learnt = calibrate(scene.plan, scene.signals, Settings())
    for name, model in ((PRIORS, prior_model(scene.plan)), (CALIBRATED, learnt)):
        found[name] = (partial(ours, model=model), partial(ours, model=model, settings=any_length))
    found[ORACLE] = (_oracle, _oracle)
    return found


def _oracle(scene: Scene) -> Reported:
    return Reported(peers.oracle(peers.ordered(scene.plan, scene.signals), scene.zone))


def _peer(decode: Callable[[peers.Ordered, float], VisitArray]) -> Method:
    return lambda scene: Reported(decode(peers.ordered(scene.plan, scene.signals), scene.interval_s))


PEERS: Final[dict[str, Method]] = {
    "latest signal": _peer(lambda given, _: peers.latest_signal(given)),
    "strongest of 5 s": _peer(lambda given, _: peers.strongest_of_window(given)),
    "median + hysteresis": _peer(peers.median_hysteresis),
    "EMA + hysteresis": _peer(peers.ema_hysteresis),
}
PRIORS: Final = "ours, priors"
CALIBRATED: Final = "ours, self-calibrated"
ORACLE: Final = "oracle"
