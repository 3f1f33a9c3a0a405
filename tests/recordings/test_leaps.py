"""One row with a wrong time, told from pauses and from recordings in another order."""

import numpy as np
import pytest

from simulators.recordings.leaps import LEAP_NS, Leap, Leaps

S = 10**9
HOUR_S = 3600
USUAL = list(range(100_000, 100_200))


def found(seconds: list[int], piece: int = 1000) -> Leap | None:
    leaps = Leaps()
    ts, lines = np.array(seconds, np.int64) * S, np.arange(2, 2 + len(seconds))
    for begin in range(0, len(ts), piece):
        leaps.add(ts[begin : begin + piece], lines[begin : begin + piece], last=False)
    leaps.add(ts[:0], lines[:0], last=True)
    return leaps.lone


@pytest.mark.parametrize("piece", [1, 7, 1000])
@pytest.mark.parametrize("place", [0, 1, 77, 170, 198])
def test_a_row_days_ahead_of_its_neighbours_is_named(place: int, piece: int) -> None:
    seconds = list(USUAL)
    seconds[place] += 72 * HOUR_S
    lone = found(seconds, piece)
    assert lone is not None
    assert (lone.line, lone.ts) == (2 + place, seconds[place] * S)
    assert lone.ahead_ns == pytest.approx(72 * HOUR_S * S, abs=60 * S)


def test_a_leap_is_one_from_an_hour_on() -> None:
    hour = LEAP_NS // S
    assert found([*USUAL, USUAL[-1] + hour, *range(USUAL[-1], USUAL[-1] + 50)]) is None
    assert found([*USUAL, USUAL[-1] + hour + 1, *range(USUAL[-1], USUAL[-1] + 50)]) is not None


@pytest.mark.parametrize(
    "seconds",
    [
        USUAL,
        [*USUAL, *(second + 10 * HOUR_S for second in USUAL)],
        [*USUAL, USUAL[-1] + 72 * HOUR_S],
        USUAL[::-1],
        [*range(0, 40_000, 400), *range(0, 40_000, 400)],
        [5],
        [],
    ],
    ids=["in order", "a night between", "nothing after it", "backwards", "by device", "one row", "no row"],
)
def test_pauses_and_other_orders_are_no_leap(seconds: list[int]) -> None:
    assert found(seconds) is None
