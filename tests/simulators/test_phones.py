"""Phones that hear beacons: words of regions and sparse ranging, decoded by the engine that decodes gateways."""

import numpy as np
import pytest

from core.dwell.engine import StoreEngine
from core.records import APP_ENTER, APP_EXIT, NO_ZONE, ClosedBy
from simulators.phones import Phone, told
from tests.dwell.scenes import START_NS, grid_plan, pseudonyms

S = 10**9
PLAN = grid_plan(6)
PHONES = 20


def walks(seed: int) -> list[list[tuple[int, int, int]]]:
    """Six stays of 40 s to 4 minutes a phone."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(PHONES):
        at, anchor, stays = START_NS, -1, []
        for _ in range(6):
            anchor = int(rng.choice([other for other in range(6) if other != anchor]))
            until = at + int(rng.uniform(40, 240) * S)
            stays.append((anchor, at, until))
            at = until + int(rng.uniform(0, 3) * S)
        found.append(stays)
    return found


def found_and_late(seed: int, phone: Phone, *, words: bool) -> tuple[float, float]:
    """The share of true stays that were found (IoU >= .5), and by how much they ended late on average, in s."""
    truth = walks(seed)
    signals = np.concatenate([told(stays, phone, seed, device) for device, stays in enumerate(truth)])
    if not words:
        signals = signals[signals["rssi_dbm"] < APP_ENTER]
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(PHONES))
    visits = np.concatenate([engine.push(signals[np.argsort(signals["ts"], kind="stable")]), engine.finish()])
    late = []
    for device, stays in enumerate(truth):
        for anchor, entered, left in stays:
            own = visits[(visits["device"] == device) & (visits["zone"] == anchor)]
            shared = np.minimum(own["left_at"], left) - np.maximum(own["entered_at"], entered)
            whole = np.maximum(own["left_at"], left) - np.minimum(own["entered_at"], entered)
            late += ((own["left_at"] - left)[2 * shared >= whole] / S).tolist()
    return len(late) / (6 * PHONES), float(np.mean(late))


@pytest.mark.parametrize("seed", range(3))
def test_words_find_no_fewer_stays_and_make_none_longer(seed: int) -> None:
    phone = Phone(every_s=30.0)
    share, late_s = found_and_late(seed, phone, words=True)
    bare_share, bare_late_s = found_and_late(seed, phone, words=False)
    assert share >= bare_share > 0.95
    assert bare_late_s < late_s < 0, "an exit told 30 s late does not carry a stay on beyond its end"


def test_exits_that_never_come_keep_no_visit_open() -> None:
    stays = [(2, START_NS, START_NS + 120 * S)]
    signals = told(stays, Phone(exit_never=1.0, every_s=30.0), seed=1)
    assert APP_EXIT not in signals["rssi_dbm"]
    other = told([(4, START_NS + 3600 * S, START_NS + 3700 * S)], Phone(), seed=2, device=1)
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(2))
    visits = engine.push(np.concatenate([signals, other]))
    (store,) = visits[(visits["device"] == 0) & (visits["zone"] == NO_ZONE)]
    assert ClosedBy(store["closed_by"]) is ClosedBy.SILENCE
    assert store["left_at"] <= stays[0][2]


def test_the_same_seed_tells_the_same() -> None:
    stays = walks(4)[0]
    assert told(stays, Phone(), 7, 3).tobytes() == told(stays, Phone(), 7, 3).tobytes()
    assert told(stays, Phone(), 7, 3).tobytes() != told(stays, Phone(), 8, 3).tobytes()
