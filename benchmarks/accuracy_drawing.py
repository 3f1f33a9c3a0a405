"""Line charts of the accuracy grid as SVG, without a library: a few lines on a white ground."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH, _HEIGHT = 430, 330  # of a panel
_LEFT, _TOP, _RIGHT, _BOTTOM = 52, 40, 14, 46  # room for axes and title
_LEGEND_ROW: Final = 20
_STYLE: Final = "font-family:system-ui,sans-serif;font-size:12px;fill:#222"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a panel."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str
    width: float = 1.6
    dashes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One chart: lines over an x axis with these ticks; y from 0 to 1."""

    title: str
    x_label: str
    y_label: str
    x_ticks: Sequence[float]
    lines: Sequence[Line]


def draw(title: str, panels: Sequence[Panel]) -> str:
    """Return panels side by side with one legend below, as an SVG document."""
    names = list({line.name: line for panel in panels for line in panel.lines}.values())
    width, columns = _WIDTH * len(panels), 2 * len(panels)
    rows = -(-len(names) // columns)
    height = _HEIGHT + _LEGEND_ROW * rows + 10
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}" style="{_STYLE}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for place, panel in enumerate(panels):
        parts += [f'<g transform="translate({place * _WIDTH} 0)">', *_panel(panel), "</g>"]
    for place, line in enumerate(names):
        x = 20 + place % columns * (width - 20) / columns
        y = _HEIGHT + place // columns * _LEGEND_ROW + 8
        parts += [
            f'<line x1="{x:.0f}" x2="{x + 24:.0f}" y1="{y}" y2="{y}" {_stroke(line)}/>',
            f'<text x="{x + 30:.0f}" y="{y + 4}">{escape(line.name)}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel) -> list[str]:
    first, last = panel.x_ticks[0], panel.x_ticks[-1]
    across, up = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def at(x: float, y: float) -> tuple[float, float]:
        return _LEFT + (x - first) / (last - first) * across, _TOP + (1 - y) * up

    parts = [f'<text x="{_LEFT}" y="22" font-weight="600">{escape(panel.title)}</text>']
    for tenth in range(0, 11, 2):
        x, y = at(first, tenth / 10)
        parts += [
            f'<line x1="{x:.1f}" x2="{x + across:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>',
            f'<text x="{x - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{tenth / 10:.1f}</text>',
        ]
    for tick in panel.x_ticks:
        x, y = at(tick, 0)
        parts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{tick:g}</text>')
    beside = f"translate(14 {_TOP + up / 2:.1f}) rotate(-90)"
    parts += [
        f'<text x="{_LEFT + across / 2:.1f}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(panel.x_label)}</text>',
        f'<text transform="{beside}" text-anchor="middle">{escape(panel.y_label)}</text>',
    ]
    for line in panel.lines:
        places = [at(x, y) for x, y in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" {_stroke(line)}/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{line.colour}"/>' for x, y in places]
    return parts


def _stroke(line: Line) -> str:
    dashes = f' stroke-dasharray="{line.dashes}"' if line.dashes else ""
    return f'stroke="{line.colour}" stroke-width="{line.width}"{dashes}'
