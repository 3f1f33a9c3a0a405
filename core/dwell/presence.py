"""Where devices are now: the decoder's state carried on over signals that are still being put in order, as rows."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.dwell import presence_kernels
from core.dwell.decoder import Decoder
from core.dwell.emission import LEAD_BINS, LEAD_SHIFT, SURE_UNIT, Tables
from core.dwell.held import LONG_AGO
from core.dwell.reorder import Reorder
from core.dwell.reorder_kernels import SLOT_US
from core.dwell.residents import Residents
from core.limits import NS_PER_US
from core.records import PRESENCE, PresenceArray

_NOWHERE: Final = -1
_KEPT_FROM: Final = 20_000
"""Held signals from which on it is worth keeping what was carried on: two milliseconds; most stores hold less."""
_TAIL_US: Final = 2_000_000
"""How far a source's signals come behind its newest as a rule, at most: an edge sends once a second what it heard.
Later than that before the slowest source's newest, signals are worked out again with each question."""
_SPARE: Final = 2
"""So many times what was seen of it is waited for: a signal that comes behind what was kept costs all of it."""
_AFRESH_US: Final = 10_000_000
"""What is kept stands on the decoder's state of back then, which goes on learning levels and timeouts: ten seconds of
data time are little beside the half minute that the decoder itself lies behind."""


@dataclass
class _Carried:
    """Copies of device records, carried on over what was held before a time.

    index : int64 (k,), of the devices, in no order
    state, starts : (k,) records and int64 (k, lanes), see `presence_kernels.carry_on`
    place : int64 (devices,), where each device is; NOWHERE
    """

    index: NDArray[np.int64]
    state: NDArray[Any]
    starts: NDArray[np.int64]
    place: NDArray[np.int64]
    until_us: int
    begun_us: int

    def copied(self) -> "_Carried":
        """Return one that can be carried on further by itself."""
        return replace(self, state=self.state.copy(), starts=self.starts.copy(), place=self.place.copy())


class Presence:
    """Says where devices are: the decoder's state carried on over signals that are still being put in order.

    Where much is held, what was carried on is kept up to shortly before what the slowest source has told, so that the
    next question begins there; how shortly is learnt from how far behind signals come. It is worked out afresh when
    anything earlier came, and every ten seconds of data.
    """

    def __init__(self) -> None:
        self._kept: _Carried | None = None
        self._tail_us = _TAIL_US
        self._told_us = LONG_AGO

    def forget(self) -> None:
        """Work it out afresh the next time: devices, tables or spots are others."""
        self._kept = None

    def rows(self, decoder: Decoder, reorder: Reorder, residents: Residents) -> PresenceArray:
        """Return PRESENCE rows of the devices that are here, in order of device index, changing nothing.

        Parameters
        ----------
        decoder : Decoder
            Has admitted every device that `reorder` holds a signal of.
        reorder : Reorder
            Its signals are looked at as they would be released.
        residents : Residents
            Says the role of each.
        """
        now = self._carried(decoder, reorder)
        order = np.argsort(now.index)
        still = order[(reorder.newest_us - now.state["last_at"] <= now.state["timeout"])[order]]
        index = now.index[still]
        rows = _rows(now.state[still], now.starts[still], index, decoder.tables)
        running, in_zone = (
            (rows["last_signal_at"] - rows[name]) // NS_PER_US for name in ("arrived_at", "in_zone_since")
        )
        entered = rows["in_zone_since"] // NS_PER_US
        rows["role"] = residents.roles(index, entered, running, in_zone)
        return rows

    def _carried(self, decoder: Decoder, reorder: Reorder) -> _Carried:
        """Return the records carried on over all that is held."""
        if self._kept is not None:
            self._learn_tail(reorder.changed_from_us, reorder.told_through_us)
        kept = self._kept if self._kept is not None and _holds(self._kept, reorder) else None
        if kept is None:
            kept = _begun(decoder, reorder)
        held = reorder.preview(kept.until_us)
        if reorder.held < _KEPT_FROM:
            self._kept = None
            _carry_on(kept, held, decoder)
            return kept
        until_us = (reorder.told_through_us - self._tail_us) & -SLOT_US
        if until_us > kept.until_us:
            settled = int(np.searchsorted(held["ts"], until_us))
            _carry_on(kept, held[:settled], decoder)
            held, kept.until_us = held[settled:], until_us
        self._kept, self._told_us = kept, reorder.told_through_us
        reorder.note_changes()
        now = kept.copied()
        _carry_on(now, held, decoder)
        return now

    def _learn_tail(self, changed_from_us: int, told_us: int) -> None:
        """Learn how far behind what was told something came since; it only decides how much is worked out again.

        What was learnt fades within the time that anything kept is good for.
        """
        behind_us = max(self._told_us - changed_from_us, 0)
        faded_us = self._tail_us * min(max(told_us - self._told_us, 0), _AFRESH_US) // _AFRESH_US
        self._tail_us = min(max(_SPARE * behind_us, self._tail_us - faded_us), _TAIL_US)


