"""Shapes of a floor plan that hardly mean what they draw: outlines that cross themselves, walls without length."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, permutations
from typing import Any, Final, TypeAlias

from core.floorplan import PLACE_MOST_M, Flaw

Point: TypeAlias = tuple[float, float]
FARTHEST_M: Final = 10_000.0
"""The largest buildings measure one kilometre or two; what is ten long was written in millimetres."""
CORNERS_MOST: Final = 400
"""Every edge is held against every other: a tenth of a second. Nobody draws a zone with more corners by hand."""
_Path: TypeAlias = tuple[str | int, ...]


def is_point(point: Any) -> bool:
    """Tell whether something is a pair of numbers that can be a place; what is farther away is told elsewhere."""
    return (
        isinstance(point, list)
        and len(point) == 2
        and all(isinstance(number, int | float) and not isinstance(number, bool) for number in point)
        and all(abs(number) <= PLACE_MOST_M for number in point)
    )


def outline_flaws(outline: Sequence[Point], where: _Path) -> Iterator[Flaw]:
    """Yield what is odd about an outline of numbers, metres."""
    if len(set(outline)) < 3:
        yield Flaw(where, "An outline of fewer than three corners encloses nothing.")
        return
    if max(abs(number) for point in outline for number in point) > FARTHEST_M:
        yield Flaw(where, f"A corner is more than {FARTHEST_M:,.0f} m away.", "Plans are in metres.")
    if len(outline) <= CORNERS_MOST and _crosses_itself(outline):
        yield Flaw(where, "The outline crosses itself.", "Name its corners in their order around the zone.")


def wall_flaws(walls: Any, where: _Path) -> Iterator[Flaw]:
    """Yield what is odd about walls as a plan's text has them."""
    for place, wall in enumerate(walls if isinstance(walls, list) else ()):
        if not (isinstance(wall, list) and len(wall) == 2 and all(map(is_point, wall))):
            continue  # its form is told elsewhere
        if wall[0] == wall[1]:
            yield Flaw((*where, place), "This wall has no length.", "Take it out, or mend one of its ends.")
        elif max(abs(number) for point in wall for number in point) > FARTHEST_M:
            yield Flaw((*where, place), f"The wall ends more than {FARTHEST_M:,.0f} m away.", "Plans are in metres.")


def pair_flaws(pairs: Any, where: _Path) -> Iterator[Flaw]:
    """Yield pairs of neighbours that are one and the same zone."""
    for place, pair in enumerate(pairs if isinstance(pairs, list) else ()):
        if isinstance(pair, list) and len(pair) == 2 and pair[0] == pair[1]:
            yield Flaw((*where, place), f"The adjacent pair {pair} is one zone.", "Name its neighbour.")


def nested(
    outlines: Mapping[str, Sequence[Point]], parents: Mapping[str, Any], floors: Mapping[str, set[Any]]
) -> Iterator[tuple[str, str]]:
    """Yield (inner, outer): zones that lie wholly within another of their floor and are not said to.

    outlines : by zone id; parents : what each names as its parent; floors : those of each zone's anchors
    """
    drawn = {zone: outline for zone, outline in outlines.items() if len(outline) <= CORNERS_MOST}
    around = {zone: _box(outline) for zone, outline in drawn.items()}
    for inner, outer in permutations(drawn, 2):
        (left, low, right, high), (out_left, out_low, out_right, out_high) = around[inner], around[outer]
        if left < out_left or low < out_low or right > out_right or high > out_high:
            continue
        if inner in _above(outer, parents) or outer in _above(inner, parents):
            continue
        of_inner, of_outer = floors.get(inner, set()), floors.get(outer, set())
        if of_inner and of_outer and of_inner.isdisjoint(of_outer):
            continue
        if all(inside(point, drawn[outer]) for point in _a_little_inside(drawn[inner])):
            yield inner, outer


def inside(point: Point, outline: Sequence[Point]) -> bool:
    """Tell whether a point lies inside of an outline (even-odd rule); on its edge either may be said."""
    x, y = point
    within = False
    for (ax, ay), (bx, by) in zip(outline, [*outline[1:], outline[0]], strict=True):
        if (ay > y) != (by > y) and x < ax + (y - ay) / (by - ay) * (bx - ax):
            within = not within
    return within


def _above(zone: str, parents: Mapping[str, Any]) -> set[str]:
    """Return all zones around a zone, as far as its names lead."""
    found: set[str] = set()
    above = parents.get(zone)
    while isinstance(above, str) and above not in found:
        found.add(above)
        above = parents.get(above)
    return found


def _box(outline: Sequence[Point]) -> tuple[float, float, float, float]:
    xs, ys = zip(*outline, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _a_little_inside(outline: Sequence[Point]) -> list[Point]:
    """Return points a little inside of each corner: zones that share an edge do not lie within each other."""
    x = sum(point[0] for point in outline) / len(outline)
    y = sum(point[1] for point in outline) / len(outline)
    return [(0.99 * px + 0.01 * x, 0.99 * py + 0.01 * y) for px, py in outline]


def _crosses_itself(outline: Sequence[Point]) -> bool:
    edges = list(zip(outline, [*outline[1:], outline[0]], strict=True))
    return any(_cross(*one, *other) for one, other in combinations(edges, 2))


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Tell whether two pieces cross in a point that is an end of neither."""
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
