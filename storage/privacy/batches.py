"""Signals of one person taken out of logged batches: decoded, her rows dropped, encoded again, cursors kept."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from core.errors import WireError
from core.limits import NS_PER_S, NS_PER_US
from core.privacy.batches import rows_of, without
from core.privacy.suppression import Spans
from core.wire import Batch, Gap, decode, encode
from storage.connect import Connection
from storage.instants import to_datetime

ROWS_A_STEP: Final = 512
"""4 MiB of batches as a rule, 256 MiB in the worst case; a step takes about a tenth of a second."""


LATE_US: Final = 86_400 * (NS_PER_S // NS_PER_US)
"""A batch may be logged long after it was received, where a queue stands between. A day is one of the thirty that are
kept; and of what waited for longer, the suppression list lets nothing of hers into the log."""


class LogPlace(NamedTuple):
    """How far a pass through the log has come: `found` counts what it has met.

    `since_us`: what was received before is known from an earlier pass (0: nothing); `began_us`: when this one began.
    """

    store_no: int = 0
    log_no: int = -1
    found: int = 0
    since_us: int = 0
    began_us: int = 0

    def again(self) -> "LogPlace":
        """Return where the next pass begins: it reads what may have come while this one went on."""
        return LogPlace(since_us=self.began_us - LATE_US)


class LogStep(NamedTuple):
    """What a step did: signals that went, and where the next one begins; None at the end of the log."""

    signals: int
    after: LogPlace | None


def redact_log(connection: Connection, spans: Spans, after: LogPlace) -> LogStep:
    """Take somebody's signals out of the next ROWS_A_STEP batches; to be called in a transaction.

    A row keeps its place in the order, its cursor and the SHA-256 of the message as it came; `redacted` counts what
    was taken out, so that whoever compares batches with their messages knows why they differ.
    """
    rows = connection.execute(
        "select store_no, log_no, received_at, batch from signal_log where (store_no, log_no) > (%s, %s)"
        " and received_at >= %s order by store_no, log_no limit %s",
        [after.store_no, after.log_no, to_datetime(after.since_us * NS_PER_US), ROWS_A_STEP],
        binary=True,
    ).fetchall()
    signals = 0
    for store_no, log_no, received_at, payload in rows:
        if payload:
            signals += _redact_row(connection, spans, (store_no, log_no, received_at), bytes(payload))
    if len(rows) < ROWS_A_STEP:
        return LogStep(signals, None)
    return LogStep(signals, after._replace(store_no=rows[-1][0], log_no=rows[-1][1], found=after.found + signals))


def redact_app_outbox(connection: Connection, spans: Spans) -> int:
    """Take somebody's signals out of what apps told and ingest does not have; in a transaction. Return how many.

    A batch that held nothing else becomes one that says that nothing was in it: its number stays in its place.
    """
    signals = 0
    rows = connection.execute(
        "select store_no, sequence, payload from app_outbox order by store_no, sequence for update", binary=True
    ).fetchall()
    for store_no, sequence, payload in rows:
        batch = decode(bytes(payload))
        found = without(batch, spans)
        if found is not None:
            left, count = found
            connection.execute(
                "update app_outbox set payload = %s where store_no = %s and sequence = %s",
                [encode(left if left is not None else _empty(batch)), store_no, sequence],
            )
            signals += count
    return signals


def signals_of(connection: Connection, spans: Spans, after: LogPlace) -> tuple[list[dict[str, Any]], LogPlace | None]:
    """Return somebody's signals in the next ROWS_A_STEP batches, for an access export; None at the end of the log."""
    rows = connection.execute(
        "select store_no, log_no, batch from signal_log where (store_no, log_no) > (%s, %s)"
        " order by store_no, log_no limit %s",
        [after.store_no, after.log_no, ROWS_A_STEP],
        binary=True,
    ).fetchall()
    found: list[dict[str, Any]] = []
    for store_no, _, payload in rows:
        if payload:
            found += [{"store_no": store_no, **row} for row in _told(decode(bytes(payload)), spans)]
    return found, LogPlace(rows[-1][0], rows[-1][1]) if len(rows) == ROWS_A_STEP else None


def _told(batch: Batch, spans: Spans) -> Iterator[dict[str, Any]]:
    own, _ = rows_of(batch, spans)
    for row in np.flatnonzero(own).tolist():
        yield {
            "at": to_datetime(int(batch.ts[row])),
            "anchor": batch.anchors[int(batch.anchor[row])],
            "device": batch.devices[int(batch.device[row])].tobytes().hex(),
            "rssi_dbm": int(batch.rssi_dbm[row]),
        }


def _redact_row(connection: Connection, spans: Spans, key: tuple[int, int, datetime], payload: bytes) -> int:
    batch = decode(payload)
    found = without(batch, spans)
    if found is None:
        return 0
    left, count = found
    try:
        packed = b"" if left is None else encode(left)
    except WireError:  # its edge compressed harder than we do
        packed = b""
        left, count = None, len(batch)
    written = connection.execute(
        "update signal_log set batch = %s, signals = %s, first_at = %s, last_at = %s, redacted = redacted + %s"
        " where store_no = %s and log_no = %s and received_at = %s returning batch",
        [
            packed,
            0 if left is None else len(left),
            None if left is None else to_datetime(int(left.ts.min())),
            None if left is None else to_datetime(int(left.ts.max())),
            count,
            *key,
        ],
        binary=True,
    ).fetchone()
    held = b"" if written is None else bytes(written[0])
    if held and without(decode(held), spans) is not None:  # as the database has it now
        raise RuntimeError("a batch that was written back still names whoever was taken out of it")
    return count


def _empty(batch: Batch) -> Batch:
    gap = Gap(first=batch.sequence, signals=0, from_ns=int(batch.ts.min()), until_ns=int(batch.ts.max()))
    none = np.empty(0, np.uint16)
    return msgspec.structs.replace(
        batch,
        anchors=(),
        devices=batch.devices[:0],
        ts=batch.ts[:0],
        anchor=none,
        device=none,
        rssi_dbm=batch.rssi_dbm[:0],
        gap=gap,
    )
