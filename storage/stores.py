"""Stores with their zones and anchors, and the edges that were heard in them.

The number of a zone is its place in the plan, and visits keep that number: so the zones of a stored plan keep
their places for good, and new ones come at the end. Anchors may change freely; the log keeps them by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql
from psycopg.types.json import Jsonb

from core.errors import FloorPlanError
from core.floorplan import FloorPlan, StorePlan, dump_store, load_store
from core.limits import BATCHES_UNDERWAY
from storage.connect import Connection, in_transaction
from storage.instants import to_datetime
from storage.log.owners import Owned, check_owned
from storage.storable import cleaned

_REPLACE_ZONES = (
    "insert into zone (store_no, zone_no, id, name, kind) values (%s, %s, %s, %s, %s)"
    " on conflict (store_no, zone_no) do update set name = excluded.name, kind = excluded.kind"
)
_INSERT_ANCHORS = (
    "insert into anchor (store_no, anchor_no, id, zone_no, x_m, y_m, floor) values (%s, %s, %s, %s, %s, %s, %s)"
)


@dataclass(frozen=True)
class StoredPlan:
    """A store as the database has it: `version` counts the changes of its plan."""

    store_no: int
    version: int
    plan: StorePlan


@dataclass(frozen=True)
class AdoptedPlan:
    """A plan in use: signals after `log_no`, up to the next adopted plan of the store, are read against it."""

    store_no: int
    log_no: int
    version: int
    plan: StorePlan


@dataclass(frozen=True)
class EdgeNumber:
    """An edge in the database, and when it was first heard in the order of the signal log."""

    edge_no: int
    log_no: int


@dataclass(frozen=True)
class EdgeStatus:
    """What an edge said last: `status` becomes a JSON object, `at` is when it came to ingest, ns."""

    store_no: int
    edge: str
    status: Mapping[str, object]
    at: int


def save_plan(connection: Connection, plan: FloorPlan) -> list[str]:
    """Write the stores of a floor plan; stores that it does not name stay as they are.

    Returns
    -------
    list of str
        Ids of the stores that are new or changed.

    Raises
    ------
    FloorPlanError
        If a stored zone would lose its place: visits would then stand in another zone.
    UnavailableError
        If the database is away.
    """
    return in_transaction(connection, lambda connection: write_plan(connection, plan))


def write_plan(connection: Connection, plan: FloorPlan) -> list[str]:
    """Do the work of `save_plan`; to be called inside a transaction."""
    return [store.id for store in plan.stores if _save_store(connection, store)]


def load_plans(connection: Connection, ids: Sequence[str] | None = None) -> list[StoredPlan]:
    """Return the stores of these ids (default: all) in the order of their ids; unknown ids are left out."""
    query = sql.SQL("select store_no, plan_version, plan::text from store {} order by id").format(
        sql.SQL("") if ids is None else sql.SQL("where id = any(%s)")
    )
    rows = connection.execute(query, [] if ids is None else [list(ids)]).fetchall()
    return [StoredPlan(store_no, version, load_store(text)) for store_no, version, text in rows]


def plan_versions(connection: Connection) -> dict[str, int]:
    """Return the plan version of every store by its id."""
    return dict(connection.execute("select id, plan_version from store").fetchall())


def adopt_plans(
    connection: Connection, ids: Sequence[str] | None = None, *, owned: Owned = None
) -> list[AdoptedPlan]:
    """Take the newest plans of these stores (default: all) into use and return them; unknown ids are left out.

    Only the ingest that owns a store may call this: it draws the place in the log from which the plan holds. Stores
    that are not among `owned` are left out.

    Raises
    ------
    FencedError
        If another ingest has taken over one of them.
    """

    def work(connection: Connection) -> list[AdoptedPlan]:
        adopted = []
        found = [stored for stored in load_plans(connection, ids) if owned is None or stored.store_no in owned]
        check_owned(connection, owned, [stored.store_no for stored in found])
        for stored in found:
            in_use = _newest_adopted(connection, stored.store_no)
            adopted.append(
                in_use if in_use is not None and in_use.version == stored.version else _adopt(connection, stored)
            )
        return adopted

    return in_transaction(connection, work)


def adopted_plans(connection: Connection, store_no: int, *, after: int = -1) -> list[AdoptedPlan]:
    """Return the plans that a store had in use from places in the log after `after`, in that order."""
    rows = connection.execute(
        "select log_no, plan_version, plan::text from adopted_plan where store_no = %s and log_no > %s"
        " order by log_no",
        [store_no, after],
    ).fetchall()
    return [AdoptedPlan(store_no, log_no, version, load_store(text)) for log_no, version, text in rows]


def edge_numbers(connection: Connection, edges: Sequence[tuple[int, str]]) -> dict[tuple[int, str], EdgeNumber]:
    """Return the number of each edge, given as (store_no, id); edges heard for the first time get one.

    To be called inside a transaction.
    """
    wanted = sorted(set(edges))
    asked = [[store_no for store_no, _ in wanted], [edge for _, edge in wanted]]
    connection.execute(
        "insert into edge (store_no, id) select store_no, id from unnest(%s::int[], %s::text[]) as new (store_no, id)"
        " where not exists (select from edge where edge.store_no = new.store_no and edge.id = new.id)"
        " on conflict do nothing",
        asked,
    )
    rows = connection.execute(
        "select store_no, id, edge_no, log_no from edge"
        " join unnest(%s::int[], %s::text[]) as asked (store_no, id) using (store_no, id)",
        asked,
    ).fetchall()
    return {(store_no, edge): EdgeNumber(edge_no, log_no) for store_no, edge, edge_no, log_no in rows}


def edges_heard(connection: Connection, store_no: int, *, after: int) -> list[EdgeNumber]:
    """Return the edges of a store that were first heard after a log number, in that order."""
    rows = connection.execute(
        "select edge_no, log_no from edge where store_no = %s and log_no > %s order by log_no", [store_no, after]
    ).fetchall()
    return [EdgeNumber(edge_no, log_no) for edge_no, log_no in rows]


def save_statuses(connection: Connection, statuses: Sequence[EdgeStatus]) -> None:
    """Keep what edges said last; to be called inside a transaction, for edges that have a number.

    A last will was written as the edge connected, so that it tells of nothing but the end: what the edge itself said
    since then (heartbeats, backlog, batteries) stays.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            # what is on its way is no backlog; one that stays as it is goes on growing if it did, or does not begin
            "update edge set status_at = new.at, status = case"
            " when new.will then edge.status || jsonb_build_object('state', 'offline') else new.status end,"
            " backlog_growing_since = case when new.will then backlog_growing_since"
            " when coalesce((new.status ->> 'backlog')::bigint, 0) <= %s then null"
            " when coalesce((new.status ->> 'backlog')::bigint, 0) > coalesce((edge.status ->> 'backlog')::bigint, 0)"
            " then coalesce(backlog_growing_since, new.at)"
            " when coalesce((new.status ->> 'backlog')::bigint, 0) < coalesce((edge.status ->> 'backlog')::bigint, 0)"
            " then null else backlog_growing_since end"
            " from (select said.store_no, said.id, said.status, said.at, coalesce(said.status ->> 'state' = 'offline'"
            " and said.status ->> 'boot' = before.status ->> 'boot', false) as will"
            " from (select %s::jsonb as status, %s::timestamptz as at, %s as store_no, %s as id) as said"
            " join edge as before using (store_no, id)) as new"
            " where edge.store_no = new.store_no and edge.id = new.id",
            [
                (
                    BATCHES_UNDERWAY,
                    Jsonb(cleaned(dict(said.status))),
                    to_datetime(said.at),
                    said.store_no,
                    said.edge,
                )
                for said in statuses
            ],
        )


