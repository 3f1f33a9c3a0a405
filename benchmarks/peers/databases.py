"""Gap sessions as window SQL: DuckDB in this process, PostgreSQL in a server of our own."""

import os
from pathlib import Path
from typing import Any, Final

from benchmarks.measuring import memory_bytes
from benchmarks.peers.job import BUCKET_NS, SESSION_NS, SILENCE_BUCKETS, Columns, Peer

DATABASE: Final = "SOJOURN_BENCH_DATABASE"
"""Environment: `dsn pid` of the PostgreSQL server to use."""
_TICK_NS: Final = 1_000_000_000 // os.sysconf("SC_CLK_TCK")

_SESSIONS: Final = f"""
with bucket as (
    select device, ts / {BUCKET_NS} as bucket, max((rssi_dbm + 128) * 256 + zone) as loud,
           min(ts) as first_at, max(ts) as last_at
    from signal group by 1, 2
), marked as (
    select *, loud % 256 as zone,
           case when loud % 256 = lag(loud % 256) over w and bucket - lag(bucket) over w <= {SILENCE_BUCKETS}
                then 0 else 1 end as begins
    from bucket window w as (partition by device order by bucket)
), numbered as (
    select *, sum(begins) over (partition by device order by bucket rows unbounded preceding) as session
    from marked
), sessions as (
    select device, session, min(zone) as zone, min(first_at) as entered_at, max(last_at) as left_at
    from numbered group by 1, 2
)
select count(*) from sessions where left_at - entered_at >= {SESSION_NS}
"""  # noqa: S608 - our own numbers


def _duck_table(columns: Columns) -> Any:
    import duckdb

    connection = duckdb.connect()
    source = {"ts": columns.ts, "device": columns.device, "zone": columns.zone, "rssi_dbm": columns.rssi_dbm}
    connection.register("source", source)
    connection.execute(
        "create table signal as select ts, device, zone::integer as zone, rssi_dbm::integer as rssi_dbm from source"
    )
    connection.unregister("source")
    return connection


def _duck(connection: Any) -> int:
    sql = _SESSIONS.replace(f"ts / {BUCKET_NS}", f"ts // {BUCKET_NS}")
    return int(connection.execute(sql).fetchone()[0])


def _postgres_table(columns: Columns) -> Any:
    import psycopg

    connection = psycopg.connect(_dsn(), autocommit=True)
    connection.execute("drop table if exists signal")
    connection.execute("create unlogged table signal (ts int8, device int4, zone int2, rssi_dbm int2)")
    with connection.cursor() as cursor, cursor.copy("copy signal from stdin (format binary)") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for begin in range(0, len(columns), 65_536):
            copy.write(_binary(columns, begin))
        copy.write(b"\xff\xff")
    connection.execute("vacuum analyze signal")
    connection.execute("set work_mem = '256MB'")  # as anybody who writes such a query sets it
    return connection


def _binary(columns: Columns, begin: int) -> bytes:
    """Return rows in PostgreSQL's binary COPY format: a count, then length and value of each column."""
    import numpy as np

    fields = [("ts", ">i8"), ("device", ">i4"), ("zone", ">i2"), ("rssi_dbm", ">i2")]
    layout = [("count", ">i2")] + [pair for name, kind in fields for pair in ((f"{name}_size", ">i4"), (name, kind))]
    part = slice(begin, begin + 65_536)
    rows = np.zeros(len(columns.ts[part]), np.dtype(layout))
    rows["count"] = len(fields)
    for name, kind in fields:
        rows[f"{name}_size"] = np.dtype(kind).itemsize
        rows[name] = getattr(columns, name)[part]
    return rows.tobytes()


def _postgres(connection: Any) -> int:
    return int(connection.execute(_SESSIONS).fetchone()[0])


def _dsn() -> str:
    return os.environ[DATABASE].rpartition(" ")[0]


def _server() -> int:
    return int(os.environ[DATABASE].rpartition(" ")[2])


def _backends() -> list[int]:
    tasks = Path(f"/proc/{_server()}/task").glob("*/children")
    return [int(pid) for listed in tasks for pid in listed.read_text().split()]


def _server_cpu_ns() -> int:
    """CPU time of the server: its processes, and those that ended (parallel workers)."""
    total = 0
    for pid in [_server(), *_backends()]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])  # utime, stime
        if pid == _server():
            total += int(fields[13]) + int(fields[14])  # of children that were waited for
    return total * _TICK_NS


def _server_peak() -> int:
    """Peak of the largest backend, shared buffers that it touched included."""
    return max(memory_bytes(pid=pid) for pid in _backends())


def _server_version() -> str:
    import psycopg

    with psycopg.connect(_dsn()) as connection:
        return f"{connection.info.server_version / 10_000:.4g}"


def _no_server() -> str | None:
    return (
        None
        if os.environ.get(DATABASE)
        else "the project's own PostgreSQL is not there: `python -m servers` fetches it"
    )


DUCKDB = Peer(
    "duckdb",
    "gap sessions, strongest anchor of 5 s; window SQL",
    ("duckdb",),
    _duck_table,
    _duck,
    5_000_000,
    20_000_000,
)
POSTGRES = Peer(
    "postgresql",
    "gap sessions, strongest anchor of 5 s; window SQL on an unlogged table, work_mem 256 MB",
    ("psycopg",),
    _postgres_table,
    _postgres,
    500_000,
    20_000_000,
    cpu_ns=_server_cpu_ns,
    peak_bytes=_server_peak,
    version=_server_version,
    lacks=_no_server,
)
