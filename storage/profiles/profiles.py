"""Profiles of customers who consented; without a consent that holds there is no row.

Writing one (profile, consent, devices) lives here too; devices never leave this room.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec
from psycopg import errors, sql

from core.errors import InputError
from core.limits import PSEUDONYM_BYTES
from storage.access.acting import bound_to_stores
from storage.audit.seen import AboutPerson
from storage.connect import Connection
from storage.page_cursors import read_cursor, write_cursor

PURPOSE: Final = "in_store_journey"
"""The consent that lets visits show on a profile; the view profile_device asks for the same one."""
PROFILES_PER_PAGE: Final = 200
"""Three screens of a list."""
SEARCH_CHARACTERS: Final = 100
"""The longest name anybody types into a search box."""
_TRIGRAM: Final = 3
"""Letters that the index of name parts needs; shorter parts are in so many names that a page comes by their order."""
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


class ProfileLine(AboutPerson, frozen=True, kw_only=True):
    """A line in the list of profiles; `store` and `zone` are names, set while a visit is in progress."""

    profile_id: UUID
    display_name: str
    loyalty_tier: str | None
    consented_at: datetime
    store: str | None
    zone: str | None
    arrived_at: datetime | None
    last_visit_at: datetime | None
    last_visit_store: str | None
    last_visit_timezone: str | None


class ProfilePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some profiles in the order of their names, and where to go on."""

    profiles: tuple[ProfileLine, ...]
    next_cursor: str | None


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


def profiles_page(connection: Connection, *, search: str = "", limit: int, cursor: str | None = None) -> ProfilePage:
    """Return the next profiles in the order of their names; `search` is a part of the name, in any case of letters.

    Raises
    ------
    InputError
        If the cursor does not fit, or the limit or the search is out of bounds.
    """
    if not 1 <= limit <= PROFILES_PER_PAGE:
        raise InputError(f"A page has 1 to {PROFILES_PER_PAGE} profiles, asked for {limit}.", where="limit")
    if len(search) > SEARCH_CHARACTERS:
        raise InputError(f"A search has at most {SEARCH_CHARACTERS} characters.", where="q")
    question = ("profiles", search)
    values: dict[str, Any] = {"purpose": PURPOSE, "limit": limit + 1}
    clauses: list[sql.Composable] = [sql.SQL("merged_into is null and removed_at is null")]
    if search:
        # like, for the index of trigrams: `profile_name_parts`
        clauses.append(sql.SQL("lower(profile.display_name) like '%%' || lower(%(search)s) || '%%'"))
        values["search"] = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    values["name"], values["id"] = (
        read_cursor(cursor, question, tuple[str, UUID]) if cursor is not None else ("", None)
    )
    if len(search) >= _TRIGRAM and bound_to_stores():
        # under the policies of own stores that index is out of reach: 0101_names_of_own_stores.sql
        clauses.append(
            sql.SQL(
                "profile.profile_id in (select own_profiles_named(%(search)s, %(purpose)s,"
                " case when %(id)s::uuid is not null then %(name)s end, %(id)s::uuid, %(limit)s))"
            )
        )
    if cursor is not None:
        clauses.append(sql.SQL("(lower(profile.display_name), profile.profile_id) > (lower(%(name)s), %(id)s)"))
    # first the page by the index on names, then what is known of those few; the limit of 1 keeps the planner from
    # joining the whole ledger
    query = sql.SQL(
        "with page as (select profile.profile_id, profile.display_name, profile.loyalty_tier, consent.occurred_at"
        "  from profile cross join lateral (select occurred_at from consent_current"
        "   where profile_id = profile.profile_id and purpose = %(purpose)s and holds limit 1) consent"
        " where {} order by lower(profile.display_name), profile.profile_id limit %(limit)s)"
        "select page.profile_id, page.display_name, page.loyalty_tier, page.occurred_at,"
        "       here.store, here.zone, here.arrived_at, last.entered_at, last.store, last.timezone"
        "  from page"
        "  left join lateral (select store.name as store, zone.name as zone, presence.arrived_at"
        "   from profile_device link join presence using (device) join store using (store_no)"
        "   join zone using (store_no, zone_no)"
        "  where link.profile_id = page.profile_id"
        "    and presence.arrived_at >= link.valid_from and presence.arrived_at < link.valid_to"
        "  order by presence.last_signal_at desc limit 1) here on true"
        "  left join lateral (select visit.entered_at, store.name as store, store.timezone"
        "   from profile_device link cross join lateral (select entered_at, store_no from store_visit"
        "     where device = link.device and not withdrawn"
        "     and entered_at >= link.valid_from and entered_at < link.valid_to"
        "     order by entered_at desc limit 1) visit join store using (store_no)"
        "  where link.profile_id = page.profile_id order by visit.entered_at desc limit 1) last on true"
        " order by lower(page.display_name), page.profile_id"
    ).format(sql.SQL(" and ").join(clauses))
    rows = connection.execute(query, values).fetchall()
    found = [
        ProfileLine(
            profile_id=row[0],
            display_name=row[1],
            loyalty_tier=row[2],
            consented_at=row[3],
            store=row[4],
            zone=row[5],
            arrived_at=row[6],
            last_visit_at=row[7],
            last_visit_store=row[8],
            last_visit_timezone=row[9],
        )
        for row in rows[:limit]
    ]
    place = (found[-1].display_name, found[-1].profile_id) if len(rows) > limit else None
    return ProfilePage(
        profiles=tuple(found), next_cursor=write_cursor(place, question) if place is not None else None
    )


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
