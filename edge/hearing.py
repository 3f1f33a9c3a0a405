"""What adapters hear, on its way into the agent: identity by rules, time of arrival, chunks.

No sockets and no loop: whoever drives a radio calls `Hearing.take` for every advertisement.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import structlog

from core.advertisement import Advertisement, Identities
from core.limits import NS_PER_S, RSSI_MAX_DBM, RSSI_MIN_DBM
from edge.clock import ArrivalClock, Clock
from edge.readings import ReadingQueue, Readings

CHUNK_READINGS: Final = 1024
"""Half a second of 2,000 adverts/s; what comes slower is handed over by `flush`."""
_CLOCK_SET_NS: Final = NS_PER_S
"""A step of a second is told: it moves visits. NTP's own steps (128 ms and more) are smaller as a rule."""

log = structlog.get_logger()


@dataclass
class Heard:
    """What came from one adapter since the start; counts only."""

    adverts: int = 0
    """Everything, whoever sent it."""
    signals: int = 0
    """What became a signal."""
    not_ours: int = 0
    """No rule takes it."""
    unmeasured: int = 0
    """Without a level that a radio can have; a missing one is not 0 dBm."""
    last_s: float | None = field(default=None, repr=False)
    """Monotonic time of the latest advertisement."""


class Hearing:
    """Turns advertisements into readings of anchors.

    Parameters
    ----------
    anchors : tuple of str
        One for each adapter, in their order.
    identities : Identities
        May be replaced between two advertisements (`self.identities`), for rules that change.
    readings : ReadingQueue
        Takes the chunks; never waited for, the radio does not wait either.
    clock : Clock
    """

    def __init__(
        self, anchors: tuple[str, ...], identities: Identities, readings: ReadingQueue, clock: Clock
    ) -> None:
        self.identities = identities
        self.heard = tuple(Heard() for _ in anchors)
        self._anchors = anchors
        self._readings = readings
        self._monotonic_s = clock.monotonic_s
        self._arrival = ArrivalClock(clock)
        self._at_s: list[float] = []
        self._anchor: list[int] = []
        self._device: list[int] = []
        self._rssi_dbm: list[int] = []
        self._places: dict[bytes, int] = {}

    def take(self, adapter: int, advertisement: Advertisement, rssi_dbm: int | None, at_s: float) -> None:
        """Take one advertisement.

        Parameters
        ----------
        adapter : int
            Index into the anchors.
        advertisement : Advertisement
        rssi_dbm : int or None
            None if it was not measured.
        at_s : float
            Monotonic seconds, read first thing on arrival.
        """
        heard = self.heard[adapter]
        heard.adverts += 1
        heard.last_s = at_s
        if rssi_dbm is None or not RSSI_MIN_DBM <= rssi_dbm <= RSSI_MAX_DBM:
            heard.unmeasured += 1
            return
        identity = self.identities.of(advertisement)
        if identity is None:
            heard.not_ours += 1
            return
        heard.signals += 1
        self._at_s.append(at_s)
        self._anchor.append(adapter)
        self._device.append(self._places.setdefault(identity, len(self._places)))
        self._rssi_dbm.append(rssi_dbm)
        if len(self._at_s) >= CHUNK_READINGS:
            self.flush()

    def flush(self) -> None:
        """Hand over what was heard so far and forget the identities."""
        moved_ns = self._arrival.refresh()
        if abs(moved_ns) >= _CLOCK_SET_NS:
            log.warning("the clock of this machine was set", by_s=round(moved_ns / NS_PER_S, 1))
        if not self._at_s:
            return
        ts = np.array([self._arrival.utc_ns(at_s) for at_s in self._at_s], np.int64)
        chunk = Readings(
            ts,
            np.array(self._anchor, np.int64),
            np.array(self._device, np.int64),
            np.array(self._rssi_dbm, np.int16),
            self._anchors,
            tuple(self._places),
        )
        self._at_s, self._anchor, self._device, self._rssi_dbm, self._places = [], [], [], [], {}
        self._readings.put(chunk)
