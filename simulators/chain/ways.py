"""How somebody goes through a store: grab-and-go, browsing, at work, or past it on the street."""

from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.chain.draws import Draws
from simulators.chain.ground import Ground, Point, distance
from simulators.shoppers import DWELL

OUTSIDE: Final = -1
"""In place of a zone: on the street."""

_SPEED_M_S: Final = (1.1, 0.15)  # as in `simulators.shoppers`
_SPEED_RANGE_M_S: Final = (0.6, 1.6)
_STREET_M_S: Final = 1.35  # walking pace of a street
_STROLL_M_S: Final = 0.5
_STROLL_SHARE: Final = 0.25
_PAUSE_S: Final = 20.0
_DWELL_RANGE_S: Final = (3.0, 1800.0)
_WORK_S: Final = 900.0  # median of a task in a zone; staff have work to do where shoppers only look
_STANDS_S: Final = 120.0  # how long staff stand before a few steps
_MORE_TARGETS: Final = 0.6  # a browser sees two zones, and each further one with this probability
_TRIES_ON: Final = 0.35
_ASKS: Final = 0.12
_PAST_M: Final = (1.5, 4.0)  # how far in front of the shop window the pavement is
_BESIDE_M: Final = 8.0  # where passers-by come into hearing


class Manner(StrEnum):
    """Why somebody is there."""

    GRAB_AND_GO = "grab_and_go"
    BROWSER = "browser"
    RETURNING = "returning"
    GROUP = "group"
    STAFF = "staff"
    PASSER_BY = "passer_by"


class Way(NamedTuple):
    """One person's way.

    `t_us` (since it began), `x` and `y` (metres) are waypoints, shape (k,). `zone` (index into the plan or OUTSIDE),
    `stay` (0, 1, ... counting zone changes) and the unit vector `towards` (shape (k-1, 2)) are of the legs between.
    """

    t_us: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    zone: NDArray[np.int16]
    stay: NDArray[np.int32]
    towards: NDArray[np.float64]


def shop(ground: Ground, *, browses: bool, buys: float, draws: Draws) -> Way:
    """Return a shopper's way from the street door to the street door.

    Parameters
    ----------
    ground : Ground
    browses : bool
        Whether they look around or know what they came for.
    buys : float
        Probability of going to the checkout.
    draws : Draws
    """
    trail = _Trail(ground, draws)
    for target in _targets(ground, browses, buys, draws):
        trail.go(target)
        trail.stand_at_spot()
        median_s, sigma = DWELL[ground.kinds[target]]
        trail.linger(_bounded(draws.log_normal(median_s, sigma)), _PAUSE_S)
    trail.leave()
    return trail.finish()


def work(ground: Ground, until_s: float, draws: Draws) -> Way:
    """Return the way of somebody at work: from task to task until the shift is over."""
    trail = _Trail(ground, draws)
    places = [place for place in range(len(ground.kinds)) if place != ground.entrance]
    while trail.now_us < until_s * 1e6:
        if places:
            trail.go(places[draws.below(len(places))])
        trail.stand_at_spot()
        left_s = until_s - trail.now_us / 1e6
        trail.linger(min(max(left_s, 1.0), draws.log_normal(_WORK_S, 0.6)), _STANDS_S)
    trail.leave()
    return trail.finish()


def pass_by(ground: Ground, draws: Draws) -> Way:
    """Return the way of somebody on the street, from one side past the shop window to the other."""
    left, _, right, bottom = ground.bounds
    y = bottom + draws.uniform(*_PAST_M)
    ends = (left - _BESIDE_M, right + _BESIDE_M)
    begin, end = ends if draws.chance(0.5) else ends[::-1]
    takes_us = round((right - left + 2 * _BESIDE_M) / _STREET_M_S * 1e6)
    return Way(
        np.array([0, takes_us], np.int64),
        np.array([begin, end]),
        np.array([y, y]),
        np.array([OUTSIDE], np.int16),
        np.zeros(1, np.int32),
        np.array([[1.0 if end > begin else -1.0, 0.0]]),
    )


