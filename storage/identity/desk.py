"""What a person decides about identities: cases, links and blocked devices; each decision can be taken back."""

from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec
from psycopg import errors, sql

from core.errors import InputError
from storage.audit.seen import AboutPerson
from storage.connect import Connection
from storage.memory.messages import lock_messages
from storage.profiles.profiles import PURPOSE

ROWS_SHOWN: Final = 100
"""What one person looks through at a desk; the next come when these are decided."""
BlockReason: TypeAlias = Literal["kiosk", "staff", "shared"]
LinkChange: TypeAlias = Literal["end", "undo", "redo"]


class DeskConflictError(InputError):
    """A decision contradicts what stands there; nothing was changed."""


class CaseProfile(AboutPerson, frozen=True, kw_only=True):
    """One of the profiles of a case, with what tells people apart; identifiers by kind and their values."""

    profile_id: UUID
    display_name: str
    loyalty_tier: str | None
    created_at: datetime
    identifiers: dict[str, list[str]]


class CaseRow(msgspec.Struct, frozen=True, kw_only=True):
    """A question whether profiles are one person; `kinds` came together at `source`."""

    case_no: int
    source: str
    kinds: list[str]
    opened_at: datetime
    status: str
    decided_at: datetime | None
    decided_by: str | None
    profiles: tuple[CaseProfile, ...]


class LinkRow(msgspec.Struct, frozen=True, kw_only=True):
    """A link of a device, which itself is never shown; `blocked` says why it is not followed."""

    link_no: int
    valid_from: datetime
    valid_to: datetime | None
    undone_at: datetime | None
    changed_because: str | None
    blocked: str | None


class BlockedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A device that is nobody in particular."""

    block_no: int
    because: str
    blocked_at: datetime


def cases_page(connection: Connection) -> list[CaseRow]:
    """Return open cases, oldest first, then the newest decided ones; only where every profile's consent holds."""
    rows = connection.execute(
        "select case_no, source, identifiers, opened_at, status, decided_at, decided_by, profiles from identity_case"
        " where undone_at is null and (select bool_and(consent_holds(one, %s)) from unnest(profiles) one)"
        " order by status <> 'open', case when status = 'open' then case_no else -case_no end limit %s",
        [PURPOSE, ROWS_SHOWN],
    ).fetchall()
    shown = _case_profiles(connection, [profile for row in rows for profile in row[7]])
    return [
        CaseRow(
            case_no=row[0],
            source=row[1],
            kinds=row[2],
            opened_at=row[3],
            status=row[4],
            decided_at=row[5],
            decided_by=row[6],
            profiles=tuple(shown[profile] for profile in row[7] if profile in shown),
        )
        for row in rows
    ]


def decide_case(connection: Connection, case_no: int, *, keep: UUID | None, by: str) -> bool:
    """Say that the profiles of a case are one person and `keep` stands for them, or, with None, that they are not.

    Returns
    -------
    bool
        False if there is no such case to be seen.

    Raises
    ------
    DeskConflictError
        If it was decided otherwise, `keep` is not one of them, or one of them stands for others already.
    """
    row = connection.execute(
        "select profiles, status from identity_case where case_no = %s and undone_at is null"
        " and (select bool_and(consent_holds(one, %s)) from unnest(profiles) one) for update",
        [case_no, PURPOSE],
    ).fetchone()
    if row is None:
        return False
    profiles, status = row
    decision = "different" if keep is None else "same"
    if status not in ("open", decision):
        raise DeskConflictError(f"Case {case_no} was decided as {status!r} already.", hint="Undo that first.")
    if keep is not None:
        _merge(connection, profiles, keep)
    connection.execute(
        "update identity_case set status = %s, decided_at = clock_timestamp(), decided_by = %s where case_no = %s",
        [decision, by, case_no],
    )
    return True


def undo_case(connection: Connection, case_no: int) -> bool:
    """Take a decision back: merged profiles are apart again, with what belonged to each; False if there is none."""
    row = connection.execute(
        "update identity_case set undone_at = clock_timestamp()"
        " where case_no = %s and undone_at is null and status <> 'open' returning profiles, status",
        [case_no],
    ).fetchone()
    if row is None:
        return False
    if row[1] == "same":
        connection.execute("update profile set merged_into = null where profile_id = any(%s)", [row[0]])
    return True


def profile_links(connection: Connection, profile: UUID) -> list[LinkRow]:
    """Return the links of a person's devices, newest first, those taken back too."""
    rows = connection.execute(
        "select link.link_no, link.valid_from, link.valid_to, link.undone_at, link.changed_because,"
        "  (select because from blocked_device blocked where blocked.device = link.device and lifted_at is null)"
        "  from person join device_link link using (profile_id) where person.kept_id = %s"
        " order by link.valid_from desc, link.link_no desc limit %s",
        [profile, ROWS_SHOWN],
    ).fetchall()
    return [
        LinkRow(
            link_no=row[0],
            valid_from=row[1],
            valid_to=row[2],
            undone_at=row[3],
            changed_because=row[4],
            blocked=row[5],
        )
        for row in rows
    ]


