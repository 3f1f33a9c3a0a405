"""Phones that hear beacons: what an app in the background is told of regions, and the few readings it takes then.

The other direction than `store.py`, where gateways hear tags. As on iOS: entering is told at once, leaving 20 to 30 s
late or never, and an app that is woken ranges for some seconds (docs/integrate.md has the sources).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.limits import NS_PER_S
from core.records import APP_ENTER, APP_EXIT, SIGNAL, SignalArray


@dataclass(frozen=True)
class Phone:
    """How a phone tells what it hears.

    `exit_late_s` from, to; `exit_never` the share of exits that are not told; `ranging_s` seconds of readings, one a
    second, after each entering and, where `every_s` is not 0, as often as that while it stays.
    """

    enter_late_s: float = 1.0
    exit_late_s: tuple[float, float] = (20.0, 30.0)
    exit_never: float = 0.2
    ranging_s: int = 5
    every_s: float = 0.0
    level_dbm: float = -62.0
    noise_db: float = 4.0


def told(stays: Sequence[tuple[int, int, int]], phone: Phone, seed: int, device: int = 0) -> SignalArray:
    """Return what a phone tells of a walk past beacons: SIGNAL in order of time, ns.

    Parameters
    ----------
    stays : sequence of (anchor, entered_at, left_at)
        Whose beacon is near from when to when, ns.
    phone : Phone
    seed : int
    device : int
        Its number.
    """
    rng = np.random.default_rng([seed, device])
    parts: list[NDArray[np.int64]] = []
    for anchor, entered_at, left_at in stays:
        woken = entered_at + int(rng.uniform(0, phone.enter_late_s) * NS_PER_S)
        parts.append(_rows([woken], anchor, [APP_ENTER]))
        begins = [woken]
        if phone.every_s > 0:
            begins += range(woken, left_at, int(phone.every_s * NS_PER_S))[1:]
        for begin in begins:
            at = begin + (1 + np.arange(phone.ranging_s)) * NS_PER_S
            at = at[at < left_at]
            parts.append(_rows(at, anchor, np.rint(rng.normal(phone.level_dbm, phone.noise_db, len(at)))))
        if rng.random() >= phone.exit_never:
            late = int(rng.uniform(*phone.exit_late_s) * NS_PER_S)
            parts.append(_rows([left_at + late], anchor, [APP_EXIT]))
    rows = np.concatenate(parts)
    signals = np.zeros(len(rows), SIGNAL)
    signals["ts"], signals["anchor"], signals["rssi_dbm"] = rows.T
    signals["device"] = device
    return signals[np.argsort(signals["ts"], kind="stable")]


def _rows(at: object, anchor: int, level: object) -> NDArray[np.int64]:
    times = np.asarray(at, np.int64)
    return np.stack([times, np.full(len(times), anchor), np.asarray(level, np.int64)], axis=1)
