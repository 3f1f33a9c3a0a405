"""The events of one profile, newest revisions only, and what was known of them at a time."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import msgspec
from psycopg import sql

from storage.connect import Connection
from storage.profiles.profiles import PURPOSE

EVENTS_OF_A_PROFILE: Final = 2_000
"""Years of a busy customer; of more the newest count."""
_LASTING: Final = (
    "service_preferred", "complained", "enrolled", "ordered", "collected", "cancelled", "returned", "refunded",
    "appointment_booked", "appointment_cancelled",
)  # fmt: skip
"""What decides a cue or lasts, however many products were looked at since."""
LASTING_OF_A_PROFILE: Final = 500
"""An order a week for ten years."""
UNCANCELLED: Final[LiteralString] = (
    "(event.kind not in ('ordered', 'appointment_booked', 'wished') or not exists (select from event_seen gone"
    # an array, so that the index is asked for each profile of the person
    " where gone.profile_id = any(array(select other.profile_id from person mine join person other using (kept_id)"
    "     where mine.profile_id = event.profile_id)) and gone.newest and not gone.removed"
    "   and gone.occurred_at >= event.occurred_at"
    "   and gone.kind = case event.kind when 'ordered' then 'cancelled' when 'wished' then 'wish_removed'"
    "     else 'appointment_cancelled' end"
    "   and case when event.kind = 'wished' then gone.detail ->> 'product' = event.detail ->> 'product'"
    "     else (gone.source, gone.source_key) = (event.source, event.source_key)"
    "       or gone.detail ->> 'order_id' = event.detail ->> 'order_id'"
    "       and (gone.source = event.source or not exists (select from event_seen own"
    "         where own.profile_id = any(array(select other.profile_id from person mine"
    "             join person other using (kept_id) where mine.profile_id = event.profile_id))"
    "           and own.newest and not own.removed and own.kind = event.kind and own.source = gone.source"
    "           and own.detail ->> 'order_id' = event.detail ->> 'order_id')) end))"
)
"""The same as `uncancelled`, of a row `event`."""
PAID_BACK: Final[LiteralString] = (
    "(event.kind = 'ordered' and (event.detail ->> 'total')::numeric > 0 and (event.detail ->> 'total')::numeric"
    " <= 0.005 + (select sum((back.detail ->> 'total')::numeric) from event_seen back"
    "   where back.profile_id = any(array(select other.profile_id from person mine join person other using (kept_id)"
    "     where mine.profile_id = event.profile_id)) and back.newest and not back.removed and back.kind = 'refunded'"
    "   and back.source = event.source and back.detail ->> 'order_id' = event.detail ->> 'order_id')) is true"
)
"""Whether an order was paid back as a whole, as `paid_back` says it, of a row `event`."""
_HALF_A_CENT: Final = 0.005
_CANCELS: Final = {"cancelled": "ordered", "appointment_cancelled": "appointment_booked"}


class CustomerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event in one revision; `recorded_at` is when it became known, `store` empty online.

    `source_key` names it at its source, together with its kind.
    """

    event_id: UUID
    revision: int
    kind: str
    source: str
    occurred_at: datetime
    recorded_at: datetime
    store: str
    detail: dict[str, Any]
    source_key: str


def customer_events(
    connection: Connection,
    profile: UUID,
    *,
    limit: int = EVENTS_OF_A_PROFILE,
    known_at: datetime | None = None,
    between: tuple[datetime, datetime] | None = None,
) -> list[CustomerEvent]:
    """Return the newest events of a person, oldest first; nothing without a consent that holds.

    Where there are more than `limit`, the newest LASTING_OF_A_PROFILE of those that last are among them as well. Of
    somebody bound to stores, what was in another store is left out: it would look as if it were online.

    `known_at` gives them as they were known then: later ones and later revisions are left out. `between` gives those
    that happened from one time to another.
    """
    wanted = sql.SQL("event.newest")
    if known_at is not None:
        wanted = sql.SQL(
            "event.revision = (select max(revision) from customer_event known"
            " where known.event_id = event.event_id and known.recorded_at <= %(known_at)s)"
        )
    query = sql.SQL(
        "select event.event_id, event.revision, event.kind, event.source, event.occurred_at, event.recorded_at,"
        "       coalesce(store.id, ''), event.detail, event.source_key"
        "  from person join event_seen event using (profile_id) left join store using (store_no)"
        " where person.kept_id = %(profile)s and not event.removed"
        "   and consent_holds(person.profile_id, %(purpose)s) and consent_holds(person.kept_id, %(purpose)s)"
        "   and (event.store_no is null or store.id is not null)"
        "   and (%(kinds)s::text[] is null or event.kind = any(%(kinds)s))"
        "   and (%(begin)s::timestamptz is null or event.occurred_at between %(begin)s and %(end)s)"
        "   and {} order by event.occurred_at desc, event.event_id limit %(limit)s"
    ).format(wanted)
    begin, end = between if between is not None else (None, None)
    values = {
        "profile": profile, "limit": limit, "known_at": known_at, "purpose": PURPOSE, "kinds": None,
        "begin": begin, "end": end,
    }  # fmt: skip
    rows = connection.execute(query, values).fetchall()
    if len(rows) == limit:
        lasting = values | {"limit": LASTING_OF_A_PROFILE, "kinds": list(_LASTING)}
        held = {row[0] for row in rows}
        rows += [row for row in connection.execute(query, lasting).fetchall() if row[0] not in held]
    return [event_of(row) for row in reversed(rows)]


