"""`python -m benchmarks metrics`: the queries of the pages over 10 million zone visits, beside plain SQL.

Ten stores, 90 days, 12 zones each; the first store has three of ten visits and is the one that is asked. Today's
visits are not yet counted when the queries run (`PENDING` of them wait), as between two rounds of ingest.
"""

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final
from uuid import UUID

import numpy as np
from fastapi.testclient import TestClient

from api.app import create_app
from api.metrics.query import MetricQuery
from api.metrics.routes import measure
from api.service import Service
from benchmarks.asking import UNBOUNDED, key_headers
from benchmarks.measuring import machine
from benchmarks.metrics_load import DAYS, add_day, fill, now_in_store
from benchmarks.metrics_plain import PLAIN
from benchmarks.results_part import replace_part
from servers.postgres import Postgres
from servers.provide import provide
from storage.connect import Connection, connect
from storage.migrate import migrate
from storage.occupancy import occupancy
from storage.rollups.keeping import refresh, waiting
from storage.rollups.sources import day_begins
from storage.stores import StoredPlan, load_plans

PENDING: Final = 50
"""People whose visits of today wait to be counted: the store's busiest hour brings 15 in half a minute."""
PRESENT: Final = 2_000
ROUNDS: Final = 40
LIMIT_MS: Final = 50.0
LIVE_LIMIT_MS: Final = 5.0


@dataclass(frozen=True)
class Asked:
    """A query as a page makes it; `plain` names the same in plain SQL, None where there is none."""

    formula: str
    days: int
    query: dict[str, Any]
    plain: str | None = None


QUERIES: Final = (
    Asked("footfall", 1, {"bucket": "hour"}, "footfall_hour"),
    Asked("footfall", 28, {"compare": "previous"}, "footfall"),
    Asked("footfall", 84, {}, "footfall"),
    Asked("people", 84, {}, "people"),
    Asked("occupancy", 28, {}, None),
    Asked("occupancy_peak", 84, {"bucket": "whole"}, "peak"),
    Asked("capture_inside", 84, {"bucket": "whole"}, None),
    Asked("dwell_median", 84, {"zone": "women"}, "median"),
    Asked("dwell_p95", 84, {"by": "zone", "bucket": "whole"}, "p95_by_zone"),
    Asked("dwell_histogram", 84, {"zone": "women"}, None),
    Asked("dwell_curve", 84, {}, None),
    Asked("zone_entry", 84, {"by": "zone", "bucket": "whole"}, "zone_entry"),
    Asked("flow", 84, {}, "flow"),
    Asked("paths", 84, {}, "paths"),
    Asked("week_hour", 84, {}, "week_hour"),
    Asked("week_part", 84, {}, None),
    Asked("returning", 84, {}, None),
    Asked("staff_ratio", 84, {"bucket": "whole"}, None),
)
PAGES: Final = ("traffic", "dwell", "flow", "compare")


@dataclass(frozen=True)
class Row:
    """What one query took, ms; `plain_ms` is the median of three runs of plain SQL."""

    name: str
    days: int
    median_ms: float
    p95_ms: float
    plain_ms: float | None


def main(arguments: list[str]) -> int:
    """Fill, count, measure; 0 if every limit is kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks metrics", description=__doc__)
    parser.add_argument("--visits", type=int, default=10_000_000, help="zone visits in all")
    parser.add_argument("--results", type=Path, help="file whose part on metrics is replaced")
    parser.add_argument("--folder", type=Path, help="where the database lies; it is kept, and filled only once")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="sojourn-metrics-") as name:
        folder = asked.folder if asked.folder is not None else Path(name)
        with Postgres(provide(), folder / "database", sync_initdb=False) as server:
            text, kept = _run(server.dsn(), asked.visits)
    command = shlex.join(["python", "-m", "benchmarks", "metrics", *arguments])
    text = text.replace("COMMAND", command)
    sys.stdout.write(text)
    if asked.results is not None:
        replace_part(asked.results, "metrics", text)
    return 0 if kept else 1


def _run(url: str, visits: int) -> tuple[str, bool]:
    migrate(url)
    today = now_in_store().date()
    with connect(url, application_name="benchmark") as connection:
        filled_s = counted_s = 0.0
        if not load_plans(connection):
            filled_s = _timed(lambda: fill(connection, visits, today, _say))
        if waiting(connection):
            counted_s = _timed(lambda: refresh(connection, most_days=100_000))
            connection.execute("vacuum analyze")
        stored = load_plans(connection)[0]
        _begin_today(connection, stored, today)
        rows, live = _measured(url, connection, stored, today)
        pages = _pages(url, stored)
        folded = _timed(lambda: refresh(connection, most_days=100))
        counts = connection.execute(
            "select (select count(*) from zone_visit), (select count(*) from store_visit),"
            " (select count(*) from zone_visit where store_no = %s), (select count(*) from visit_rollup)",
            [stored.store_no],
        ).fetchone()
    kept = all(row.p95_ms < LIMIT_MS for row in rows) and live[1] < LIVE_LIMIT_MS
    return _text(rows, live, pages, counts, (filled_s, counted_s, folded)), kept


def _begin_today(connection: Connection, stored: StoredPlan, today: date) -> None:
    """Let today have visits: most of them counted, PENDING people's not; and PRESENT people in the store."""
    span = [stored.store_no, day_begins(today, stored.plan.timezone)]
    for table in ("zone_visit", "store_visit"):
        connection.execute(f"delete from {table} where store_no = %s and entered_at >= %s", span)  # noqa: S608
    connection.execute("delete from presence")
    rng = np.random.default_rng(int(time.time()))
    hour = max(9.5, now_in_store().hour + now_in_store().minute / 60)
    add_day(connection, stored, today, 5_000, rng, close_h=hour)
    refresh(connection, most_days=100)
    add_day(connection, stored, today, PENDING, rng, open_h=hour - 0.5, close_h=hour)  # they came lately
    now = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into presence values (%s, %s, %s, %s, %s, %s, 0.9)",
            [(stored.store_no, UUID(int=n + 1), n % 12, now, now, now) for n in range(PRESENT)],
        )
    connection.execute("analyze presence")


