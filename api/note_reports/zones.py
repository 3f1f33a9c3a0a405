"""Tags of notes beside the dwell of the zone that they are about."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from api.metrics.query import MetricQuery
from api.metrics.routes import measure
from api.note_reports.models import StoreTagsOut, ZoneTagOut, ZoneTagsOut
from api.service import Service
from core.metrics.leaving import Told, told
from storage.connect import Connection
from storage.note_reports.counting import zone_tags
from storage.rollups.sources import day_begins
from storage.stores import StoredPlan


def tags_beside_dwell(
    service: Service, connection: Connection, stored: StoredPlan, query: MetricQuery
) -> StoreTagsOut:
    """Return each zone with its median dwell and its tags; errors as in `MetricQuery.question`."""
    first, last = query.days(stored, service.now())
    dwell = measure(
        service,
        connection,
        stored,
        "dwell_median",
        MetricQuery.model_validate({"from": first, "to": last, "by": "zone", "bucket": "whole"}),
    )
    of_zone = {row.zone: row for row in dwell.rows}
    timezone = stored.plan.timezone
    begin, end = day_begins(first, timezone), day_begins(last + timedelta(days=1), timezone)
    tags: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in zone_tags(connection, stored.plan.id, begin=begin, end=end):
        tags[row.zone][row.tag] += row.notes
    zones = []
    for zone in stored.plan.zones:
        found = of_zone.get(zone.id)
        zones.append(
            ZoneTagsOut(
                zone=zone.id,
                name=zone.label,
                visit_count=found.visit_count if found is not None else None,
                dwell_median_s=found.value if found is not None else None,
                tags=[
                    ZoneTagOut(tag=tag, note_count=count)
                    for tag, count in sorted(tags[zone.id].items(), key=lambda pair: (-pair[1], pair[0]))
                ],
            )
        )
    # a store's own order for those with as many
    zones.sort(key=lambda row: -sum(tag.note_count for tag in row.tags))
    return StoreTagsOut(store=stored.plan.id, timezone=timezone, first_day=first, last_day=last, zones=zones)


def zone_tags_leaving(
    connection: Connection, stored: StoredPlan, first: date, last: date, *, now: datetime
) -> list[tuple[str, Told]]:
    """Return (zone, tag) as it may leave the CRM: whole months between two days that are over, no small counts."""
    begins = first if first.day == 1 else _next_month(first)
    timezone = stored.plan.timezone
    today = now.astimezone(ZoneInfo(timezone)).date()
    ends = min(last + timedelta(days=1), today).replace(day=1)
    rows = zone_tags(connection, stored.plan.id, begin=day_begins(begins, timezone), end=day_begins(ends, timezone))
    found = []
    for zone in stored.plan.zones:
        cells = [((row.month,), row.tag, row.notes, row.people) for row in rows if row.zone == zone.id]
        found += [(zone.label, one) for one in told(cells)]
    return found


def _next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
