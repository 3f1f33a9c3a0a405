"""Two pictures as SVG: bars on a logarithmic scale, and lines over a number of devices."""

import math
from html import escape
from typing import Final

_WIDTH: Final = 760
_INK: Final = "#24292f"
_PALE: Final = "#d0d7de"
_OURS: Final = "#0a7d5a"
_OTHERS: Final = "#8c959f"
_SERIES: Final = (_OURS, "#6e7781", _INK, "#9a6700", "#0969da")
_LABEL: Final = 16
_LEFT: Final = 190
_RIGHT: Final = 90
_ROW: Final = 26


def bars(title: str, values: dict[str, float], ours: set[str]) -> str:
    """Return horizontal bars, smallest first, on a logarithmic scale of nanoseconds per signal."""
    ordered = sorted(values.items(), key=lambda pair: pair[1])
    low = math.floor(math.log10(min(values.values())))
    high = math.ceil(math.log10(max(values.values())) + 0.01)
    height = 70 + _ROW * len(ordered)
    across = (_WIDTH - _LEFT - _RIGHT) / (high - low)
    parts = [_text(16, 26, title, size=16, weight="600")]
    for decade in range(low, high + 1):
        x = _LEFT + (decade - low) * across
        parts += [
            _line(x, 44, x, height - 22, _PALE),
            _text(x, height - 8, _ns(10.0**decade), anchor="middle", size=11),
        ]
    for row, (name, value) in enumerate(ordered):
        y = 48 + _ROW * row
        long = (math.log10(value) - low) * across
        colour = _OURS if name in ours else _OTHERS
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{long:.1f}" height="{_ROW - 8}" fill="{colour}"/>')
        parts.append(_text(_LEFT - 8, y + 13, name, anchor="end", weight="600" if name in ours else "400"))
        parts.append(_text(_LEFT + long + 6, y + 13, _ns(value)))
    return _svg(height, title, parts)


def lines(title: str, under: str, series: dict[str, dict[int, float]]) -> str:
    """Return one line a series over a logarithmic number of devices; nanoseconds per signal, from zero."""
    height, top, foot = 360, 56, 50
    counts = sorted({count for one in series.values() for count in one})
    most = max(value for one in series.values() for value in one.values())
    step = 10.0 ** math.floor(math.log10(most)) / (1 if most / 10.0 ** math.floor(math.log10(most)) > 4 else 2)
    ceiling = step * math.ceil(most * 1.05 / step)

    def x_of(count: int) -> float:
        span = math.log10(counts[-1] / counts[0]) if len(counts) > 1 else 1.0
        return 70 + (_WIDTH - 70 - 170) * math.log10(count / counts[0]) / span

    def y_of(value: float) -> float:
        return height - foot - (height - foot - top) * value / ceiling

    parts = [_text(16, 26, title, size=16, weight="600"), _text(x_of(counts[0]), height - 10, under, size=12)]
    for tick in range(round(ceiling / step) + 1):
        y = y_of(tick * step)
        parts += [_line(70, y, x_of(counts[-1]), y, _PALE), _text(62, y + 4, _ns(tick * step), anchor="end", size=11)]
    parts += [_text(x_of(count), height - foot + 18, f"{count:,}", anchor="middle", size=11) for count in counts]
    for number, (name, one) in enumerate(series.items()):
        colour = (_OURS, _OTHERS)[number % 2]
        points = " ".join(f"{x_of(count):.1f},{y_of(value):.1f}" for count, value in sorted(one.items()))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x_of(c):.1f}" cy="{y_of(v):.1f}" r="3.5" fill="{colour}"/>' for c, v in one.items()]
        last = one[max(one)]
        parts.append(_text(x_of(max(one)) + 10, y_of(last) + 4, f"{name} {_ns(last)}", weight="600"))
    return _svg(height, title, parts)


def over_time(title: str, minutes: list[float], series: dict[str, list[float]]) -> str:
    """Return one line a series over minutes, from zero; names and last values stand at the right, none on another."""
    height, top, foot, left, room = 320, 56, 50, 70, 190
    most = max(max(values) for values in series.values())
    step = _step(most)
    ceiling = step * math.ceil(most * 1.05 / step)
    across, up = (_WIDTH - left - room) / max(minutes[-1], 1e-9), (height - foot - top) / ceiling
    parts = [_text(16, 26, title, size=16, weight="600"), _text(left, height - 10, "minutes", size=12)]
    for tick in range(round(ceiling / step) + 1):
        y = height - foot - tick * step * up
        parts += [
            _line(left, y, _WIDTH - room, y, _PALE),
            _text(62, y + 4, f"{tick * step:,.{0 if step >= 1 else 1}f}", anchor="end", size=11),
        ]
    every = next((minute for minute in (1, 5, 10, 30, 60) if minutes[-1] / minute <= 12), 120)
    for minute in range(0, round(minutes[-1]) + 1, every):
        parts.append(_text(left + minute * across, height - foot + 18, str(minute), anchor="middle", size=11))
    ends = _apart({name: height - foot - values[-1] * up for name, values in series.items()}, height - foot)
    for number, (name, values) in enumerate(series.items()):
        colour = _SERIES[number % len(_SERIES)]
        places = zip(minutes, values, strict=True)
        points = " ".join(f"{left + at * across:.1f},{height - foot - value * up:.1f}" for at, value in places)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        label = f"{name} {values[-1]:,.0f}"
        parts.append(_text(_WIDTH - room + 8, ends[name] + 4, label, weight="600", colour=colour))
    return _svg(height, title, parts)


def _step(most: float) -> float:
    """Return the distance of lines so that there are four to eight of them."""
    step = 10.0 ** math.floor(math.log10(max(most, 1e-9)))
    return step / 2 if most / step < 4 else step


def _apart(wanted: dict[str, float], lowest: float) -> dict[str, float]:
    """Move labels up until each has a line of its own."""
    placed: dict[str, float] = {}
    at = lowest + _LABEL
    for name, y in sorted(wanted.items(), key=lambda pair: -pair[1]):
        at = min(y, at - _LABEL)
        placed[name] = at
    return placed


def _ns(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:,.0f} µs"
    if value >= 1_000:
        return f"{value / 1000:.3g} µs"
    return f"{value:.3g} ns"


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 13, weight: str = "400",
    colour: str = _INK,
) -> str:  # fmt: skip
    font = f'font-size="{size}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {font}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _svg(height: int, title: str, parts: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
        f' role="img" font-family="system-ui, Arial, DejaVu Sans, sans-serif"><title>{escape(title)}</title>'
    )
    return "\n".join([head, f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>', *parts, "</svg>", ""])
