"""From a store's plan to shapes on a drawing 1000 units wide: geometry, no colours, no markup.

y points downwards, as on a screen. Zones without an outline become tiles, so that every plan can be drawn.
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from math import ceil, hypot, inf, sqrt
from threading import Lock
from typing import Final, TypeAlias

import msgspec

from core.floorplan import StorePlan, Zone
from storage.occupancy import PLANS_KEPT
from storage.stores import StoredPlan

WIDTH: Final = 1000
"""Units across; heights follow the plan."""
_MAX_HEIGHT: Final = 1400
"""A plan that is longer than wide is drawn narrower, so that it fits a screen."""
_GRID: Final = 28
"""Points tried across a zone for its label: a 28th of a zone is less than a letter."""
_TILE_HEIGHT: Final = 150
_TILE_GAP: Final = 10
_LETTER: Final = 0.54
"""Width of an average letter in ems: names in system sans-serif fonts measured 0.48 to 0.54."""
_LINE: Final = 1.14
"""Distance of two lines in letter heights."""
_LEAST_LETTERS: Final = 4
"""A name that is cut shorter than this tells nobody anything."""
_FILL: Final = 0.95
"""Part of the width that a name may fill."""

Point: TypeAlias = tuple[float, float]


class Sizes(msgspec.Struct, frozen=True):
    """Letter heights in units: a name may shrink once before it is cut. `figure` is what stands below the name."""

    name: float
    small_name: float
    figure: float


WIDE: Final = Sizes(17, 14, 36)
"""On a plan drawn 830 px wide these are 14, 12 and 30 px."""
NARROW: Final = Sizes(32, 28, 58)
"""On a phone the plan is 330 px wide: 10.5, 9 and 19 px."""


class Line(msgspec.Struct, frozen=True):
    """One line of a name and where its letters stand."""

    text: str
    y: float


class Label(msgspec.Struct, frozen=True):
    """A name in a zone, in the letters of `Sizes`, and the middle of the room below it for a figure."""

    lines: tuple[Line, ...]
    small: bool
    figure_y: float


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One zone: corners, where its label stands, and how its name fits a wide and a narrow drawing."""

    zone: Zone
    place: int
    corners: tuple[Point, ...]
    x: float
    y: float
    wide: Label
    narrow: Label

    @property
    def points(self) -> str:
        """The corners as SVG wants them."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.corners)


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """A plan ready to be drawn: zones that lie in others come after them. `tiles` counts zones without an outline."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    tiles: int

    def shape(self, zone: str) -> Shape:
        """Return the shape of a zone by its id."""
        return next(shape for shape in self.shapes if shape.zone.id == zone)


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A walk from one stay to the next, as an SVG path."""

    path: str
    newest: bool


class DrawingCache:
    """Drawings by store, made once a version of its plan; safe across threads."""

    def __init__(self, size: int = PLANS_KEPT) -> None:
        self._size = size
        self._drawings: OrderedDict[int, tuple[int, Drawing]] = OrderedDict()
        self._lock = Lock()

    def get(self, stored: StoredPlan) -> Drawing:
        """Return the drawing of a plan."""
        with self._lock:
            held = self._drawings.get(stored.store_no)
            if held is not None and held[0] == stored.version:
                self._drawings.move_to_end(stored.store_no)
                return held[1]
        drawing = draw(stored.plan)
        with self._lock:
            self._drawings[stored.store_no] = (stored.version, drawing)
            while len(self._drawings) > self._size:
                self._drawings.popitem(last=False)  # the one that nobody asked for the longest
        return drawing


def draw(plan: StorePlan) -> Drawing:
    """Return the drawing of a plan."""
    outlined = [zone for zone in plan.zones if zone.outline is not None and len(zone.outline) >= 3]
    bare = [zone for zone in plan.zones if zone not in outlined]
    corners: dict[str, tuple[Point, ...]] = {}
    height = 0.0
    if outlined:
        units_per_m, left, top, height = fit(outlined)
        for zone in outlined:
            corners[zone.id] = tuple(
                ((x - left) * units_per_m, (y - top) * units_per_m)
                for x, y in zone.outline  # type: ignore[union-attr]  # outlined ones have one
            )
    tiles, height = _tiles(bare, height)
    corners.update(tiles)
    inner = {zone.id: [corners[child.id] for child in plan.zones if child.parent == zone.id] for zone in plan.zones}
    depth = {zone.id: len(outer) for zone, outer in zip(plan.zones, plan.around, strict=True)}
    ordered = sorted(plan.zones, key=lambda zone: (depth[zone.id], plan.zone_index[zone.id]))
    return Drawing(
        width=WIDTH,
        height=height,
        shapes=tuple(_shape(zone, plan.zone_index[zone.id], corners[zone.id], inner[zone.id]) for zone in ordered),
        tiles=len(bare),
    )


def moves(drawing: Drawing, zones: Sequence[str], *, narrow: bool) -> list[Move]:
    """Return the walk through zones (ids in the order of the stays); a return bends to the other side."""
    shapes = [drawing.shape(zone) for zone in zones]
    stops = [(shape.x, (shape.narrow if narrow else shape.wide).figure_y) for shape in shapes]
    walks: list[Move] = []
    for number, (start, end) in enumerate(pairwise(stops)):
        if start == end:
            continue
        bend = 0.14
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        control = (middle[0] - (end[1] - start[1]) * bend, middle[1] + (end[0] - start[0]) * bend)
        path = f"M{start[0]:.1f} {start[1]:.1f}Q{control[0]:.1f} {control[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
        walks.append(Move(path=path, newest=number == len(stops) - 2))
    return walks


def fit(zones: Sequence[Zone]) -> tuple[float, float, float, float]:
    """Return units per metre, the metres at the left and upper edge, and the height in units."""
    points = [point for zone in zones for point in zone.outline or ()]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top, bottom = min(y for _, y in points), max(y for _, y in points)
    across, down = max(right - left, 1e-6), max(bottom - top, 1e-6)
    room = WIDTH
    units_per_m = min(room / across, (_MAX_HEIGHT) / down)
    left -= (room / units_per_m - across) / 2  # a tall plan stands in the middle
    return units_per_m, left, top, down * units_per_m


def _tiles(zones: Sequence[Zone], top: float) -> tuple[dict[str, tuple[Point, ...]], float]:
    if not zones:
        return {}, top
    columns = max(1, min(len(zones), ceil(sqrt(len(zones) * 1.2))))
    across = (WIDTH - (columns - 1) * _TILE_GAP) / columns
    first = top + _TILE_GAP if top else 0.0
    tiles: dict[str, tuple[Point, ...]] = {}
    for number, zone in enumerate(zones):
        x = (number % columns) * (across + _TILE_GAP)
        y = first + (number // columns) * (_TILE_HEIGHT + _TILE_GAP)
        tiles[zone.id] = ((x, y), (x + across, y), (x + across, y + _TILE_HEIGHT), (x, y + _TILE_HEIGHT))
    rows = ceil(len(zones) / columns)
    return tiles, first + rows * (_TILE_HEIGHT + _TILE_GAP) - _TILE_GAP


def _shape(zone: Zone, place: int, corners: tuple[Point, ...], inner: list[tuple[Point, ...]]) -> Shape:
    x, y = _label_point(corners, inner)
    across = _room((x, y), corners, inner)
    down = _room((y, x), _turned(corners), [_turned(edge) for edge in inner])
    return Shape(
        zone=zone,
        place=place,
        corners=corners,
        x=x,
        y=y,
        wide=_label(zone.label, y, across, down, WIDE),
        narrow=_label(zone.label, y, across, down, NARROW),
    )


def _label_point(corners: tuple[Point, ...], inner: list[tuple[Point, ...]]) -> Point:
    """Return the point that lies deepest inside a zone and outside the zones in it, near its middle among equals."""
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    left, right, top, bottom = min(xs), max(xs), min(ys), max(ys)
    middle = (sum(xs) / len(xs), sum(ys) / len(ys))
    best, best_score = middle, -inf
    for row in range(1, _GRID):
        for column in range(1, _GRID):
            point = (left + (right - left) * column / _GRID, top + (bottom - top) * row / _GRID)
            if not _inside(point, corners) or any(_inside(point, hole) for hole in inner):
                continue
            depth = min(_distance(point, edge) for edge in (corners, *inner))
            score = depth - 0.15 * hypot(point[0] - middle[0], point[1] - middle[1])
            if score > best_score:
                best, best_score = point, score
    return best


def _room(point: Point, corners: tuple[Point, ...], inner: list[tuple[Point, ...]]) -> float:
    """Return twice the distance from a point to the nearest border left or right of it."""
    crossings = [x for edge in (corners, *inner) for x in _crossings(point[1], edge)]
    return 2 * min((abs(x - point[0]) for x in crossings), default=0.0)


def _turned(corners: tuple[Point, ...]) -> tuple[Point, ...]:
    return tuple((y, x) for x, y in corners)


def _crossings(y: float, corners: tuple[Point, ...]) -> list[float]:
    found = []
    for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if (y1 > y) != (y2 > y):
            found.append(x1 + (y - y1) / (y2 - y1) * (x2 - x1))
    return found


def _inside(point: Point, corners: tuple[Point, ...]) -> bool:
    """Even-odd rule: an odd count of borders lies to the right."""
    return sum(x > point[0] for x in _crossings(point[1], corners)) % 2 == 1


def _distance(point: Point, corners: tuple[Point, ...]) -> float:
    nearest = inf
    for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0]), strict=True):
        length = (x2 - x1) ** 2 + (y2 - y1) ** 2
        share = 0.0 if length == 0 else ((point[0] - x1) * (x2 - x1) + (point[1] - y1) * (y2 - y1)) / length
        share = min(1.0, max(0.0, share))
        nearest = min(nearest, hypot(point[0] - x1 - share * (x2 - x1), point[1] - y1 - share * (y2 - y1)))
    return nearest


def _label(name: str, y: float, across: float, down: float, sizes: Sizes) -> Label:
    """Fit a name: as it is, in two lines, smaller, or cut; the whole of name and figure stands around `y`."""
    for size, small in ((sizes.name, False), (sizes.small_name, True)):
        letters = int(across * _FILL / (size * _LETTER))
        for lines in ((name,), _two_lines(name)):
            if max(map(len, lines)) <= letters and _height(len(lines), size, sizes.figure) <= down:
                return _placed(lines, small, y, size, sizes.figure)
    letters = int(across * _FILL / (sizes.small_name * _LETTER))
    cut = f"{name[: letters - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}" if letters > _LEAST_LETTERS else ""
    lines = (cut,) if cut and _height(1, sizes.small_name, sizes.figure) <= down else ()
    return _placed(lines, small=True, y=y, size=sizes.small_name, figure=sizes.figure)


def _placed(lines: tuple[str, ...], small: bool, y: float, size: float, figure: float) -> Label:
    top = y - _height(len(lines), size, figure) / 2
    placed = tuple(Line(text, top + size * (0.86 + _LINE * number)) for number, text in enumerate(lines))
    return Label(placed, small, top + len(lines) * size * _LINE + figure / 2)


def _height(lines: int, size: float, figure: float) -> float:
    return lines * size * _LINE + figure


def _two_lines(name: str) -> tuple[str, ...]:
    """Return a name in two lines as equal as its words allow; one line where it is one word."""
    words = name.split()
    splits = [(" ".join(words[:cut]), " ".join(words[cut:])) for cut in range(1, len(words))]
    return min(splits, key=lambda pair: max(map(len, pair)), default=(name,))
