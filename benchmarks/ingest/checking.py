"""What the database says after a run: is everything there once, how long did it take, how large is it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.ingest.air import SIGNALS
from benchmarks.ingest.publishing import Sent
from storage.connect import Connection

COMMIT_TIMES: Final = {"track_commit_timestamp": "on"}
"""Setting of the server under which every row tells when it was committed."""

_LOGGED: Final = """
select store.id, edge.id, encode(uuid_send(boot), 'hex'), count(*), sum(signals)::bigint,
       count(distinct sequence), max(sequence),
       encode(sha256(string_agg(log.sha256, ''::bytea order by sequence)), 'hex')
  from signal_log log join edge using (edge_no) join store on store.store_no = log.store_no
 where sequence > 0 group by 1, 2, 3
"""
_DECODED: Final = "select coalesce(sum(decoded), 0)::bigint, coalesce(sum(repeated), 0)::bigint from engine_progress"
_VISITS: Final = """
select (select count(*) from zone_visit), (select count(*) from store_visit),
       (select count(*) - count(distinct visit_id) from zone_visit)
"""
_DELAYS: Final = """
select percentile_disc(array[0.5, 0.99]) within group (order by extract(epoch from took)::float8) from (
    select pg_xact_commit_timestamp(xmin) - {since} as took from {table} where {where}
) as each where took is not null
"""


@dataclass(frozen=True)
class Checked:
    """Sent against logged, logged against decoded; `wrong` says what is not as it must be, in words."""

    sent: int
    logged: int
    decoded: int
    repeated: int
    zone_visits: int
    store_visits: int
    wrong: tuple[str, ...]


@dataclass(frozen=True)
class Sizes:
    """Bytes on disk: log with indexes, everything, and what went through the write-ahead log since the start."""

    log: int
    visits: int
    database: int
    wal: int


def check(connection: Connection, sent: Sequence[Sent]) -> Checked:
    """Compare, by edge and boot, count, sequences and content; nothing may be missing, changed or there twice."""
    logged = {(row[0], row[1], row[2]): row[3:] for row in connection.execute(_LOGGED).fetchall()}
    kept = sum(int(row[1]) for row in logged.values())
    wrong: list[str] = []
    for edge in sent:
        rows, signals, distinct, newest, digest = logged.pop((edge.store, edge.edge, edge.boot), (0, 0, 0, 0, ""))
        name = f"{edge.store}/{edge.edge}"
        if (rows, distinct, newest) != (edge.batches, edge.batches, edge.batches) or signals != edge.signals:
            wrong.append(f"{name}: {edge.batches} batches sent, {rows} rows of {distinct} sequences logged")
        elif edge.batches and digest != edge.digest:
            wrong.append(f"{name}: what is logged is not what was sent")
    wrong += [f"{store}/{edge}: batches of a boot that nobody sent" for store, edge, _ in logged]
    decoded, repeated = connection.execute(_DECODED).fetchone() or (0, 0)
    zone_visits, store_visits, twice = connection.execute(_VISITS).fetchone() or (0, 0, 0)
    total = sum(edge.signals for edge in sent)
    if (decoded, repeated) != (total, 0):
        wrong.append(f"{total} signals sent, {decoded} decoded, {repeated} of them as repeated")
    if twice:
        wrong.append(f"{twice} zone visits stand there twice")
    return Checked(total, kept, int(decoded), int(repeated), zone_visits, store_visits, tuple(wrong))


def decoded(connection: Connection) -> int:
    """Return how many signals the engines have taken in and written down."""
    row = connection.execute(_DECODED).fetchone()
    return 0 if row is None else int(row[0])


def delays(connection: Connection) -> dict[str, list[float]]:
    """Return p50 and p99 in seconds, by the commit time of the rows.

    `signal_to_log`: from the last signal of a batch. `signal_to_visit`: from the last signal of a zone visit that
    ended by moving on, with the time that the decoder waits for hindsight. Nothing without COMMIT_TIMES.
    """
    if connection.execute("select current_setting('track_commit_timestamp')").fetchone() != ("on",):
        return {}
    asked = {
        "signal_to_log": ("last_at", "signal_log", f"signals = {SIGNALS}"),
        "signal_to_visit": ("left_at", "zone_visit", "revision = 0 and closed_by = 0"),
        "silence_to_visit": ("left_at", "zone_visit", "revision = 0 and closed_by = 1"),
    }
    found = {}
    for name, (since, table, where) in asked.items():
        row = connection.execute(_DELAYS.format(since=since, table=table, where=where)).fetchone()
        if row is not None and row[0] is not None:
            found[name] = [round(float(value), 3) for value in row[0]]
    return found


def sizes(connection: Connection) -> Sizes:
    """Return what lies on the disk."""
    row = connection.execute(
        "select hypertable_size('signal_log'), hypertable_size('zone_visit') + hypertable_size('store_visit'),"
        " pg_database_size(current_database()), pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
    ).fetchone()
    return Sizes(*row) if row is not None else Sizes(0, 0, 0, 0)
