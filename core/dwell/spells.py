"""Spells of presence: all that is heard of a device between two silences that nobody takes for presence.

A visit never reaches over such a silence, so what is decoded of a whole spell touches no visit of another one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.limits import NS_PER_S
from core.records import SignalArray

BEFORE_ALL_NS = -(2**62)
"""Nobody was heard before the first signal."""
CLOCKS_NS = 300 * NS_PER_S
"""How far models may disagree about when a signal was: clocks of anchors are off by tens of seconds (docs/adr/0006),
and a third of a silence cannot bring two spells together."""


@dataclass(frozen=True)
class SpellTable:
    """Spells in order of device and begin; times are ns, shape (k,).

    `whole` says that there was a silence before; whether there is one after is for who knows how far was heard.
    """

    device: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    whole: NDArray[np.bool_]

    def holding(
        self, device: NDArray[np.int64], begin: NDArray[np.int64], end: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Return for each stretch of time of a device the spell it belongs to, -1 where there is none.

        A stretch may lie CLOCKS_NS beside its spell.
        """
        found = np.full(len(device), -1, np.int64)
        if not len(self.device) or not len(device):
            return found
        keys = np.rec.fromarrays([self.device, self.begin])
        place = np.searchsorted(keys, np.rec.fromarrays([device, end + CLOCKS_NS]), side="right") - 1
        inside = np.maximum(place, 0)
        fits = (place >= 0) & (self.device[inside] == device) & (begin <= self.end[inside] + CLOCKS_NS)
        found[fits] = place[fits]
        return found


class Spells:
    """Collects spells from signals that come about in order of time.

    Parameters
    ----------
    gap_ns : int
        A longer silence ends a spell.
    since_ns : int
        From when on everything is heard; BEFORE_ALL_NS if nothing came before. A spell that begins within `gap_ns`
        after it may have begun before, and is not whole.
    """

    def __init__(self, gap_ns: int, since_ns: int) -> None:
        self._gap_ns = gap_ns
        self._since_ns = since_ns
        self._running = np.full(0, -1, np.int64)  # spell by device
        self._rows: NDArray[np.int64] = np.zeros((0, 3), np.int64)  # device, begin, end
        self._count = 0

    def add(self, signals: SignalArray) -> None:
        """Take in signals (SIGNAL, `device` an index that is never given anew), in any order among themselves."""
        if not len(signals):
            return
        device, at = signals["device"].astype(np.int64), signals["ts"]
        order = np.lexsort((at, device))
        device, at = device[order], at[order]
        self._make_room(int(device[-1]) + 1)
        first = np.ones(len(at), np.bool_)
        first[1:] = device[1:] != device[:-1]
        running = self._running[device]
        before = np.where(running >= 0, self._rows[running, 2] if self._count else 0, BEFORE_ALL_NS)
        before = np.where(first, before, np.concatenate([at[:1], at[:-1]]))
        begins = at - before > self._gap_ns
        number = np.cumsum(begins) - 1 + self._count
        place = np.maximum.accumulate(np.where(begins, number, -1))
        runs = np.flatnonzero(first)
        # rows of a device before its first begin belong to the spell that was running
        own = np.repeat(place[runs], np.diff(np.append(runs, len(at))))
        opened = np.repeat(begins[runs], np.diff(np.append(runs, len(at))))
        spell = np.where(~opened & (place == own), running, place)
        new = np.stack([device[begins], at[begins], at[begins]], axis=1)
        self._append(new)
        np.minimum.at(self._rows[:, 1], spell, at)  # a clock that is ahead lets a signal come a little early
        np.maximum.at(self._rows[:, 2], spell, at)
        last = np.append(runs[1:], len(at)) - 1
        self._running[device[last]] = spell[last]

    def table(self) -> SpellTable:
        """Return the spells so far."""
        rows = self._rows[: self._count]
        rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
        return SpellTable(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 1] - self._since_ns > self._gap_ns)

    def _append(self, new: NDArray[np.int64]) -> None:
        if self._count + len(new) > len(self._rows):
            grown = np.zeros((2 * (self._count + len(new)), 3), np.int64)
            grown[: self._count] = self._rows[: self._count]
            self._rows = grown
        self._rows[self._count : self._count + len(new)] = new
        self._count += len(new)

    def _make_room(self, devices: int) -> None:
        if devices > len(self._running):
            grown = np.full(2 * devices, -1, np.int64)
            grown[: len(self._running)] = self._running
            self._running = grown
