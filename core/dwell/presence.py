"""Where devices are now: the decoder's state carried on over signals that are still being put in order, as rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.dwell import presence_kernels
from core.dwell.decoder import Decoder
from core.dwell.emission import LEAD_BINS, LEAD_SHIFT, SURE_UNIT, Tables
from core.dwell.reorder import Reorder
from core.dwell.residents import Residents
from core.limits import NS_PER_US
from core.records import PRESENCE, PresenceArray


def presence_rows(decoder: Decoder, reorder: Reorder, residents: Residents) -> PresenceArray:
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
    state = decoder.state[: decoder.devices]
    held = reorder.preview()
    here = state["open"] != 0
    here[held["device"]] = True
    chosen = np.flatnonzero(here)
    place = np.cumsum(here) - 1
    now = state[chosen]
    tabled = decoder.tables
    starts = np.zeros((len(now), tabled.lanes), np.int64)
    presence_kernels.zone_starts(now, decoder.nodes, tabled.zone_of, starts)
    presence_kernels.carry_on(
        held,
        place[held["device"]],
        now,
        starts,
        tabled.level,
        decoder.silence,
        tabled.penalty,
        tabled.zone_of,
        decoder.rules,
    )
    still = reorder.newest_us - now["last_at"] <= now["timeout"]
    rows = _rows(now[still], starts[still], chosen[still], tabled)
    running, in_zone = (
        (rows["last_signal_at"] - rows[name]) // NS_PER_US for name in ("arrived_at", "in_zone_since")
    )
    entered = rows["in_zone_since"] // NS_PER_US
    rows["role"] = residents.roles(chosen[still], entered, running, in_zone)
    return rows


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
