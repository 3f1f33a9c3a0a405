"""What goes wrong between the air and the log: gateways that are off, clocks that are wrong."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.limits import NS_PER_US
from core.records import SignalArray


class Outage(NamedTuple):
    """One anchor hears nothing from `from_ns` until just before `until_ns`."""

    anchor: int
    from_ns: int
    until_ns: int


def outlived(signals: SignalArray, outages: Sequence[Outage]) -> NDArray[np.bool_]:
    """Return which signals are heard in spite of outages, shape (n,)."""
    heard = np.ones(len(signals), np.bool_)
    for outage in outages:
        off = (signals["ts"] >= outage.from_ns) & (signals["ts"] < outage.until_ns)
        heard &= ~(off & (signals["anchor"] == outage.anchor))
    return heard


def skewed(signals: SignalArray, skew_s: NDArray[np.float64]) -> SignalArray:
    """Return the signals as anchors stamp them whose clocks are ahead by `skew_s` seconds, shape (anchors,).

    The order of the rows stays: they arrive when they are sent, whatever their stamps say.
    """
    stamped = signals.copy()
    stamped["ts"] += np.round(skew_s * 1e6).astype(np.int64)[signals["anchor"]] * NS_PER_US
    return stamped
