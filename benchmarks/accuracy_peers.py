"""What a user would build instead, and the oracle: from signals to visits.

Each says after every advertisement where a device is; a visit lasts from the first signal of a run of one zone to the
first signal of the next run. After a minute without a signal the device has left, at its last signal. None of them
states bounds or a confidence. Their parameters are below, each once; they were picked with
`python -m benchmarks.accuracy_pick` for the best mean F1 of both workloads at the usual point, on scenes that are not
reported. Windows that are not named by their length stretch with the interval between adverts, which whoever runs a
store knows, but are never shorter than at one advert a second.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks import accuracy_peer_kernels as kernels
from core.floorplan import StorePlan
from core.limits import NS_PER_S
from core.records import NO_ZONE, VISIT, SignalArray, VisitArray, VisitKind

STRONGEST_WINDOW_S: Final = 5.0
STRONGEST_MEDIAN: Final = False
"""Mean of the window rather than its median."""
MEDIAN_WINDOW_ADVERTS: Final = 5.0
MEDIAN_HYSTERESIS_DB: Final = 6.0
EMA_SHARE: Final = 0.7
"""Weight of a new reading in the average, one advert after the last one."""
EMA_EXPIRE_ADVERTS: Final = 5.0
EMA_HYSTERESIS_DB: Final = 10.0


class Ordered(NamedTuple):
    """Signals device after device, in order of time, as columns for the kernels."""

    device: NDArray[np.int64]
    ts_ns: NDArray[np.int64]
    anchor: NDArray[np.int64]
    rssi_dbm: NDArray[np.float64]
    zone_of: NDArray[np.int64]
    order: NDArray[np.intp]
    """Which row of the signals each one is."""


def ordered(plan: StorePlan, signals: SignalArray) -> Ordered:
    """Return the signals as kernels take them."""
    order = np.lexsort((signals["ts"], signals["device"]))
    device, ts_ns, anchor = (signals[name][order].astype(np.int64) for name in ("device", "ts", "anchor"))
    zone_of = np.array([plan.zone_index[one.zone] for one in plan.anchors], np.int64)
    return Ordered(device, ts_ns, anchor, signals["rssi_dbm"][order].astype(np.float64), zone_of, order)


def latest_signal(given: Ordered) -> VisitArray:
    """Be where the anchor of the newest signal stands."""
    return visits_of(given, given.zone_of[given.anchor])


def strongest_of_window(
    given: Ordered, window_s: float = STRONGEST_WINDOW_S, *, median: bool = STRONGEST_MEDIAN
) -> VisitArray:
    """Be where the anchor stands that was heard loudest in the last seconds."""
    return _windowed(given, window_s, median, 0.0)


def median_hysteresis(
    given: Ordered,
    interval_s: float,
    window_adverts: float = MEDIAN_WINDOW_ADVERTS,
    hysteresis_db: float = MEDIAN_HYSTERESIS_DB,
) -> VisitArray:
    """Be where the highest median is; leave only for one that is higher by the hysteresis."""
    return _windowed(given, window_adverts * _at_least_a_second(interval_s), True, hysteresis_db)


def ema_hysteresis(
    given: Ordered,
    interval_s: float,
    share: float = EMA_SHARE,
    expire_adverts: float = EMA_EXPIRE_ADVERTS,
    hysteresis_db: float = EMA_HYSTERESIS_DB,
) -> VisitArray:
    """Be where the highest moving average is; leave only for one that is higher by the hysteresis."""
    state = np.empty(len(given.ts_ns), np.int64)
    interval_ns = round(_at_least_a_second(interval_s) * NS_PER_S)
    kernels.averaged(*given[:5], share, interval_ns, round(expire_adverts * interval_ns), hysteresis_db, state)
    return visits_of(given, state)


def oracle(given: Ordered, zone: NDArray[np.int64]) -> VisitArray:
    """Return the visits of who knows from which zone each signal was sent: first to last signal of each stay.

    Parameters
    ----------
    zone : ndarray of int64
        In the order of the signals that `given` was made of.
    """
    return visits_of(given, zone[given.order], to_last=True)


def visits_of(given: Ordered, state: NDArray[np.int64], *, to_last: bool = False) -> VisitArray:
    """Turn the zone of each signal into zone visits of any length and store visits.

    Parameters
    ----------
    state : ndarray of int64
        Zone by signal, in the order of `given`.
    to_last : bool
        End a stay at its last signal rather than at the first one elsewhere.
    """
    new_device = np.diff(given.device, prepend=-1) != 0
    gap_ns = np.diff(given.ts_ns, prepend=0)
    arrives = new_device | (gap_ns > kernels.GONE_NS)
    begins = arrives | (np.diff(state, prepend=-1) != 0)
    stays = _runs(given, begins)
    stays["zone"] = state[begins]
    stays["kind"] = VisitKind.ZONE
    whole = _runs(given, arrives)
    whole["zone"], whole["kind"] = NO_ZONE, VisitKind.STORE
    if not to_last and len(stays):
        goes_on = ~arrives[begins][1:]
        stays["left_at"][:-1][goes_on] = stays["entered_at"][1:][goes_on]
    visits = np.concatenate([stays, whole])
    for name in ("entered", "left"):
        for bound in ("earliest", "latest"):
            visits[f"{name}_{bound}"] = visits[f"{name}_at"]
    visits["confidence"] = np.nan
    return visits


def _runs(given: Ordered, begins: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a visit from each beginning to the signal before the next one."""
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(begins)) - 1
    visits = np.zeros(len(first), VISIT)
    visits["device"] = given.device[first]
    visits["entered_at"], visits["left_at"] = given.ts_ns[first], given.ts_ns[last]
    visits["signals"] = last - first + 1
    return visits


def _at_least_a_second(interval_s: float) -> float:
    return max(interval_s, 1.0)


def _windowed(given: Ordered, window_s: float, median: bool, hysteresis_db: float) -> VisitArray:
    state = np.empty(len(given.ts_ns), np.int64)
    kernels.windowed(*given[:5], round(window_s * NS_PER_S), median, hysteresis_db, state)
    return visits_of(given, state)
