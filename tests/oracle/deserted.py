"""Which anchors are deserted, as one would say it to a child, with fractions in place of tables.

People leave one by one. That each of some does so within its own short window before the end, by chance, is at most
the product of window / stay, summed over all choices of so many among those that could:
(sum of window / stay)^k / k!.
Imports nothing of the product.
"""

from fractions import Fraction
from math import factorial
from typing import NamedTuple

TICK_US = 2**20


class Stood(NamedTuple):
    """A device that is in the store: the anchor before which it stands, its mean gap, its last signal."""

    anchor: int
    gap_us: int
    last_at: int
    adverts: int = 9
    said_that_it_left: bool = False


def too_many(fell: int, windows_us: int, stay_us: int, chance: Fraction) -> bool:
    """Whether so many leaving at one is too seldom to be believed; two always may."""
    beside = fell - 1
    return beside >= 2 and Fraction(windows_us, stay_us) ** beside / factorial(beside) <= chance


def party_chance(windows_us: list[int], stay_us: int) -> float:
    """The chance that couples, each within their mean window, all leave before an anchor."""
    couples = (len(windows_us) + 1) // 2
    return float(min(sum(windows_us) / len(windows_us) / stay_us, 1.0) ** couples)


def deserted(
    devices: list[Stood],
    heard_last: dict[int, int],
    tick: int,
    *,
    gaps: int = 5,
    stay_us: int = 900_000_000,
    chance: Fraction = Fraction(1, 1000),
    forgotten_ticks: int = 859,
) -> set[int]:
    """Return the anchors that died in `tick`, or before; `heard_last`: the tick in which each last heard anybody."""

    def window(device: Stood) -> int:
        return gaps * device.gap_us + TICK_US

    here = [
        device
        for device in devices
        if device.adverts > 1 and not device.said_that_it_left and device.last_at >= tick * TICK_US - window(device)
    ]
    fell = [
        device
        for device in here
        if device.last_at < (tick + 1) * TICK_US
        and device.anchor in heard_last
        and tick - forgotten_ticks < heard_last[device.anchor] <= tick
    ]
    if too_many(len(fell), sum(map(window, here)), stay_us, chance):
        return {device.anchor for device in fell}
    found = set()
    people = {anchor: [device for device in here if device.anchor == anchor] for anchor in {d.anchor for d in here}}
    emptied = {anchor for anchor, before in people.items() if all(device in fell for device in before)}
    parties_us = sum(int(party_chance(list(map(window, before)), stay_us) * stay_us) for before in people.values())
    if too_many(len(emptied), parties_us, stay_us, chance):
        found |= emptied
    for anchor in {device.anchor for device in fell if heard_last[device.anchor] == tick}:
        before = [device for device in here if device.anchor == anchor]
        if too_many(sum(device.anchor == anchor for device in fell), sum(map(window, before)), stay_us, chance):
            found.add(anchor)
    return found
