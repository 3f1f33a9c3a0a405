"""Follow-ups: what somebody must do by a date. Only open ones change, and every change is kept."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from psycopg import sql
from psycopg.types.json import Jsonb

from core.errors import InputError
from storage.access.colleagues import unowned
from storage.audit.seen import AboutPerson
from storage.connect import Connection
from storage.page_cursors import read_cursor, write_cursor
from storage.storable import storable

INSTRUCTIONS_CHARACTERS: Final = 500
"""What to do, in a few sentences; the rest stands in the note."""
RESULT_CHARACTERS: Final = 1_000
"""What came of it, in a paragraph."""
FOLLOW_UPS_PER_NOTE: Final = 50
"""A weekly call for a year."""
CHANGES_PER_FOLLOW_UP: Final = 100
"""Snoozed every working day for four months: somebody should decide."""
_MEANWHILE: Final = "What was promised has been done meanwhile."
FOLLOW_UPS_PER_PAGE: Final = 200
"""More than anybody does in a week."""

WhenWord: TypeAlias = Literal["due", "open", "done"]
"""What a list shows: due by the end of today (in each one's time zone), all that are open, or those that are done."""

_COLUMNS: Final = (
    "follow_up.follow_up_id, follow_up.note_id, follow_up.alert_id, follow_up.subject, follow_up.profile_id,"
    " follow_up.profile_name, follow_up.after, follow_up.operator,"
    " follow_up.due_at, follow_up.timezone, follow_up.instructions, follow_up.made_at,"
    " follow_up.done_at, follow_up.done_by, follow_up.result, (select count(*) from follow_up_change change"
    " where change.follow_up_id = follow_up.follow_up_id and change.change = 'snoozed')"
)
_SOURCE: Final = "follow_up_seen follow_up"


class NewFollowUp(msgspec.Struct, frozen=True, kw_only=True):
    """A follow-up to be made, of a note or of an alert; `timezone` is an IANA name, whose calendar says the day.

    `operator` is to do it; `made_by` has said that it will be done, None where a rule has.
    """

    follow_up_id: UUID
    note_id: UUID | None
    alert_id: UUID | None = None
    after: UUID | None
    operator: str
    due_at: datetime
    timezone: str
    instructions: str
    made_at: datetime
    made_by: str | None


class FollowUpRow(AboutPerson, frozen=True, kw_only=True):
    """A follow-up of a note, or of an alert (`subject` is why there is one), that may be seen."""

    follow_up_id: UUID
    note_id: UUID | None
    alert_id: UUID | None
    subject: str
    profile_id: UUID | None
    profile_name: str | None
    after: UUID | None
    operator: str
    due_at: datetime
    timezone: str
    instructions: str
    made_at: datetime
    done_at: datetime | None
    done_by: str | None
    result: str | None
    snoozed_count: int


class FollowUpChange(msgspec.Struct, frozen=True, kw_only=True):
    """A time that a follow-up was put off (times as ISO 8601) or given away (names)."""

    change: Literal["snoozed", "reassigned"]
    changed_at: datetime
    operator: str
    before: str
    after: str


class FollowUpPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some follow-ups and where to go on."""

    follow_ups: tuple[FollowUpRow, ...]
    next_cursor: str | None


def insert_follow_up(connection: Connection, made: NewFollowUp) -> bool:
    """Add a follow-up to a note or an alert; False if this very one was added already, which changes nothing.

    Raises
    ------
    InputError
        If it has FOLLOW_UPS_PER_NOTE already, or something else was added under this id.
    """
    about = (made.note_id, made.alert_id)
    # the row that it is about is the lock under which its follow-ups are counted
    connection.execute("select from note where note_id = %s for update", about[:1])
    connection.execute("select from alert where alert_id = %s for update", about[1:])
    if _was_added(connection, made):
        return False
    row = connection.execute("select count(*) from follow_up where note_id = %s or alert_id = %s", about).fetchone()
    if row is not None and row[0] >= FOLLOW_UPS_PER_NOTE:
        raise InputError(f"A note has at most {FOLLOW_UPS_PER_NOTE} follow-ups.", hint="Write a new note.")
    inserted = connection.execute(
        "insert into follow_up (follow_up_id, note_id, alert_id, after, operator, due_at, timezone, instructions,"
        " made_at, made_by)"
        " values (%(follow_up_id)s, %(note_id)s, %(alert_id)s, %(after)s, %(operator)s, %(due_at)s, %(timezone)s,"
        " %(instructions)s, %(made_at)s, %(made_by)s) on conflict (follow_up_id) do nothing",
        msgspec.structs.asdict(made)
        | {
            "operator": storable(made.operator),
            "instructions": storable(made.instructions),
            "made_by": storable(made.made_by) if made.made_by is not None else None,
        },
    ).rowcount
    return bool(inserted) or not _was_added(connection, made)


def _was_added(connection: Connection, made: NewFollowUp) -> bool:
    """Say whether this very follow-up was added before; since then it may have been put off, given away or done.

    Raises
    ------
    InputError
        If something else was added under its id.
    """
    row = connection.execute(
        "select note_id, alert_id, after, instructions, made_by from follow_up where follow_up_id = %s",
        [made.follow_up_id],
    ).fetchone()
    if row is None:
        return False
    by = storable(made.made_by) if made.made_by is not None else None
    if row != (made.note_id, made.alert_id, made.after, storable(made.instructions), by):
        raise InputError(
            "Another follow-up was added under this key already.",
            hint="Look which ones there are; use a new UUID for each.",
            where="Idempotency-Key",
        )
    return True


def tasks_of_alerts(connection: Connection, operator: str, since: datetime, *, most: int) -> int:
    """Return how many tasks of alerts were made for somebody since then, counted up to `most`."""
    row = connection.execute(
        "select count(*) from (select from follow_up where alert_id is not null and made_at > %s"
        " and lower(operator) = lower(%s) limit %s) made",
        [since, storable(operator), most],
    ).fetchone()
    return int(row[0]) if row is not None else 0


def find_follow_up(connection: Connection, follow_up: UUID, *, lock: bool = False) -> FollowUpRow | None:
    """Return a follow-up, None if it may not be seen; `lock`: nobody else changes it."""
    if lock:
        connection.execute("select from follow_up where follow_up_id = %s for update", [follow_up])
    row = connection.execute(
        f"select {_COLUMNS} from {_SOURCE} where follow_up_id = %s",  # noqa: S608 - constants
        [follow_up],
    ).fetchone()
    return _row(row) if row is not None else None


def follow_up_changes(connection: Connection, follow_up: UUID) -> list[FollowUpChange]:
    """Return how a follow-up was put off and given away, the oldest first."""
    rows = connection.execute(
        "select change.change, change.changed_at, change.operator, change.before, change.after"
        "  from follow_up_change change join follow_up_seen using (follow_up_id)"
        " where follow_up_id = %s order by change.change_no",
        [follow_up],
    ).fetchall()
    return [FollowUpChange(**dict(zip(FollowUpChange.__struct_fields__, row, strict=True))) for row in rows]


def follow_ups_of(connection: Connection, about: UUID) -> list[FollowUpRow]:
    """Return the follow-ups of a note or an alert in the order in which they were made."""
    rows = connection.execute(
        f"select {_COLUMNS} from {_SOURCE} where note_id = %s or alert_id = %s order by made_at, due_at",  # noqa: S608 - constants
        [about, about],
    ).fetchall()
    return [_row(row) for row in rows]


def follow_ups_page(
    connection: Connection,
    *,
    when: WhenWord,
    operator: str | None,
    now: datetime,
    limit: int,
    cursor: str | None = None,
    nobodys: bool = False,
) -> FollowUpPage:
    """Return the next follow-ups: open ones by the time they are due, so overdue first; done ones newest first.

    Parameters
    ----------
    connection : Connection
    when : WhenWord
    operator : str or None
        Whose, in any case of letters; None: everybody's.
    now : datetime
    limit : int
        1..FOLLOW_UPS_PER_PAGE.
    cursor : str or None
    nobodys : bool
        Only those whose owner does not see them; what is done is nobody's no more.

    Raises
    ------
    InputError
        If the cursor does not fit or the limit is out of bounds.
    """
    if not 1 <= limit <= FOLLOW_UPS_PER_PAGE:
        raise InputError(f"A page has 1 to {FOLLOW_UPS_PER_PAGE} follow-ups, asked for {limit}.", where="limit")
    question = ("follow-ups", when, operator, nobodys)
    values: dict[str, Any] = {"operator": operator, "now": now, "limit": limit + 1}
    clauses: list[sql.Composable] = [
        sql.SQL("follow_up.done_at is not null" if when == "done" else "follow_up.done_at is null")
    ]
    if operator is not None:
        clauses.append(sql.SQL("lower(follow_up.operator) = lower(%(operator)s)"))
    if nobodys:
        values["nobodys"] = unowned(connection)
        clauses.append(sql.SQL("follow_up.follow_up_id = any(%(nobodys)s)"))
    if when == "due":
        # a day has at most 26 h of difference between time zones: the plain bound lets the index do its work
        clauses.append(
            sql.SQL(
                "follow_up.due_at < %(now)s::timestamptz + interval '2 days'"
                " and (follow_up.due_at at time zone follow_up.timezone)::date"
                " <= (%(now)s::timestamptz at time zone follow_up.timezone)::date"
            )
        )
    by, order, after = ("done_at", "desc", "<") if when == "done" else ("due_at", "asc", ">")
    if cursor is not None:
        values["at"], values["id"] = read_cursor(cursor, question, tuple[datetime, UUID])
        clauses.append(
            sql.SQL("(follow_up.{}, follow_up.follow_up_id) " + after + " (%(at)s, %(id)s)").format(
                sql.Identifier(by)
            )
        )
    query = sql.SQL(
        "select {columns} from {source} where {clauses} order by follow_up.{by} {order}, follow_up_id {order}"
        " limit %(limit)s"
    ).format(
        columns=sql.SQL(_COLUMNS),
        source=sql.SQL(_SOURCE),
        clauses=sql.SQL(" and ").join(clauses),
        by=sql.Identifier(by),
        order=sql.SQL(order),
    )
    found = [_row(row) for row in connection.execute(query, values)]
    more = len(found) > limit
    found = found[:limit]
    return FollowUpPage(
        follow_ups=tuple(found),
        next_cursor=write_cursor((getattr(found[-1], by), found[-1].follow_up_id), question) if more else None,
    )


def snooze(connection: Connection, found: FollowUpRow, due_at: datetime, *, operator: str, at: datetime) -> None:
    """Let an open follow-up, locked, be due later; errors as in `_keep_change`."""
    before, after = found.due_at.isoformat(), due_at.isoformat()
    _keep_change(connection, found, "snoozed", before=before, after=after, operator=operator, at=at)
    connection.execute(
        "update follow_up set due_at = %s, reminded_at = null where follow_up_id = %s", [due_at, found.follow_up_id]
    )


def reassign(connection: Connection, found: FollowUpRow, to: str, *, operator: str, at: datetime) -> None:
    """Give an open follow-up, locked, to somebody else; errors as in `_keep_change`."""
    _keep_change(connection, found, "reassigned", before=found.operator, after=to, operator=operator, at=at)
    connection.execute(
        "update follow_up set operator = %s, reminded_at = null where follow_up_id = %s",
        [storable(to), found.follow_up_id],
    )


def finish(connection: Connection, found: FollowUpRow, result: str, *, operator: str, at: datetime) -> None:
    """Mark an open follow-up, locked, as done with its result; an alert of overdue ones ends with the last."""
    by = storable(operator)
    connection.execute(
        "update follow_up set done_at = %s, done_by = %s, result = %s where follow_up_id = %s",
        [at, by, storable(result), found.follow_up_id],
    )
    connection.execute(
        "update follow_up task set done_at = %s, done_by = %s, result = %s from alert"
        " where task.alert_id = alert.alert_id and task.done_at is null and alert.evidence @> %s"
        "   and not exists (select from jsonb_array_elements(alert.evidence) cited join follow_up promised"
        # ids of other kinds need not be of this form
        "     on promised.follow_up_id = case cited ->> 'kind' when 'follow_up' then (cited ->> 'id')::uuid end"
        "    where promised.done_at is null)",
        [at, by, _MEANWHILE, Jsonb([{"kind": "follow_up", "id": str(found.follow_up_id)}])],
    )


def end_tasks(connection: Connection, alert: UUID, *, result: str, by: str, at: datetime) -> None:
    """Mark the open tasks of an alert as done, which nobody has to do any more."""
    connection.execute(
        "update follow_up set done_at = %s, done_by = %s, result = %s where alert_id = %s and done_at is null",
        [at, by, result, alert],
    )


def rename_owner(connection: Connection, before: str, after: str) -> None:
    """Let open follow-ups of somebody go along with a new name; those that are done keep who had them."""
    connection.execute(
        "update follow_up set operator = %s where lower(operator) = lower(%s) and done_at is null",
        [storable(after), storable(before)],
    )


def lowered(names: Iterable[str]) -> list[str]:
    """Return names as owners are compared."""
    return [name.lower() for name in names]


def _row(row: tuple[Any, ...]) -> FollowUpRow:
    return FollowUpRow(**dict(zip(FollowUpRow.__struct_fields__, row, strict=True)))


def _keep_change(
    connection: Connection, found: FollowUpRow, change: str, *, before: str, after: str, operator: str, at: datetime
) -> None:
    """Keep what changes.

    Raises
    ------
    InputError
        If it changed CHANGES_PER_FOLLOW_UP times already.
    """
    row = connection.execute(
        "select count(*) from follow_up_change where follow_up_id = %s", [found.follow_up_id]
    ).fetchone()
    number = int(row[0]) if row is not None else 0
    if number >= CHANGES_PER_FOLLOW_UP:
        raise InputError(
            f"A follow-up can be snoozed or reassigned {CHANGES_PER_FOLLOW_UP} times.",
            hint="Mark it as done, and chain another one if it is still needed.",
        )
    connection.execute(
        "insert into follow_up_change (follow_up_id, change_no, changed_at, operator, change, before, after)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        [found.follow_up_id, number + 1, at, storable(operator), change, storable(before), storable(after)],
    )
