"""Installations of customers who consented: issued, known by their token, revoked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from core.errors import InputError
from storage.audit.seen import AboutPerson
from storage.connect import Connection
from storage.profiles.profiles import PURPOSE

INSTALLATIONS_MOST: Final = 10
"""Of one customer, revoked ones aside: as many as devices that come together."""
LISTED_MOST: Final = 200


class Installation(AboutPerson, frozen=True, kw_only=True):
    """An installation; `consented` is whether the consent of its profile holds now."""

    installation_id: UUID
    profile_id: UUID
    device: UUID
    issued_at: datetime
    revoked_at: datetime | None
    last_seen_at: datetime | None
    clock_skew_s: float | None
    battery_percent: int | None
    consented: bool


_COLUMNS: Final = (
    "installation_id, app_installation.profile_id, device, issued_at, revoked_at, last_seen_at, clock_skew_s,"
    " battery_percent, (consent_holds(person.profile_id, %(purpose)s) and consent_holds(person.kept_id, %(purpose)s)"
    " and not exists (select from blocked_device blocked where blocked.device = app_installation.device"
    " and blocked.lifted_at is null))"
    " from app_installation join person using (profile_id)"
)


def issue(connection: Connection, profile: UUID, token_sha256: bytes) -> Installation | None:
    """Write an installation and link its device to the profile; None without a consent that holds.

    Raises
    ------
    InputError
        If the customer has INSTALLATIONS_MOST of them.
    """
    known = connection.execute(
        "select consent_holds(person.profile_id, %(purpose)s) and consent_holds(person.kept_id, %(purpose)s)"
        " from person join profile using (profile_id) where profile_id = %(profile)s for update of profile",
        {"purpose": PURPOSE, "profile": profile},
    ).fetchone()
    if known != (True,):
        return None
    held = connection.execute(
        "select count(*) from app_installation where profile_id = %s and revoked_at is null", [profile]
    ).fetchone()
    if held is not None and held[0] >= INSTALLATIONS_MOST:
        raise InputError(
            f"The customer has {INSTALLATIONS_MOST} installations.", hint="Revoke those that are not used any more."
        )
    made = connection.execute(
        "with made as (insert into app_installation (profile_id, token_sha256) values (%(profile)s, %(token)s)"
        " returning installation_id, device, issued_at), linked as (insert into device_link"
        " (device, profile_id, valid_from) select device, %(profile)s, issued_at from made)"
        " select installation_id from made",
        {"profile": profile, "token": token_sha256},
    ).fetchone()
    if made is None:
        raise RuntimeError("The database returned no installation.")
    return _one(connection, "installation_id = %(value)s", made[0])


def by_token(connection: Connection, token_sha256: bytes) -> Installation | None:
    """Return the installation of a token, None if there is none or it is revoked."""
    return _one(connection, "token_sha256 = %(value)s and revoked_at is null", token_sha256)


def revoke(connection: Connection, installation: UUID) -> bool:
    """Take no more from an installation, and end the link of its device; False if there is none."""
    row = connection.execute(
        "update app_installation set revoked_at = coalesce(revoked_at, clock_timestamp()) where installation_id = %s"
        " returning device, revoked_at",
        [installation],
    ).fetchone()
    if row is None:
        return False
    connection.execute(
        "update device_link set valid_to = %s, changed_because = 'installation revoked'"
        " where device = %s and valid_to is null and undone_at is null and valid_from < %s",
        [row[1], row[0], row[1]],
    )
    return True


def installations_page(connection: Connection, profile: UUID | None) -> list[Installation]:
    """Return the newest installations, of one profile or all, with a consent that holds."""
    rows = connection.execute(
        f"select * from (select {_COLUMNS}) as listed (a, profile, c, d, e, f, g, h, consented)"  # noqa: S608
        " where consented and (%(profile)s::uuid is null or profile = %(profile)s) order by d desc limit %(most)s",
        {"purpose": PURPOSE, "profile": profile, "most": LISTED_MOST},
    ).fetchall()
    return [_read(row) for row in rows]


def note_seen(
    connection: Connection, installation: UUID, at: datetime, *, skew_s: float | None, battery_percent: int | None
) -> None:
    """Note a sign of life; what the phone did not say stays as it was."""
    connection.execute(
        "update app_installation set last_seen_at = greatest(last_seen_at, %s),"
        " clock_skew_s = coalesce(%s, clock_skew_s), battery_percent = coalesce(%s, battery_percent)"
        " where installation_id = %s",
        [at, skew_s, battery_percent, installation],
    )


def save_screens(
    connection: Connection, found: Installation, screens: Sequence[tuple[str, str, datetime, str, dict[str, Any]]]
) -> int:
    """Write events of screens (key, kind, time, store, detail) as the customer's; return how many were new."""
    new = 0
    for key, kind, at, store, detail in screens:
        new += connection.execute(
            "insert into customer_event (event_id, revision, profile_id, kind, source, source_key, occurred_at,"
            " store_no, detail) select gen_random_uuid(), 0, %s, %s, 'app', %s, %s,"
            " (select store_no from store where id = %s), %s"
            " where not exists (select from customer_event where newest and source = 'app' and kind = %s"
            " and source_key = %s)",
            [found.profile_id, kind, key, at, store, Jsonb(detail), kind, key],
        ).rowcount
    return new


def _one(connection: Connection, where: str, value: UUID | bytes) -> Installation | None:
    row = connection.execute(
        f"select {_COLUMNS} where {where}",
        {"purpose": PURPOSE, "value": value},
    ).fetchone()
    return None if row is None else _read(row)


def _read(row: tuple[Any, ...]) -> Installation:
    names = Installation.__struct_fields__
    return Installation(**dict(zip(names, row, strict=True)))
