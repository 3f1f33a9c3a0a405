"""Visits of a quarter in ten stores, written straight into the tables: what the page queries are measured on."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.floorplan import load
from core.records import VisitKind
from storage.connect import Connection
from storage.copy import copy_columns
from storage.rollups.sources import day_begins
from storage.stores import StoredPlan, load_plans, save_plan
from storage.visits import TABLE_FIELDS

DAYS: Final = 90
STORES: Final = 10
TIMEZONE: Final = "Europe/Berlin"
FLAGSHIP_SHARE: Final = 0.3
"""Of all visits, those of the first store: the pages that are measured are its."""
ZONES: Final = (
    ("entrance", "entrance"), ("new", "department"), ("women", "department"), ("men", "department"),
    ("kids", "department"), ("shoes", "shelf"), ("outdoor", "shelf"), ("bags", "shelf"), ("fitting", "fitting_room"),
    ("checkout", "checkout"), ("service", "service"), ("stock", "staff_only"),
)  # fmt: skip
_STAYS: Final = 5
"""Zone visits of a store visit, on average."""
_WEEKDAY: Final = np.array([0.8, 0.8, 0.85, 0.9, 1.1, 1.6, 0.5])


def plan_text() -> str:
    """Return the floor plan of the stores as JSON."""
    zones = ", ".join(f'{{"id": "{name}", "kind": "{kind}"}}' for name, kind in ZONES)
    anchors = ", ".join(f'{{"id": "a-{name}", "zone": "{name}"}}' for name, _ in ZONES)
    stores = ", ".join(
        f'{{"id": "store-{number}", "timezone": "{TIMEZONE}", "zones": [{zones}], "anchors": [{anchors}]}}'
        for number in range(STORES)
    )
    return f'{{"stores": [{stores}]}}'


def fill(connection: Connection, zone_visits: int, today: date, say: Callable[[str], None]) -> list[StoredPlan]:
    """Write about so many zone visits of the days before `today`; the days of the first store are to be counted."""
    save_plan(connection, load(plan_text()))
    stored = load_plans(connection)
    rng = np.random.default_rng(1)
    connection.execute("set sojourn.erasing = 'on'")  # no change is noted: every day is counted as a whole below
    shares = [FLAGSHIP_SHARE, *[(1 - FLAGSHIP_SHARE) / (STORES - 1)] * (STORES - 1)]
    for back in range(DAYS, 0, -1):
        day = today - timedelta(days=back)
        for one, share in zip(stored, shares, strict=True):
            people = zone_visits * share / DAYS / _STAYS * _WEEKDAY[day.weekday()] / _WEEKDAY.mean()
            add_day(connection, one, day, int(people), rng, close_h=20)
        if back % 10 == 0:
            say(f"{DAYS - back} of {DAYS} days written")
    connection.execute("reset sojourn.erasing")
    connection.execute(
        "insert into rollup_stale select %s, %s::date - back from generate_series(1, %s) back",
        [stored[0].store_no, today, DAYS],
    )
    connection.execute("analyze")
    return stored


def add_day(
    connection: Connection,
    stored: StoredPlan,
    day: date,
    people: int,
    rng: np.random.Generator,
    *,
    close_h: float,
    open_h: float = 9.0,
) -> None:
    """Write the visits of so many people on one day from `open_h` to `close_h`."""
    begin = day_begins(day, TIMEZONE).timestamp() * 1e9
    arrived = begin + rng.triangular(open_h, open_h + 0.6 * (close_h - open_h), close_h, people) * 3600e9
    stays = np.minimum(1 + rng.poisson(_STAYS - 1, people), 20)
    person = np.repeat(np.arange(people), stays)
    order = np.arange(len(person)) - np.repeat(np.cumsum(stays) - stays, stays)
    weights = np.array([0, 20, 18, 12, 6, 12, 5, 5, 5, 15, 2, 0]) / 100
    zone = np.where(order == 0, 0, rng.choice(len(ZONES), len(person), p=weights))
    dwell_s = np.minimum(np.round(rng.lognormal(4.2, 1.0, len(person)), 3), 1800.0)
    upto = np.cumsum(dwell_s)
    first = np.repeat(upto[np.cumsum(stays) - stays] - dwell_s[np.cumsum(stays) - stays], stays)
    entered = (arrived[person] + (upto - dwell_s - first) * 1e9).astype(np.int64)
    devices = rng.integers(0, 256, (people, 16), np.uint8)
    _write(connection, stored, VisitKind.ZONE, devices[person], entered, dwell_s, rng, zone)
    total_s = np.bincount(person, dwell_s, people)
    _write(connection, stored, VisitKind.STORE, devices, arrived.astype(np.int64), total_s, rng, None)


def _write(  # noqa: PLR0917 - the columns of a visit
    connection: Connection,
    stored: StoredPlan,
    kind: VisitKind,
    devices: NDArray[Any],
    entered: NDArray[Any],
    dwell_s: NDArray[Any],
    rng: np.random.Generator,
    zone: NDArray[Any] | None,
) -> None:
    count = len(entered)
    left = entered + (dwell_s * 1e9).astype(np.int64)
    columns = {
        "entered_at": entered, "left_at": left, "entered_earliest": entered, "entered_latest": entered,
        "left_earliest": left, "left_latest": left, "dwell_s": dwell_s, "device": devices,
        "visit_id": rng.integers(0, 256, (count, 16), np.uint8),
        "store_no": np.full(count, stored.store_no), "confidence": np.full(count, 0.9, np.float32),
        "signals": np.full(count, 9), "closed_by": np.zeros(count, np.int64), "revision": np.zeros(count, np.int64),
        "forced": np.zeros(count, bool), "model_version": np.zeros(count, np.int64),
        "role": np.zeros(count, np.int64), "zone_no": np.zeros(count, np.int64) if zone is None else zone,
    }  # fmt: skip
    with connection.transaction():
        copy_columns(connection, f"{kind.word}_visit", TABLE_FIELDS[kind], columns)


def now_in_store() -> datetime:
    """Return the present on the stores' clocks."""
    return datetime.now(ZoneInfo(TIMEZONE))
