"""The ledger of consents: words are only ever added, and what holds is read from them."""

from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec

from core.errors import InputError
from storage.access.acting import in_own_right
from storage.connect import Connection
from storage.customer_days import keep_customer_days
from storage.profiles.profiles import PURPOSE

Status: TypeAlias = Literal["granted", "withdrawn"]


class ConsentWord(msgspec.Struct, frozen=True, kw_only=True):
    """One word on a purpose: who asked (`source`) with which text (`wording`); `source_key` makes it count once.

    A withdrawal without a wording is of that of the grant it ends.
    """

    purpose: str
    status: Status
    source: str
    wording: str
    occurred_at: datetime
    expires_at: datetime | None = None
    source_key: str | None = None


class LedgerRow(msgspec.Struct, frozen=True, kw_only=True):
    """A word of the ledger as it stands there; `recorded_at` is when it was heard of, `holds` whether it is valid.

    `profile_id` is whose it was when it was said: one that was merged since keeps its words. Of PURPOSE the newest
    word of each profile counts, for what is on that profile; of any other purpose the newest of the person.
    """

    consent_no: int
    profile_id: UUID
    purpose: str
    status: Status
    source: str
    wording: str
    occurred_at: datetime
    expires_at: datetime | None
    recorded_at: datetime
    holds: bool


def add_consent(connection: Connection, profile: UUID, word: ConsentWord) -> bool:
    """Add a word to the ledger; return whether it is new.

    A key that names another word already never costs a withdrawal: that is added without it.

    Raises
    ------
    InputError
        If it expires before it begins, or the key of a grant is that of somebody else's word or of a withdrawal.
    """
    if word.expires_at is not None and word.expires_at <= word.occurred_at:
        raise InputError("The consent expires before it begins.", where="expires_at")
    if word.status == "withdrawn" and word.purpose == PURPOSE:
        keep_customer_days(connection, [profile])
    if _insert(connection, profile, word):
        return True
    if word.source_key is None:
        return False
    if word.status == "withdrawn":
        return _insert(connection, profile, msgspec.structs.replace(word, source_key=None))
    row = connection.execute(
        "select profile_id = %s and purpose = %s and status = %s from consent_event"
        " where source = %s and source_key = %s",
        [profile, word.purpose, word.status, word.source, word.source_key],
    ).fetchone()
    if row == (False,):
        raise InputError(
            "The key of this consent names another word already.",
            hint="Give each word a key of its own, or none.",
            where="consent.key",
        )
    return False


def newest_withdrawal(connection: Connection, profile: UUID, purpose: str) -> datetime | None:
    """Return when a profile withdrew last, None if it never did."""
    row = connection.execute(
        "select max(occurred_at) from consent_event"
        " where profile_id = %s and purpose = %s and status = 'withdrawn' and occurred_at <= now()",
        [profile, purpose],
    ).fetchone()
    found: datetime | None = row[0] if row is not None else None
    return found


def _insert(connection: Connection, profile: UUID, word: ConsentWord) -> bool:
    added = connection.execute(
        # what is said again in the same words is no new word, with or without a key
        "insert into consent_event"
        " (profile_id, purpose, status, source, wording, occurred_at, expires_at, source_key)"
        " select %(profile)s, %(purpose)s, %(status)s, %(source)s, %(wording)s, %(occurred_at)s, %(expires_at)s,"
        " %(source_key)s where not exists (select from consent_event where profile_id = %(profile)s"
        " and purpose = %(purpose)s and status = %(status)s and source = %(source)s and wording = %(wording)s"
        " and occurred_at = %(occurred_at)s and expires_at is not distinct from %(expires_at)s)"
        " on conflict (source, source_key) where source_key is not null do nothing",
        msgspec.structs.asdict(word) | {"profile": profile},
    )
    return added.rowcount == 1


def withdraw_everywhere(connection: Connection, profile: UUID, word: ConsentWord) -> None:
    """Add a withdrawal to a profile and to those that were merged into it: a person withdraws, not a row.

    One that is dated ahead counts from now: whoever tells of it has heard it. It reaches profiles too that whoever
    takes it may not see, as staff of one store may not.
    """
    with in_own_right(connection):
        _withdraw(connection, profile, word)


def _withdraw(connection: Connection, profile: UUID, word: ConsentWord) -> None:
    said = connection.execute("select least(%s::timestamptz, now())", [word.occurred_at]).fetchone()
    if said is not None:
        word = msgspec.structs.replace(word, occurred_at=said[0])
    merged = connection.execute("select profile_id from person where kept_id = %s order by 1", [profile]).fetchall()
    for row in merged:
        key = word.source_key
        if key is not None and row[0] != profile:
            key = f"{key} {row[0]}"
        wording = word.wording or _granted_wording(connection, row[0], word.purpose)
        add_consent(connection, row[0], msgspec.structs.replace(word, source_key=key, wording=wording))


def _granted_wording(connection: Connection, profile: UUID, purpose: str) -> str:
    row = connection.execute(
        "select wording from consent_event where profile_id = %s and purpose = %s and status = 'granted'"
        " order by occurred_at desc, consent_no desc limit 1",
        [profile, purpose],
    ).fetchone()
    return row[0] if row is not None else ""


def full_ledger(connection: Connection, profile: UUID) -> list[LedgerRow]:
    """Return every word of a person on every purpose, newest first: of a profile and of those merged into it."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "select event.consent_no, event.purpose, event.status, event.source, event.wording, event.occurred_at,"
        "       event.expires_at, event.recorded_at,"
        "       event.status = 'granted' and event.occurred_at <= now()"
        "         and (event.expires_at is null or event.expires_at > now())"
        "         and row_number() over (partition by event.occurred_at <= now(), event.purpose,"
        "              case when event.purpose = %(of_each)s then event.profile_id end"
        "             order by event.occurred_at desc, event.consent_no desc) = 1,"
        "       event.profile_id from person join consent_event event using (profile_id)"
        " where person.kept_id = %(profile)s order by event.occurred_at desc, event.consent_no desc",
        {"profile": profile, "of_each": PURPOSE},
    ).fetchall()
    return [
        LedgerRow(
            consent_no=row[0],
            purpose=row[1],
            status=row[2],
            source=row[3],
            wording=row[4],
            occurred_at=row[5],
            expires_at=row[6],
            recorded_at=row[7],
            holds=row[8],
            profile_id=row[9],
        )
        for row in rows
    ]
