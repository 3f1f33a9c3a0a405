"""What stands in the database of one store, read as a whole: for demos and checks, not for pages."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from core.records import ClosedBy
from storage.connect import Connection
from storage.instants import to_ns

_FIGURES: Final = """
select (select count(*) from signal_log where store_no = store.store_no),
       (select coalesce(sum(signals), 0) from signal_log where store_no = store.store_no)::bigint,
       (select coalesce(max(log_no), 0) from signal_log where store_no = store.store_no),
       coalesce(progress.log_no, 0), coalesce(progress.decoded, 0), coalesce(progress.late, 0),
       coalesce(progress.repeated, 0),
       (extract(epoch from progress.decided_through) * 1000000)::bigint,
       (select count(*) from zone_visit where store_no = store.store_no and not withdrawn),
       (select count(*) from store_visit where store_no = store.store_no and not withdrawn),
       (select count(*) from presence where store_no = store.store_no)
  from store left join engine_progress progress using (store_no)
 where store.id = %s
"""


_VISITS: Final = """
select 'zone', store.id, device, zone.id, dwell_s, confidence, signals, closed_by,
       entered_at, left_at, entered_earliest, entered_latest, left_earliest, left_latest
  from zone_visit join store using (store_no) join zone using (store_no, zone_no)
 where store.id = %(store)s and not withdrawn
 union all
select 'store', store.id, device, '', dwell_s, confidence, signals, closed_by,
       entered_at, left_at, entered_earliest, entered_latest, left_earliest, left_latest
  from store_visit join store using (store_no) where store.id = %(store)s and not withdrawn
"""
_SCHEMA: Final = pl.Schema(
    {
        **dict.fromkeys(("kind", "store", "device", "zone"), pl.String),
        **dict.fromkeys(
            ("entered_at", "left_at", "entered_earliest", "entered_latest", "left_earliest", "left_latest"), pl.Int64
        ),
        **dict.fromkeys(("dwell_s", "confidence"), pl.Float64),
        "signals": pl.Int64,
        "closed_by": pl.String,
    }
)


@dataclass(frozen=True)
class Figures:
    """How far one store has come; `decided_through_us` is None before anything was decided."""

    batches: int
    signals: int
    newest_log_no: int
    engine_log_no: int
    decoded: int
    late: int
    repeated: int
    decided_through_us: int | None
    zone_visits: int
    store_visits: int
    present: int


@dataclass(frozen=True)
class LoggedBatch:
    """One row of the signal log: `boot` and `sha256` are hexadecimal; `signals` with those that were erased since."""

    edge: str
    boot: str
    sequence: int
    signals: int
    sha256: str


def figures(connection: Connection, store: str) -> Figures | None:
    """Return the figures of a store by its id; None if it is not there."""
    row = connection.execute(_FIGURES, [store]).fetchone()
    return Figures(*row) if row is not None else None


def logged_batches(connection: Connection, store: str) -> list[LoggedBatch]:
    """Return every row of the signal log of a store, repeated ones as often as they stand there."""
    rows = connection.execute(
        "select edge.id, log.boot, log.sequence, log.signals + log.redacted, log.sha256"
        "  from signal_log log join edge using (edge_no) join store on store.store_no = log.store_no"
        " where store.id = %s order by log.log_no",
        [store],
    )
    return [
        LoggedBatch(edge, boot.hex, sequence, signals, sha256.hex()) for edge, boot, sequence, signals, sha256 in rows
    ]


def reported_visits(connection: Connection, store: str) -> pl.DataFrame:
    """Return all zone and store visits of a store in the columns of VISITS (contract of `sojourn replay`)."""
    found = [
        (
            kind,
            of,
            device.hex,
            zone,
            *map(to_ns, times),
            dwell_s,
            confidence,
            signals,
            ClosedBy(closed).word,
        )
        for kind, of, device, zone, dwell_s, confidence, signals, closed, *times in connection.execute(
            _VISITS, {"store": store}
        )
    ]
    return pl.DataFrame(found, schema=_SCHEMA, orient="row").sort(["entered_at", "device", "kind", "zone"])
