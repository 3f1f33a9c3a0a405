"""Follow-ups: an operator's task list, and what is done with a task."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import APIRouter, Header, Query, Response

from api.notes.models import (
    ColleaguesOut,
    DoneIn,
    DoneOut,
    DueCountOut,
    FollowUpChangeOut,
    FollowUpDetailOut,
    FollowUpOut,
    FollowUpsOut,
    NewFollowUpIn,
    ReassignIn,
    SnoozeIn,
)
from api.notes.routes import NoteDep
from api.notes.writing import due_instant, new_follow_up, remind, state_of
from api.operators import OperatorDep
from api.problems import described, follow_up_done, follow_up_unknown
from api.service import ConnectionDep, Service, ServiceDep
from core.errors import InputError
from storage.access.colleagues import About, colleague, colleagues, unowned
from storage.connect import Connection
from storage.memory.alerts import judge_alert
from storage.notes.follow_ups import (
    FOLLOW_UPS_PER_PAGE,
    FollowUpRow,
    NewFollowUp,
    WhenWord,
    find_follow_up,
    finish,
    follow_up_changes,
    follow_ups_of,
    follow_ups_page,
    insert_follow_up,
    reassign,
    snooze,
)
from storage.notes.notes import OPERATOR_CHARACTERS
from storage.notes.reminders import due_count

router = APIRouter(prefix="/v1", tags=["follow-ups"])


@router.get("/follow-ups", responses=described(422, 503), summary="A task list")
def list_follow_ups(
    connection: ConnectionDep,
    service: ServiceDep,
    *,
    when: Annotated[
        WhenWord, Query(description="due: by the end of today in each one's time zone; open: all; done: newest first")
    ] = "due",
    operator: Annotated[
        str | None, Query(max_length=OPERATOR_CHARACTERS, description="Whose; default: everybody's")
    ] = None,
    nobodys: Annotated[
        bool,
        Query(description="Only those of nobody: whoever has them has no open account, or does not see them"),
    ] = False,
    limit: Annotated[int, Query(ge=1, le=FOLLOW_UPS_PER_PAGE)] = 50,
    cursor: Annotated[str | None, Query()] = None,
) -> FollowUpsOut:
    """List follow-ups by when they are due, so those overdue come first."""
    now = service.now()
    page = follow_ups_page(
        connection, when=when, operator=operator, now=now, limit=limit, cursor=cursor, nobodys=nobodys
    )
    return FollowUpsOut(follow_ups=all_told(connection, page.follow_ups, now), next_cursor=page.next_cursor)


@router.get("/colleagues", responses=described(503), summary="Who can be given a follow-up")
def list_colleagues(connection: ConnectionDep) -> ColleaguesOut:
    """List the names of people with an account that is open and may work with customers."""
    return ColleaguesOut(colleagues=colleagues(connection))


@router.get("/follow-ups/due-count", responses=described(422, 503), summary="How much is due for an operator")
def read_due_count(connection: ConnectionDep, service: ServiceDep, operator: OperatorDep) -> DueCountOut:
    """Count what is due by the end of today for whoever asks: the reminder that pages show."""
    found = due_count(connection, operator, service.now())
    return DueCountOut(due_count=found.due, overdue_count=found.overdue, nobodys_count=found.nobodys)


@router.get("/follow-ups/{follow_up}", responses=described(404, 422, 503), summary="One follow-up")
def read_follow_up(follow_up: UUID, connection: ConnectionDep, service: ServiceDep) -> FollowUpDetailOut:
    """Return a follow-up with how it was put off and given away."""
    row = _found(connection, follow_up)
    changes = [
        FollowUpChangeOut.model_validate(msgspec.structs.asdict(change))
        for change in follow_up_changes(connection, follow_up)
    ]
    return FollowUpDetailOut(changes=changes, **_told(connection, row, service.now()).model_dump())


@router.get("/notes/{note}/follow-ups", responses=described(404, 422, 503), summary="Follow-ups of a note")
def list_note_follow_ups(found: NoteDep, connection: ConnectionDep, service: ServiceDep) -> FollowUpsOut:
    """List the follow-ups of a note in the order in which they were made."""
    rows = follow_ups_of(connection, found.note_id)
    return FollowUpsOut(follow_ups=all_told(connection, rows, service.now()), next_cursor=None)


@router.post(
    "/notes/{note}/follow-ups", responses=described(404, 422, 503), status_code=201, summary="Add a follow-up"
)
def write_follow_up(
    found: NoteDep,
    asked: NewFollowUpIn,
    service: ServiceDep,
    operator: OperatorDep,
    response: Response,
    *,
    idempotency_key: Annotated[
        UUID | None, Header(description="Becomes the follow-up's id; the same one sent again is added once (200)")
    ] = None,
) -> FollowUpOut:
    """Add a follow-up to a note; a note has at most 50."""
    remind([asked.instructions], seen=asked.reminder_seen)
    now = service.now()

    def work(connection: Connection) -> tuple[int, FollowUpOut]:
        made = new_follow_up(
            connection, asked, found.note_id, operator=operator, timezone=found.timezone, now=now, key=idempotency_key
        )
        status = 201 if insert_follow_up(connection, made) else 200
        return status, _told(connection, _found(connection, made.follow_up_id), now)

    response.status_code, added = service.writer.write(work)
    return added


@router.post(
    "/follow-ups/{follow_up}/snooze", responses=described(404, 409, 422, 503), summary="Let it be due at another time"
)
def write_snooze(follow_up: UUID, asked: SnoozeIn, service: ServiceDep, operator: OperatorDep) -> FollowUpOut:
    """Put off an open follow-up, or let it be due earlier, not before now; 100 changes at most."""
    now = service.now()

    def put_off(connection: Connection, found: FollowUpRow) -> None:
        due_at = due_instant(asked.due_at, found.timezone, now, ahead=True)
        if due_at == found.due_at:
            raise InputError("It is due then already.", hint="Choose another time.", where="due_at")
        snooze(connection, found, due_at, operator=operator, at=now)

    return _changed(service, follow_up, put_off)


@router.post("/follow-ups/{follow_up}/reassign", responses=described(404, 409, 422, 503), summary="Give it away")
def write_reassign(follow_up: UUID, asked: ReassignIn, service: ServiceDep, operator: OperatorDep) -> FollowUpOut:
    """Give an open follow-up to somebody else; 100 changes at most."""
    now = service.now()

    def hand_over(connection: Connection, found: FollowUpRow) -> None:
        to = colleague(connection, asked.operator, About(note=found.note_id, alert=found.alert_id))
        reassign(connection, found, to, operator=operator, at=now)

    return _changed(service, follow_up, hand_over)


@router.post("/follow-ups/{follow_up}/done", responses=described(404, 409, 422, 503), summary="Mark it as done")
def write_done(follow_up: UUID, asked: DoneIn, service: ServiceDep, operator: OperatorDep) -> DoneOut:
    """Keep the result of an open follow-up, and chain the next one to it; of an alert's, whether it was right."""
    now = service.now()
    remind([asked.result, asked.next.instructions if asked.next is not None else ""], seen=asked.reminder_seen)

    def work(connection: Connection) -> DoneOut:
        found = _open(connection, follow_up)
        finish(connection, found, asked.result, operator=operator, at=now)
        if asked.alert_right is not None:
            if found.alert_id is None:
                raise InputError("This follow-up is of no alert.", hint="Leave it out.", where="alert_right")
            judge_alert(connection, found.alert_id, was_right=asked.alert_right, operator=operator, at=now)
        following = None
        if asked.next is not None:
            made = new_follow_up(
                connection, asked.next, None, operator=operator, timezone=found.timezone, now=now, before=found
            )
            following = _told(connection, _inserted(connection, made), now)
        return DoneOut(done=_told(connection, _found(connection, follow_up), now), next=following)

    return service.writer.write(work)


