"""Every method of the accuracy grid as a function from a scene to visits."""

from collections.abc import Callable
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


class Given(NamedTuple):
    """A scene as methods take it."""

    scene: Scene
    ordered: peers.Ordered


def given(scene: Scene) -> Given:
    """Return a scene with its signals in the order in which the others take them."""
    return Given(scene, peers.ordered(scene.plan, scene.signals))


Method: TypeAlias = Callable[[Given], Reported]


def methods(scene: Scene) -> dict[str, tuple[Method, Method]]:
    """Return by name how each method decodes a scene, and how it decodes devices that stand still in that store.

    The second reports stays of any length; ours then runs under the model that was learnt from the first.
    """
    any_length = Settings(stay_min_ns=0)
    found: dict[str, tuple[Method, Method]] = {name: (peer, peer) for name, peer in PEERS.items()}
    learnt = calibrate(scene.plan, scene.signals, Settings())
    for name, model in ((PRIORS, prior_model(scene.plan)), (CALIBRATED, learnt)):
        found[name] = (_ours(model, Settings()), _ours(model, any_length))
    oracle = _peer(lambda told: peers.oracle(told.ordered, told.scene.zone))
    found[ORACLE] = (oracle, oracle)
    return found


def _ours(model: Model, settings: Settings) -> Method:
    return lambda told: ours(told.scene, model, settings)


def _peer(decode: Callable[[Given], VisitArray]) -> Method:
    return lambda told: Reported(decode(told))


PEERS: Final[dict[str, Method]] = {
    "latest signal": _peer(lambda told: peers.latest_signal(told.ordered)),
    "strongest of 5 s": _peer(lambda told: peers.strongest_of_window(told.ordered)),
    "median + hysteresis": _peer(lambda told: peers.median_hysteresis(told.ordered, told.scene.interval_s)),
    "EMA + hysteresis": _peer(lambda told: peers.ema_hysteresis(told.ordered, told.scene.interval_s)),
}
PRIORS: Final = "ours, priors"
CALIBRATED: Final = "ours, self-calibrated"
ORACLE: Final = "oracle"
