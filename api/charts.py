"""Geometry of the charts: numbers in, coordinates of an SVG out. Templates draw, style sheets colour."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec

WIDTH: Final = 1000.0
_LEFT: Final = 56.0
_TOP: Final = 14.0
_BOTTOM: Final = 44.0
_LABELS: Final = 14
"""Labels below a wide chart; a phone shows every third of them."""
_HEAT_STEPS: Final = 6


class Tick(msgspec.Struct, frozen=True):
    """A line across a chart and what it stands for."""

    at: float
    text: str
    narrow: bool = True


class Bar(msgspec.Struct, frozen=True):
    """One bar; `hidden` ones have no height and are hatched in full."""

    x: float
    y: float
    width: float
    height: float
    title: str
    hidden: bool
    beside: float | None
    """Height mark of what it is compared with, None without."""


class _Axes(msgspec.Struct, frozen=True, kw_only=True):
    """What a chart stands on: `labels` are below, `ticks` at the side."""

    height: float
    labels: list[Tick]
    ticks: list[Tick]
    left: float = _LEFT
    width: float = WIDTH

    @property
    def base(self) -> float:
        """Where the axis lies."""
        return self.height - _BOTTOM


class BarChart(_Axes, frozen=True, kw_only=True):
    """Bars over an axis."""

    bars: list[Bar]


class Datum(msgspec.Struct, frozen=True):
    """What a bar shows: None has no bar, and is hatched where `hidden`."""

    label: str
    title: str
    value: float | None
    hidden: bool = False
    beside: float | None = None


def bar_chart(data: Sequence[Datum], *, height: float = 280.0, per_cent: bool = False) -> BarChart:
    """Return a bar chart whose axis begins at 0."""
    values = [v for datum in data for v in (datum.value, datum.beside) if v is not None]
    top, ticks = _axis(max(values, default=0.0), per_cent=per_cent)
    base = height - _BOTTOM
    scale = (base - _TOP) / top
    step = (WIDTH - _LEFT) / max(1, len(data))
    gap = min(6.0, step * 0.18)
    every = max(1, math.ceil(len(data) / _LABELS))
    bars, labels = [], []
    for number, datum in enumerate(data):
        x = _LEFT + number * step
        tall = base - _TOP if datum.hidden else (datum.value or 0.0) * scale
        bars.append(
            Bar(
                x=x + gap / 2,
                y=base - tall,
                width=step - gap,
                height=tall,
                title=datum.title,
                hidden=datum.hidden,
                beside=None if datum.beside is None else base - datum.beside * scale,
            )
        )
        if number % every == 0:
            labels.append(Tick(x + step / 2, datum.label, number % (every * 3) == 0))
    marks = [Tick(base - value * scale, text) for value, text in ticks]
    return BarChart(height=height, bars=bars, labels=labels, ticks=marks)


class Curve(msgspec.Struct, frozen=True):
    """Points of a line as an SVG polyline takes them, and marks to hover."""

    points: str
    marks: list[tuple[float, float, str]]


class CurveChart(_Axes, frozen=True, kw_only=True):
    """Lines over a logarithmic axis of dwell."""

    curves: list[Curve]


_CURVE_LABELS: Final = (
    (15, "15 s", True), (30, "30 s", False), (60, "1 min", True), (180, "3 min", False), (300, "5 min", True),
    (900, "15 min", False), (1800, "30 min", True), (3600, "1 h", False), (7200, "2 h", True),
)  # fmt: skip


def curve_chart(lines: Sequence[Sequence[tuple[int, float, str]]], *, height: float = 280.0) -> CurveChart:
    """Return engagement curves: each line is (dwell in s, share, title), dwell rising."""
    base = height - _BOTTOM
    longest = max((point[0] for line in lines for point in line), default=60)
    reach = math.log(max(longest, 60) / 10)

    def x_of(dwell_s: float) -> float:
        return _LEFT + 8 + (WIDTH - _LEFT - 40) * math.log(max(dwell_s, 10) / 10) / reach

    curves = []
    for line in lines:
        marks = [(x_of(dwell_s), base - share * (base - _TOP), title) for dwell_s, share, title in line]
        curves.append(Curve(" ".join(f"{x:.1f},{y:.1f}" for x, y, _ in marks), marks))
    labels = [Tick(x_of(at), text, narrow) for at, text, narrow in _CURVE_LABELS if at <= longest]
    ticks = [Tick(base - share * (base - _TOP), f"{share * 100:.0f}%") for share in (0, 0.25, 0.5, 0.75, 1)]
    return CurveChart(height=height, curves=curves, labels=labels, ticks=ticks)


class Node(msgspec.Struct, frozen=True):
    """A zone at a side of a flow."""

    y: float
    height: float
    zone: int
    value: float


class Link(msgspec.Struct, frozen=True):
    """Moves between two zones: a band from left to right."""

    path: str
    from_zone: int
    to_zone: int
    value: float
    step: int


class Flow(msgspec.Struct, frozen=True):
    """A Sankey diagram of two columns."""

    height: float
    left: list[Node]
    right: list[Node]
    links: list[Link]
    room: "FlowRoom"


class FlowRoom(msgspec.Struct, frozen=True):
    """The measures of a Sankey diagram; `side` is what the names beside the nodes take, `gap` is between nodes.

    `node` is the height that a chart gets for each node of its longer side: a single move is a band, not a wall.
    """

    width: float
    side: float
    gap: float
    node: float
    tallest: float
    name: int
    """Characters of a name."""


_NODE_WIDTH: Final = 12.0
WIDE: Final = FlowRoom(width=WIDTH, side=200.0, gap=12.0, node=96.0, tallest=560.0, name=20)
NARROW: Final = FlowRoom(width=400.0, side=112.0, gap=24.0, node=60.0, tallest=640.0, name=12)
"""For phones, where 400 units are 296 px: names of 16 units are 12 px high and 24 units apart."""


def flow_chart(moves: Sequence[tuple[int, int, float]], *, room: FlowRoom = WIDE) -> Flow:
    """Return a Sankey diagram: where stays ended on the left, where the next began on the right.

    Zones stand in the order of their moves, the most at the top; widths are in one scale.
    """
    out: dict[int, float] = defaultdict(float)
    into: dict[int, float] = defaultdict(float)
    for one, other, value in moves:
        out[one] += value
        into[other] += value
    if not moves:
        return Flow(0.0, [], [], [], room)
    most = max(len(out), len(into))
    height = min(room.tallest, room.node * most)
    scale = (height - room.gap * most) / sum(out.values())
    left, right = _column(out, height, scale), _column(into, height, scale)
    leaves, arrives = {node.zone: node.y for node in left}, {node.zone: node.y for node in right}
    order = {node.zone: number for number, node in enumerate(right)}
    widest = max(value for _, _, value in moves)
    links = []
    for one, other, value in sorted(moves, key=lambda move: (move[0], order[move[1]])):
        thick = value * scale
        y0, y1 = leaves[one], arrives[other]
        leaves[one] += thick
        arrives[other] += thick
        x0, x1 = room.side + _NODE_WIDTH, room.width - room.side - _NODE_WIDTH
        mid = (x0 + x1) / 2
        path = (
            f"M{x0:.1f} {y0:.1f}C{mid:.1f} {y0:.1f} {mid:.1f} {y1:.1f} {x1:.1f} {y1:.1f}V{y1 + thick:.1f}"
            f"C{mid:.1f} {y1 + thick:.1f} {mid:.1f} {y0 + thick:.1f} {x0:.1f} {y0 + thick:.1f}Z"
        )
        links.append(Link(path, one, other, value, heat(value, widest)))
    return Flow(height, left, right, links, room)


def heat(value: float, most: float) -> int:
    """Return the step of heat, 1 to 6, in equal parts of the most; 0 for nothing."""
    return 0 if value <= 0 or most <= 0 else min(_HEAT_STEPS, 1 + int(value / most * _HEAT_STEPS - 1e-9))


def _column(values: dict[int, float], height: float, scale: float) -> list[Node]:
    listed = sorted(values.items(), key=lambda item: (-item[1], item[0]))
    spare = height - scale * sum(values.values())
    gap = spare / len(listed)
    nodes, y = [], gap / 2
    for zone, value in listed:
        nodes.append(Node(y, value * scale, zone, value))
        y += value * scale + gap
    return nodes


def _axis(most: float, *, per_cent: bool) -> tuple[float, list[tuple[float, str]]]:
    """Return the top of an axis and its ticks: four or five steps of 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return 1.0, [(0.0, "0")]
    rough = most / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    if not per_cent:
        step = max(1.0, step)
    count = math.ceil(most / step - 1e-9)
    ticks = [step * number for number in range(count + 1)]
    return step * count, [(value, f"{value * 100:g}%" if per_cent else f"{value:,g}") for value in ticks]
