"""Events of customers, taken in as sets: whose they are, what is wrong with them, what is new. Revisions are kept."""

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec
from psycopg.types.json import Jsonb

from core.resolution import Identifier
from storage.access.acting import in_own_right, own_stores, sends_blindly
from storage.connect import Connection

ERRORS_SHOWN: Final = 100
"""Nobody mends more lines of a file at once; all are counted."""


def newest_tiers(profiles: LiteralString) -> LiteralString:
    """Return SQL for the newest tier that events tell of the people of some profiles, and by which event."""
    return (
        "select distinct on (person.kept_id) person.kept_id, event.source, event.source_key,"  # noqa: S608 - constants
        "       event.detail ->> 'tier' as tier from event_seen event join person using (profile_id)"
        " where event.kind = 'tier_changed' and event.newest and not event.removed and event.detail ? 'tier'"
        f"  and person.kept_id in (select kept.kept_id from person kept where kept.profile_id in ({profiles}))"
        " order by person.kept_id, event.occurred_at desc, event.recorded_at desc"
    )


class InputEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it was sent: `key` names it at its source, `line` where it stood; `store` is empty online."""

    line: int
    identifier: Identifier
    kind: str
    key: str
    occurred_at: datetime
    store: str
    detail: dict[str, Any]


class RowError(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Why a row was refused: its line, the field and what to do; never its value."""

    line: int
    field: str
    what: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows: new or changed ones, those known already, refused ones (the first ERRORS_SHOWN)."""

    taken: int
    unchanged: int
    refused: int
    errors: tuple[RowError, ...]


UNKNOWN_PROFILE: Final = "No profile with this identifier has a consent that holds."
"""The same for unknown, unconsented and erased."""
_FAULTS: Final = {
    "identifier": UNKNOWN_PROFILE,
    "store": "There is no such store; leave it empty for what happened online.",
    "occurred_at": "The customer had withdrawn consent at that time.",
    "key": "This key is that of another customer's event, or stands again further down, which counts.",
}
# gone with the transaction: it belongs to the role that made it, and the next one on this connection may be another
_STAGE: Final = """
create temporary table if not exists input_stage (
    line integer, id_kind text, id_value text, kind text, source_key text, occurred_at timestamptz, store text,
    detail jsonb, profile_id uuid, store_no integer, fault text, event_id uuid, revision integer, fresh boolean,
    here boolean not null default true
) on commit drop
"""
_WHOSE: Final = """
update input_stage stage set profile_id = held.profile_id
  from profile_identifier held join person using (profile_id)
 where held.kind = stage.id_kind and held.value = stage.id_value and held.ended_at is null
   and consent_holds(person.profile_id, 'in_store_journey') and consent_holds(person.kept_id, 'in_store_journey')
"""
_WHERE: Final = (
    "update input_stage stage set store_no = store.store_no from store where store.id = stage.store"
    " and (%(stores)s::text[] is null or store.id = any(%(stores)s))"
)
# whoever is bound to stores is told of whom they know, and a program that only sends of nobody
_HERE: Final = """
update input_stage stage
   set here = not %(blindly)s and exists (select from profile_store known join store using (store_no)
                                           where known.profile_id = stage.profile_id and store.id = any(%(stores)s))
"""
# by a key that nothing else is called: a row of somebody else under the same key must not tell that it is there
_APART: Final = """
update input_stage stage set source_key = stage.source_key || ' of ' || stage.profile_id
 where stage.profile_id is not null
   and (not stage.here or exists (select from customer_event known
                                   where known.source = %(source)s and known.kind = stage.kind and known.newest
                                     and known.source_key = stage.source_key || ' of ' || stage.profile_id))
"""
_KNOWN: Final = """
update input_stage stage
   set event_id = known.event_id, revision = known.revision,
       fresh = known.removed or (known.occurred_at, known.store_no, known.detail)
               is distinct from (stage.occurred_at, stage.store_no, stage.detail),
       -- an event of hers stays hers, by whichever of a merged person's numbers it is told again
       fault = case when known.profile_id <> stage.profile_id and not exists
           (select from person mine join person other using (kept_id)
             where mine.profile_id = known.profile_id and other.profile_id = stage.profile_id)
           or %(stores)s::text[] is not null and known.store_no is not null and not exists
           (select from store where store.store_no = known.store_no and store.id = any(%(stores)s))
           then 'key' end
  from customer_event known
 where known.newest and known.source = %(source)s and known.kind = stage.kind and known.source_key = stage.source_key
"""
_FAULTY: Final = """
update input_stage stage
   set fault = case
       when not here and store <> '' and store_no is null then 'store' -- said of whoever is meant
       when profile_id is null then 'identifier'
       when store <> '' and store_no is null then 'store'
       -- consent_broken written out, as in the view event_seen
       when (select status = 'withdrawn' or expires_at <= stage.occurred_at from consent_event word
              where word.profile_id = stage.profile_id and purpose = 'in_store_journey'
                and word.occurred_at <= stage.occurred_at
              order by word.occurred_at desc, consent_no desc limit 1) then 'occurred_at'
       else fault end
