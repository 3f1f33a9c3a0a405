"""Chunks of hypertables made ahead of their time, so that the first commit of a day does not wait for one.

Making a chunk takes locks on the hypertable and builds its indexes, tens of milliseconds in which every other writer
waits. TimescaleDB's own function for it is not in the Apache edition; a row that is inserted and deleted again in one
transaction leaves its chunk behind in both.
"""

from datetime import datetime, timedelta
from typing import Final

from psycopg import sql
from psycopg.types.json import Jsonb

from storage.connect import Connection, in_transaction

AHEAD: Final = timedelta(hours=6)
"""Ingest that was away for a night finds today's chunk; one that is made days before is only planned over."""

_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
_ZERO: Final = dict.fromkeys(("store_no", "signals"), 0)
_VISIT: Final = {
    **_ZERO, **dict.fromkeys(("visit_id", "device"), _NOBODY),
    **dict.fromkeys(("dwell_s", "confidence", "closed_by", "revision", "model_version"), 0),
}  # fmt: skip
_TIMES: Final = ("left_at", "entered_earliest", "entered_latest", "left_earliest", "left_latest")
_ROWS: Final = {
    "signal_log": (
        "received_at", (),
        {**_ZERO, **dict.fromkeys(("log_no", "edge_no", "sequence"), 0), "boot": _NOBODY, "sha256": "", "batch": ""},
    ),
    "zone_visit": ("entered_at", _TIMES, {**_VISIT, "zone_no": 0}),
    "store_visit": ("entered_at", _TIMES, _VISIT),
}  # fmt: skip
"""By hypertable: its time column, its other times, and a row that no reader ever sees."""


def make_chunks(connection: Connection, now: datetime) -> list[str]:
    """Make the chunk that each hypertable needs now, and the next one; return the hypertables that lacked one.

    Parameters
    ----------
    now : datetime
        With its time zone.
    """
    lacking = []
    for at in (now, now + AHEAD):
        lacking += [name for name in _make(connection, at) if name not in lacking]
    return lacking


def _make(connection: Connection, at: datetime) -> list[str]:
    known = connection.execute(
        "select hypertable_name from timescaledb_information.chunks where range_start <= %s and range_end > %s",
        [at, at],
    ).fetchall()
    lacking = [name for name in _ROWS if (name,) not in known]
    for name in lacking:
        in_transaction(connection, lambda connection, name=name: _touch(connection, name, at))  # type: ignore[misc]
    return lacking


def _touch(connection: Connection, name: str, at: datetime) -> None:
    time, others, row = _ROWS[name]
    table = sql.Identifier(name)
    whole = {**row, **dict.fromkeys((time, *others), at.isoformat())}
    columns = sql.SQL(", ").join(map(sql.Identifier, whole))
    connection.execute(
        sql.SQL("insert into {t} ({c}) select {c} from jsonb_populate_record(null::{t}, %s)").format(
            t=table, c=columns
        ),
        [Jsonb(whole)],
    )
    connection.execute(
        sql.SQL("delete from {table} where {time} = %s and store_no = 0").format(
            table=table, time=sql.Identifier(time)
        ),
        [at],
    )
    # triggers note whatever happens to visits to be counted: of a store that does not exist it would wait for ever
    connection.execute("delete from rollup_change where store_no = 0")
