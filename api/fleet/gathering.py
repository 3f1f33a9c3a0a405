"""Figures of edges and anchors put together, with the alarms that they are reason for."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from api.fleet.models import (
    AlarmOut,
    AnchorOut,
    EdgeOut,
    FleetAlarmOut,
    FleetAlarmsOut,
    FleetOut,
    FleetsOut,
    FleetStoreOut,
)
from core.fleet import Alarm, AlarmKey, AnchorFigures, alarms
from core.floorplan import StorePlan
from storage.connect import Connection
from storage.coverage import faults
from storage.fleet.alarms import Raised, alarm_log, standing
from storage.fleet.judging import alarms_of, figures_of, skew_s
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
    raised = standing(connection, [stored.store_no]).get(stored.store_no, {})
    return FleetOut(
        store=plan.id,
        timezone=plan.timezone,
        at=now,
        coverage_share=_share(len(anchors) if edges else 0, sum(one.fault is not None for one in figures)),
        edges=[_edge(row, heard.edges.get(row.edge_no)) for row in edges],
        anchors=anchors,
        alarms=_told(alarms([figures_of(row, now) for row in edges], figures, raised), raised),
    )


def fleet_alarms(
    connection: Connection, stored: StoredPlan, *, open_only: bool, limit: int, cursor: str | None
) -> FleetAlarmsOut:
    """Return what was raised in a store, newest first.

    Raises
    ------
    InputError
        If the cursor is not of this list.
    """
    question = ["fleet alarms", stored.plan.id, open_only]
    before = None if cursor is None else read_cursor(cursor, question, int)
    rows = alarm_log(connection, stored.store_no, limit=limit + 1, open_only=open_only, before=before)
    shown = rows[:limit]
    return FleetAlarmsOut(
        alarms=[FleetAlarmOut.model_validate(msgspec.structs.asdict(row)) for row in shown],
        next_cursor=write_cursor(shown[-1].alarm_no, question) if len(rows) > limit else None,
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
    raised = standing(connection, list(rows))
    return FleetsOut(
        at=now,
        stores=[_line(line, rows[line.store_no], raised.get(line.store_no, {}), now) for line in shown],
        next_cursor=write_cursor(shown[-1].store, _QUESTION) if more else None,
    )


def _told(found: Sequence[Alarm], raised: Mapping[AlarmKey, Raised]) -> list[AlarmOut]:
    """Return what is so now, then what was raised and has only just ceased to be so."""
    known = {alarm.key for alarm in found}
    told = [AlarmOut.of(one, raised[one.key].opened_at if one.key in raised else None) for one in found]
    ending = [one for key, one in raised.items() if key not in known]
    return told + [AlarmOut.of(one.alarm, one.opened_at, ending=True) for one in ending]


def _line(
    line: FleetLine, edges: Sequence[EdgeRow], raised: Mapping[AlarmKey, Raised], now: datetime
) -> FleetStoreOut:
    return FleetStoreOut(
        store=line.store,
        name=line.name,
        timezone=line.timezone,
        edge_count=len(edges),
        anchor_count=len(line.anchors),
        coverage_share=_share(len(line.anchors) if edges else 0, len(line.faults)),
        backlog_count=sum(row.backlog for row in edges),
        status_at=max((row.status_at for row in edges if row.status_at is not None), default=None),
        alarms=_told(alarms_of(line, edges, now, raised), raised),
    )


def _edge(row: EdgeRow, heard: Heard | None) -> EdgeOut:
    return EdgeOut(
        edge=row.edge,
        state=row.state,
        since=row.state_at,
        status_at=row.status_at,
        signals_at=None if heard is None else heard.at,
        rate_per_s=0.0 if heard is None else round(heard.rate_per_s, 2),
        clock_skew_s=skew_s(row),
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


def _share(anchors: int, faulty: int) -> float | None:
    return None if not anchors else max(anchors - faulty, 0) / anchors
