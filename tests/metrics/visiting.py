"""Many visits at once, and what counting them one by one gives."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from core.floorplan import StorePlan
from core.records import ClosedBy, Role
from storage.connect import Connection
from tests.api.seeding import device


@dataclass(frozen=True)
class Stay:
    """A zone visit, or a store visit where `zone` is None."""

    number: int
    device: int
    zone: int | None
    entered_at: datetime
    dwell_s: float
    role: Role = Role.VISITOR


def insert(connection: Connection, store_no: int, stays: Iterable[Stay]) -> None:
    """Write visits in two statements."""
    listed = list(stays)
    for table, zone in (("store_visit", False), ("zone_visit", True)):
        chosen = [stay for stay in listed if (stay.zone is not None) == zone]
        with connection.cursor() as cursor, connection.transaction():
            cursor.executemany(
                f"insert into {table} (visit_id, store_no, device, entered_at, left_at, entered_earliest,"
                " entered_latest, left_earliest, left_latest, dwell_s, confidence, signals, closed_by, revision, role"
                + (", zone_no" if zone else "")
                + ") values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0.9, 5, %s, 0, %s"
                + (", %s)" if zone else ")"),
                [
                    (
                        UUID(int=(1 << 100) + stay.number), store_no, UUID(bytes=device(stay.device)),
                        stay.entered_at, left, stay.entered_at, stay.entered_at, left, left, stay.dwell_s,
                        int(ClosedBy.MOVED_ON), int(stay.role), *((stay.zone,) if zone else ()),
                    )
                    for stay in chosen
                    for left in [stay.entered_at + timedelta(seconds=stay.dwell_s)]
                ],
            )  # fmt: skip


def shoppers(
    plan: StorePlan, day: date, count: int, *, seed: int, first_number: int = 0, open_h: int = 9, close_h: int = 19
) -> list[Stay]:
    """A day of shoppers: each enters, walks through two to six zones and leaves; more come in the afternoon."""
    chance = random.Random(seed)
    midnight = datetime.combine(day, datetime.min.time(), ZoneInfo(plan.timezone))
    number = first_number
    stays: list[Stay] = []
    inner = [place for place, zone in enumerate(plan.zones) if zone.kind not in {"entrance", "staff_only"}]
    for person in range(count):
        at = midnight + timedelta(hours=chance.triangular(open_h, close_h, (open_h + close_h) / 2 + 2))
        who, begin = first_number + person, at
        for place in [
            0,
            *chance.choices(inner, [5, 4, 4, 2, 4, 1, 2, 2, 3, 1][: len(inner)], k=chance.randint(0, 5)),
        ]:
            dwell_s = round(min(1800.0, chance.lognormvariate(4.2, 1.0)), 3)
            stays.append(Stay(number := number + 1, who, place, at, dwell_s))
            at += timedelta(seconds=dwell_s)
        stays.append(Stay(number := number + 1, who, None, begin, (at - begin).total_seconds()))
    return stays


def visits_by_hour(stays: Iterable[Stay], zone: int | None) -> Counter[datetime]:
    """Visitors' visits by the UTC begin of their hour."""
    return Counter(
        stay.entered_at.astimezone(ZoneInfo("UTC")).replace(minute=0, second=0, microsecond=0)
        for stay in stays
        if stay.zone == zone and stay.role is Role.VISITOR
    )