def _newest_adopted(connection: Connection, store_no: int) -> AdoptedPlan | None:
    row = connection.execute(
        "select log_no, plan_version, plan::text from adopted_plan where store_no = %s order by log_no desc limit 1",
        [store_no],
    ).fetchone()
    return None if row is None else AdoptedPlan(store_no, row[0], row[1], load_store(row[2]))


def _adopt(connection: Connection, stored: StoredPlan) -> AdoptedPlan:
    row = connection.execute(
        "insert into adopted_plan (store_no, plan_version, plan) values (%s, %s, %s::jsonb) returning log_no",
        [stored.store_no, stored.version, dump_store(stored.plan).decode()],
    ).fetchone()
    if row is None:  # insert … returning always has one
        raise RuntimeError("The database returned no log number.")
    return AdoptedPlan(stored.store_no, row[0], stored.version, stored.plan)


def _save_store(connection: Connection, store: StorePlan) -> bool:
    found = connection.execute(
        "select store_no, plan::text from store where id = %s for update", [store.id]
    ).fetchone()
    text = dump_store(store).decode()
    if "\0" in "".join([store.label, *(zone.label for zone in store.zones)]):
        raise FloorPlanError("A name holds a NUL character.", hint="Remove it.", where=f"store {store.id!r}")
    if found is None:
        row = connection.execute(
            "insert into store (id, name, timezone, plan) values (%s, %s, %s, %s::jsonb) returning store_no",
            [store.id, store.label, store.timezone, text],
        ).fetchone()
        if row is None:  # insert … returning always has one
            raise RuntimeError("The database returned no store number.")
        store_no = row[0]
    else:
        store_no, known = found
        before = load_store(known)
        if before == store:
            return False
        _check_places(before, store)
        connection.execute(
            "update store set name = %s, timezone = %s, plan = %s::jsonb, plan_version = plan_version + 1,"
            " changed_at = now() where store_no = %s",
            [store.label, store.timezone, text, store_no],
        )
    _save_parts(connection, store_no, store)
    return True


def _check_places(before: StorePlan, after: StorePlan) -> None:
    old, new = [zone.id for zone in before.zones], [zone.id for zone in after.zones]
    if new[: len(old)] != old:
        moved = next(place for place, zone in enumerate(old) if place >= len(new) or new[place] != zone)
        raise FloorPlanError(
            f"The zone {old[moved]!r} would lose its place, and with it the visits it has.",
            hint="Keep the stored zones in their order, add new ones at the end, or give a rebuilt store a new id.",
            where=f"store {after.id!r}",
        )


def _save_parts(connection: Connection, store_no: int, store: StorePlan) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            _REPLACE_ZONES,
            [(store_no, place, zone.id, zone.label, zone.kind) for place, zone in enumerate(store.zones)],
        )
        cursor.execute("delete from anchor where store_no = %s", [store_no])
        cursor.executemany(
            _INSERT_ANCHORS,
            [
                (store_no, place, anchor.id, store.zone_index[anchor.zone], anchor.x, anchor.y, anchor.floor)
                for place, anchor in enumerate(store.anchors)
            ],
        )
