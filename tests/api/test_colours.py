"""The colours of the style sheet: readable in light and dark, and a heat scale that only ever rises."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

import api

SHEET = (Path(api.__file__).parent / "static" / "sojourn.css").read_text()
AA = 4.5
"""WCAG 2.2, success criterion 1.4.3: contrast of text."""
PARTS = 3.0
"""WCAG 2.2, success criterion 1.4.11: contrast of signs that carry meaning."""
DARK = "@media screen and (prefers-color-scheme: dark)"


def colours(scheme: str) -> dict[str, str]:
    light = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", SHEET[: SHEET.index(DARK)]))
    if scheme == "light":
        return light
    begin = SHEET.index(DARK)
    return light | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", SHEET[begin : SHEET.index("*, *::before", begin)]))


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_on_everything_it_stands_on(scheme: str) -> None:
    found = colours(scheme)
    pairs = [(f"on-heat-{step}", f"heat-{step}") for step in range(7)]
    pairs += [(text, ground) for text in ("ink", "quiet") for ground in ("page", "card", "accent-soft")]
    pairs += [("accent", "card"), ("accent", "accent-soft"), ("card", "move"), ("card", "accent")]
    pairs += [(sign, "page") for sign in ("good", "warn", "bad")]
    weak = {pair: round(contrast(found[pair[0]], found[pair[1]]), 2) for pair in pairs}
    assert not {pair: ratio for pair, ratio in weak.items() if ratio < AA}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_heat_rises_from_the_page_in_clear_steps(scheme: str) -> None:
    found = colours(scheme)
    rise = [contrast(found[f"heat-{step}"], found["card"]) for step in range(7)]
    assert rise == sorted(rise)
    steps = [high / low for low, high in pairwise(rise)]
    assert min(steps) > 1.12, steps


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_signs_and_the_walk_stand_out(scheme: str) -> None:
    found = colours(scheme)
    assert contrast(found["move"], found["move-halo"]) >= PARTS
    assert contrast(found["accent"], found["card"]) >= PARTS
