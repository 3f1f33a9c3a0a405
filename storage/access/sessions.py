"""Sessions of people: opaque, kept as a digest, ended by time or by hand."""

from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec

from storage.connect import Connection

IDLE: Final = timedelta(hours=8)
"""A shift: who came in the morning is not asked again, a device left behind is closed by the next one."""
MOST: Final = timedelta(days=7)
"""A stolen cookie is worth a week at most."""
STAGE_FOR: Final = timedelta(minutes=15)
"""To find one's phone for the second step, or to think of a password."""
SEEN_EVERY_S: Final = 60
"""When a session was used is written once a minute, not with every picture of a page."""
SESSIONS_EACH: Final = 20
"""Phones, tills and desks of one person; the oldest ends when one more begins."""

Stage = Literal["full", "second_step", "new_password"]


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session that holds, with what its account may do; `second_step`: it has one, here or at its provider."""

    session_no: int
    account_id: UUID
    stage: Stage
    display_name: str
    roles: tuple[str, ...]
    stores: tuple[str, ...] | None
    seen_at: datetime
    stale: bool
    second_step: bool


class SessionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line in the list of somebody's sessions."""

    session_no: int
    made_at: datetime
    seen_at: datetime
    agent: str


def add_session(connection: Connection, account: UUID, sha256: bytes, *, stage: Stage, agent: str) -> None:
    """Begin a session; old ones of everybody are swept by the way."""
    connection.execute(
        "insert into account_session (session_sha256, account_id, stage, agent, ends_at)"
        " values (%s, %s, %s, %s, clock_timestamp() + %s)",
        [sha256, account, stage, agent, MOST if stage == "full" else STAGE_FOR],
    )
    connection.execute(
        "delete from account_session where ends_at < now() or session_sha256 in (select session_sha256"
        " from account_session where account_id = %s order by made_at desc offset %s)",
        [account, SESSIONS_EACH],
    )


def find_session(connection: Connection, sha256: bytes) -> SessionRow | None:
    """Return the session that a digest stands for; None if it ended, or its account may not log in any more."""
    row = connection.execute(
        "select session_no, account_id, stage, display_name, roles, stores, seen_at,"
        "       seen_at < clock_timestamp() - make_interval(secs => %s), num_nonnulls(totp_secret, subject) > 0"
        "  from account_session join account using (account_id)"
        " where session_sha256 = %s and ends_at > clock_timestamp() and seen_at > clock_timestamp() - %s"
        "   and disabled_at is null",
        [SEEN_EVERY_S, sha256, IDLE],
    ).fetchone()
    if row is None:
        return None
    return SessionRow(
        session_no=row[0],
        account_id=row[1],
        stage=row[2],
        display_name=row[3],
        roles=tuple(row[4]),
        stores=tuple(row[5]) if row[5] is not None else None,
        seen_at=row[6],
        stale=row[7],
        second_step=row[8],
    )


def mark_seen(connection: Connection, sha256: bytes) -> None:
    """Say that a session was used now."""
    connection.execute("update account_session set seen_at = clock_timestamp() where session_sha256 = %s", [sha256])


def sessions(connection: Connection, account: UUID) -> list[SessionLine]:
    """Return somebody's sessions, the one used last first."""
    rows = connection.execute(
        "select session_no, made_at, seen_at, agent from account_session where account_id = %s and stage = 'full'"
        " and ends_at > clock_timestamp() and seen_at > clock_timestamp() - %s order by seen_at desc",
        [account, IDLE],
    ).fetchall()
    return [SessionLine(session_no=row[0], made_at=row[1], seen_at=row[2], agent=row[3]) for row in rows]


def end_session(connection: Connection, account: UUID, session_no: int) -> bool:
    """End one session of somebody; False if it is none of theirs."""
    ended = connection.execute(
        "delete from account_session where account_id = %s and session_no = %s", [account, session_no]
    )
    return ended.rowcount == 1
