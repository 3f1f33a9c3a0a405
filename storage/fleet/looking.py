"""What edges and anchors said and sent last, for the fleet page; rates are of the newest batches."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import numpy as np

from core.errors import WireError
from core.limits import NS_PER_US
from core.wire import decode
from storage.access.acting import in_own_right
from storage.connect import Connection
from storage.instants import to_datetime

BATCHES_LOOKED_AT: Final = 200
"""The newest of a store: a minute of three edges, or as much as tells a rate of many; 2 MB are read for it."""
RATE_OVER: Final = timedelta(minutes=1)
STORES_PER_PAGE: Final = 100
_US: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class EdgeRow(msgspec.Struct, frozen=True, kw_only=True):
    """An edge as it said last; `said_at` is by its own clock, `status_at` by ours."""

    store_no: int
    edge_no: int
    edge: str
    state: str | None
    state_at: datetime | None
    status_at: datetime | None
    said_at: datetime | None
    backlog: int
    growing_since: datetime | None
    dropped: int
    anchors: tuple[str, ...]
    alive_at: Mapping[str, datetime]
    battery_percent: Mapping[str, int]
    certificate_until: datetime | None


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """When something was received last, and signals a second over the last minute."""

    at: datetime
    rate_per_s: float


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What the newest batches of a store hold, by number of edge and by id of anchor."""

    edges: Mapping[int, Heard]
    anchors: Mapping[str, Heard]


class FleetLine(msgspec.Struct, frozen=True, kw_only=True):
    """A store, the anchors of its plan, and those that do not work."""

    store_no: int
    store: str
    name: str
    timezone: str
    anchors: Sequence[str]
    faults: Mapping[str, str]


def edge_rows(connection: Connection, stores: Sequence[int]) -> list[EdgeRow]:
    """Return the edges of these stores in the order of their ids."""
    rows = connection.execute(
        "select store_no, edge_no, id, state, state_at, status, status_at, backlog_growing_since from edge"
        " where store_no = any(%s) order by store_no, id",
        [list(stores)],
    ).fetchall()
    return [_edge(*row) for row in rows]


def traffic(connection: Connection, store_no: int, now: datetime) -> Traffic:
    """Return what the newest batches of a store, of the last day at most, tell."""
    with in_own_right(connection):  # batches hold pseudonyms; what is told of them is counted here
        rows = connection.execute(
            "select edge_no, received_at, signals, batch from signal_log"
            " where store_no = %s and received_at > %s order by log_no desc limit %s",
            [store_no, now - timedelta(days=1), BATCHES_LOOKED_AT],
        ).fetchall()
    since = now - RATE_OVER
    if len(rows) == BATCHES_LOOKED_AT:
        since = max(since, rows[-1][1])
    span_s = max((now - since).total_seconds(), 1.0)
    edges, anchors = _Tally(), _Tally()
    for edge_no, received_at, signals, batch in rows:
        fresh = received_at > since
        edges.add(edge_no, received_at, signals if fresh else 0)
        for anchor, count, newest_ns in _by_anchor(bytes(batch)):
            anchors.add(anchor, to_datetime(newest_ns), count if fresh else 0)
    return Traffic(edges=edges.heard(span_s), anchors=anchors.heard(span_s))


def fleet_lines(connection: Connection, after: str, limit: int) -> list[FleetLine]:
    """Return stores in the order of their ids, behind `after`."""
    rows = connection.execute(
        "select store_no, id, name, timezone,"
        " array(select anchor.id from anchor where anchor.store_no = store.store_no order by anchor.anchor_no),"
        " (select coalesce(jsonb_object_agg(anchor, state), '{}') from anchor_fault"
        "   where anchor_fault.store_no = store.store_no)"
        " from store where id > %s order by id limit %s",
        [after, limit],
    ).fetchall()
    names = FleetLine.__struct_fields__
    return [FleetLine(**dict(zip(names, row, strict=True))) for row in rows]


class _Tally:
    def __init__(self) -> None:
        self._at: dict[Any, datetime] = {}
        self._count: defaultdict[Any, int] = defaultdict(int)

    def add(self, key: int | str, at: datetime, count: int) -> None:
        self._at[key] = max(self._at.get(key, at), at)
        self._count[key] += count

    def heard(self, span_s: float) -> dict[Any, Heard]:
        return {key: Heard(at=at, rate_per_s=self._count[key] / span_s) for key, at in self._at.items()}


def _by_anchor(batch: bytes) -> list[tuple[str, int, int]]:
    """Return anchor, signals and newest time (ns) of a logged batch; nothing of an empty one."""
    if not batch:
        return []
    try:
        held = decode(batch)
    except WireError:  # of another version
        return []
    newest = np.zeros(len(held.anchors), np.int64)
    np.maximum.at(newest, held.anchor, held.ts)
    counts = np.bincount(held.anchor, minlength=len(held.anchors))
    return [row for row in zip(held.anchors, counts.tolist(), newest.tolist(), strict=True) if row[1]]


def _edge(  # noqa: PLR0917 - the columns of a row
    store_no: int,
    edge_no: int,
    edge: str,
    state: str | None,
    state_at: datetime | None,
    status: Mapping[str, Any],
    status_at: datetime | None,
    growing_since: datetime | None,
) -> EdgeRow:
    alive = (status.get("alive") or {}).get("at_us", {})
    return EdgeRow(
        store_no=store_no,
        edge_no=edge_no,
        edge=edge,
        state=state,
        state_at=state_at,
        status_at=status_at,
        said_at=_instant(status.get("at_us")),
        backlog=int(status.get("backlog") or 0),
        growing_since=growing_since,
        dropped=int(status.get("dropped") or 0),
        anchors=tuple(status.get("anchors", ())),
        alive_at={
            anchor: at for anchor, at in ((name, _instant(us)) for name, us in alive.items()) if at is not None
        },
        battery_percent=status.get("battery_percent", {}),
        certificate_until=_instant(status.get("certificate_until_us")),
    )


def _instant(at_us: int | None) -> datetime | None:
    if at_us is None or at_us * NS_PER_US > 2**62:
        return None
    return _EPOCH + at_us * _US
