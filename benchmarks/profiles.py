"""`python -m benchmarks profiles`: a profile page with 1 million profiles and 10 million store visits.

Every profile has a consent, a device, ten store visits of a year, two stays in the newest, three events; one in ten
of those asked is in a store now. Pages are asked one after the other, each once, of profiles drawn at random.
"""

import argparse
import random
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Final
from uuid import UUID

from fastapi.testclient import TestClient

from api.app import create_app
from benchmarks.asking import UNBOUNDED, key_headers
from benchmarks.measuring import CpuWatch, machine
from benchmarks.profiles_load import fill
from benchmarks.results_part import replace_part
from servers.postgres import Postgres
from servers.provide import provide
from storage.connect import Connection, connect
from storage.migrate import migrate

PAGES: Final = 400
WARM: Final = 40
LIMIT_MS: Final = 50.0
FEW: Final = 11
_SLOW: Final = frozenset({"search by name", "journey map, 90 days"})
ASKED: Final = (
    ("profile page", "/profiles/{}"),
    ("profile as JSON", "/v1/profiles/{}"),
    ("card", "/v1/profiles/{}/card"),
    ("understanding", "/v1/profiles/{}/understanding"),
    ("search by name", "/profiles?q=Customer+{}"),
    ("journey map, 90 days", "/v1/journey-map"),
)


def main(arguments: list[str]) -> int:
    """Fill and measure; 0 if p95 of the profile page is under LIMIT_MS."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks profiles", description=__doc__)
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--visits", type=int, default=10, help="store visits of each profile")
    parser.add_argument("--seed", type=int, default=1, help="which profiles are asked")
    parser.add_argument("--results", type=Path, help="file whose part on profiles is replaced")
    parser.add_argument("--folder", type=Path, help="where the database lies; it is kept, and filled only once")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="sojourn-profiles-") as name:
        folder = asked.folder if asked.folder is not None else Path(name)
        with Postgres(provide(), folder / "database", sync_initdb=False) as server:
            text, kept = _run(server.dsn(), asked.profiles, asked.visits, asked.seed)
    text = text.replace("COMMAND", shlex.join(["python", "-m", "benchmarks", "profiles", *arguments]))
    sys.stdout.write(text)
    if asked.results is not None:
        replace_part(asked.results, "profiles", text)
    return 0 if kept else 1


def _run(url: str, profiles: int, visits: int, seed: int) -> tuple[str, bool]:
    migrate(url)
    with connect(url, application_name="benchmark") as connection:
        row = connection.execute("select count(*) from (select from return_model limit 1) one").fetchone()
        filled_s = 0.0 if row == (1,) else _timed(lambda: fill(connection, profiles, visits, _say))
        drawn = _drawn(connection, profiles, seed)
        counts = connection.execute(
            "select (select count(*) from profile), (select count(*) from store_visit),"
            " (select count(*) from zone_visit), (select count(*) from customer_event)"
        ).fetchone()
    if counts is None:
        raise RuntimeError("The counts gave no row.")
    rows = []
    watching = connect(url, application_name="benchmark watching")
    with (
        watching,
        TestClient(create_app(url, UNBOUNDED), headers={"Accept": "text/html"} | key_headers(url)) as client,
    ):
        cpu = CpuWatch(lambda: _backends(watching))
        for name, path in ASKED:
            times = []
            cpu_s = cpu.total_s()
            few = drawn[: FEW if name in _SLOW else PAGES + WARM]
            for number, profile in enumerate(few):
                word = str(number * 7) if "search" in name else str(profile)
                began = time.perf_counter()
                answer = client.get(path.format(word))
                times.append((time.perf_counter() - began) * 1000)
                if answer.status_code != 200:
                    raise RuntimeError(f"{path}: {answer.status_code}")
            cpu_ms = (cpu.total_s() - cpu_s) / len(few) * 1000
            times = times[WARM:] if len(times) > WARM else times[1:]
            p95 = quantiles(times, n=20, method="inclusive")[-1]
            rows.append((name, len(times), median(times), p95, max(times), cpu_ms))
            _say(f"{name}: median {median(times):.1f} ms, p95 {p95:.1f} ms")
    return _text(rows, counts, filled_s), rows[0][3] < LIMIT_MS


def _backends(connection: Connection) -> list[int]:
    """Return the processes of this one's connections in the database."""
    rows = connection.execute(
        "select pid from pg_stat_activity where application_name like 'sojourn api%'"
    ).fetchall()
    return [row[0] for row in rows]


def _drawn(connection: Connection, profiles: int, seed: int) -> list[UUID]:
    numbers = random.Random(seed).sample(range(1, profiles + 1), PAGES + WARM)
    rows = connection.execute("select md5('profile ' || n)::uuid from unnest(%s::integer[]) n", [numbers]).fetchall()
    here = numbers[::10]
    connection.execute("delete from presence")
    connection.execute(
        "insert into presence (store_no, device, zone_no, arrived_at, in_zone_since, last_signal_at, confidence)"
        " select 1 + n %% 10, md5('device ' || n)::uuid, 0, now() - interval '9 minutes',"
        "        now() - interval '1 minute', now(), 0.9 from unnest(%s::integer[]) n",
        [here],
    )
    return [row[0] for row in rows]


def _text(rows: list[tuple[str, int, float, float, float, float]], counts: tuple[int, ...], filled_s: float) -> str:
    at = machine()
    lines = [
        "## Profile pages",
        "",
        (
            f"Machine: {at['processor']}, {at['cores']} cores, {at['memory']}; load when it ended: {at['load']}."
            f" {datetime.now(UTC):%Y-%m-%d}."
        ),
        "",
        "    COMMAND",
        "",
        (
            f"{counts[0]:,} profiles, {counts[1]:,} store visits and {counts[2]:,} zone visits of a year,"
            f" {counts[3]:,} events; filled in {filled_s / 60:.0f} min. Pages are asked in this process,"
            " one after the other, each once."
        ),
        "",
        "| what | asked | median ms | p95 ms | longest ms | CPU ms, page and database |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {name} | {count} | {middle:.1f} | {p95:.1f} | {most:.1f} | {cpu:.1f} |"
            for name, count, middle, p95, most, cpu in rows
        ),
        "",
    ]
    return "\n".join(lines) + "\n"


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _say(what: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {what}\n")
