"""What the running ingest says about itself: one row that others read to tell how far behind the data is."""

from dataclasses import dataclass
from typing import Literal

from storage.connect import Connection
from storage.instants import to_datetime, to_ns


@dataclass(frozen=True, kw_only=True)
class IngestStatus:
    """How ingest fares; times are ns, None where it has not happened yet.

    `queued` messages were received and are not committed, `parked` batches wait for an earlier one; `batches`,
    `signals`, `repeated` (batches that were in the log already) and `dead_letters` count from `started_at`.
    `late_open` late batches wait for a revision of visits, `visits_revised` were changed by ingest since it started.
    `broker_dropped` messages were dropped by the broker since it started (None where it tells nothing), the last of
    them shortly before `broker_dropped_at`; edges send them again.
    `starting`: it compiles kernels or replays the log, and asks the broker for messages after that.
    `changed_at` is some seconds old at most while ingest runs.
    """

    started_at: int
    changed_at: int
    broker_connected: bool
    queued: int
    parked: int
    batches: int
    signals: int
    repeated: int
    dead_letters: int
    newest_signal_at: int | None
    committed_at: int | None
    late_open: int = 0
    visits_revised: int = 0
    broker_dropped: int | None = None
    broker_dropped_at: int | None = None
    starting: bool = False


def save_status(connection: Connection, status: IngestStatus) -> None:
    """Replace the row; `broker_dropped_at` follows from how `broker_dropped` moved, also over restarts."""
    broker: Literal["connected", "away"] = "connected" if status.broker_connected else "away"
    connection.execute(
        "insert into ingest_status (started_at, changed_at, broker, queued, parked, batches, signals, repeated,"
        " dead_letters, newest_signal_at, committed_at, late_open, visits_revised, broker_dropped, broker_dropped_at,"
        " starting)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (only_row) do update set started_at = excluded.started_at, changed_at = excluded.changed_at,"
        " broker = excluded.broker, queued = excluded.queued, parked = excluded.parked, batches = excluded.batches,"
        " signals = excluded.signals, repeated = excluded.repeated, dead_letters = excluded.dead_letters,"
        " newest_signal_at = excluded.newest_signal_at, committed_at = excluded.committed_at,"
        " late_open = excluded.late_open, visits_revised = excluded.visits_revised,"
        " starting = excluded.starting,"
        " broker_dropped = coalesce(excluded.broker_dropped, ingest_status.broker_dropped),"
        " broker_dropped_at = case when excluded.broker_dropped > coalesce(ingest_status.broker_dropped, 0)"
        " then excluded.changed_at else ingest_status.broker_dropped_at end",
        [
            to_datetime(status.started_at),
            to_datetime(status.changed_at),
            broker,
            status.queued,
            status.parked,
            status.batches,
            status.signals,
            status.repeated,
            status.dead_letters,
            None if status.newest_signal_at is None else to_datetime(status.newest_signal_at),
            None if status.committed_at is None else to_datetime(status.committed_at),
            status.late_open,
            status.visits_revised,
            status.broker_dropped,
            to_datetime(status.changed_at) if status.broker_dropped else None,
            status.starting,
        ],
    )


def load_status(connection: Connection) -> IngestStatus | None:
    """Return what ingest said last, None where none ever ran on this database."""
    row = connection.execute(
        "select started_at, changed_at, broker, queued, parked, batches, signals, repeated, dead_letters,"
        " newest_signal_at, committed_at, late_open, visits_revised, broker_dropped, broker_dropped_at, starting"
        " from ingest_status"
    ).fetchone()
    if row is None:
        return None
    started, changed, broker, queued, parked, batches, signals, repeated, dead_letters, newest, committed, *rest = row
    late_open, visits_revised, broker_dropped, broker_dropped_at, starting = rest
    return IngestStatus(
        started_at=to_ns(started),
        changed_at=to_ns(changed),
        broker_connected=broker == "connected",
        queued=queued,
        parked=parked,
        batches=batches,
        signals=signals,
        repeated=repeated,
        dead_letters=dead_letters,
        newest_signal_at=None if newest is None else to_ns(newest),
        committed_at=None if committed is None else to_ns(committed),
        late_open=late_open,
        visits_revised=visits_revised,
        broker_dropped=broker_dropped,
        broker_dropped_at=None if broker_dropped_at is None else to_ns(broker_dropped_at),
        starting=starting,
    )
