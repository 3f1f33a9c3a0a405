"""The floor that shoppers walk on: zones as polygons, the doorways between them, the way from one to another."""

from collections import deque
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.errors import FloorPlanError
from core.floorplan import StorePlan

Point: TypeAlias = NDArray[np.float64]
"""x and y in metres, shape (2,)."""

_TOUCH_M: Final = 0.05
"""Edges nearer than this are one line: plans are drawn to the decimetre."""
_DOORWAY_M: Final = 0.5
"""A shared edge shorter than this is a corner, not a way through."""
_OFF_THE_WALL: Final = 0.85
"""People keep away from walls: spots are drawn from the outline shrunk to this share around its centre."""


class Floor:
    """One store's zones as places to stand, and the doorways between them.

    Parameters
    ----------
    plan : StorePlan
        Every zone has an outline, convex so that a straight way between two of its points stays inside.
        Without `adjacent`, zones that share an edge are neighbours.

    Raises
    ------
    FloorPlanError
        If a zone has no outline, or cannot be reached from the entrance.
    """

    def __init__(self, plan: StorePlan) -> None:
        self.plan = plan
        self.kinds = [zone.kind for zone in plan.zones]
        self.outlines = [_outline(plan, place) for place in range(len(plan.zones))]
        self.centres = [outline.mean(axis=0) for outline in self.outlines]
        self._triangles = [_triangles(outline, centre) for outline, centre in self._shapes()]
        self.entrance = self.kinds.index("entrance") if "entrance" in self.kinds else 0
        self._doorways = self._find_doorways()
        self.street_door = self._find_street_door()
        self._next = self._find_ways()

    def _shapes(self) -> list[tuple[Point, Point]]:
        return list(zip(self.outlines, self.centres, strict=True))

    def spot(self, zone: int, rng: np.random.Generator) -> Point:
        """Return a place to stand, evenly spread over the zone."""
        corners, share = self._triangles[zone]
        corner_a, corner_b, corner_c = corners[int(np.searchsorted(share, rng.random()))]
        along, across = rng.random(2)
        if along + across > 1:
            along, across = 1 - along, 1 - across
        point: Point = corner_a + along * (corner_b - corner_a) + across * (corner_c - corner_a)
        return point

    def doorway(self, zone: int, neighbour: int, rng: np.random.Generator) -> Point:
        """Return where somebody crosses from a zone to its neighbour: the middle 60% of the shared edge."""
        ends = self._doorways[min(zone, neighbour), max(zone, neighbour)]
        point: Point = ends[0] + rng.uniform(0.2, 0.8) * (ends[1] - ends[0])
        return point

    @property
    def edges(self) -> dict[tuple[int, int], NDArray[np.float64]]:
        """By pair of neighbours, the lower place first: the two ends of the edge they share, shape (2, 2)."""
        return self._doorways

    def way(self, zone: int, target: int) -> list[int]:
        """Return the zones to walk through after `zone`, the target last."""
        through = []
        while zone != target:
            zone = int(self._next[zone, target])
            through.append(zone)
        return through

    def _find_doorways(self) -> dict[tuple[int, int], NDArray[np.float64]]:
        near = self.plan.adjacency
        doorways = {}
        for one in range(len(self.outlines)):
            for other in range(one + 1, len(self.outlines)):
                shared = _shared_edge(self.outlines[one], self.outlines[other])
                if near is not None and not near[one, other]:
                    continue
                if shared is not None:
                    doorways[one, other] = shared
                elif near is not None:  # said to be neighbours across a gap: one crosses half way
                    middle = (self.centres[one] + self.centres[other]) / 2
                    doorways[one, other] = np.stack([middle, middle])
        return doorways

    def _find_street_door(self) -> Point:
        """Return the middle of the entrance's longest edge that no other zone shares."""
        outline = self.outlines[self.entrance]
        best: Point = self.centres[self.entrance]
        longest = 0.0
        for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            edge = np.stack([start, end])
            length = float(np.hypot(*(end - start)))
            inside = any(
                _shared_edge(edge, other) is not None
                for place, other in enumerate(self.outlines)
                if place != self.entrance
            )
            if not inside and length > longest:
                best, longest = (start + end) / 2, length
        return best

    def _find_ways(self) -> NDArray[np.int16]:
        """Next zone on a shortest way, shape (zones, zones); staff-only zones are no thoroughfare."""
        count = len(self.outlines)
        near: list[list[int]] = [[] for _ in range(count)]
        for one, other in self._doorways:
            near[one].append(other)
            near[other].append(one)
        step = np.full((count, count), -1, np.int16)
        for target in range(count):
            waiting = deque([target])
            while waiting:
                here = waiting.popleft()
                if here != target and self.kinds[here] == "staff_only":
                    continue
                for before in near[here]:
                    if before != target and step[before, target] < 0:
                        step[before, target] = here
                        waiting.append(before)
        for place, zone in enumerate(self.plan.zones):
            if place != self.entrance and step[self.entrance, place] < 0:
                raise FloorPlanError(
                    f"Nobody can walk from the entrance to zone {zone.id!r}.",
                    hint="Let outlines share an edge or list neighbours under adjacent.",
                    where=f"store {self.plan.id!r}",
                )
        return step


def _outline(plan: StorePlan, place: int) -> NDArray[np.float64]:
    zone = plan.zones[place]
    if zone.outline is None or len(zone.outline) < 3:
        raise FloorPlanError(
            f"Zone {zone.id!r} has no outline, so nobody can be simulated in it.",
            hint="Give every zone an outline of at least three corners in metres.",
            where=f"store {plan.id!r}",
        )
    return np.array(zone.outline, np.float64)


def _triangles(outline: NDArray[np.float64], centre: Point) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the shrunk outline as a fan of triangles, shape (k, 3, 2), and their cumulated share of the area."""
    corners = centre + _OFF_THE_WALL * (outline - centre)
    fan = np.stack([np.broadcast_to(centre, corners.shape), corners, np.roll(corners, -1, axis=0)], axis=1)
    one, other = fan[:, 1] - fan[:, 0], fan[:, 2] - fan[:, 0]
    area = np.abs(one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0])
    return fan, np.cumsum(area) / area.sum()


def _shared_edge(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[Any] | None:
    """Return the longest piece of line that two outlines share, shape (2, 2), or None."""
    best, longest = None, _DOORWAY_M
    for start, end in zip(one, np.roll(one, -1, axis=0), strict=True):
        length = float(np.hypot(*(end - start)))
        if length < _DOORWAY_M:
            continue
        along = (end - start) / length
        normal = np.array([-along[1], along[0]])
        for begin, finish in zip(other, np.roll(other, -1, axis=0), strict=True):
            if max(abs(normal @ (begin - start)), abs(normal @ (finish - start))) > _TOUCH_M:
                continue
            near, far = sorted((float(along @ (begin - start)), float(along @ (finish - start))))
            near, far = max(near, 0.0), min(far, length)
            if far - near > longest:
                longest = far - near
                best = np.stack([start + near * along, start + far * along])
    return best
