"""What a user would build, beside a slow reading of its description."""

from statistics import mean, median

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import accuracy_peer_kernels as kernels
from benchmarks import accuracy_peers as peers
from benchmarks.accuracy_scenes import store
from core.records import SIGNAL, SignalArray, VisitKind

pytestmark = pytest.mark.kernels

SECOND = 10**9
PLAN = store(8.0)
WINDOW_S, HYSTERESIS_DB, SHARE = 4.0, 3.0, 0.4


def signals(*rows: tuple[float, int, int, int]) -> SignalArray:
    """Rows of seconds, device, anchor, level."""
    made = np.zeros(len(rows), SIGNAL)
    for place, (time_s, device, anchor, rssi_dbm) in enumerate(rows):
        made[place] = (round(time_s * SECOND), device, anchor, rssi_dbm)
    return made


def random_signals(seed: int, count: int = 400) -> SignalArray:
    rng = np.random.default_rng(seed)
    made = np.zeros(count, SIGNAL)
    gap_s = rng.exponential(0.5, count) * rng.choice([0.05, 1, 1, 100], count, p=[0.5, 0.24, 0.25, 0.01])
    made["ts"] = np.round(np.cumsum(gap_s) * 1e6).astype(np.int64) * 1000
    made["device"] = rng.integers(0, 2, count)
    made["anchor"] = rng.integers(0, 4, count)
    made["rssi_dbm"] = rng.integers(-80, -50, count)
    return made


def slow_states(given: peers.Ordered, way: str) -> list[int]:
    """The zone after each advertisement, by the words of the description."""
    states: list[int] = []
    rows = list(
        zip(given.device.tolist(), given.ts_ns.tolist(), given.anchor.tolist(), given.rssi_dbm.tolist(), strict=True)
    )
    since, current = 0, -1
    average: dict[int, tuple[float, int]] = {}
    place = 0
    while place < len(rows):
        device, begin_ns, *_ = rows[place]
        fresh = place == 0 or rows[place - 1][0] != device or begin_ns - rows[place - 1][1] > 60 * SECOND
        if fresh:
            since, current, average = place, -1, {}
        end = place
        while end < len(rows) and rows[end][0] == device and rows[end][1] - begin_ns <= SECOND // 10:
            end += 1
        now_ns = rows[end - 1][1]
        level: dict[int, float] = {}
        if way == "average":
            for _, ts_ns, anchor, rssi_dbm in rows[place:end]:
                before, heard_ns = average.get(anchor, (0.0, -(10**18)))
                gap_ns = ts_ns - heard_ns
                weight = 1.0 if gap_ns > WINDOW_S * SECOND else 1 - (1 - SHARE) ** (gap_ns / SECOND)
                average[anchor] = before + weight * (rssi_dbm - before), ts_ns
            level = {
                anchor: value for anchor, (value, at_ns) in average.items() if at_ns >= now_ns - WINDOW_S * SECOND
            }
        else:
            inside = [row for row in rows[since:end] if row[1] > now_ns - WINDOW_S * SECOND]
            for anchor in {row[2] for row in inside}:
                own = [row[3] for row in inside if row[2] == anchor]
                level[anchor] = median(own) if way == "median" else mean(own)
        best = min(level, key=lambda anchor: (-level[anchor], anchor))
        if current < 0 or current not in level or level[best] > level[current] + HYSTERESIS_DB:
            current = best
        states += [current] * (end - place)
        place = end
    return states


@pytest.mark.parametrize("way", ["mean", "median", "average"])
@pytest.mark.parametrize("seed", range(5))
def test_kernels_do_what_is_described(way: str, seed: int) -> None:
    given = peers.ordered(PLAN, random_signals(seed))
    state: NDArray[np.int64] = np.empty(len(given.ts_ns), np.int64)
    if way == "average":
        kernels.averaged(*given[:5], SHARE, SECOND, round(WINDOW_S * SECOND), HYSTERESIS_DB, state)
    else:
        kernels.windowed(*given[:5], round(WINDOW_S * SECOND), way == "median", HYSTERESIS_DB, state)
    assert state.tolist() == slow_states(given, way)


def test_a_visit_lasts_until_the_first_signal_elsewhere_and_the_last_one_to_the_last_signal() -> None:
    given = peers.ordered(PLAN, signals((0, 0, 1, -60), (9, 0, 1, -60), (10, 0, 2, -60), (20, 0, 2, -60)))
    found = peers.latest_signal(given)
    zones = found[found["kind"] == VisitKind.ZONE]
    assert zones[["zone", "entered_at", "left_at"]].tolist() == [(1, 0, 10 * SECOND), (2, 10 * SECOND, 20 * SECOND)]
    assert found[found["kind"] == VisitKind.STORE]["left_at"].tolist() == [20 * SECOND]


@pytest.mark.parametrize(("gap_s", "visits"), [(60.0, 1), (60.000001, 2)])
def test_who_is_silent_for_more_than_a_minute_has_left(gap_s: float, visits: int) -> None:
    given = peers.ordered(PLAN, signals((0, 0, 1, -60), (10, 0, 1, -60), (10 + gap_s, 0, 1, -60)))
    found = peers.latest_signal(given)
    assert (found["kind"] == VisitKind.ZONE).sum() == (found["kind"] == VisitKind.STORE).sum() == visits
    assert found["left_at"].min() == (10 * SECOND if visits == 2 else round((10 + gap_s) * SECOND))


def test_devices_do_not_mix() -> None:
    given = peers.ordered(PLAN, signals((0, 0, 1, -60), (1, 1, 1, -60), (2, 0, 1, -60), (3, 1, 1, -60)))
    zones = peers.latest_signal(given)
    assert zones["entered_at"][zones["kind"] == VisitKind.ZONE].tolist() == [0, SECOND]


def test_the_oracle_reports_each_stay_from_its_first_to_its_last_signal() -> None:
    heard = signals((0, 0, 5, -60), (9, 0, 1, -60), (10, 0, 7, -60), (20, 0, 2, -60))
    found = peers.oracle(peers.ordered(PLAN, heard), np.array([3, 3, 4, 4]))
    zones = found[found["kind"] == VisitKind.ZONE]
    assert zones[["zone", "entered_at", "left_at"]].tolist() == [(3, 0, 9 * SECOND), (4, 10 * SECOND, 20 * SECOND)]
