"""Corrections of visits that were reported: a new revision beside the old one, never a silent edit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from core.errors import InputError
from core.limits import NS_PER_US
from core.records import NO_ZONE, VISIT, VisitArray, VisitKind
from storage.connect import Connection
from storage.copy import Field, Fields, copy_columns
from storage.instants import to_datetime
from storage.visit_queries import VISIT_COLUMNS, Kind, VisitRow, visit_row
from storage.visits import TABLE_FIELDS, TABLES, VISIT_FIELDS, create_stage, visit_columns

Reason: TypeAlias = Literal["late_signals", "new_model", "by_hand"]
Change: TypeAlias = Literal["added", "corrected", "withdrawn", "restored"]
CHANGES: Final[tuple[Change, ...]] = ("added", "corrected", "withdrawn", "restored")
"""What may become of a visit; `Changes.change` holds places in this."""
ADDED, CORRECTED, WITHDRAWN, RESTORED = range(4)

_LOCK: Final = 0x72657669  # "revi" in ASCII; the second half of the key is the store
_STAGE: Final = "revision_stage"
REVISION_FIELDS: Final[Fields] = {
    **VISIT_FIELDS,
    "change": Field.INT2,
    "before_entered_at": Field.TIMESTAMPTZ,
}
"""The columns of a change that is to be written."""


@dataclass(frozen=True)
class StoredVisits:
    """Visits as they stand: rows of VISIT with `device` 0, and the name, the pseudonym and whether withdrawn of each.

    `ids` and `devices` are uint8 of shape (n, 16).
    """

    visits: VisitArray
    ids: NDArray[np.uint8]
    devices: NDArray[np.uint8]
    withdrawn: NDArray[np.bool_]


@dataclass(frozen=True)
class Changes:
    """Visits as they shall stand, with `revision` counted on already; a withdrawn one as it stood.

    `change` holds places in CHANGES, `before_entered_at` (ns) is when the row that stands there was entered, which is
    part of its key; that of an added visit does not matter.
    """

    visits: VisitArray
    ids: NDArray[np.uint8]
    devices: NDArray[np.uint8]
    model_versions: NDArray[np.int32]
    change: NDArray[np.int16]
    before_entered_at: NDArray[np.int64]

    def __len__(self) -> int:
        """How many visits change."""
        return len(self.visits)


class RevisionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a visit; `before` is the visit as it stood, None where it did not stand before."""

    revision: int
    change: Change
    reason: Reason
    model_version: int
    revised_at: datetime
    before: VisitRow | None


class VisitHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A visit as it stands, or stood when it was withdrawn, and its changes in their order."""

    visit: VisitRow
    withdrawn: bool
    changes: tuple[RevisionRow, ...]


@contextmanager
def revising(connection: Connection, store_no: int) -> Iterator[None]:
    """Be the only one who revises visits of a store.

    Raises
    ------
    InputError
        If somebody else is at it.
    """
    if connection.execute("select pg_try_advisory_lock(%s, %s)", [_LOCK, store_no]).fetchone() != (True,):
        raise InputError("Visits of this store are being revised already.", hint="Try again when that is over.")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s, %s)", [_LOCK, store_no])


def wait_for_revisions(connection: Connection, store_no: int) -> None:
    """Wait until nobody revises visits of a store, and let nobody begin until the end of this transaction."""
    connection.execute("select pg_advisory_xact_lock(%s, %s)", [_LOCK, store_no])


def stored_visits(connection: Connection, store_no: int, from_ns: int, until_ns: int) -> StoredVisits:
    """Return the visits of a store that were entered within `from_ns` <= t < `until_ns`, withdrawn ones too."""
    parts = [_stored(connection, store_no, kind, from_ns, until_ns) for kind in VisitKind]
    return StoredVisits(
        np.concatenate([part.visits for part in parts]),
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.devices for part in parts]),
        np.concatenate([part.withdrawn for part in parts]),
    )


def names_in_use(connection: Connection, ids: Sequence[bytes]) -> set[bytes]:
    """Return those of these names that any visit has or had."""
    asked = [UUID(bytes=name) for name in ids]
    rows = connection.execute(
        "select visit_id from zone_visit where visit_id = any(%(ids)s)"
        " union select visit_id from store_visit where visit_id = any(%(ids)s)"
        " union select visit_id from visit_revision where visit_id = any(%(ids)s)",
        {"ids": asked},
    ).fetchall()
    return {row[0].bytes for row in rows}


def save_changes(connection: Connection, store_no: int, changes: Changes, reason: Reason) -> None:
    """Write changes and keep what stood there before; to be called inside a transaction.

    Raises
    ------
    InputError
        If a visit is not as it was when the changes were made out; nothing is to be committed then.
    """
    create_stage(connection, _STAGE, REVISION_FIELDS)
    copy_columns(connection, _STAGE, REVISION_FIELDS, change_columns(store_no, changes))
    if _write_stage(connection, reason) != len(changes):
        raise InputError("A visit changed while it was being revised.", hint="Revise again.")


def change_columns(store_no: int, changes: Changes) -> dict[str, NDArray[Any]]:
    """Return changes as the columns of REVISION_FIELDS."""
    rows = visit_columns(store_no, changes.visits, changes.devices, changes.ids, 0)
    rows["model_version"] = changes.model_versions
    rows["change"] = changes.change
    rows["before_entered_at"] = changes.before_entered_at
    return rows


def write_staged(connection: Connection, reason: Reason, chosen: sql.Composed) -> int:
    """Write the changes that a statement selects, as `save_changes` does; return how many found what they are about.

    To be called inside a transaction. `chosen` gives the columns of REVISION_FIELDS, in that order.
    """
    create_stage(connection, _STAGE, REVISION_FIELDS)
    names = sql.SQL(", ").join(map(sql.Identifier, REVISION_FIELDS))
    connection.execute(sql.SQL("insert into revision_stage ({}) {}").format(names, chosen))
    return _write_stage(connection, reason)


def history(connection: Connection, store_no: int, visit: UUID) -> VisitHistory | None:
    """Return a visit of a store and its changes; None if there is no such visit."""
    for kind in VisitKind:
        kind_word: Kind = "zone" if kind is VisitKind.ZONE else "store"
        columns = sql.SQL("visit_id, {}, {}").format(
            sql.SQL("zone_no" if kind is VisitKind.ZONE else "null"), sql.SQL(VISIT_COLUMNS)
        )
        table = sql.Identifier(TABLES[kind])
        row = connection.execute(
            sql.SQL("select {}, withdrawn from {} where visit_id = %s and store_no = %s").format(columns, table),
            [visit, store_no],
        ).fetchone()
        if row is None:
            continue
        changed = connection.execute(
            sql.SQL(
                "select now.revision, now.change, now.reason, now.model_version, now.revised_at, stood.*"
                "  from visit_revision now left join lateral (select {}"
                "   from jsonb_populate_record(null::{}, now.before)) stood on now.before is not null"
                " where now.visit_id = %s order by now.revision"
            ).format(columns, table),
            [visit],
        ).fetchall()
        return VisitHistory(
            visit=visit_row(kind_word, row[:-1]),
            withdrawn=row[-1],
            changes=tuple(
                RevisionRow(
                    revision=told[0],
                    change=told[1],
                    reason=told[2],
                    model_version=told[3],
                    revised_at=told[4],
                    before=None if told[5] is None else visit_row(kind_word, told[5:]),
                )
                for told in changed
            ),
        )
    return None


def _write_stage(connection: Connection, reason: Reason) -> int:
    written = sum(_write(connection, kind, reason) for kind in VisitKind)
    connection.execute("delete from revision_stage")
    return written


def _write(connection: Connection, kind: VisitKind, reason: Reason) -> int:
    """Write the staged changes of one kind; return how many found what they were made out for."""
    names = sql.SQL(", ").join(map(sql.Identifier, TABLE_FIELDS[kind]))
    words = sql.SQL(", ").join(map(sql.Literal, CHANGES))
    table = sql.Identifier(TABLES[kind])
    parts = {
        "table": table,
        "names": names,
        "kind": sql.Literal(int(kind)),
        "words": words,
        "added": sql.Literal(ADDED),
        "withdrawn": sql.Literal(WITHDRAWN),
        "reason": sql.Literal(reason),
    }
    kept = connection.execute(
        sql.SQL(
            "insert into visit_revision (visit_id, revision, store_no, device, kind, change, reason, model_version,"
            " before) select stage.visit_id, stage.revision, stage.store_no, stage.device, stage.kind,"
            " (array[{words}])[stage.change + 1], {reason}, stage.model_version,"
            " case when stood.visit_id is not null then to_jsonb(stood) - 'device' end"
            " from revision_stage stage left join {table} stood on stage.change <> {added}"
            "  and stood.visit_id = stage.visit_id and stood.entered_at = stage.before_entered_at"
            "  and stood.revision = stage.revision - 1"
            " where stage.kind = {kind} and (stage.change = {added} or stood.visit_id is not null)"
        ).format(**parts)
    ).rowcount
    connection.execute(
        sql.SQL(
            "update {table} stood set withdrawn = true, revision = stage.revision from revision_stage stage"
            " where stage.kind = {kind} and stage.change = {withdrawn} and stood.visit_id = stage.visit_id"
            " and stood.entered_at = stage.before_entered_at"
        ).format(**parts)
    )
    # the entry is part of the key, and may lie in another chunk: an update could not move it there
    connection.execute(
        sql.SQL(
            "delete from {table} stood using revision_stage stage where stage.kind = {kind}"
            " and stage.change not in ({added}, {withdrawn}) and stood.visit_id = stage.visit_id"
            " and stood.entered_at = stage.before_entered_at"
        ).format(**parts)
    )
    connection.execute(
        sql.SQL(
            "insert into {table} ({names}) select {names} from revision_stage where kind = {kind}"
            " and change <> {withdrawn}"
        ).format(**parts)
    )
    return kept


def _stored(connection: Connection, store_no: int, kind: VisitKind, from_ns: int, until_ns: int) -> StoredVisits:
    fields = {
        name: field
        for name, field in TABLE_FIELDS[kind].items()
        if name in (VISIT.names or ()) and field is not Field.UUID
    }
    selected = [
        sql.SQL("(extract(epoch from {}) * 1000000)::bigint").format(sql.Identifier(name))
        if field is Field.TIMESTAMPTZ
        else sql.Identifier(name)
        for name, field in fields.items()
    ]
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(
            sql.SQL(
                "select visit_id, device, withdrawn, {}, {} from {} where store_no = %s and entered_at >= %s"
                " and entered_at < %s order by entered_at, visit_id"
            ).format(
                sql.SQL("zone_no" if kind is VisitKind.ZONE else "null"),
                sql.SQL(", ").join(selected),
                sql.Identifier(TABLES[kind]),
            ),
            [store_no, to_datetime(from_ns), to_datetime(until_ns)],
        ).fetchall()
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) if rows else [()] * (4 + len(fields))
    visits = np.zeros(len(rows), VISIT)
    visits["kind"] = kind
    visits["zone"] = columns[3] if kind is VisitKind.ZONE else NO_ZONE
    for (name, field), column in zip(fields.items(), columns[4:], strict=True):
        values = np.array(column, visits.dtype[name] if field is not Field.TIMESTAMPTZ else np.int64)
        visits[name] = values * NS_PER_US if field is Field.TIMESTAMPTZ else values
    return StoredVisits(visits, _bytes16(columns[0]), _bytes16(columns[1]), np.array(columns[2], np.bool_))


def _bytes16(names: Sequence[UUID]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(name.bytes for name in names), np.uint8).reshape(-1, 16)
