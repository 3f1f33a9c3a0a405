"""What really happened in a simulated store, as rows of VISITS; a true visit has equal bounds and confidence 1."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.floorplan import StorePlan
from core.limits import NS_PER_S
from core.records import ClosedBy, Role, VisitKind
from simulators.shoppers import Walk

SHORTEST_VISIT_S: Final = 5.0
"""Shorter stays are passing through; the engine does not call them visits either."""


class Stays(NamedTuple):
    """The stays of one walk in order: zone index, times in ns, readings within; shape (k,) each."""

    zone: NDArray[np.int64]
    entered_at: NDArray[np.int64]
    left_at: NDArray[np.int64]
    signals: NDArray[np.int64]


def stays(walk: Walk, begin_ns: int, heard_at: NDArray[np.int64]) -> Stays:
    """Return every stay of a walk, however short.

    Parameters
    ----------
    walk : Walk
    begin_ns : int
        When it began, whole microseconds.
    heard_at : ndarray of int64
        Times of the walk's readings in ns, ascending.
    """
    first = np.flatnonzero(np.diff(walk.stay, prepend=-1))
    edges_us = np.round(walk.t_s[np.append(first, len(walk.zone))] * 1e6).astype(np.int64)
    edges_ns = begin_ns + edges_us * 1000
    readings = np.diff(np.searchsorted(heard_at, edges_ns))
    return Stays(walk.zone[first].astype(np.int64), edges_ns[:-1], edges_ns[1:], readings)


def rows(plan: StorePlan, device: str, of: Stays, from_ns: int, until_ns: int) -> list[tuple[object, ...]]:
    """Return the visits of one device between two times as rows of VISITS_SCHEMA.

    What began before is cut at `from_ns`; what is still going on at `until_ns` is cut there and closed as
    END_OF_RECORDING. What is shorter than SHORTEST_VISIT_S is left out.
    """
    found: list[tuple[object, ...]] = []
    last = len(of.zone) - 1
    whole = (max(int(of.entered_at[0]), from_ns), min(int(of.left_at[last]), until_ns))
    if whole[1] - whole[0] < SHORTEST_VISIT_S * NS_PER_S:
        return []
    for place in range(last + 1):
        entered, left = max(int(of.entered_at[place]), from_ns), min(int(of.left_at[place]), until_ns)
        if left - entered < SHORTEST_VISIT_S * NS_PER_S:
            continue
        closed = ClosedBy.SILENCE if place == last else ClosedBy.MOVED_ON
        if of.left_at[place] > until_ns:
            closed = ClosedBy.END_OF_RECORDING
        zone = plan.zones[int(of.zone[place])].id
        readings = int(of.signals[place])
        found.append(
            _row(VisitKind.ZONE, plan.id, device, zone, times=(entered, left), signals=readings, closed=closed)
        )
    closed = ClosedBy.END_OF_RECORDING if of.left_at[last] > until_ns else ClosedBy.SILENCE
    readings = int(of.signals.sum())
    found.append(_row(VisitKind.STORE, plan.id, device, "", times=whole, signals=readings, closed=closed))
    return found


def _row(
    kind: VisitKind, store: str, device: str, zone: str, *, times: tuple[int, int], signals: int, closed: ClosedBy
) -> tuple[object, ...]:
    entered, left = times
    dwell_s = (left - entered) / NS_PER_S
    return (
        *(kind.word, store, device, zone, entered, left, entered, entered, left, left),
        *(dwell_s, 1.0, signals, closed.word, Role.VISITOR.word),
    )
