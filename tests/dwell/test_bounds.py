"""How long before its first signal a device may have come, how long after its last it may have gone: by its own gaps.

Bounds are stated as 95%. Of 200 visits of which each is covered with that chance, fewer than 186 are once in ten.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from core.dwell.engine import StoreEngine
from core.records import SIGNAL, SignalArray, VisitArray, VisitKind
from tests.dwell.scenes import START_NS, grid_plan, pseudonyms

pytestmark = pytest.mark.kernels
S: Final = 10**9
PLAN: Final = grid_plan(3)
DEVICES: Final = 200
STAY_S: Final = 900.0
Random = np.random.Generator
Gaps = Callable[[Random], NDArray[np.float64]]


def every(interval_s: float, loss: float) -> Gaps:
    """Adverts at a fixed interval, some of which nobody hears."""

    def gaps(random: Random) -> NDArray[np.float64]:
        return np.float64(interval_s) * random.geometric(1 - loss, 2000).astype(np.float64)

    return gaps


def by_chance(random: Random) -> NDArray[np.float64]:
    return random.exponential(8.0, 2000)


def in_bursts(random: Random) -> NDArray[np.float64]:
    """Five adverts within two seconds, then nothing for 18 to 58: a phone in a pocket."""
    gaps = np.full((400, 5), 0.4)
    gaps[:, 4] = random.uniform(18.4, 58.4, 400)
    return gaps.ravel()


def slower(random: Random) -> NDArray[np.float64]:
    """Once a second for a minute or two, then once in forty: the screen goes dark."""
    return np.concatenate([np.ones(int(random.integers(60, 120))), np.full(1000, 40.0)])


def heard_of(gaps: Gaps, stays_s: NDArray[np.float64], random: Random) -> tuple[SignalArray, NDArray[np.float64]]:
    """Signals of devices that stand before one anchor, one visit each, and when each came and went (seconds).

    They come at any moment of what they send, but for those who slow down, who begin when they come.
    """
    seconds, spans = [], np.zeros((len(stays_s), 2))
    for device, stay_s in enumerate(stays_s):
        sent_at = np.cumsum(gaps(random))
        begin = 0.0 if gaps is slower else random.uniform(sent_at[0], sent_at[len(sent_at) // 4])
        came = random.uniform(0, 3600)
        spans[device] = came, came + stay_s
        inside = sent_at[(sent_at >= begin) & (sent_at < begin + stay_s)] - begin + came
        seconds.append(np.stack([inside, np.full(len(inside), device)], axis=1))
    told = np.concatenate(seconds)
    signals = np.zeros(len(told), SIGNAL)
    signals["ts"] = START_NS + (told[:, 0] * 1e6).astype(np.int64) * 1000
    signals["device"], signals["rssi_dbm"] = told[:, 1].astype(np.int64), -60
    return np.sort(signals, order=["ts", "device"]), spans


def visits_of(signals: SignalArray, devices: int) -> VisitArray:
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(devices))
    return np.concatenate([engine.push(signals), engine.finish()])


def covered(visits: VisitArray, spans: NDArray[np.float64]) -> list[float]:
    """Share of entries and of exits within their bounds, of the store and of the zone, of who was reported once."""
    shares = []
    for kind in (VisitKind.STORE, VisitKind.ZONE):
        found = visits[visits["kind"] == kind]
        once = found[np.bincount(found["device"], minlength=len(spans))[found["device"]] == 1]
        assert len(once) >= 0.9 * len(spans)
        true = START_NS + (spans[once["device"]] * S).astype(np.int64)
        came = (once["entered_earliest"] <= true[:, 0]) & (true[:, 0] <= once["entered_latest"])
        went = (once["left_earliest"] <= true[:, 1]) & (true[:, 1] <= once["left_latest"])
        shares += [float(came.mean()), float(went.mean())]
    return shares


@pytest.mark.parametrize(
    "gaps",
    [every(1, 0.2), every(2, 0.8), every(5, 0.5), every(10, 0.2), every(10, 0.5), every(20, 0.2), every(45, 0),
     by_chance, in_bursts],
    ids=["1s.2", "2s.8", "5s.5", "10s.2", "10s.5", "20s.2", "45s", "by chance", "in bursts"],
)  # fmt: skip
def test_however_a_device_sends_its_first_visit_came_and_went_within_the_bounds(gaps: Gaps) -> None:
    signals, spans = heard_of(gaps, np.full(DEVICES, STAY_S), np.random.default_rng(7))
    assert min(covered(visits_of(signals, DEVICES), spans)) >= 0.93


def test_who_slows_down_is_known_by_its_first_wide_gap() -> None:
    random = np.random.default_rng(7)
    signals, spans = heard_of(slower, random.uniform(170, 400, DEVICES), random)
    assert min(covered(visits_of(signals, DEVICES), spans)) >= 0.93


def test_what_was_assumed_of_a_device_is_no_bound_once_its_gaps_are_known() -> None:
    """Who sends each second was not there twelve seconds before its first advert."""
    signals, _ = heard_of(every(1, 0.2), np.full(20, 120.0), np.random.default_rng(8))
    visits = visits_of(signals, 20)
    before_s = (visits["entered_at"] - visits["entered_earliest"]) / S
    after_s = (visits["left_latest"] - visits["left_at"]) / S
    assert np.median(before_s) < 5
    assert np.median(after_s) < 5


def test_one_wide_gap_counts_until_nearly_twenty_times_its_length_has_passed() -> None:
    """A pause of fifty seconds, and then an advert each second for as long as it takes to know better."""
    for after_s, wide in ((2, True), (600, True), (1200, False)):
        seconds = [*range(60), *range(109, 109 + after_s)]
        signals = np.zeros(len(seconds), SIGNAL)
        signals["ts"], signals["rssi_dbm"] = START_NS + np.array(seconds) * S, -60
        store = visits_of(signals, 1)
        store = store[store["kind"] == VisitKind.STORE]
        assert len(store) == 1
        assert (int(store["left_latest"][0] - store["left_at"][0]) > 10 * S) == wide


def test_no_zone_was_entered_before_the_store() -> None:
    """The zone visit is told when the next zone is known, the store visit at the end, when more gaps are."""
    random = np.random.default_rng(9)
    signals, _ = heard_of(by_chance, np.full(DEVICES, STAY_S), random)
    signals["anchor"] = ((signals["ts"] - START_NS) // (200 * S)) % 3
    visits = visits_of(signals, DEVICES)
    stores = visits[visits["kind"] == VisitKind.STORE]
    assert np.bincount(stores["device"]).max() == 1
    earliest = np.zeros(DEVICES, np.int64)
    earliest[stores["device"]] = stores["entered_earliest"]
    zones = visits[visits["kind"] == VisitKind.ZONE]
    assert len(zones) > 2 * len(stores)
    assert (zones["entered_earliest"] >= earliest[zones["device"]]).all()