_LINK_CHANGES: Final[dict[LinkChange, tuple[sql.SQL, sql.SQL]]] = {
    "end": (
        sql.SQL("valid_to = greatest(clock_timestamp(), valid_from + interval '1 microsecond')"),
        sql.SQL("valid_to is null and undone_at is null"),
    ),
    "undo": (sql.SQL("undone_at = clock_timestamp()"), sql.SQL("undone_at is null")),
    "redo": (sql.SQL("undone_at = null"), sql.SQL("undone_at is not null")),
}
"""End: it held until now. Undo: it never was true. Redo takes an undo back."""


def change_link(connection: Connection, profile: UUID, link_no: int, change: LinkChange, *, because: str) -> bool:
    """Change a link of a profile; False if it has no such link, or none that can be changed so.

    Raises
    ------
    DeskConflictError
        If the device belongs to somebody else at that time by now.
    """
    what, where = _LINK_CHANGES[change]
    statement = sql.SQL(
        "update device_link set {}, changed_because = %(because)s where {} and link_no = %(link)s"
        " and profile_id in (select profile_id from person where kept_id = %(profile)s)"
    ).format(what, where)
    try:
        with connection.transaction():
            changed = connection.execute(statement, {"because": because, "link": link_no, "profile": profile})
    except errors.ExclusionViolation as error:
        raise DeskConflictError(
            "The device is linked to another profile for that time.", hint="End or undo that link first."
        ) from error
    return changed.rowcount == 1


def block_device(connection: Connection, profile: UUID, link_no: int, because: BlockReason) -> bool:
    """Block the device of a link: whatever links it has, it is joined to nobody; False without the link."""
    row = connection.execute(
        "select device from device_link where link_no = %s"
        " and profile_id in (select profile_id from person where kept_id = %s)",
        [link_no, profile],
    ).fetchone()
    if row is None:
        return False
    connection.execute(
        "insert into blocked_device (device, because) values (%s, %s) on conflict (device) where lifted_at is null"
        " do update set because = excluded.because",
        [row[0], because],
    )
    return True


def lift_block(connection: Connection, block_no: int) -> bool:
    """Let the links of a blocked device be followed again; False if it is not blocked."""
    lifted = connection.execute(
        "update blocked_device set lifted_at = clock_timestamp() where block_no = %s and lifted_at is null",
        [block_no],
    )
    return lifted.rowcount == 1


def blocked_devices(connection: Connection) -> list[BlockedRow]:
    """Return the devices that are blocked now, newest first."""
    rows = connection.execute(
        "select block_no, because, blocked_at from blocked_device where lifted_at is null"
        " order by block_no desc limit %s",
        [ROWS_SHOWN],
    ).fetchall()
    return [BlockedRow(block_no=row[0], because=row[1], blocked_at=row[2]) for row in rows]


def _merge(connection: Connection, profiles: list[UUID], keep: UUID) -> None:
    if keep not in profiles:
        raise DeskConflictError("The profile to keep is not one of this case.", hint="Choose one of its profiles.")
    others = [profile for profile in profiles if profile != keep]
    lock_messages(connection, *profiles)  # one that is being made counts for all of them from now on
    busy = connection.execute(
        "select exists (select from profile where (profile_id = any(%(others)s) or profile_id = %(keep)s)"
        "   and merged_into is distinct from %(keep)s and merged_into is not null)"
        " or exists (select from profile where merged_into = any(%(others)s))",
        {"others": others, "keep": keep},
    ).fetchone()
    if busy != (False,):
        raise DeskConflictError(
            "One of these profiles is merged with others already.",
            hint="Keep the one that stands for others, or undo that case first.",
        )
    connection.execute("update profile set merged_into = %s where profile_id = any(%s)", [keep, others])


def _case_profiles(connection: Connection, profiles: list[UUID]) -> dict[UUID, CaseProfile]:
    rows: list[tuple[Any, ...]] = connection.execute(
        "select profile_id, display_name, loyalty_tier, created_at,"
        "  coalesce((select jsonb_object_agg(kind, found) from (select kind, jsonb_agg(value order by value) as found"
        "    from profile_identifier held where held.profile_id = profile.profile_id and ended_at is null"
        "    group by kind) kinds), '{}')"
        "  from profile where profile_id = any(%s)",
        [profiles],
    ).fetchall()
    return {
        row[0]: CaseProfile(
            profile_id=row[0], display_name=row[1], loyalty_tier=row[2], created_at=row[3], identifiers=row[4]
        )
        for row in rows
    }
