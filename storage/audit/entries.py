"""Audit entries: written in one round trip, read page by page."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg import sql

from core.audit.words import ActorWord, KindWord, OutcomeWord, PurposeWord
from core.errors import InputError
from storage.audit.acting import Acting, as_json
from storage.audit.seen import saw
from storage.connect import Connection
from storage.page_cursors import read_cursor, write_cursor

ENTRIES_PER_PAGE: Final = 200
"""What somebody reads through in one go; more is filtered."""
PEOPLE_NAMED: Final = 1_000
"""People of one entry; the largest page of any list holds fewer."""
PEOPLE_SHOWN: Final = 20
"""Of a page of a list the first are shown beside the count; the profile's own page finds each."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry; `people` are the first profiles it is about, erased ones are counted in `erased`."""

    entry_no: int
    at: datetime
    actor: str
    actor_kind: ActorWord
    role: str | None
    purpose: PurposeWord
    kind: KindWord
    route: str
    outcome: OutcomeWord
    fields: list[str]
    people_count: int
    detail: dict[str, Any]
    people: list[UUID]
    erased_count: int

    @property
    def works_for(self) -> str | None:
        """The person who owns a program's key."""
        return self.detail.get("works_for")

    @property
    def says_for(self) -> str | None:
        """Whom a program says that it worked for."""
        return self.detail.get("says_for")


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a look shows beside a profile that was opened, and to which principal, who may be shown `most` a day."""

    principal: str
    people: Sequence[UUID]
    most: int


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries: every field that is set must fit; `day` is one in UTC, `actor` is compared as it is written."""

    actor: str | None = None
    profile_id: UUID | None = None
    day: date | None = None
    kind: KindWord | None = None


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some entries, and where to go on."""

    entries: tuple[AuditEntry, ...]
    next_cursor: str | None


_ENTER: Final = "select audit_enter(%s::jsonb, %s::uuid[])"
_ENTER_SHOWN: Final = f"{_ENTER} where show_people(%s, %s::uuid[], %s)"


def enter(
    connection: Connection,
    who: Acting,
    kind: KindWord,
    *,
    people: Sequence[UUID] = (),
    fields: Sequence[str] = (),
    outcome: OutcomeWord = "done",
    detail: dict[str, Any] | None = None,
    shown: Shown | None = None,
) -> int | None:
    """Write one entry and return its number; one round trip, and as durable as any commit.

    Whom it shows is counted in the same statement. None, and nothing is written, if a day does not hold so many.

    Parameters
    ----------
    people : sequence of UUID
        Whom it is about, each once; the first 1,000 are named, `people_count` in the detail says how many there were.
    fields : sequence of str
        Which parts of a profile.
    detail : dict, optional
        Counts and digests; never contents, and no whole numbers beyond 2**53.
    shown : Shown, optional
        What it costs of a day's people; nothing if left out.
    """
    said = dict(detail) if detail is not None else {}
    if len(people) > PEOPLE_NAMED:
        said["people_count"] = len(people)
    values: list[Any] = [
        as_json(who, kind=kind, fields=list(fields), outcome=outcome, detail=said),
        list(dict.fromkeys(people))[:PEOPLE_NAMED],
    ]
    if shown is None:
        row = connection.execute(_ENTER, values).fetchone()
    else:
        row = connection.execute(_ENTER_SHOWN, [*values, shown.principal, list(shown.people), shown.most]).fetchone()
    return None if row is None else int(row[0])


_PAGE: Final = """
select entry.entry_no, entry.at, entry.actor, entry.actor_kind, entry.role, entry.purpose, entry.kind, entry.route,
       entry.outcome, entry.fields, cardinality(entry.commitments), entry.detail,
       array(select profile_id from audit_subject subject
              where subject.entry_no = entry.entry_no and profile_id is not null order by place limit {shown}),
       (select count(*) from audit_subject subject where subject.entry_no = entry.entry_no and pseudonym is not null)
  from audit_entry entry
 where {clauses}
 order by entry.at desc, entry.entry_no desc limit %(limit)s
"""
_CLAUSES: Final = {
    # whatever somebody's programs did is theirs, too
    "actor": "(entry.actor = %(actor)s or entry.detail ->> 'works_for' = %(actor)s and entry.detail ? 'works_for'"
    " or entry.detail ->> 'says_for' = %(actor)s and entry.detail ? 'says_for')",
    "kind": "entry.kind = %(kind)s",
    "day": "entry.at >= (%(day)s::date)::timestamp at time zone 'UTC'"
    " and entry.at < (%(day)s::date + 1)::timestamp at time zone 'UTC'",
    # an export of everybody was of this one too, from the day on which there was a profile
    "profile_id": "entry.entry_no in (select entry_no from audit_subject where profile_id = %(profile_id)s"
    " union all select entry_no from audit_entry where kind = 'export' and detail ? 'everybody'"
    " and at >= (select created_at from profile where profile_id = %(profile_id)s))",
}


def entries_page(connection: Connection, wanted: AuditFilter, *, limit: int, cursor: str | None = None) -> AuditPage:
    """Return the next entries, the newest first.

    Raises
    ------
    InputError
        If the cursor does not fit, or the limit is out of bounds.
    """
    if not 1 <= limit <= ENTRIES_PER_PAGE:
        raise InputError(f"A page has 1 to {ENTRIES_PER_PAGE} entries, asked for {limit}.", where="limit")
    saw(wanted.profile_id)
    asked = msgspec.structs.asdict(wanted)
    question = ("audit", msgspec.to_builtins(wanted))
    clauses = ["true", *(text for name, text in _CLAUSES.items() if asked[name] is not None)]
    values: dict[str, Any] = {**asked, "limit": limit + 1}
    if cursor is not None:
        values["before_at"], values["before_no"] = read_cursor(cursor, question, tuple[datetime, int])
        clauses.append("(entry.at, entry.entry_no) < (%(before_at)s, %(before_no)s)")
    query = sql.SQL(_PAGE).format(
        clauses=sql.SQL(" and ").join(map(sql.SQL, clauses)), shown=sql.Literal(PEOPLE_SHOWN)
    )
    found = [
        AuditEntry(**dict(zip(AuditEntry.__struct_fields__, row, strict=True)))
        for row in connection.execute(query, values)
    ]
    more = len(found) > limit
    found = found[:limit]
    return AuditPage(
        entries=tuple(found),
        next_cursor=write_cursor((found[-1].at, found[-1].entry_no), question) if more else None,
    )