def _holds(kept: _Carried, reorder: Reorder) -> bool:
    """Whether nothing has changed of what was carried on, and it is not too old."""
    return (
        reorder.watermark_us <= kept.until_us <= reorder.changed_from_us
        and reorder.newest_us - kept.begun_us < _AFRESH_US
    )


def _begun(decoder: Decoder, reorder: Reorder) -> _Carried:
    state = decoder.state[: decoder.devices]
    index = np.flatnonzero(state["open"] != 0)
    place = np.full(len(state), _NOWHERE, np.int64)
    place[index] = np.arange(len(index))
    now = state[index]
    starts = np.zeros((len(now), decoder.tables.lanes), np.int64)
    presence_kernels.zone_starts(now, decoder.nodes, decoder.tables.zone_of, starts)
    return _Carried(index, now, starts, place, LONG_AGO, reorder.newest_us)


def _carry_on(now: _Carried, held: NDArray[Any], decoder: Decoder) -> None:
    """Carry records on over signals (SIGNAL in microseconds, in order of time); devices that are new are added."""
    tabled = decoder.tables
    if len(now.place) < decoder.devices:
        unseen = np.full(decoder.devices - len(now.place), _NOWHERE, np.int64)
        now.place = np.concatenate([now.place, unseen])
    places = now.place[held["device"]]
    new = np.unique(held["device"][places == _NOWHERE]).astype(np.int64)
    if len(new):
        now.place[new] = len(now.index) + np.arange(len(new))
        now.index = np.concatenate([now.index, new])
        now.state = np.concatenate([now.state, decoder.state[new]])
        now.starts = np.concatenate([now.starts, np.zeros((len(new), tabled.lanes), np.int64)])
        places = now.place[held["device"]]
    presence_kernels.carry_on(
        held,
        places,
        now.state,
        now.starts,
        tabled.level,
        decoder.silence,
        tabled.penalty,
        tabled.zone_of,
        decoder.rules,
    )


def _rows(now: NDArray[Any], starts: NDArray[np.int64], index: NDArray[Any], tabled: Tables) -> PresenceArray:
    """Make PRESENCE rows of device records."""
    best = np.zeros(len(now), np.int64)
    lead = np.zeros(len(now), np.int64)
    presence_kernels.leaders(now, tabled.zone_of, best, lead)
    rows = np.zeros(len(now), PRESENCE)
    rows["device"] = index
    rows["zone"] = tabled.zone_of[best]
    rows["arrived_at"] = now["arrived_at"] * NS_PER_US
    rows["last_signal_at"] = now["last_at"] * NS_PER_US
    if len(now):
        rows["in_zone_since"] = np.take_along_axis(starts, best[:, None], axis=1)[:, 0] * NS_PER_US
    rows["confidence"] = tabled.posterior[np.minimum(lead >> LEAD_SHIFT, LEAD_BINS - 1)] / SURE_UNIT
    return rows
