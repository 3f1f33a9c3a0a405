"""Figures of edges and anchors as alarms are judged by, from what they said last."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from core.fleet import Alarm, AlarmKey, AnchorFigures, EdgeFigures, alarms
from storage.fleet.looking import EdgeRow, FleetLine

_DAY_S: Final = 86_400


def figures_of(row: EdgeRow, now: datetime) -> EdgeFigures:
    """Return what alarms of an edge are judged by."""
    return EdgeFigures(
        edge=row.edge,
        state=row.state,
        status_age_s=None if row.status_at is None else (now - row.status_at).total_seconds(),
        skew_s=skew_s(row),
        backlog=row.backlog,
        growing_s=None if row.growing_since is None else (now - row.growing_since).total_seconds(),
        dropped=row.dropped,
        certificate_days=None
        if row.certificate_until is None
        else (row.certificate_until - now).total_seconds() / _DAY_S,
        anchors=row.anchors,
    )


def skew_s(row: EdgeRow) -> float | None:
    """Return how far its clock was ahead when it said something last; a last will was written long before."""
    if row.said_at is None or row.status_at is None or row.state == "offline":
        return None
    return round((row.said_at - row.status_at).total_seconds(), 1)


def alarms_of(
    line: FleetLine, edges: Sequence[EdgeRow], now: datetime, standing: Collection[AlarmKey] = ()
) -> list[Alarm]:
    """Return what is wrong in a store now; `standing` is known to be wrong, see `core.fleet.alarms`."""
    batteries = {anchor: left for row in edges for anchor, left in row.battery_percent.items()}
    anchors = [
        AnchorFigures(anchor=anchor, fault=line.faults.get(anchor), battery_percent=batteries.get(anchor))
        for anchor in line.anchors
    ]
    return alarms([figures_of(row, now) for row in edges], anchors, standing)