def _targets(ground: Ground, browses: bool, buys: float, draws: Draws) -> list[int]:
    goods = _of(ground, "department", "shelf")
    count = 1
    if browses:
        count = 2
        while draws.chance(_MORE_TARGETS) and count < 12:
            count += 1
    chosen: list[int] = []
    while goods and len(chosen) < count:
        zone = goods[draws.below(len(goods))]
        if not chosen or zone != chosen[-1] or len(goods) == 1:
            chosen.append(zone)
    for kind, probability in (
        ("fitting_room", _TRIES_ON if browses else 0.0),
        ("service", _ASKS if browses else 0.0),
        ("checkout", buys),
    ):
        places = _of(ground, kind)
        if draws.chance(probability) and places:
            chosen.append(places[draws.below(len(places))])
    return chosen


def _of(ground: Ground, *kinds: str) -> list[int]:
    return [place for place, kind in enumerate(ground.kinds) if kind in kinds]


def _bounded(dwell_s: float) -> float:
    return min(max(dwell_s, _DWELL_RANGE_S[0]), _DWELL_RANGE_S[1])


class _Trail:
    """Waypoints while they are laid; times are whole microseconds from the first on, so that they add up exactly."""

    def __init__(self, ground: Ground, draws: Draws) -> None:
        self._ground = ground
        self._draws = draws
        drawn = _SPEED_M_S[0] + _SPEED_M_S[1] * draws.normal()
        self._pace = min(max(drawn, _SPEED_RANGE_M_S[0]), _SPEED_RANGE_M_S[1])
        self._at: Point = ground.street_door
        self._zone = ground.entrance
        self._stay = 0
        self._points: list[tuple[int, float, float]] = [(0, *self._at)]
        self._legs: list[tuple[int, int, float, float]] = []
        self.now_us = 0

    def go(self, target: int) -> None:
        """Walk to another zone, through the gaps on the way."""
        for zone in self._ground.way(self._zone, target):
            self._go_to(self._ground.crossing(self._zone, zone, self._draws), self._pace)
            self._zone = zone
            self._stay += 1

    def stand_at_spot(self) -> None:
        """Walk to a spot of the zone."""
        self._go_to(self._ground.spot(self._zone, self._draws), self._pace)

    def linger(self, dwell_s: float, pause_s: float) -> None:
        """Stand and stroll within the zone."""
        until_us = self.now_us + round(dwell_s * 1e6)
        while self.now_us < until_us:
            stands_us = round(self._draws.exponential(pause_s) * 1e6)
            self._stand(min(stands_us, until_us - self.now_us))
            if self.now_us < until_us:
                spot = self._ground.spot(self._zone, self._draws)
                step = (
                    self._at[0] + _STROLL_SHARE * (spot[0] - self._at[0]),
                    self._at[1] + _STROLL_SHARE * (spot[1] - self._at[1]),
                )
                self._go_to(step, _STROLL_M_S)

    def leave(self) -> None:
        """Walk to the street door."""
        self.go(self._ground.entrance)
        self._go_to(self._ground.street_door, self._pace)

    def finish(self) -> Way:
        """Return the way laid so far."""
        t_us, x, y = zip(*self._points, strict=True)
        zone, stay, towards_x, towards_y = zip(*self._legs, strict=True)
        return Way(
            np.array(t_us, np.int64),
            np.array(x),
            np.array(y),
            np.array(zone, np.int16),
            np.array(stay, np.int32),
            np.stack([np.array(towards_x), np.array(towards_y)], axis=1),
        )

    def _stand(self, stands_us: int) -> None:
        if stands_us > 0:
            self._lay(self._at, stands_us, self._draws.direction())

    def _go_to(self, point: Point, speed_m_s: float) -> None:
        metres = distance(self._at, point)
        takes_us = round(metres / speed_m_s * 1e6)
        if takes_us > 0:
            towards = ((point[0] - self._at[0]) / metres, (point[1] - self._at[1]) / metres)
            self._lay(point, takes_us, towards)

    def _lay(self, point: Point, takes_us: int, towards: tuple[float, float]) -> None:
        self.now_us += takes_us
        self._at = point
        self._points.append((self.now_us, *point))
        self._legs.append((self._zone, self._stay, *towards))
