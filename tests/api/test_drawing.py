"""A plan becomes shapes: names fit, labels lie inside, every plan can be drawn."""

import json
import random
from itertools import pairwise
from math import atan2

import pytest

from api.stores.drawing import NARROW, WIDE, WIDTH, Drawing, Shape, draw, moves
from core.floorplan import load
from tests.api.seeding import PLAN, SMALL_PLAN


def drawn(zones: str) -> Drawing:
    begin = '{"stores": [{"id": "s", "timezone": "UTC", "anchors": [{"id": "a", "zone": "a"}], "zones": ['
    return draw(load(begin + zones + "]}]}").stores[0])


def inside(shape: Shape, x: float, y: float) -> bool:
    corners = shape.corners
    hit = False
    for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            hit = not hit
    return hit


def test_a_plan_fills_the_drawing_and_keeps_its_proportions() -> None:
    drawing = draw(load(PLAN).stores[0])
    xs = [x for shape in drawing.shapes for x, _ in shape.corners]
    ys = [y for shape in drawing.shapes for _, y in shape.corners]
    assert (min(xs), max(xs), min(ys)) == (0, WIDTH, 0)
    assert max(ys) == drawing.height == WIDTH * 25 / 40
    assert drawing.tiles == 0


def test_labels_lie_inside_their_zone_and_names_do_not_leave_it() -> None:
    for shape in draw(load(PLAN).stores[0]).shapes:
        assert inside(shape, shape.x, shape.y)
        assert shape.wide.lines, "on a wide drawing every name is there"
        for label, sizes in ((shape.wide, WIDE), (shape.narrow, NARROW)):
            size = sizes.small_name if label.small else sizes.name
            for line in label.lines:
                half = len(line.text) * size * 0.5 / 2
                assert inside(shape, shape.x - half, line.y)
                assert inside(shape, shape.x + half, line.y)
                assert line.y < label.figure_y
            assert inside(shape, shape.x, label.figure_y + sizes.figure * 0.3)


def test_a_name_wraps_shrinks_or_is_cut_before_it_is_left_out() -> None:
    def narrow(name: str, across: float) -> tuple[tuple[str, ...], bool]:
        zone = {"id": "a", "name": name, "outline": [[0, 0], [across, 0], [across, 40], [0, 40]]}
        wide = '{"id": "b", "outline": [[0, 40], [100, 40], [100, 60], [0, 60]]}'
        shape = drawn(f"{json.dumps(zone)}, {wide}").shape("a")
        return tuple(line.text for line in shape.narrow.lines), shape.narrow.small

    assert narrow("Shoe wall", 40) == (("Shoe wall",), False)
    assert narrow("Fitting rooms", 18) == (("Fitting", "rooms"), False)
    assert narrow("Stockroom", 15.5) == (("Stockroom",), True)
    assert narrow("Haberdashery", 12) == (("Haberd\u2026",), True)
    assert narrow("Haberdashery", 3) == ((), True)


def test_a_zone_without_an_outline_becomes_a_tile() -> None:
    drawing = draw(load(SMALL_PLAN).stores[0])
    assert drawing.tiles == 3
    boxes = sorted((shape.corners[0], shape.corners[2]) for shape in drawing.shapes)
    assert boxes[-1][1][0] == pytest.approx(WIDTH)
    for (_, low), (high, _) in pairwise(boxes):
        assert low[0] < high[0] or low[1] < high[1], "tiles do not overlap"
    mixed = drawn('{"id": "a", "outline": [[0, 0], [9, 0], [9, 9]]}, {"id": "b"}')
    assert mixed.tiles == 1
    assert mixed.shape("b").corners[0][1] > max(y for _, y in mixed.shape("a").corners)


def test_a_zone_in_another_is_drawn_after_it_and_their_labels_keep_apart() -> None:
    drawing = drawn(
        '{"id": "a", "parent": "b", "outline": [[4, 4], [6, 4], [6, 6], [4, 6]]},'
        '{"id": "b", "outline": [[0, 0], [10, 0], [10, 10], [0, 10]]}'
    )
    assert [shape.zone.id for shape in drawing.shapes] == ["b", "a"]
    assert [shape.place for shape in drawing.shapes] == [1, 0]
    assert not inside(drawing.shape("a"), drawing.shape("b").x, drawing.shape("b").y)


def test_a_degenerate_outline_still_draws() -> None:
    drawing = drawn('{"id": "a", "outline": [[1, 1], [1, 1], [1, 1]]}, {"id": "b", "outline": [[0, 0], [5, 5]]}')
    assert len(drawing.shapes) == 2


def test_a_walk_has_a_move_for_each_change_of_zone_and_returns_on_the_other_side() -> None:
    drawing = draw(load(PLAN).stores[0])
    walk = moves(drawing, ["entrance", "new", "new", "entrance"], narrow=False)
    assert len(walk) == 2
    there, back = walk
    assert there.path != back.path
    assert (there.newest, back.newest) == (False, True)
    assert moves(drawing, [], narrow=True) == []


def test_random_polygons_are_labelled_inside() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        corners = sorted((chance.uniform(0, 10), chance.uniform(0, 10)) for _ in range(5))
        centre = (sum(x for x, _ in corners) / 5, sum(y for _, y in corners) / 5)
        turned = sorted(corners, key=lambda p: atan2(p[1] - centre[1], p[0] - centre[0]))
        shape = drawn('{"id": "a", "outline": %s}' % [list(point) for point in turned]).shape("a")
        assert inside(shape, shape.x, shape.y), f"seed {seed}"
