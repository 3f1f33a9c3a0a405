"""A floor plan as a picture of its own: zones, walls, anchors and a scale, in light and dark."""

from html import escape
from typing import Final

from api.stores.drawing import WIDE, WIDTH, Drawing, Shape, draw, fit
from core.floorplan import Anchor, StorePlan

_MARGIN: Final = 30
_FOOT: Final = 60
"""Below the plan: the scale and what the signs mean."""
_SCALES_M: Final = (100, 50, 20, 10, 5, 2, 1)
_LETTER: Final = 13
_STYLE: Final = """
svg{font-family:system-ui,sans-serif;background:#fff;color:#1c2430}
.zone{stroke:#7c8798;stroke-width:1.5}
.entrance{fill:#dff0e3}.department{fill:#eef1f6}.shelf{fill:#e4e9f7}.fitting_room{fill:#f7e8f2}
.checkout{fill:#fdf0d5}.service{fill:#e0f2f5}.staff_only{fill:#e6e3df}
.wall{stroke:#1c2430;stroke-width:4;stroke-linecap:round}
.anchor{fill:#b3261e;stroke:#fff;stroke-width:2}.scale{stroke:#1c2430;stroke-width:2}
text{fill:#1c2430}.id{font-size:12px;fill:#8c1d18}
@media(prefers-color-scheme:dark){svg{background:#14181f;color:#e8ecf2}.zone{stroke:#8b97a8}
.entrance{fill:#1d3a27}.department{fill:#242b36}.shelf{fill:#28304a}.fitting_room{fill:#3b2735}
.checkout{fill:#423617}.service{fill:#173a40}.staff_only{fill:#33302c}
.wall,.scale{stroke:#e8ecf2}text{fill:#e8ecf2}.anchor{fill:#ff8a80;stroke:#14181f}.id{fill:#ffb4ab}}
"""


def as_svg(plan: StorePlan) -> str:
    """Return a store's plan as an SVG document.

    Zones without an outline are drawn as tiles below; anchors and walls are drawn where outlines give a scale.
    """
    drawing = draw(plan)
    parts = [_zone(shape) for shape in drawing.shapes]
    outlined = [zone for zone in plan.zones if zone.outline is not None and len(zone.outline) >= 3]
    foot = ""
    if outlined:
        units_per_m, left, top, _ = fit(outlined)
        for (x1, y1), (x2, y2) in plan.walls:
            ends = (
                ((x1 - left) * units_per_m, (y1 - top) * units_per_m),
                (
                    (x2 - left) * units_per_m,
                    (y2 - top) * units_per_m,
                ),
            )
            parts.append(_line("wall", *ends))
        parts += [
            _anchor(anchor, (anchor.x - left) * units_per_m, (anchor.y - top) * units_per_m)
            for anchor in plan.anchors
            if anchor.x is not None and anchor.y is not None
        ]
        foot = _foot(drawing, units_per_m)
    height = drawing.height + 2 * _MARGIN + _FOOT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-_MARGIN} {-_MARGIN} {WIDTH + 2 * _MARGIN} {height:.0f}"'
        f' role="img" aria-label="{_text(f"Floor plan of {plan.label}")}"><style>{_STYLE}</style>'
        f"{''.join(parts)}{foot}</svg>\n"
    )


def _zone(shape: Shape) -> str:
    size = WIDE.small_name if shape.wide.small else WIDE.name
    top = _above(shape) + 1.3 * size  # at the upper edge: anchors stand in the middle
    lines = "".join(
        f'<text x="{shape.x:.1f}" y="{top + 1.15 * size * number:.1f}" text-anchor="middle" font-size="{size}">'
        f"{_text(line.text)}</text>"
        for number, line in enumerate(shape.wide.lines)
    )
    name = _text(f"{shape.zone.label} ({shape.zone.id}, {shape.zone.kind.replace('_', ' ')})")
    kind = _text(shape.zone.kind)
    return f'<g><title>{name}</title><polygon class="zone {kind}" points="{shape.points}"/>{lines}</g>'


def _above(shape: Shape) -> float:
    """Return where the border above a zone's label runs."""
    found = [min(y for _, y in shape.corners)]
    for (x1, y1), (x2, y2) in zip(shape.corners, (*shape.corners[1:], shape.corners[0]), strict=True):
        if (x1 > shape.x) != (x2 > shape.x):
            y = y1 + (shape.x - x1) / (x2 - x1) * (y2 - y1)
            if y < shape.y:
                found.append(y)
    return max(found)


def _anchor(anchor: Anchor, x: float, y: float) -> str:
    return (
        f"<g><title>{_text(f'Anchor {anchor.id} in {anchor.zone}')}</title>"
        f'<circle class="anchor" cx="{x:.1f}" cy="{y:.1f}" r="7"/>'
        f'<text class="id" x="{x + 10:.1f}" y="{y - 8:.1f}">{_text(anchor.id)}</text></g>'
    )


def _foot(drawing: Drawing, units_per_m: float) -> str:
    metres = next((scale for scale in _SCALES_M if scale * units_per_m <= WIDTH / 4), _SCALES_M[-1])
    y = drawing.height + _MARGIN + _FOOT / 2
    return (
        _line("scale", (0.0, y), (metres * units_per_m, y))
        + f'<text x="0" y="{y - 8:.1f}" font-size="{_LETTER}">{metres} m</text>'
        + f'<circle class="anchor" cx="{WIDTH - 80}" cy="{y - 4:.1f}" r="7"/>'
        + f'<text x="{WIDTH - 66}" y="{y:.1f}" font-size="{_LETTER}">anchor</text>'
    )


def _line(kind: str, one: tuple[float, float], other: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = one, other
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(text: str) -> str:
    return escape("".join(letter for letter in text if letter.isprintable()))
