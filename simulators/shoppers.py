"""Shoppers and staff as seeded agents: where they walk, where they stay, when they leave.

Positions are piecewise linear in time; every zone change happens at a doorway, so the truth of every instant is
known exactly.
"""

from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulators.shoppers_floor import Floor, Point


class Manner(IntEnum):
    """How somebody uses a store."""

    BROWSER = 0
    GRAB_AND_GO = 1
    STAFF = 2


class Walk(NamedTuple):
    """One person's way through a store.

    `t_s` (seconds since the walk began), `x` and `y` (metres) are waypoints, shape (k,). `zone` (index into the
    plan), `stay` (0, 1, ... counting zone changes) and `facing` (radians) are of the legs between them, shape (k-1,).
    """

    t_s: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    zone: NDArray[np.int16]
    stay: NDArray[np.int32]
    facing: NDArray[np.float64]

    def leg_at(self, t_s: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return which leg is walked at these times, clipped to the walk."""
        leg = np.searchsorted(self.t_s, t_s, side="right") - 1
        return np.clip(leg, 0, len(self.zone) - 1)


DWELL: Final[dict[str, tuple[float, float]]] = {
    "entrance": (12.0, 0.6),  # a look around, umbrella, trolley
    "department": (60.0, 0.8),
    "shelf": (45.0, 0.8),
    "fitting_room": (240.0, 0.5),
    "checkout": (80.0, 0.6),  # queue and payment
    "service": (120.0, 0.7),
    "staff_only": (300.0, 0.6),
}
"""Median seconds and sigma of the log-normal dwell by kind of zone. Log-normal dwells with a long tail are what
in-store tracking reports; the medians are ours, chosen so that a browsing visit lasts about ten minutes."""

_SPEED_M_S: Final = (1.1, 0.15)  # walking in shops is slower than the 1.4 m/s of a street
_SPEED_RANGE_M_S: Final = (0.6, 1.6)
_STROLL_M_S: Final = 0.5  # from rack to rack
_PAUSE_S: Final = 20.0  # mean stand before the next rack
_STROLL_SHARE: Final = 0.25  # how far towards a fresh spot one strolls: most steps are small
_SHORTEST_DWELL_S: Final = 3.0
_LONGEST_DWELL_S: Final = 1800.0
_SHIFT_S: Final = (2700.0, 4500.0)  # staff between two breaks
_GRABS: Final = 0.3  # share of shoppers who know what they came for
_TRIES_ON: Final = 0.35
_ASKS: Final = 0.12
_BUYS: Final = {Manner.BROWSER: 0.5, Manner.GRAB_AND_GO: 0.9}
_MORE_TARGETS: Final = 2.5  # a browser sees two zones and on average this many more


def draw_manner(rng: np.random.Generator) -> Manner:
    """Return how the next shopper behaves."""
    return Manner.GRAB_AND_GO if rng.random() < _GRABS else Manner.BROWSER


def walk(floor: Floor, manner: Manner, rng: np.random.Generator) -> Walk:
    """Return one visit from the street door to the street door.

    Parameters
    ----------
    floor : Floor
    manner : Manner
    rng : numpy.random.Generator
        The only source of chance: equal states give equal walks.
    """
    trail = _Trail(floor, manner, rng)
    if manner is Manner.STAFF:
        shift_s = rng.uniform(*_SHIFT_S)
        while trail.now_s < shift_s:
            trail.visit(_staff_target(floor, trail.zone, rng))
    else:
        for target in _targets(floor, manner, rng):
            trail.visit(target)
    trail.leave()
    return trail.finish()


def _targets(floor: Floor, manner: Manner, rng: np.random.Generator) -> list[int]:
    """Return the zones somebody means to stay in, in order."""
    goods = [zone for zone, kind in enumerate(floor.kinds) if kind in ("department", "shelf")]
    count = 1 if manner is Manner.GRAB_AND_GO else 2 + int(rng.poisson(_MORE_TARGETS))
    chosen: list[int] = []
    if manner is Manner.BROWSER and rng.random() < 0.5:
        chosen.append(floor.entrance)
    while goods and len(chosen) < count:
        zone = int(rng.choice(goods))
        if not chosen or zone != chosen[-1] or len(goods) == 1:
            chosen.append(zone)
    if manner is Manner.BROWSER:
        chosen += _perhaps(floor, "fitting_room", _TRIES_ON, rng)
        chosen += _perhaps(floor, "service", _ASKS, rng)
    return chosen + _perhaps(floor, "checkout", _BUYS[manner], rng)


def _perhaps(floor: Floor, kind: str, probability: float, rng: np.random.Generator) -> list[int]:
    places = [zone for zone, of in enumerate(floor.kinds) if of == kind]
    wanted = rng.random() < probability
    return [int(rng.choice(places))] if places and wanted else []


def _staff_target(floor: Floor, zone: int, rng: np.random.Generator) -> int:
    others = [other for other in range(len(floor.kinds)) if other not in (zone, floor.entrance)]
    return int(rng.choice(others)) if others else zone


class _Trail:
    """Waypoints while they are laid."""

    def __init__(self, floor: Floor, manner: Manner, rng: np.random.Generator) -> None:
        self._floor = floor
        self._rng = rng
        self._staff = manner is Manner.STAFF
        self._pace = float(np.clip(rng.normal(*_SPEED_M_S), *_SPEED_RANGE_M_S))
        self._at: Point = floor.street_door
        self._stay = 0
        self._legs: list[tuple[int, int, float]] = []  # zone, stay, facing
        self._points: list[tuple[float, float, float]] = [(0.0, float(self._at[0]), float(self._at[1]))]
        self.now_s = 0.0
        self.zone = floor.entrance

    def visit(self, target: int) -> None:
        """Walk there and stay as long as that kind of zone keeps people."""
        self._go(target)
        self._go_to(self._floor.spot(target, self._rng), self._pace)
        median_s, sigma = DWELL["department" if self._staff else self._floor.kinds[target]]
        if self._staff:
            median_s *= 3  # staff have work to do where shoppers only look
        drawn_s = median_s * float(np.exp(sigma * self._rng.standard_normal()))
        self._linger(min(max(drawn_s, _SHORTEST_DWELL_S), _LONGEST_DWELL_S))

    def leave(self) -> None:
        """Walk to the street door."""
        self._go(self._floor.entrance)
        self._go_to(self._floor.street_door, self._pace)

    def finish(self) -> Walk:
        """Return the walk laid so far."""
        points = np.array(self._points)
        zone, stay, facing = zip(*self._legs, strict=True)
        return Walk(
            points[:, 0],
            points[:, 1],
            points[:, 2],
            np.array(zone, np.int16),
            np.array(stay, np.int32),
            np.array(facing, np.float64),
        )

    def _go(self, target: int) -> None:
        for zone in self._floor.way(self.zone, target):
            self._go_to(self._floor.doorway(self.zone, zone, self._rng), self._pace)
            self.zone = zone
            self._stay += 1

    def _linger(self, dwell_s: float) -> None:
        """Stand and stroll within the zone; strolls are part of the dwell."""
        until_s = self.now_s + dwell_s
        while True:
            pause_s = float(self._rng.exponential(_PAUSE_S))
            if self.now_s + pause_s >= until_s:
                self._stand(until_s - self.now_s)
                return
            self._stand(pause_s)
            towards = self._floor.spot(self.zone, self._rng)
            self._go_to(self._at + _STROLL_SHARE * (towards - self._at), _STROLL_M_S)
            if self.now_s >= until_s:
                return

    def _stand(self, pause_s: float) -> None:
        if pause_s > 0:
            self._lay(self._at, pause_s, float(self._rng.uniform(-np.pi, np.pi)))

    def _go_to(self, point: Point, speed_m_s: float) -> None:
        way = point - self._at
        distance_m = float(np.hypot(way[0], way[1]))
        if distance_m > 0:
            self._lay(point, distance_m / speed_m_s, float(np.arctan2(way[1], way[0])))

    def _lay(self, point: Point, takes_s: float, facing: float) -> None:
        self.now_s += takes_s
        self._at = point
        self._legs.append((self.zone, self._stay, facing))
        self._points.append((self.now_s, float(point[0]), float(point[1])))
