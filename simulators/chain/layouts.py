"""Stores of a chain as floor plans: rows of zones between walls, each store with a layout of its own."""

from typing import Final

from core.floorplan import Anchor, StorePlan, Wall, Zone
from simulators.chain.calendar import Place
from simulators.chain.draws import Draws

_GOODS: Final = (
    ("women", "Women", "department"), ("men", "Men", "department"), ("shoes", "Shoes", "shelf"),
    ("kids", "Kids", "department"), ("bags", "Bags", "shelf"), ("sport", "Sport", "department"),
    ("beauty", "Beauty", "shelf"), ("home", "Home", "department"), ("books", "Books", "shelf"),
    ("outdoor", "Outdoor", "department"), ("toys", "Toys", "shelf"), ("garden", "Garden", "department"),
    ("audio", "Audio", "shelf"), ("kitchen", "Kitchen", "department"), ("gifts", "Gifts", "shelf"),
)  # fmt: skip
_WALLED: Final = frozenset({"fitting_room", "staff_only"})
_DOOR_M: Final = 1.2
_STREET_DOOR_M: Final = 2.4


def layout(store: str, place: Place, draws: Draws) -> StorePlan:
    """Return the plan of one store: 3 to 5 zones wide, 3 or 4 deep, the street in front.

    Fitting and staff rooms have walls with one door; the rest is open within the outer walls.
    """
    columns, rows = 3 + draws.below(3), 3 + draws.below(2)
    across, deep = 6.0 + draws.below(7) * 0.5, 6.0 + draws.below(5) * 0.5
    kinds = _kinds(columns, rows)
    zones: list[Zone] = []
    anchors: list[Anchor] = []
    walls: list[Wall] = []
    for row in range(rows):
        for column in range(columns):
            zone, name, kind = kinds[row][column]
            left, top = column * across, row * deep
            corners = ((left, top), (left + across, top), (left + across, top + deep), (left, top + deep))
            zones.append(Zone(id=zone, name=name, kind=kind, outline=corners))
            x = round(left + across / 2 + draws.uniform(-1, 1), 1)
            y = round(top + deep / 2 + draws.uniform(-1, 1), 1)
            anchors.append(Anchor(id=f"a{len(anchors) + 1:02}", zone=zone, x=x, y=y, floor=0))
            if kind in _WALLED:
                walls += _room(left, top, across, deep)
    return StorePlan(
        id=store,
        name=f"{place.town} {store.rsplit('-', 1)[-1]}",
        timezone=place.timezone,
        zones=tuple(zones),
        anchors=tuple(anchors),
        adjacent=_adjacent(kinds),
        walls=(*walls, *_shell(columns * across, rows * deep, across * (columns // 2) + across / 2)),
    )


def _kinds(columns: int, rows: int) -> list[list[tuple[str, str, str]]]:
    """Id, name and kind by row (the back first) and column."""
    goods = iter(_GOODS)
    grid = [[("", "", "")] * columns for _ in range(rows)]
    grid[0][0] = ("stockroom", "Stockroom", "staff_only")
    grid[0][columns - 1] = ("fitting-rooms", "Fitting rooms", "fitting_room")
    grid[rows - 1][columns // 2] = ("entrance", "Entrance", "entrance")
    grid[rows - 1][columns - 1] = ("checkout", "Checkout", "checkout")
    if columns > 3:
        grid[rows - 1][0] = ("service", "Service desk", "service")
    return [[cell if cell[0] else next(goods) for cell in row] for row in grid]


def _room(left: float, top: float, across: float, deep: float) -> list[Wall]:
    """Walls on both sides and in front, a door in the middle of the front."""
    bottom, right, middle = top + deep, left + across, left + across / 2
    return [
        ((left, top), (left, bottom)),
        ((right, top), (right, bottom)),
        ((left, bottom), (middle - _DOOR_M / 2, bottom)),
        ((middle + _DOOR_M / 2, bottom), (right, bottom)),
    ]


def _shell(width: float, depth: float, door: float) -> list[Wall]:
    return [
        ((0.0, 0.0), (width, 0.0)),
        ((0.0, 0.0), (0.0, depth)),
        ((width, 0.0), (width, depth)),
        ((0.0, depth), (door - _STREET_DOOR_M / 2, depth)),
        ((door + _STREET_DOOR_M / 2, depth), (width, depth)),
    ]


def _adjacent(kinds: list[list[tuple[str, str, str]]]) -> tuple[tuple[str, str], ...]:
    """Neighbours that one can walk between: rooms with walls open to the front only."""
    pairs = []
    for row, cells in enumerate(kinds):
        for column, (zone, _, kind) in enumerate(cells):
            if column + 1 < len(cells) and not {kind, cells[column + 1][2]} & _WALLED:
                pairs.append((zone, cells[column + 1][0]))
            if row + 1 < len(kinds):
                pairs.append((zone, kinds[row + 1][column][0]))
    return tuple(pairs)