def _measured(
    url: str, connection: Connection, stored: StoredPlan, today: date
) -> tuple[list[Row], tuple[float, float]]:
    app = create_app(url, UNBOUNDED)
    with TestClient(app) as client:
        client.get("/v1/health")
        service: Service = app.state.service
        rows = []
        for one in QUERIES:
            first = today - timedelta(days=one.days - 1)
            query = MetricQuery.model_validate({"from": first, "to": today} | one.query)
            ask = partial(measure, service, connection, stored, one.formula, query)
            plain = None
            if one.plain is not None:
                ask_plainly = partial(_plainly, connection, one.plain, _plain_values(stored, today, one))
                plain = 1e3 * median(_timed(ask_plainly) for _ in range(3))
            words = ", ".join(f"{name} {value}" for name, value in one.query.items())
            name = f"{one.formula}{f' ({words})' if words else ''}"
            rows.append(Row(name, one.days, *_taken(ask), plain))
            _say(f"{rows[-1]}")
        live = _taken(lambda: occupancy(connection, stored.store_no))
    return rows, live


def _plainly(connection: Connection, name: str, values: dict[str, Any]) -> object:
    return connection.execute(PLAIN[name], values).fetchall()


def _plain_values(stored: StoredPlan, today: date, one: Asked) -> dict[str, Any]:
    return {
        "store_no": stored.store_no,
        "timezone": stored.plan.timezone,
        "begins": day_begins(today - timedelta(days=one.days - 1), stored.plan.timezone),
        "ends": day_begins(today + timedelta(days=1), stored.plan.timezone),
        "zone_no": stored.plan.zone_index["women"],
    }


def _pages(url: str, stored: StoredPlan) -> list[tuple[str, float, float]]:
    """Return what whole pages of 28 days take, from request to the last byte: name, median and p95 in ms."""
    app = create_app(url, UNBOUNDED)
    last = now_in_store().date()
    days = {"from": str(last - timedelta(days=27)), "to": str(last)}
    with TestClient(app, headers=key_headers(url)) as client:
        return [
            (name, *_taken(partial(client.get, f"/stores/{stored.plan.id}/{name}", params=days), rounds=10))
            for name in PAGES
        ]


def _taken(work: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    work()
    times = [_timed(work) * 1e3 for _ in range(rounds)]
    return median(times), quantiles(times, n=20, method="inclusive")[-1]


def _timed(work: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    work()
    return time.perf_counter() - begun_s


def _text(
    rows: list[Row],
    live: tuple[float, float],
    pages: list[tuple[str, float, float]],
    counts: Any,
    took_s: tuple[float, float, float],
) -> str:
    at = machine()
    zone_visits, store_visits, flagship, cells = counts
    filled_s, counted_s, folded_s = took_s
    lines = [
        "## Page queries",
        "",
        (
            f"Machine: {at['processor']}, {at['cores']} cores, {at['memory']}; {at['system']}. Load by others when it"
            f" began: {at['load']}."
        ),
        "",
        "    COMMAND",
        "",
        (
            f"{zone_visits:,} zone visits and {store_visits:,} store visits of {DAYS} days in ten stores; the store"
            f" asked has {flagship:,}. {PENDING:,} people's visits of today were not counted yet and are added"
            " by each query. Wall time of the whole answer (SQL, disclosure, formula, model) over one connection,"
            f" {ROUNDS} runs after one that does not count; plain SQL: the same number from the visit tables, without"
            " rollups, hidden counts or exclusions, median of three."
        ),
        "",
        "| query | days | median, ms | p95, ms | plain SQL, ms | times |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        plain = "" if row.plain_ms is None else f"{row.plain_ms:,.0f}"
        times = "" if row.plain_ms is None else f"{row.plain_ms / row.median_ms:,.0f}"
        lines.append(f"| {row.name} | {row.days} | {row.median_ms:.1f} | {row.p95_ms:.1f} | {plain} | {times} |")
    lines += [
        f"| live occupancy, {PRESENT:,} people present | | {live[0]:.1f} | {live[1]:.1f} | | |",
        "",
        f"Limits: {LIMIT_MS:.0f} ms for a query, {LIVE_LIMIT_MS:.0f} ms for live occupancy, both at p95.",
        "",
        "Whole pages of 28 days, each made of 2 to 30 such queries, from request to last byte: "
        + "; ".join(f"{name} {mid:.0f} ms (p95 {p95:.0f})" for name, mid, p95 in pages)
        + ".",
        "",
        f"Counts: {cells:,} cells."
        + (
            f" Writing the visits took {filled_s:.0f} s, counting the {flagship:,} of the store {counted_s:.0f} s."
            if filled_s
            else ""
        )
        + f" Adding the changes of {PENDING:,} people to the counts took {folded_s * 1e3:.0f} ms, in a thread and a"
        " connection of its own: no commit of ingest waits for it.",
        "",
    ]
    return "\n".join(lines)


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
