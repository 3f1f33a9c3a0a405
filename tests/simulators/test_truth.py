import numpy as np

from simulators import truth
from simulators.shoppers import Walk
from tests.simulators.demo_plan import demo_store

PLAN = demo_store()
S = 10**9


def test_stays_follow_the_walk() -> None:
    walk = Walk(
        np.array([0.0, 3.0, 10.0, 14.0, 30.0]),
        np.zeros(5),
        np.zeros(5),
        np.array([0, 0, 1, 0], np.int16),
        np.array([0, 0, 1, 2], np.int32),
        np.zeros(4),
    )
    found = truth.stays(walk, 100 * S, np.array([101, 102, 111, 131]) * S)
    assert found.zone.tolist() == [0, 1, 0]
    assert (found.entered_at // S).tolist() == [100, 110, 114]
    assert (found.left_at // S).tolist() == [110, 114, 130]
    assert found.signals.tolist() == [2, 1, 0]
    rows = truth.rows(PLAN, "d", found, 0, 1000 * S)
    assert [(row[0], row[3], row[-2]) for row in rows] == [
        ("zone", PLAN.zones[0].id, "moved_on"),
        ("zone", PLAN.zones[0].id, "silence"),
        ("store", "", "silence"),
    ]  # 4 s in the other zone is passing through


def test_the_ends_of_time_cut_visits() -> None:
    stays = truth.Stays(np.array([0, 1]), np.array([0, 50]) * S, np.array([50, 100]) * S, np.array([5, 5]))
    rows = truth.rows(PLAN, "d", stays, 20 * S, 80 * S)
    assert [(row[4], row[5], row[-2]) for row in rows] == [
        (20 * S, 50 * S, "moved_on"),
        (50 * S, 80 * S, "end_of_recording"),
        (20 * S, 80 * S, "end_of_recording"),
    ]
    assert truth.rows(PLAN, "d", stays, 200 * S, 300 * S) == []
