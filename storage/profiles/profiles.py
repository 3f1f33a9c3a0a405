"""Profiles of customers who consented; without a consent that holds there is no row.

Writing one (profile, consent, devices) lives here too; devices never leave this room.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import msgspec
from psycopg import errors

from core.errors import InputError
from core.limits import PSEUDONYM_BYTES
from storage.audit.seen import AboutPerson
from storage.connect import Connection

PURPOSE: Final = "in_store_journey"
"""The consent that lets visits show on a profile; the view profile_device asks for the same one."""
NAME_CHARACTERS: Final = 200
"""The longest display name that is kept; keeps cursors short too."""


class ConsentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the consent ledger: who asked (`source`) with which text (`wording`)."""

    consent_no: int
    status: str
    source: str
    wording: str
    occurred_at: datetime
    expires_at: datetime | None
    recorded_at: datetime


class ProfileRow(AboutPerson, frozen=True, kw_only=True):
    """A customer who consented; `consent` is the event that holds now."""

    profile_id: UUID
    display_name: str
    loyalty_tier: str | None
    created_at: datetime
    consent: ConsentRow


def create_profile(
    connection: Connection,
    *,
    display_name: str,
    devices: Iterable[bytes],
    granted_at: datetime,
    loyalty_tier: str | None = None,
    source: str = "app",
    wording: str = "1",
    profile_id: UUID | None = None,
) -> UUID:
    """Write a profile, the consent it gave and the devices that are linked from then on, in one transaction.

    Parameters
    ----------
    connection : Connection
    display_name : str
        1..NAME_CHARACTERS characters.
    devices : iterable of bytes
        Stable pseudonyms, PSEUDONYM_BYTES bytes each.
    granted_at : datetime
        When the consent was given; the links hold from then on, without an end.
    loyalty_tier : str or None
    source, wording : str
        Where the consent was given, and the version of the text.
    profile_id : UUID or None
        To be used; a profile that has it already keeps its name and consent and only gets the devices that are new.

    Returns
    -------
    UUID
        Of the profile.

    Raises
    ------
    InputError
        If a device is linked to another profile or a value is not possible.
    """
    name = display_name.strip()
    if not 1 <= len(name) <= NAME_CHARACTERS:
        raise InputError(f"A display name has 1 to {NAME_CHARACTERS} characters.", where="display_name")
    linked = [_device(device) for device in devices]
    chosen = profile_id if profile_id is not None else uuid4()
    try:
        with connection.transaction():
            made = connection.execute(
                "insert into profile (profile_id, display_name, loyalty_tier, created_at) values (%s, %s, %s, %s)"
                " on conflict (profile_id) do nothing",
                [chosen, name, loyalty_tier, granted_at],
            ).rowcount
            if made:
                _insert_consent(connection, chosen, "granted", source=source, wording=wording, at=granted_at)
            for device in linked:
                connection.execute(
                    "insert into device_link (device, profile_id, valid_from)"
                    " select %(device)s, %(profile)s, %(since)s"
                    " where not exists (select from device_link where device = %(device)s"
                    " and profile_id = %(profile)s and valid_to is null and undone_at is null)",
                    {"device": device, "profile": chosen, "since": granted_at},
                )
    except (errors.ExclusionViolation, errors.UniqueViolation) as error:
        raise InputError(
            "A device is linked to another profile already.", hint="End that link first.", where="devices"
        ) from error
    return chosen


def withdraw_consent(connection: Connection, profile: UUID, *, source: str, wording: str, at: datetime) -> None:
    """Add the withdrawal to the ledger; from then on the profile and its visits are not found."""
    _insert_consent(connection, profile, "withdrawn", source=source, wording=wording, at=at)


def find_profile(connection: Connection, profile: UUID) -> ProfileRow | None:
    """Return a profile; None both for one that is unknown and for one without a consent that holds."""
    row = connection.execute(
        "select profile_id, display_name, loyalty_tier, created_at"
        " from profile join consent_current using (profile_id)"
        " where profile_id = %s and purpose = %s and holds and merged_into is null and removed_at is null",
        [profile, PURPOSE],
    ).fetchone()
    if row is None:
        return None
    ledger = consent_ledger(connection, profile)
    if not ledger or ledger[-1].status != "granted":  # withdrawn between the two questions
        return None
    return ProfileRow(
        profile_id=row[0], display_name=row[1], loyalty_tier=row[2], created_at=row[3], consent=ledger[-1]
    )


def consent_ledger(connection: Connection, profile: UUID) -> list[ConsentRow]:
    """Return what a profile said about this purpose, oldest first; empty unless its consent holds."""
    rows = connection.execute(
        "select event.consent_no, event.status, event.source, event.wording, event.occurred_at, event.expires_at,"
        "       event.recorded_at"
        "  from consent_event event join consent_current current using (profile_id, purpose)"
        " where event.profile_id = %s and event.purpose = %s and current.holds and event.occurred_at <= now()"
        " order by event.occurred_at, event.consent_no",
        [profile, PURPOSE],
    ).fetchall()
    return [
        ConsentRow(
            consent_no=row[0],
            status=row[1],
            source=row[2],
            wording=row[3],
            occurred_at=row[4],
            expires_at=row[5],
            recorded_at=row[6],
        )
        for row in rows
    ]


def _insert_consent(
    connection: Connection, profile: UUID, status: str, *, source: str, wording: str, at: datetime
) -> None:
    connection.execute(
        "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
        " values (%s, %s, %s, %s, %s, %s)",
        [profile, PURPOSE, status, source, wording, at],
    )


def _device(pseudonym: bytes) -> UUID:
    if len(pseudonym) != PSEUDONYM_BYTES:
        raise InputError(f"A pseudonym has {PSEUDONYM_BYTES} bytes, this one {len(pseudonym)}.", where="devices")
    return UUID(bytes=bytes(pseudonym))
