"""Everything that is known of a customer in one line of time, newest first, page by page."""

from datetime import datetime
from typing import Any, Final, LiteralString, TypeAlias
from uuid import UUID

import msgspec
from psycopg import sql

from core.errors import InputError
from core.records import Role
from storage.audit.seen import AboutPerson
from storage.connect import Connection
from storage.page_cursors import read_cursor, write_cursor
from storage.profiles.profiles import PURPOSE
from storage.profiles.visits import visits_by_walk

LINES_PER_PAGE: Final = 200
"""Ten screens."""
STORE_VISIT: Final = "store_visit"
_Place: TypeAlias = tuple[datetime, str, str]
"""When, what kind, and which of it."""
_PART: Final[LiteralString] = (
    "select part.* from person cross join lateral (select {columns} from {table}"
    "   where {table}.{of} = person.profile_id and {seen} and {before} {page}) part"
    " where person.kept_id = %(profile)s and consent_holds(person.profile_id, %(purpose)s)"
)
_PARTS: Final[tuple[dict[str, LiteralString], ...]] = (
    {"table": "event_seen", "seen": "newest and not removed", "at": "occurred_at", "kind": "kind", "id": "event_id",
     "store": "store_no", "source": "source", "detail": "detail"},
    {"table": "consent_event", "seen": "purpose = %(purpose)s and occurred_at <= now()", "at": "occurred_at",
     "kind": "'consent_' || status", "id": "consent_no", "store": "null::integer", "source": "source",
     "detail": "jsonb_build_object('wording', wording)"},
    {"table": "note_seen", "of": "of_profile", "seen": "true", "at": "noted_at", "kind": "'noted'",
     "id": "note_id", "store": "store_no", "source": "operator",
     "detail": "jsonb_build_object('subject', subject)"},
    {"table": "cue_log", "seen": "not consent_broken(profile_id, %(purpose)s, arrived_at)", "at": "told_at",
     "kind": "'cue_told'", "id": "cue_no", "store": "store_no", "source": "'sojourn'",
     "detail": "jsonb_build_object('cue', cue, 'because', because, 'outcome', outcome, 'by', outcome_by)"},
    {"table": "alert_seen", "of": "of_profile", "seen": "true", "at": "made_at", "kind": "'alerted'",
     "id": "alert_id", "store": "null::integer", "source": "'sojourn'",
     "detail": "jsonb_build_object('because', because, 'right', coalesce(was_right, followed))"},
    {"table": "message_seen", "of": "of_profile", "seen": "true", "at": "made_at", "kind": "'message_made'",
     "id": "message_id", "store": "null::integer", "source": "operator",
     "detail": "jsonb_build_object('subject', subject)"},
)  # fmt: skip
"""What a timeline is made of, each by the index of its profile (`of`) and time, and no further than a page."""


class TimelineRow(AboutPerson, frozen=True, kw_only=True):
    """One thing that happened: a store visit, an event by its kind, a consent, a note, a cue, an alert, a message.

    `id` names it among those of its kind, `store` is an id, empty online.
    """

    profile_id: UUID
    at: datetime
    kind: str
    id: str
    store: str
    source: str
    detail: dict[str, Any]

    @property
    def place(self) -> _Place:
        """Where it stands."""
        return self.at, self.kind, self.id


class TimelinePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some lines, newest first, and where to go on."""

    lines: tuple[TimelineRow, ...]
    next_cursor: str | None


def timeline_page(connection: Connection, profile: UUID, *, limit: int, cursor: str | None = None) -> TimelinePage:
    """Return the next lines of a profile whose consent holds, newest first.

    Raises
    ------
    InputError
        If the cursor does not fit or the limit is not within 1..LINES_PER_PAGE.
    """
    if not 1 <= limit <= LINES_PER_PAGE:
        raise InputError(f"A page has 1 to {LINES_PER_PAGE} lines, asked for {limit}.", where="limit")
    question = ("timeline", profile)
    place = read_cursor(cursor, question, tuple[datetime, str, str]) if cursor is not None else None
    found = _written(connection, profile, place, limit + 1)
    found += [row for row in _visits(connection, profile) if place is None or row.place < place]
    found.sort(key=lambda row: row.place, reverse=True)
    shown = found[:limit]
    more = len(found) > limit
    return TimelinePage(lines=tuple(shown), next_cursor=write_cursor(shown[-1].place, question) if more else None)


def _written(connection: Connection, profile: UUID, place: _Place | None, limit: int) -> list[TimelineRow]:
    values: dict[str, Any] = {"profile": profile, "purpose": PURPOSE, "limit": limit}
    if place is not None:
        values |= dict(zip(("at", "kind", "id"), place, strict=True))
    query = sql.SQL(
        "select at, kind, part.id, coalesce(store.id, ''), source, detail"
        "  from ({}) part left join store using (store_no)"
        # what was in a store that may not be seen would look as if it were nowhere
        " where part.store_no is null or store.id is not null"
        " order by at desc, kind desc, part.id desc limit %(limit)s"
    ).format(sql.SQL(" union all ").join(_part(part, begun=place is not None) for part in _PARTS))
    return [
        TimelineRow(profile_id=profile, **dict(zip(TimelineRow.__struct_fields__[1:], row, strict=True)))
        for row in connection.execute(query, values).fetchall()
    ]


def _part(names: dict[str, LiteralString], *, begun: bool) -> sql.Composed:
    """Return one part; text is compared by code point, as here."""
    at = sql.SQL(names["at"])
    kind, name = (sql.SQL('({})::text collate "C"').format(sql.SQL(names[each])) for each in ("kind", "id"))
    before: sql.Composable = sql.SQL("true")
    if begun:
        before = sql.SQL("{at} <= %(at)s and ({at}, {kind}, {name}) < (%(at)s, %(kind)s, %(id)s)").format(
            at=at, kind=kind, name=name
        )
    return sql.SQL(_PART).format(
        columns=sql.SQL("{} as at, {} as kind, {} as id, {} as store_no, {} as source, {} as detail").format(
            at, kind, name, *(sql.SQL(names[each]) for each in ("store", "source", "detail"))
        ),
        before=before,
        page=sql.SQL("order by {} desc, {} desc, {} desc limit %(limit)s").format(at, kind, name),
        table=sql.SQL(names["table"]),
        of=sql.SQL(names.get("of", "profile_id")),
        seen=sql.SQL(names["seen"]),
    )


def _visits(connection: Connection, profile: UUID) -> list[TimelineRow]:
    found = [walk[0] for walk in visits_by_walk(connection, profile)]
    return [
        TimelineRow(
            profile_id=profile,
            at=one.visit.entered_at,
            kind=STORE_VISIT,
            id=str(one.visit.visit_id),
            store=one.store,
            source="sojourn",
            detail={"dwell_s": one.visit.dwell_s},
        )
        for one in found
        if one.visit.role is Role.VISITOR
    ]
