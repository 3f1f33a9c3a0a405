"""Spots: the places in a zone that sound alike, which are the states of the decoder.

A zone with one anchor is one spot. A long hall with five anchors sounds different from end to end: one mean level per
anchor for the whole hall would fit nowhere, so it is spots laid over its floor, and a visit runs over all of them.
"""

from dataclasses import dataclass
from math import hypot, pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.floorplan import Anchor, StorePlan, Zone
from core.limits import ZONES_PER_STORE

SPOTS_PER_STORE: Final = ZONES_PER_STORE
"""Scores kept per device at most; a plan that would need more gets one spot a zone."""
ZONE_RADIUS_M: Final = 3.0
"""Mean distance from the centre of a cell of 8 m, where a plan draws no outline."""
SPOT_M: Final = 5.0
"""Spots of a zone with several anchors lie about so far apart. Seen from an anchor 8 m away, the levels of two such
spots differ by 10 x 2.4 x lg(13 / 8) = 5 dB, the spread of one reading; closer ones could not be told apart."""
REACH_M: Final = 3.0
"""How far a zone without outline is thought to reach beyond its outermost anchors, as ZONE_RADIUS_M about a single
one; between anchors of two zones the border lies half way."""
LATTICE_POINTS: Final = 4_000
"""Points that a zone's floor is told by at most, a metre apart where they suffice."""
SAME_SPOT_M: Final = 2.0
"""Anchors closer than this hear the same: their levels differ by less than the noise of a reading (4 dB at 3 m)."""
_LLOYD_ROUNDS: Final = 20  # centres then move by less than the lattice's pitch


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One spot of zone `zone` (its place in the plan).

    `places` are the points (metres) it is thought to be around, none where the plan tells no places, `radius_m` the
    mean distance from them; `anchors` are the ids of its own anchors, `floors` theirs.
    """

    zone: int
    places: tuple[tuple[float, float], ...] = ()
    radius_m: float = ZONE_RADIUS_M
    anchors: frozenset[str] = frozenset()
    floors: frozenset[int] = frozenset()


def spots_of(plan: StorePlan) -> tuple[Spot, ...]:
    """Return the spots of a plan, zone by zone; every zone has at least one.

    A zone that no anchor covers and that has no outline gets a spot without anchors and places: nothing can be
    expected there, and the model marks the zone as not decodable.
    """
    spots = [spot for place, zone in enumerate(plan.zones) for spot in _spots_in(plan, place, zone)]
    if len(spots) > SPOTS_PER_STORE:
        spots = [_merged([spot for spot in spots if spot.zone == place]) for place in range(len(plan.zones))]
    return tuple(spots)


def _spots_in(plan: StorePlan, place: int, zone: Zone) -> list[Spot]:
    outline = _outline(zone)
    standing = _groups([anchor for anchor in plan.anchors if anchor.zone == zone.id])
    serving = frozenset(anchor.id for anchor in plan.anchors if zone.id in anchor.covers)
    if len(standing) > 1:
        floor_points = _floor_of(plan, zone, [anchor for group in standing for anchor in group])
        if floor_points is not None:
            return _laid_over(place, floor_points, [anchor for group in standing for anchor in group], serving)
        return [_around(place, group, ZONE_RADIUS_M) for group in standing]
    anchors = standing[0] if standing else []
    own = frozenset(anchor.id for anchor in anchors) | serving
    floors = frozenset(anchor.floor for anchor in anchors if anchor.floor is not None)
    if outline is not None:
        centre, radius_m = outline
        return [Spot(zone=place, places=(centre,), radius_m=radius_m, anchors=own, floors=floors)]
    if anchors:
        return [_around(place, anchors, ZONE_RADIUS_M, serving)]
    return [Spot(zone=place, anchors=own)]


def _floor_of(plan: StorePlan, zone: Zone, standing: list[Anchor]) -> NDArray[np.float64] | None:
    """Return points spread evenly over a zone, metres, shape (k, 2); None where places of its anchors are not known.

    Inside its outline where there is one, else what lies nearer to its anchors than to those of other zones.
    """
    if any(anchor.x is None or anchor.y is None for anchor in standing):
        return None
    ground = {anchor.floor for anchor in standing}
    corners = np.array(zone.outline or [(a.x, a.y) for a in standing], np.float64)
    margin = 0.0 if zone.outline else REACH_M
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    pitch = max(1.0, sqrt(float(np.prod(high - low)) / LATTICE_POINTS))
    count = np.maximum(np.rint((high - low) / pitch), 1).astype(np.int64)
    xs, ys = (low[i] + (np.arange(count[i]) + 0.5) * (high[i] - low[i]) / count[i] for i in (0, 1))
    points = np.stack(np.meshgrid(xs, ys, indexing="ij"), axis=-1).reshape(-1, 2)
    if zone.outline:
        inside = _within(points, corners)
    else:
        known = [a for a in plan.anchors if a.floor in ground and a.x is not None and a.y is not None]
        places = np.array([(a.x, a.y) for a in known], np.float64)
        near = _near(places, low, high)
        own = np.array([a.zone == zone.id for a in known])[near]
        inside = own[_metres_between(points, places[near]).argmin(axis=1)]
    return points[inside] if inside.any() else None


def _near(places: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which places may be nearest to a point of a box that holds another: no farther off than its diagonal."""
    beyond = np.maximum(np.maximum(low - places, places - high), 0)
    near: NDArray[np.bool_] = np.hypot(beyond[:, 0], beyond[:, 1]) <= np.hypot(*(high - low))
    return near