def event_of(row: Sequence[Any]) -> CustomerEvent:
    """Return an event of a row that has its fields in their order."""
    return CustomerEvent(**dict(zip(CustomerEvent.__struct_fields__, row, strict=True)))


def uncancelled(events: Sequence[CustomerEvent]) -> list[CustomerEvent]:
    """Return events without orders and appointments that were cancelled and wishes removed; what did so stays.

    A cancellation is of the same order_id or of the same key at the same source, and of what was made before it: what
    is booked again under its number stands. Shops and tills number from 1 each: one whose own source has such an
    order means that one. A removal is of a wish for the same product before it.
    """
    removed: dict[str, datetime] = {}
    for event in events:
        product = str(event.detail.get("product", ""))
        if event.kind == "wish_removed" and product:
            removed[product] = max(event.occurred_at, removed.get(product, event.occurred_at))
    made = {(event.kind, event.source, _number(event)) for event in events if event.kind in _CANCELS.values()}
    gone: dict[tuple[str, str, str], list[CustomerEvent]] = defaultdict(list)
    for event in events:
        if event.kind in _CANCELS:
            for name in _names(event):
                gone[_CANCELS[event.kind], *name].append(event)
    return [
        event
        for event in events
        if not any(_cancels(one, event, made) for name in _names(event) for one in gone.get((event.kind, *name), ()))
        and not (event.kind == "wished" and _removed(event, removed))
    ]


def paid_back(events: Sequence[CustomerEvent]) -> frozenset[UUID]:
    """Return the orders that were paid back as a whole, by refunds of their number at their source."""
    back: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event.kind == "refunded":
            back[event.source, _number(event)] += event.detail.get("total", 0)
    return frozenset(
        event.event_id
        for event in events
        if event.kind == "ordered"
        and _number(event)
        and 0 < event.detail.get("total", 0) <= back[event.source, _number(event)] + _HALF_A_CENT
    )


def _cancels(gone: CustomerEvent, event: CustomerEvent, made: Set[tuple[str, str, str]]) -> bool:
    """Say whether a cancellation that shares key or number with an event means it."""
    same = gone.source == event.source
    if not same:
        number = _number(event)
        same = number != "" and number == _number(gone) and (event.kind, gone.source, number) not in made
    return same and gone.occurred_at >= event.occurred_at


def _names(event: CustomerEvent) -> list[tuple[str, str]]:
    number = _number(event)
    key = ("key", event.source_key)
    return [("number", number), key] if number else [key]


def _removed(wish: CustomerEvent, removed: Mapping[str, datetime]) -> bool:
    at = removed.get(str(wish.detail.get("product", "")))
    return at is not None and at >= wish.occurred_at


def _number(event: CustomerEvent) -> str:
    return str(event.detail.get("order_id", ""))


def recorded_times(
    connection: Connection, profile: UUID, *, since: datetime, between: tuple[datetime, datetime], limit: int
) -> list[datetime]:
    """Return when something new became known of a person after `since`: consents, and revisions of events.

    Of events those that happened `between` two times in any of their revisions, or that last.
    """
    rows = connection.execute(
        "select distinct at from ("
        " select event.recorded_at as at from person join event_seen event using (profile_id)"
        "  where person.kept_id = %(profile)s and event.recorded_at > %(since)s"
        "    and (event.kind = any(%(lasting)s) or exists (select from customer_event told"
        "      where told.event_id = event.event_id and told.occurred_at between %(begin)s and %(end)s))"
        " union all select word.recorded_at from consent_event word"
        "  where word.profile_id = %(profile)s and word.recorded_at > %(since)s) known"
        " order by at desc limit %(limit)s",
        {
            "profile": profile,
            "since": since,
            "limit": limit,
            "lasting": list(_LASTING),
            "begin": between[0],
            "end": between[1],
        },
    ).fetchall()
    return [row[0] for row in reversed(rows)]
