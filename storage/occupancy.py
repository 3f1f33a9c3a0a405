"""What operations see of now: stores, how many are where, and how fresh that is. Nothing here returns a device."""

from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import Final

import msgspec

from core.errors import InputError
from storage.connect import Connection
from storage.one_state import once
from storage.page_cursors import read_cursor, write_cursor
from storage.stores import StoredPlan, load_plans

STORES_PER_PAGE: Final = 200
"""Three screens of a list."""
PLANS_KEPT: Final = 256
"""A plan takes about 50 kB; the stores that somebody looks at within minutes of each other are fewer."""


class StoreSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A line in the list of stores; `people` are the visits in progress."""

    id: str
    name: str
    timezone: str
    zones: int
    anchors: int
    people: int


class StorePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some stores in the order of their ids, and where to go on."""

    stores: tuple[StoreSummary, ...]
    next_cursor: str | None


class Occupancy(msgspec.Struct, frozen=True, kw_only=True):
    """How many are where in a store: `people` by zone number; zones without anybody are left out.

    Staff and tags on shelves are no people here; `residents` counts them.

    `as_of` is the newest signal that these numbers reflect, None before the first one.
    """

    people: dict[int, int]
    as_of: datetime | None
    residents: int = 0

    @property
    def total(self) -> int:
        """Everybody in the store."""
        return sum(self.people.values())


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the engine of a store has come; counts are signals since the store began."""

    decided_through: datetime | None
    changed_at: datetime
    decoded: int
    late: int
    repeated: int


class IngestState(msgspec.Struct, frozen=True, kw_only=True):
    """What ingest last said about itself, and the database's clock when it was read."""

    changed_at: datetime
    broker: str
    queued: int
    newest_signal_at: datetime | None
    now: datetime
    broker_dropped: int | None
    broker_dropped_at: datetime | None
    starting: bool


class PlanCache:
    """Floor plans by store id, checked against the database's plan version at every use; safe across threads."""

    def __init__(self, size: int = PLANS_KEPT) -> None:
        self._size = size
        self._plans: OrderedDict[str, StoredPlan] = OrderedDict()
        self._lock = Lock()

    def get(self, connection: Connection, store: str) -> StoredPlan | None:
        """Return the current plan of a store, None if there is no such store."""
        row = once(
            ("plan version", store),
            lambda: connection.execute("select plan_version from store where id = %s", [store]).fetchone(),
        )
        if row is None:
            return None
        with self._lock:
            held = self._plans.get(store)
            if held is not None and held.version == row[0]:
                self._plans.move_to_end(store)
                return held
        found = load_plans(connection, [store])
        if not found:
            return None
        with self._lock:
            self._plans[store] = found[0]
            while len(self._plans) > self._size:
                self._plans.popitem(last=False)  # the one that nobody asked for the longest
        return found[0]


def stores_page(connection: Connection, *, limit: int, cursor: str | None = None) -> StorePage:
    """Return the next stores in the order of their ids.

    Raises
    ------
    InputError
        If the cursor does not fit or the limit is not within 1..STORES_PER_PAGE.
    """
    if not 1 <= limit <= STORES_PER_PAGE:
        raise InputError(f"A page has 1 to {STORES_PER_PAGE} stores, asked for {limit}.", where="limit")
    after = read_cursor(cursor, "stores", str) if cursor is not None else ""
    rows = connection.execute(
        "select id, name, timezone,"
        " (select count(*) from zone where zone.store_no = store.store_no),"
        " (select count(*) from anchor where anchor.store_no = store.store_no),"
        " (select count(*) from presence where presence.store_no = store.store_no and presence.role = 0)"
        ' from store where id collate "C" > %s order by id collate "C" limit %s',
        [after, limit + 1],
    ).fetchall()
    found = [
        StoreSummary(id=row[0], name=row[1], timezone=row[2], zones=row[3], anchors=row[4], people=row[5])
        for row in rows[:limit]
    ]
    return StorePage(
        stores=tuple(found), next_cursor=write_cursor(found[-1].id, "stores") if len(rows) > limit else None
    )


def occupancy(connection: Connection, store_no: int) -> Occupancy:
    """Return how many are where in a store now."""
    rows = connection.execute(
        "select zone_no, count(*) filter (where role = 0), max(last_signal_at), count(*) filter (where role <> 0)"
        "  from presence where store_no = %s group by zone_no",
        [store_no],
    ).fetchall()
    known = [row[2] for row in rows]
    decided = connection.execute(
        "select decided_through from engine_progress where store_no = %s and decided_through is not null", [store_no]
    ).fetchone()
    if decided is not None:
        known.append(decided[0])
    return Occupancy(
        people={row[0]: row[1] for row in rows if row[1]},
        as_of=max(known, default=None),
        residents=sum(row[3] for row in rows),
    )


def as_of(connection: Connection, store_no: int) -> datetime | None:
    """Return the time up to which the state of a store is known.

    On a server that only follows, that is what the engine has decided: who is where now is not copied there.
    """
    row = connection.execute("select pg_is_in_recovery()").fetchone()
    if row == (True,):
        known = progress(connection, store_no)
        return None if known is None else known.decided_through
    return occupancy(connection, store_no).as_of


def progress(connection: Connection, store_no: int) -> Progress | None:
    """Return how far the engine of a store has come, None if it has never run."""
    row = connection.execute(
        "select decided_through, changed_at, decoded, late, repeated from engine_progress where store_no = %s",
        [store_no],
    ).fetchone()
    if row is None:
        return None
    return Progress(decided_through=row[0], changed_at=row[1], decoded=row[2], late=row[3], repeated=row[4])


def ingest_state(connection: Connection) -> IngestState | None:
    """Return what ingest last said about itself, None if it has never run."""
    row = connection.execute(
        "select changed_at, broker, queued, newest_signal_at, clock_timestamp(), broker_dropped, broker_dropped_at,"
        " starting from ingest_status"
    ).fetchone()
    if row is None:
        return None
    return IngestState(
        changed_at=row[0],
        broker=row[1],
        queued=row[2],
        newest_signal_at=row[3],
        now=row[4],
        broker_dropped=row[5],
        broker_dropped_at=row[6],
        starting=row[7],
    )