def _laid_over(
    place: int, points: NDArray[np.float64], standing: list[Anchor], serving: frozenset[str]
) -> list[Spot]:
    """Lay spots over a floor so that none of its points is far from one.

    Lloyd's algorithm (S. Lloyd, IEEE Trans. Inf. Theory 28 (1982), 129) from points chosen farthest apart.
    """
    area_m2 = len(points) * _pitch(points) ** 2
    count = max(1, round(area_m2 / SPOT_M**2))
    middle = points.mean(axis=0, keepdims=True)
    chosen = [int(_metres_between(points, middle)[:, 0].argmax())]
    away = _metres_between(points, points[chosen])[:, 0]
    while len(chosen) < min(count, len(points)):
        chosen.append(int(away.argmax()))
        away = np.minimum(away, _metres_between(points, points[chosen[-1:]])[:, 0])
    centres = points[chosen]
    for _ in range(_LLOYD_ROUNDS):
        owner = _metres_between(points, centres).argmin(axis=1)
        centres = np.array(
            [points[owner == spot].mean(axis=0) for spot in range(len(centres)) if (owner == spot).any()]
        )
    owner = _metres_between(points, centres).argmin(axis=1)
    stands_at = _metres_between(np.array([(a.x, a.y) for a in standing], np.float64), centres).argmin(axis=1)
    floors = frozenset(anchor.floor for anchor in standing if anchor.floor is not None)
    return [
        Spot(
            zone=place,
            places=((float(centre[0]), float(centre[1])),),
            radius_m=float(_metres_between(points[owner == spot], centre[None])[:, 0].mean()),
            anchors=serving | {anchor.id for anchor, at in zip(standing, stands_at, strict=True) if at == spot},
            floors=floors,
        )
        for spot, centre in enumerate(centres)
    ]


def _metres_between(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances, shape (points, others)."""
    away: NDArray[np.float64] = np.hypot(*(points[:, None, :] - others[None, :, :]).transpose(2, 0, 1))
    return away


def _pitch(points: NDArray[np.float64]) -> float:
    """Distance between neighbours of a lattice."""
    steps = [np.diff(np.unique(points[:, axis].round(6))) for axis in (0, 1)]
    return sqrt(float(np.prod([step.min() if len(step) else 1.0 for step in steps])))


def _within(points: NDArray[np.float64], corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points lie in a polygon: a ray from each crosses its edges an odd number of times (Jordan)."""
    inside = np.zeros(len(points), np.bool_)
    x, y = points.T
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        spans = (y0 > y) != (y1 > y)
        inside ^= spans & (x < (x1 - x0) * (y - y0) / np.where(y1 == y0, 1.0, y1 - y0) + x0)
    return inside


def _groups(anchors: list[Anchor]) -> list[list[Anchor]]:
    """Anchors by spot: each joins the first group whose first member is near."""
    groups: list[list[Anchor]] = []
    for anchor in anchors:
        for group in groups:
            if _metres(group[0], anchor) < SAME_SPOT_M:
                group.append(anchor)
                break
        else:
            groups.append([anchor])
    return groups


def _metres(one: Anchor, other: Anchor) -> float:
    if one.x is None or one.y is None or other.x is None or other.y is None:
        return float("inf")
    return hypot(one.x - other.x, one.y - other.y)


def _around(place: int, anchors: list[Anchor], radius_m: float, serving: frozenset[str] = frozenset()) -> Spot:
    return Spot(
        zone=place,
        places=tuple((a.x, a.y) for a in anchors if a.x is not None and a.y is not None),
        radius_m=radius_m,
        anchors=frozenset(anchor.id for anchor in anchors) | serving,
        floors=frozenset(anchor.floor for anchor in anchors if anchor.floor is not None),
    )


def _merged(spots: list[Spot]) -> Spot:
    """One spot for a whole zone: levels there are averaged over all of its places."""
    return Spot(
        zone=spots[0].zone,
        places=tuple(point for spot in spots for point in spot.places),
        radius_m=spots[0].radius_m,
        anchors=frozenset().union(*(spot.anchors for spot in spots)),
        floors=frozenset().union(*(spot.floors for spot in spots)),
    )


def _outline(zone: Zone) -> tuple[tuple[float, float], float] | None:
    """Centroid of a zone's polygon (shoelace formula) and two thirds of the radius of the circle of its area."""
    if zone.outline is None or len(zone.outline) < 3:
        return None
    points = np.array(zone.outline, np.float64)
    following = np.roll(points, -1, axis=0)
    cross = points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]
    doubled = float(cross.sum())
    if abs(doubled) < 1e-9:
        x, y = points.mean(axis=0)
        return (float(x), float(y)), ZONE_RADIUS_M
    x, y = ((points + following) * cross[:, None]).sum(axis=0) / (3 * doubled)
    return (float(x), float(y)), 2 / 3 * sqrt(abs(doubled) / 2 / pi)
