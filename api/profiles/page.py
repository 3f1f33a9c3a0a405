"""What the page of a profile shows of one store visit: journey, stays in their order, the walk on the floor plan."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from api import wording
from api.problems import order_unknown
from api.profiles.journeys import Heard, journey_of, journey_of_order
from api.profiles.models import JourneyOut
from api.stores.drawing import DrawingCache, moves
from api.stores.models import dwell_bounds_s
from core.floorplan import StorePlan
from storage.profiles.profiles import ProfileRow
from storage.profiles.understanding import Visited
from storage.profiles.visits import VisitDetail
from storage.stores import StoredPlan

STOPS_DRAWN: Final = 24
"""More numbered stops than these cannot be told apart on a plan; the list beside it has them all."""
SILENT_AFTER: Final = timedelta(seconds=30)
"""A phone is heard every few seconds; after half a minute a running clock would claim what nobody knows."""


class StayLine(msgspec.Struct, frozen=True, kw_only=True):
    """One stay in the list beside the plan; bounds and reason are None while it is in progress.

    A stay around others (a department, with stays at its shelves) has no number: the walk goes by the inner ones.
    """

    number: int | None
    stay_id: UUID
    zone: str
    name: str
    entered_at: datetime
    dwell_s: float
    bounds_s: tuple[float, float] | None
    confidence: float
    closed_by: str | None


def journey_context(
    profile: ProfileRow,
    heard: Heard,
    detail: VisitDetail | None,
    stored: StoredPlan | None,
    drawings: DrawingCache,
    *,
    now: datetime,
) -> dict[str, Any]:
    """Return what the template needs of one visit; without a visit only the journey."""
    plan = stored.plan if stored is not None else None
    found = journey_of(heard, detail, plan, now=now)
    running = detail.running if detail is not None else None
    context: dict[str, Any] = {
        "now": now,
        "journey": JourneyOut.of(
            profile.profile_id,
            found,
            timezone=plan.timezone if plan is not None else None,
            in_progress=running is not None,
        ),
        "timezone": plan.timezone if plan is not None else "UTC",
        "visit": detail,
        "around_order": None,
        "plan": plan,
        "running": running,
        "silent": running is not None and now - running.last_signal_at > SILENT_AFTER,
        "silent_after_s": int(SILENT_AFTER.total_seconds()),
    }
    if detail is None or plan is None or stored is None:
        return context
    lines = _stays(detail, plan)
    stops = [line for line in lines if line.number is not None]
    drawn = stops[-STOPS_DRAWN:]
    drawing = drawings.get(stored)
    numbers: dict[str, list[int]] = defaultdict(list)
    dwell_s: dict[str, float] = defaultdict(float)
    for line in lines:
        dwell_s[line.zone] += line.dwell_s
    for line in drawn:
        if line.number is not None:
            numbers[line.zone].append(line.number)
    return context | {
        "stays": lines,
        "stops": stops,
        "names": {zone.id: zone.label for zone in plan.zones},
        "drawing": drawing,
        "walks": {
            scale: moves(drawing, [line.zone for line in drawn], narrow=scale == "narrow")
            for scale in ("wide", "narrow")
        },
        "numbers": numbers,
        "steps": {zone: wording.heat_step(total, wording.DWELL_STEPS_S) for zone, total in dwell_s.items()},
        "zone_dwell_s": dwell_s,
        "left_out": len(stops) - len(drawn),
    }


def order_context(
    profile: ProfileRow, heard: Heard, visits: list[Visited], order: UUID, *, now: datetime
) -> dict[str, Any]:
    """Return what the template shows around an order online instead of a visit; raises the problem without one."""
    found = journey_of_order(heard, visits, order, now=now)
    if found is None:
        raise order_unknown()
    event = next(one for one in heard.events if one.event_id == order)
    return {
        "journey": JourneyOut.of(profile.profile_id, found, timezone=None, in_progress=False),
        "around_order": event,
        "feelings": {},
    }


def _stays(detail: VisitDetail, plan: StorePlan) -> list[StayLine]:
    lines = [
        StayLine(
            number=0,
            stay_id=row.visit_id,
            zone=plan.zones[row.zone_no].id,
            name=plan.zones[row.zone_no].label,
            entered_at=row.entered_at,
            dwell_s=row.dwell_s,
            bounds_s=dwell_bounds_s(row),
            confidence=row.confidence,
            closed_by=row.closed_by.word,
        )
        for row in detail.stays
        if row.zone_no is not None
    ]
    here = detail.running
    if here is not None and all(line.stay_id != here.stay_id for line in lines):
        zone = plan.zones[here.zone_no]
        lines.append(
            StayLine(
                number=0,
                stay_id=here.stay_id,
                zone=zone.id,
                name=zone.label,
                entered_at=here.in_zone_since,
                dwell_s=(here.last_signal_at - here.in_zone_since).total_seconds(),
                bounds_s=None,
                confidence=here.confidence,
                closed_by=None,
            )
        )
    return _numbered(lines, plan)


def _numbered(lines: list[StayLine], plan: StorePlan) -> list[StayLine]:
    """Give the stays numbers in their order, but not to those around others."""
    found = []
    number = 0
    for line in lines:
        left_at = line.entered_at + timedelta(seconds=line.dwell_s)
        outer = any(
            plan.zone_index[line.zone] in plan.around[plan.zone_index[other.zone]]
            and line.entered_at <= other.entered_at <= left_at
            for other in lines
        )
        number += not outer
        found.append(msgspec.structs.replace(line, number=None if outer else number))
    return found