def _changed(service: Service, follow_up: UUID, change: Callable[[Connection, FollowUpRow], None]) -> FollowUpOut:
    """Change an open follow-up in one transaction and return what came of it."""

    def work(connection: Connection) -> FollowUpOut:
        change(connection, _open(connection, follow_up))
        return _told(connection, _found(connection, follow_up), service.now())

    return service.writer.write(work)


def _told(connection: Connection, row: FollowUpRow, now: datetime) -> FollowUpOut:
    (told,) = all_told(connection, [row], now)
    return told


def all_told(connection: Connection, rows: Sequence[FollowUpRow], now: datetime) -> list[FollowUpOut]:
    """Return the answers for follow-ups."""
    of_nobody = set(unowned(connection, only=[row.follow_up_id for row in rows]))
    return [FollowUpOut.of(row, state_of(row, now), nobodys=row.follow_up_id in of_nobody) for row in rows]


def _open(connection: Connection, follow_up: UUID) -> FollowUpRow:
    found = _found(connection, follow_up, lock=True)
    if found.done_at is not None:
        raise follow_up_done()
    return found


def _found(connection: Connection, follow_up: UUID, *, lock: bool = False) -> FollowUpRow:
    found = find_follow_up(connection, follow_up, lock=lock)
    if found is None:
        raise follow_up_unknown()
    return found


def _inserted(connection: Connection, made: NewFollowUp) -> FollowUpRow:
    insert_follow_up(connection, made)
    return _found(connection, made.follow_up_id)
