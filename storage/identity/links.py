"""Whose record an identifier means: finding, making and extending profiles, by the rules of core.resolution."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final, Literal
from uuid import UUID, uuid4

import msgspec
from psycopg.types.json import Jsonb

from core.errors import InputError
from core.limits import PSEUDONYM_BYTES
from core.resolution import IDENTIFIERS_TOGETHER, Identifier, Resolution, resolve
from storage.connect import Connection
from storage.identity.consents import ConsentWord, add_consent, newest_withdrawal
from storage.privacy.suppression import Guard
from storage.profiles.profiles import NAME_CHARACTERS, PURPOSE

_TAKEN_BACK: Final = (
    "The customer withdrew, or was erased, after this consent was given; only one that was given since counts."
)
"""The same of both: that somebody wished to be forgotten is nothing for other systems to find out."""
_FULL: Final = "The profile has as many of this kind as it may."
_LEFT_OUT: Final = {"other_profile": "Another profile has it; a person can say on the identity desk what holds."}
DEVICES_TOGETHER: Final = 10
"""Phone, watch, tag: more at once is not one person."""


class GivenProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A customer as another system tells of her, with the consent that she gave."""

    source: str
    display_name: str
    loyalty_tier: str | None
    identifiers: Sequence[Identifier]
    devices: Sequence[bytes]
    consent: ConsentWord


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Something that contradicts: a field and why."""

    where: str
    what: str


class Identified(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a given profile: `profile_id` is None where `conflicts` say why nothing was written.

    `changed` says whether anything is other than it was; `before` are name and tier of a profile that was there.
    `left_out` are identifiers that were passed over, `case_no` is the question that a person has to answer.
    `erased_by` are the fields by which somebody is known to have been erased: for the privacy desk alone. `told` is
    what of this is told on: all of it, whose record it is alone, or nothing (storage.identity.at_stores).
    """

    profile_id: UUID | None
    made: bool = False
    changed: bool = False
    before: tuple[str, str | None] | None = None
    left_out: tuple[Conflict, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    case_no: int | None = None
    erased_by: tuple[str, ...] = ()
    told: Literal["all", "whose", "nothing"] = "all"


def identify(connection: Connection, given: GivenProfile, guard: Guard | None = None) -> Identified:
    """Write a customer who consented: a new profile, or the one that her identifiers mean.

    Parameters
    ----------
    connection : Connection
        In a transaction, which is to be committed even where there are conflicts: the case is in it.
    given : GivenProfile
    guard : Guard, optional
        Knows who was erased; none is right only where nobody was.

    Raises
    ------
    InputError
        If a value is not possible.
    ConfigurationError
        If people were erased and the guard has not the key of their list.
    """
    _check(given)
    # one at a time: two that bring the same new identifier would both find nobody
    connection.execute("select pg_advisory_xact_lock(hashtextextended('identity', 0))")
    guarding = guard if guard is not None else Guard(None)
    erased = guarding.refused(connection, given.identifiers, given.devices, given.consent.occurred_at)
    if erased:
        taken_back = Conflict(where="consent", what=_TAKEN_BACK)
        return Identified(profile_id=None, conflicts=(taken_back,), erased_by=erased)
    found, unconsented = _resolve(connection, given.identifiers)
    profile = UUID(found.profile) if found.profile is not None else None
    comes_back = found.profile in unconsented
    case_no = _open_case(connection, given, found) if found.rivals and not comes_back else None
    if case_no is not None:
        said = f"Several profiles have these identifiers; a person has to say whether they are one (case {case_no})."
        kinds = sorted({one.identifier.kind for one in found.dropped})
        conflicts = tuple(Conflict(where=kind, what=said) for kind in kinds)
        return Identified(profile_id=None, conflicts=conflicts, case_no=case_no)
    taken = _devices_of_others(connection, given.devices, profile)
    withdrawn = newest_withdrawal(connection, profile, PURPOSE) if profile is not None else None
    if withdrawn is not None and withdrawn >= given.consent.occurred_at:
        taken = (Conflict(where="consent", what=_TAKEN_BACK), *taken)
    if taken:
        return Identified(profile_id=None, conflicts=taken)
    before = _name_and_tier(connection, profile) if profile is not None else None
    written, changed = _write(connection, given, found, profile)
    after = _name_and_tier(connection, written)
    if found.rivals and comes_back:  # only now that she consented again can a person see the case
        case_no = _open_case(connection, given, found)
    return Identified(
        profile_id=written,
        made=profile is None,
        changed=changed or before != after,
        before=before,
        left_out=tuple(
            Conflict(where=one.identifier.kind, what=_LEFT_OUT.get(one.because, _FULL)) for one in found.dropped
        ),
        case_no=case_no,
    )


def find_holder(connection: Connection, identifier: Identifier) -> UUID | None:
    """Return the profile that an identifier means; None for unknown, unconsented and erased alike."""
    row = connection.execute(
        "select person.kept_id from profile_identifier held join person using (profile_id)"
        " where held.kind = %s and held.value = %s and held.ended_at is null"
        "   and consent_holds(person.profile_id, %s) and consent_holds(person.kept_id, %s)",
        [identifier.kind, identifier.value, PURPOSE, PURPOSE],
    ).fetchone()
    return row[0] if row is not None else None


def find_person(connection: Connection, identifier: Identifier) -> UUID | None:
    """Return the profile that stands for the person an identifier means, while any consent of hers holds.

    None for unknown, unconsented and erased alike. A profile that was merged into hers may have expired or withdrawn
    for itself: whoever withdraws means all of them.
    """
    row = connection.execute(
        "select person.kept_id from profile_identifier held join person using (profile_id)"
        " where held.kind = %s and held.value = %s and held.ended_at is null"
        "   and exists (select from person one where one.kept_id = person.kept_id"
        "     and consent_holds(one.profile_id, %s))",
        [identifier.kind, identifier.value, PURPOSE],
    ).fetchone()
    return row[0] if row is not None else None


def _check(given: GivenProfile) -> None:
    if not 1 <= len(given.display_name.strip()) <= NAME_CHARACTERS:
        raise InputError(f"A display name has 1 to {NAME_CHARACTERS} characters.", where="display_name")
    if not 1 <= len(given.identifiers) <= IDENTIFIERS_TOGETHER:
        raise InputError(f"A profile comes with 1 to {IDENTIFIERS_TOGETHER} identifiers.", where="identifiers")
    if len(given.devices) > DEVICES_TOGETHER or any(len(device) != PSEUDONYM_BYTES for device in given.devices):
        raise InputError(
            f"There are at most {DEVICES_TOGETHER} devices, {PSEUDONYM_BYTES} bytes each.", where="devices"
        )
    if given.consent.purpose != PURPOSE or given.consent.status != "granted":
        raise InputError(f"A profile needs a grant for {PURPOSE}; without it nothing is kept.", where="consent")


def _resolve(connection: Connection, identifiers: Sequence[Identifier]) -> tuple[Resolution, frozenset[str]]:
    """Return whose identifiers these are, and which of their holders have no consent that holds."""
    rows = connection.execute(
        "select held.kind, held.value, person.kept_id from unnest(%s::text[], %s::text[]) asked (kind, value)"
        "  join profile_identifier held using (kind, value) join person using (profile_id)"
        " where held.ended_at is null",
        [[one.kind for one in identifiers], [one.value for one in identifiers]],
    ).fetchall()
    holders = {Identifier(kind, value): str(profile) for kind, value, profile in rows}
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for profile, kind, count in connection.execute(
        "select person.kept_id, held.kind, count(*) from person join profile_identifier held using (profile_id)"
        " where person.kept_id = any(%s) and held.ended_at is null group by 1, 2",
        [[UUID(profile) for profile in set(holders.values())]],
    ).fetchall():
        held[str(profile)][kind] = count
    unconsented = frozenset(
        str(row[0])
        for row in connection.execute(
            "select profile_id from unnest(%s::uuid[]) asked (profile_id) where not consent_holds(profile_id, %s)",
            [[UUID(profile) for profile in held], PURPOSE],
        ).fetchall()
    )
    return resolve(identifiers, holders, held, unconsented), unconsented


def _open_case(connection: Connection, given: GivenProfile, found: Resolution) -> int | None:
    """Return the case of these rivals; None if a person has said that they are different people."""
    profiles = [UUID(profile) for profile in found.rivals]
    kinds = sorted({one.kind for one in given.identifiers})
    connection.execute(
        "insert into identity_case (profiles, source, identifiers) values (%s, %s, %s)"
        " on conflict (profiles) where undone_at is null do nothing",
        [profiles, given.source, Jsonb(kinds)],
    )
    row = connection.execute(
        "select case_no, status from identity_case where profiles = %s and undone_at is null", [profiles]
    ).fetchone()
    if row is None:
        raise RuntimeError("A case that was opened is not there.")
    number: int = row[0]
    return number if row[1] != "different" else None


def _devices_of_others(
    connection: Connection, devices: Sequence[bytes], profile: UUID | None
) -> tuple[Conflict, ...]:
    asked = [UUID(bytes=bytes(device)) for device in devices]
    blocked = connection.execute(
        "select distinct because from blocked_device where device = any(%s) and lifted_at is null order by 1", [asked]
    ).fetchall()
    found = [Conflict(where="devices", what=f"A device is blocked as {row[0]}.") for row in blocked]
    linked = connection.execute(
        "select exists (select from device_link link join person using (profile_id)"
        " where link.device = any(%s) and link.undone_at is null and link.valid_to is null"
        " and person.kept_id is distinct from %s and consent_holds(person.kept_id, %s))",
        [asked, profile, PURPOSE],
    ).fetchone()
    if linked == (True,):
        found.append(Conflict(where="devices", what="A device is linked to another profile; end that link first."))
    return tuple(found)


def _name_and_tier(connection: Connection, profile: UUID) -> tuple[str, str | None] | None:
    row = connection.execute(
        "select display_name, loyalty_tier from profile where profile_id = %s", [profile]
    ).fetchone()
    return (row[0], row[1]) if row is not None else None


def _write(connection: Connection, given: GivenProfile, found: Resolution, profile: UUID | None) -> tuple[UUID, bool]:
    """Write a profile; return it, and whether an identifier, a word of consent or a link is new."""
    chosen = profile if profile is not None else uuid4()
    name, at = given.display_name.strip(), given.consent.occurred_at
    connection.execute(
        "insert into profile (profile_id, display_name, loyalty_tier, created_at) values (%s, %s, %s, %s)"
        " on conflict (profile_id) do update set display_name = excluded.display_name,"
        " loyalty_tier = coalesce(excluded.loyalty_tier, profile.loyalty_tier)",
        [chosen, name, given.loyalty_tier, at],
    )
    for one in found.add:
        # what is still held is held without consent; see core.resolution
        connection.execute(
            "update profile_identifier set ended_at = clock_timestamp()"
            " where kind = %s and value = %s and ended_at is null",
            [one.kind, one.value],
        )
        connection.execute(
            "insert into profile_identifier (profile_id, kind, value, source) values (%s, %s, %s, %s)",
            [chosen, one.kind, one.value, given.source],
        )
    changed = add_consent(connection, chosen, given.consent) or bool(found.add)
    for merged, word in _merged_words(connection, given, chosen):
        changed |= add_consent(connection, merged, word)
    _end_links_without_consent(connection, given.devices, chosen)
    for device in given.devices:
        linked = connection.execute(
            "insert into device_link (device, profile_id, valid_from) select %(device)s, %(profile)s,"
            " greatest(%(since)s::timestamptz, (select max(valid_to) from device_link where device = %(device)s"
            " and undone_at is null)) where not exists (select from device_link join person using (profile_id)"
            " where device = %(device)s and person.kept_id = %(profile)s and valid_to is null and undone_at is null)",
            {"device": UUID(bytes=bytes(device)), "profile": chosen, "since": at},
        )
        changed |= linked.rowcount == 1
    return chosen, changed


def _merged_words(connection: Connection, given: GivenProfile, kept: UUID) -> list[tuple[UUID, ConsentWord]]:
    """Return the consent as a word of each profile merged into `kept` that she named: she consented by it as well."""
    rows = connection.execute(
        "select distinct held.profile_id from unnest(%s::text[], %s::text[]) asked (kind, value)"
        "  join profile_identifier held using (kind, value) join person using (profile_id)"
        " where held.ended_at is null and person.kept_id = %s and held.profile_id <> %s order by 1",
        [[one.kind for one in given.identifiers], [one.value for one in given.identifiers], kept, kept],
    ).fetchall()
    key = given.consent.source_key
    return [
        (row[0], msgspec.structs.replace(given.consent, source_key=f"{key} {row[0]}" if key is not None else None))
        for row in rows
    ]


def _end_links_without_consent(connection: Connection, devices: Sequence[bytes], profile: UUID) -> None:
    """Let devices go from others whose consent does not hold: no page shows them, so nobody could end their links."""
    connection.execute(
        "update device_link link set valid_to = greatest(clock_timestamp(), valid_from + interval '1 microsecond'),"
        " changed_because = 'given to somebody else' from person where person.profile_id = link.profile_id"
        " and link.device = any(%s) and link.valid_to is null and link.undone_at is null"
        " and person.kept_id <> %s and not consent_holds(person.kept_id, %s)",
        [[UUID(bytes=bytes(device)) for device in devices], profile, PURPOSE],
    )
