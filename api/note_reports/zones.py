"""Tags of notes beside the dwell of the zone that they are about."""

from collections import defaultdict
from datetime import date, datetime, timedelta

from api.metrics.query import MetricQuery
from api.metrics.routes import measure
from api.note_reports.leaving import last_month, tags_leaving
from api.note_reports.models import StoreTagsOut, ZoneTagOut, ZoneTagsOut
from api.service import Service
from core.metrics.leaving import Told, summed
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
    months = (f"{begins:%Y-%m}", min(f"{last + timedelta(days=1):%Y-%m}", last_month(now)))
    cells = tags_leaving(connection, stored.plan.id, months)
    return [
        (zone.label, one)
        for zone in stored.plan.zones
        for one in summed(((cell, tell) for cell, tell in cells if cell.words[0] == zone.id), 1)
    ]


def _next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
