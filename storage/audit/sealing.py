"""Chain the entries that wait. One process does it at a time; whoever reads or changes anything waits for nobody."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Final

import msgspec

from core.audit.chain import GENESIS, ChainedEntry, chained
from core.limits import NS_PER_US
from storage.connect import Connection
from storage.instants import to_ns

SEALED_AT_ONCE: Final = 2_000
"""A transaction of a tenth of a second; the next follows at once while more wait."""
_LOCK: Final = 0x536F6A4175646974  # "SojAudit": one chain, one hand

ENTRY_COLUMNS: Final = (
    "entry.entry_no, entry.at, entry.actor, entry.actor_id, entry.actor_kind, entry.role, entry.stores,"
    " entry.purpose, entry.kind, entry.route, entry.outcome, entry.fields, entry.commitments, entry.detail"
)
_WAITING: Final = (
    f"select {ENTRY_COLUMNS} from audit_waiting join audit_entry entry using (entry_no)"
    " order by entry.entry_no limit %s"
)
_NEWEST: Final = """
select link_no, hash, sealed_on from audit_link order by link_no desc limit 1
"""
_BEGUN: Final = "select link_no, hash, null::date from audit_start order by link_no desc limit 1"


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The last link of a day in UTC: how many links there are until then, and the hash that covers them all."""

    day: date
    link_no: int
    hash: bytes


def seal(connection: Connection) -> int:
    """Chain what waits, up to 2,000 entries; call it inside a transaction.

    Returns
    -------
    int
        How many were chained; 0 also while another process is at it.
    """
    locked = connection.execute("select pg_try_advisory_xact_lock(%s)", [_LOCK]).fetchone()
    if locked is None or not locked[0]:
        return 0
    waiting = connection.execute(_WAITING, [SEALED_AT_ONCE]).fetchall()
    if not waiting:
        return 0
    place, before, day = _end(connection)
    today = _today(connection, day)
    links = []
    for row in waiting:
        before = chained(before, chained_entry(row, today))
        place += 1
        links.append((place, row[0], before))
    connection.execute(
        "insert into audit_link (link_no, entry_no, sealed_on, hash)"
        " select link_no, entry_no, %s, hash"
        "  from unnest(%s::bigint[], %s::bigint[], %s::bytea[]) as one (link_no, entry_no, hash)",
        [today, *(list(column) for column in zip(*links, strict=True))],
    )
    connection.execute("delete from audit_waiting where entry_no = any(%s)", [[number for _, number, _ in links]])
    return len(links)


def _today(connection: Connection, not_before: date | None) -> date:
    """Return the day in UTC by the database's clock, but never one before that of the last link."""
    row = connection.execute("select greatest((now() at time zone 'UTC')::date, %s::date)", [not_before]).fetchone()
    if row is None:
        raise RuntimeError("a select without a table has a row")
    found: date = row[0]
    return found


def _end(connection: Connection) -> tuple[int, bytes, date | None]:
    """Return number, hash and day of the last link; of what retention left when there is none."""
    for query in (_NEWEST, _BEGUN):
        row = connection.execute(query).fetchone()
        if row is not None:
            return row[0], row[1], row[2]
    return 0, GENESIS, None


def chained_entry(row: Iterable[Any], sealed_on: date) -> ChainedEntry:
    """Return what a hash covers of a row of ENTRY_COLUMNS."""
    (
        number,
        at,
        actor,
        actor_id,
        actor_kind,
        role,
        stores,
        purpose,
        kind,
        route,
        outcome,
        fields,
        commitments,
        detail,
    ) = row
    return ChainedEntry(
        entry_no=number,
        at_us=to_ns(at) // NS_PER_US,
        actor=actor,
        actor_id=actor_id,
        actor_kind=actor_kind,
        role=role,
        stores=tuple(stores) if stores is not None else None,
        purpose=purpose,
        kind=kind,
        route=route,
        outcome=outcome,
        fields=tuple(fields),
        commitments=tuple(one.hex() for one in commitments),
        detail=detail,
        sealed_on=sealed_on.isoformat(),
    )


def heads(connection: Connection, *, days: int) -> list[Head]:
    """Return the heads of the newest `days` days that have any, the newest first."""
    rows = connection.execute(
        "select distinct on (sealed_on) sealed_on, link_no, hash from audit_link"
        " order by sealed_on desc, link_no desc limit %s",
        [days],
    )
    return [Head(day=day, link_no=number, hash=digest) for day, number, digest in rows]
