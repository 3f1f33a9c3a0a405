"""Spots: the places in a zone that sound alike, which are the states of the decoder.

A zone with one anchor is one spot. A long hall with five anchors sounds different at each of them: one mean level per
anchor for the whole hall would fit nowhere, so it is five spots, and a visit runs over all of them.
"""

from dataclasses import dataclass
from math import hypot, pi, sqrt
from typing import Final

import numpy as np

from core.floorplan import Anchor, StorePlan, Zone
from core.limits import ZONES_PER_STORE

SPOTS_PER_STORE: Final = ZONES_PER_STORE
"""Scores kept per device at most; a plan that would need more gets one spot a zone."""
ZONE_RADIUS_M: Final = 3.0
"""Mean distance from the centre of a cell of 8 m, where a plan draws no outline."""
SAME_SPOT_M: Final = 2.0
"""Anchors closer than this hear the same: their levels differ by less than the noise of a reading (4 dB at 3 m)."""


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
