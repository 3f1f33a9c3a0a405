"""Figures of edges and anchors put together, with the alarms that they are reason for."""

from collections.abc import Sequence
from datetime import datetime

from api.fleet.models import AlarmOut, AnchorOut, EdgeOut, FleetOut, FleetsOut, FleetStoreOut
from core.fleet import AnchorFigures, EdgeFigures, alarms
from core.floorplan import StorePlan
from storage.connect import Connection
from storage.coverage import faults
from storage.fleet.looking import (
    STORES_PER_PAGE,
    EdgeRow,
    FleetLine,
    Heard,
    Traffic,
    edge_rows,
    fleet_lines,
    traffic,
)
from storage.page_cursors import read_cursor, write_cursor
from storage.stores import StoredPlan

_QUESTION = "fleet"
_DAY_S = 86_400


def fleet_of(connection: Connection, stored: StoredPlan, now: datetime) -> FleetOut:
    """Return the fleet of a store."""
    plan, edges = stored.plan, edge_rows(connection, [stored.store_no])
    heard = traffic(connection, stored.store_no, now)
    faulty = {fault.anchor: fault for fault in faults(connection, stored.store_no)}
    anchors = _anchors(plan, edges, heard)
    for anchor in anchors:
        fault = faulty.get(anchor.anchor)
        if fault is not None:
            anchor.state, anchor.since = fault.state, fault.since
    figures = [
        AnchorFigures(
            anchor=one.anchor,
            fault=None if one.state == "works" else one.state,
            battery_percent=one.battery_percent,
        )
        for one in anchors
    ]
    return FleetOut(
        store=plan.id,
        timezone=plan.timezone,
        at=now,
        coverage_share=_share(len(anchors) if edges else 0, sum(one.fault is not None for one in figures)),
        edges=[_edge(row, heard.edges.get(row.edge_no)) for row in edges],
        anchors=anchors,
        alarms=[AlarmOut.of(alarm) for alarm in alarms([figures_of(row, now) for row in edges], figures)],
    )


def fleets(connection: Connection, now: datetime, cursor: str | None) -> FleetsOut:
    """Return a page of stores with their alarms.

    Raises
    ------
    InputError
        If the cursor is not of this list.
    """
    after = read_cursor(cursor, _QUESTION, str) if cursor is not None else ""
    lines = fleet_lines(connection, after, STORES_PER_PAGE + 1)
    shown, more = lines[:STORES_PER_PAGE], len(lines) > STORES_PER_PAGE
    rows: dict[int, list[EdgeRow]] = {line.store_no: [] for line in shown}
    for row in edge_rows(connection, list(rows)):
        rows[row.store_no].append(row)
    return FleetsOut(
        at=now,
        stores=[_line(line, rows[line.store_no], now) for line in shown],
        next_cursor=write_cursor(shown[-1].store, _QUESTION) if more else None,
    )


def figures_of(row: EdgeRow, now: datetime) -> EdgeFigures:
    """Return what alarms are judged by."""
    return EdgeFigures(
        edge=row.edge,
        state=row.state,
        status_age_s=None if row.status_at is None else (now - row.status_at).total_seconds(),
        skew_s=_skew_s(row),
        backlog=row.backlog,
        growing_s=None if row.growing_since is None else (now - row.growing_since).total_seconds(),
        dropped=row.dropped,
        certificate_days=None
        if row.certificate_until is None
        else (row.certificate_until - now).total_seconds() / _DAY_S,
    )


def _line(line: FleetLine, edges: Sequence[EdgeRow], now: datetime) -> FleetStoreOut:
    batteries = {anchor: left for row in edges for anchor, left in row.battery_percent.items()}
    faulty = [
        AnchorFigures(anchor=anchor, fault=line.faults.get(anchor), battery_percent=batteries.get(anchor))
        for anchor in sorted(line.faults.keys() | batteries.keys())
    ]
    # anchors of which nothing is said work, as far as anybody knows
    sound = [AnchorFigures(anchor="", fault=None, battery_percent=None)] * max(line.anchors - len(faulty), 0)
    return FleetStoreOut(
        store=line.store,
        name=line.name,
        timezone=line.timezone,
        edge_count=len(edges),
        anchor_count=line.anchors,
        coverage_share=_share(line.anchors if edges else 0, len(line.faults)),
        backlog_count=sum(row.backlog for row in edges),
        status_at=max((row.status_at for row in edges if row.status_at is not None), default=None),
        alarms=[AlarmOut.of(one) for one in alarms([figures_of(row, now) for row in edges], [*faulty, *sound])],
    )


def _edge(row: EdgeRow, heard: Heard | None) -> EdgeOut:
    return EdgeOut(
        edge=row.edge,
        state=row.state,
        since=row.state_at,
        status_at=row.status_at,
        signals_at=None if heard is None else heard.at,
        rate_per_s=0.0 if heard is None else round(heard.rate_per_s, 2),
        clock_skew_s=_skew_s(row),
        backlog_count=row.backlog,
        backlog_growing_since=row.growing_since,
        dropped_count=row.dropped,
        certificate_until=row.certificate_until,
        anchors=sorted(row.anchors),
    )


def _anchors(plan: StorePlan, edges: Sequence[EdgeRow], heard: Traffic) -> list[AnchorOut]:
    alive = {anchor: at for row in edges for anchor, at in row.alive_at.items()}
    batteries = {anchor: left for row in edges for anchor, left in row.battery_percent.items()}
    found = []
    for anchor in plan.anchors:
        signals = heard.anchors.get(anchor.id)
        found.append(
            AnchorOut(
                anchor=anchor.id,
                zone=anchor.zone,
                edges=sorted(row.edge for row in edges if anchor.id in row.anchors),
                state="works",
                since=None,
                alive_at=alive.get(anchor.id),
                signals_at=None if signals is None else signals.at,
                rate_per_s=0.0 if signals is None else round(signals.rate_per_s, 2),
                battery_percent=batteries.get(anchor.id),
            )
        )
    return found


def _skew_s(row: EdgeRow) -> float | None:
    """Return how far its clock was ahead when it said something last; a last will was written long before."""
    if row.said_at is None or row.status_at is None or row.state == "offline":
        return None
    return round((row.said_at - row.status_at).total_seconds(), 1)


def _share(anchors: int, faulty: int) -> float | None:
    return None if not anchors else max(anchors - faulty, 0) / anchors