"""
# after the others: a row that is refused itself stands for nothing
_TWICE: Final = """
update input_stage stage set fault = 'key'
 where fault is null and exists (select from input_stage later where later.kind = stage.kind and later.fault is null
                                    and later.source_key = stage.source_key and later.line > stage.line)
"""
_SUPERSEDE: Final = """
update customer_event known set newest = false from input_stage stage
 where stage.fault is null and stage.fresh and known.event_id = stage.event_id and known.newest
"""
_INSERT: Final = """
insert into customer_event
       (event_id, revision, profile_id, kind, source, source_key, occurred_at, store_no, detail, import_no)
select coalesce(event_id, gen_random_uuid()), coalesce(revision + 1, 0), profile_id, kind, %(source)s, source_key,
       occurred_at, store_no, detail, %(import_no)s
  from input_stage where fault is null and coalesce(fresh, true) and here = any(%(here)s)
"""
# the newest of all that are known says the tier, if it is among what came just now; one that comes late says nothing
_TIERS: Final = newest_tiers("select profile_id from input_stage where kind = 'tier_changed' and fault is null")
_TIER: Final = (
    f"update profile set loyalty_tier = newest.tier from ({_TIERS}) newest"  # noqa: S608 - constants
    " where profile.profile_id = newest.kept_id and newest.source = %(source)s"
    "   and exists (select from input_stage stage where stage.kind = 'tier_changed' and stage.fault is null"
    "                  and coalesce(stage.fresh, true) and stage.source_key = newest.source_key"
    "                  and (stage.here or %(believed)s))"
)


def save_events(
    connection: Connection, source: str, events: Sequence[InputEvent], *, import_no: int | None = None
) -> Outcome:
    """Write events that are new or changed; what is refused stops nothing else.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    source : str
        The system they come from; with kind and key it names an event.
    events : sequence of InputEvent
    import_no : int or None
        The import they belong to, so that it can be reverted.
    """
    # one writer a source: two that send the same key would both find it new
    connection.execute("select pg_advisory_xact_lock(hashtextextended('customer_event ' || %s, 0))", [source])
    stores, blindly = own_stores(), sends_blindly()
    # whoever is bound to stores may tell of customers whom these do not know, and is not told of them
    with nullcontext() if stores is None else in_own_right(connection):
        _stage(connection, events)
        return _save(connection, source, len(events), import_no=import_no, stores=stores, blindly=blindly)


def _stage(connection: Connection, events: Sequence[InputEvent]) -> None:
    connection.execute(_STAGE)
    connection.execute("delete from input_stage")
    columns = "line, id_kind, id_value, kind, source_key, occurred_at, store, detail"
    with connection.cursor() as cursor, cursor.copy(f"copy input_stage ({columns}) from stdin") as copy:
        for event in events:
            copy.write_row(
                (
                    event.line,
                    event.identifier.kind,
                    event.identifier.value,
                    event.kind,
                    event.key,
                    event.occurred_at,
                    event.store,
                    Jsonb(event.detail),
                )
            )
    connection.execute("create index if not exists input_stage_key on input_stage (kind, source_key, line)")
    connection.execute("analyze input_stage")


def _save(
    connection: Connection,
    source: str,
    rows: int,
    *,
    import_no: int | None,
    stores: Sequence[str] | None,
    blindly: bool,
) -> Outcome:
    asked: dict[str, Any] = {
        "source": source,
        "import_no": import_no,
        "stores": list(stores) if stores is not None else None,
        "blindly": blindly,
        "believed": blindly or stores is None,
    }
    connection.execute(_WHOSE)
    connection.execute(_WHERE, asked)
    if stores is not None:
        connection.execute(_HERE, asked)
        if not blindly:
            connection.execute(_APART, asked)
    connection.execute(_KNOWN, asked)
    connection.execute(_FAULTY)
    connection.execute(_TWICE)
    connection.execute(_SUPERSEDE)
    if stores is None or blindly:
        connection.execute(_INSERT, asked | {"here": [True, False]})
    else:
        connection.execute(_INSERT, asked | {"here": [True]})
        connection.execute("set local sojourn.lets_nobody_know = 'on'")
        connection.execute(_INSERT, asked | {"here": [False]})
        connection.execute("set local sojourn.lets_nobody_know = 'off'")
    connection.execute(_TIER, asked)
    same = connection.execute(
        "select count(*) from input_stage where here and fault is null and not fresh"
    ).fetchone()
    unchanged = same[0] if same is not None else 0
    refused = connection.execute(
        "select line, fault, count(*) over () from input_stage where fault is not null"
        " and (here or fault = 'store') order by line limit %s",
        [ERRORS_SHOWN],
    ).fetchall()
    count = refused[0][2] if refused else 0
    return Outcome(
        taken=rows - unchanged - count,
        unchanged=unchanged,
        refused=count,
        errors=tuple(RowError(line=line, field=fault, what=_FAULTS[fault]) for line, fault, _ in refused),
    )
