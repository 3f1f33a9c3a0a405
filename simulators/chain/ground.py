"""The ground of one store: where one can stand, and how one gets from zone to zone through the gaps in the walls."""

from collections.abc import Iterable
from math import sqrt
from typing import Final, NamedTuple, TypeAlias

from core.errors import FloorPlanError
from core.floorplan import StorePlan, Wall
from simulators.chain.draws import Draws
from simulators.shoppers_floor import Floor

Point: TypeAlias = tuple[float, float]

_OFF_THE_WALL: Final = 0.85  # as in `simulators.shoppers_floor`
_NARROWEST_M: Final = 0.5
"""A gap in a wall that is narrower than this is no way through."""
_NEAR_M: Final = 0.05
_MM: Final = 3
"""Digits: what was found by library geometry is rounded to the millimetre, where all machines agree."""


class Gap(NamedTuple):
    """The way between two zones: where it begins and ends along their common edge."""

    start: Point
    end: Point


class Ground:
    """One store's zones, gaps and ways.

    Parameters
    ----------
    plan : StorePlan
        With outlines, see `simulators.shoppers_floor.Floor`; `walls` narrow the gaps.

    Raises
    ------
    FloorPlanError
        If a zone has no outline, cannot be reached, or walls leave no way between neighbours.
    """

    def __init__(self, plan: StorePlan) -> None:
        self.plan = plan
        self._floor = Floor(plan)
        self.kinds = self._floor.kinds
        self.entrance = self._floor.entrance
        self._triangles = [_triangles(zone.outline or ()) for zone in plan.zones]
        self._areas = [added(area for area, *_ in triangles) for triangles in self._triangles]
        self._gaps = {
            pair: self._gap(pair, [(round(x, _MM), round(y, _MM)) for x, y in ends.tolist()])
            for pair, ends in self._floor.edges.items()
        }
        door_x, door_y = self._floor.street_door.tolist()
        self.street_door: Point = (round(door_x, _MM), round(door_y, _MM))
        xs = [x for zone in plan.zones for x, _ in zone.outline or ()]
        ys = [y for zone in plan.zones for _, y in zone.outline or ()]
        self.bounds = (min(xs), min(ys), max(xs), max(ys))

    def way(self, zone: int, target: int) -> list[int]:
        """Return the zones to walk through after `zone`, the target last."""
        return self._floor.way(zone, target)

    def spot(self, zone: int, draws: Draws) -> Point:
        """Return a place to stand, evenly spread over the zone."""
        triangles = self._triangles[zone]
        left = draws.uniform() * self._areas[zone]
        chosen = triangles[-1]
        for chosen in triangles:
            left -= chosen[0]
            if left < 0:
                break
        _, a, b, c = chosen
        along, across = draws.uniform(), draws.uniform()
        if along + across > 1:
            along, across = 1 - along, 1 - across
        return (
            a[0] + along * (b[0] - a[0]) + across * (c[0] - a[0]),
            a[1] + along * (b[1] - a[1]) + across * (c[1] - a[1]),
        )

    def crossing(self, zone: int, neighbour: int, draws: Draws) -> Point:
        """Return where somebody crosses: within the middle 60% of the gap."""
        gap = self._gaps[min(zone, neighbour), max(zone, neighbour)]
        share = draws.uniform(0.2, 0.8)
        return (
            gap.start[0] + share * (gap.end[0] - gap.start[0]),
            gap.start[1] + share * (gap.end[1] - gap.start[1]),
        )

    def _gap(self, pair: tuple[int, int], ends: list[Point]) -> Gap:
        start, end = ends
        length = distance(start, end)
        if length < _NARROWEST_M:  # said to be neighbours across a distance: one crosses half way
            return Gap(start, end)
        open_from, open_to = _widest(_covered(start, end, length, self.plan.walls), length)
        if open_to - open_from < _NARROWEST_M:
            one, other = (self.plan.zones[place].id for place in pair)
            raise FloorPlanError(
                f"Walls leave no way between the neighbours {one!r} and {other!r}.",
                hint="Leave a gap of half a metre, or take the pair out of adjacent.",
                where=f"store {self.plan.id!r}",
            )
        along = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
        return Gap(
            (start[0] + along[0] * open_from, start[1] + along[1] * open_from),
            (start[0] + along[0] * open_to, start[1] + along[1] * open_to),
        )


def distance(one: Point, other: Point) -> float:
    """Return metres between two points."""
    across, down = other[0] - one[0], other[1] - one[1]
    return sqrt(across * across + down * down)


def added(numbers: Iterable[float]) -> float:
    """Return a sum, one after another: `sum` rounds differently from Python 3.12 on."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def _covered(start: Point, end: Point, length: float, walls: tuple[Wall, ...]) -> list[tuple[float, float]]:
    """Return the pieces of an edge, as metres from its start, along which walls stand; in order."""
    along = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
    found = []
    for wall in walls:
        offsets = [(x - start[0], y - start[1]) for x, y in wall]
        if any(abs(dy * along[0] - dx * along[1]) > _NEAR_M for dx, dy in offsets):
            continue
        near, far = sorted(dx * along[0] + dy * along[1] for dx, dy in offsets)
        if far > 0 and near < length:
            found.append((max(near, 0.0), min(far, length)))
    return sorted(found)


def _widest(covered: list[tuple[float, float]], length: float) -> tuple[float, float]:
    best, reached = (0.0, 0.0), 0.0
    for near, far in [*covered, (length, length)]:
        if near - reached > best[1] - best[0]:
            best = (reached, near)
        reached = max(reached, far)
    return best


def _triangles(outline: tuple[Point, ...]) -> list[tuple[float, Point, Point, Point]]:
    """Return the shrunk outline as a fan: twice the area and the corners of each triangle."""
    middle = (added(x for x, _ in outline) / len(outline), added(y for _, y in outline) / len(outline))
    shrunk = [
        (middle[0] + _OFF_THE_WALL * (x - middle[0]), middle[1] + _OFF_THE_WALL * (y - middle[1])) for x, y in outline
    ]
    fan = []
    for one, other in zip(shrunk, [*shrunk[1:], shrunk[0]], strict=True):
        area = (one[0] - middle[0]) * (other[1] - middle[1]) - (other[0] - middle[0]) * (one[1] - middle[1])
        fan.append((abs(area), middle, one, other))
    return fan
