"""What became of erasures: receipts that hold no identity, and what retention took away."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from storage.connect import Connection

ERASURES_SHOWN: Final = 200
"""Three screens; older receipts are found by their id for as long as they are kept."""
_COLUMNS: Final = "erasure_id, subject_hash, source, asked_by, asked_at, state, finished_at, naming"


class PlaceReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """One place: rows that went or were rewritten (days that stand, for counts), and how it was verified."""

    place: str
    rows: int
    begun_at: datetime | None
    finished_at: datetime | None
    verified: str | None


class Naming(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table that are not hers and name her in free text: how many, and the first ids, to be looked at."""

    table: str
    rows: int
    ids: tuple[UUID, ...]


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure; `subject` is the keyed hash of the profile as hexadecimal digits, None until it has begun."""

    erasure_id: UUID
    subject: str | None
    source: str
    asked_by: str
    asked_at: datetime
    state: str
    finished_at: datetime | None
    naming: tuple[Naming, ...] = ()
    places: tuple[PlaceReceipt, ...] = ()


class RetentionRow(msgspec.Struct, frozen=True, kw_only=True):
    """What retention took away of a kind: all that was older than `before_at`."""

    kind: str
    before_at: datetime
    rows: int
    unit: str
    finished_at: datetime


def newest_receipts(connection: Connection) -> list[Receipt]:
    """Return the newest erasures, without their places."""
    rows = connection.execute(
        f"select {_COLUMNS} from erasure order by asked_at desc, erasure_id limit %s",
        [ERASURES_SHOWN],
    ).fetchall()
    return [_receipt(row) for row in rows]


def find_receipt(connection: Connection, erasure: UUID) -> Receipt | None:
    """Return an erasure with all of its places; None if there is none."""
    row = connection.execute(
        f"select {_COLUMNS} from erasure where erasure_id = %s",
        [erasure],
    ).fetchone()
    if row is None:
        return None
    places = connection.execute(
        "select place, rows, begun_at, finished_at, verified from erasure_place where erasure_id = %s order by turn",
        [erasure],
    ).fetchall()
    told = (dict(zip(PlaceReceipt.__struct_fields__, place, strict=True)) for place in places)
    return msgspec.structs.replace(_receipt(row), places=tuple(PlaceReceipt(**place) for place in told))


def retention_runs(connection: Connection, *, most: int = 50) -> list[RetentionRow]:
    """Return what retention took away, newest first."""
    rows = connection.execute(
        "select kind, before_at, rows, unit, finished_at from retention_run order by finished_at desc, run_no desc"
        " limit %s",
        [most],
    ).fetchall()
    return [RetentionRow(**dict(zip(RetentionRow.__struct_fields__, row, strict=True))) for row in rows]


def _receipt(row: tuple[Any, ...]) -> Receipt:
    erasure, subject, source, asked_by, asked_at, state, finished_at, naming = row
    return Receipt(
        erasure_id=erasure,
        subject=None if subject is None else bytes(subject).hex(),
        source=source,
        asked_by=asked_by,
        asked_at=asked_at,
        state=state,
        finished_at=finished_at,
        naming=tuple(
            Naming(table=table, rows=one["rows"], ids=tuple(map(UUID, one["ids"])))
            for table, one in sorted(naming.items())
        ),
    )
