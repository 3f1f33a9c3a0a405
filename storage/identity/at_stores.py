"""What somebody who is bound to stores tells of a customer, whom these may not know; docs/access.md has the rules.

A program that only sends (role edge) is believed: its stores come to know whom it tells of. It is answered the same
whoever she is. Whoever reads customers as well (crm) is told all of those whom their stores know. What they tell of
anybody else is kept, is answered the same whether she is a customer or not, and lets no store know her.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from core.errors import InputError
from core.resolution import Identifier
from storage.access.acting import in_own_right, own_stores, sends_blindly
from storage.connect import Connection
from storage.identity.links import Conflict, GivenProfile, Identified, identify
from storage.privacy.suppression import Guard

_NOT_ADDED: Final = "Whoever reads customers of some stores alone adds none that these do not know."


def take_in(connection: Connection, given: GivenProfile, guard: Guard | None = None) -> Identified:
    """Write a customer who consented as `storage.identity.links.identify` does, for whoever is served."""
    stores = own_stores()
    if stores is None:
        return identify(connection, given, guard)
    if sends_blindly():
        with in_own_right(connection):
            found = _without_question(connection, given, guard)
            if found.profile_id is not None:
                _know(connection, found.profile_id, stores)
        return replace(found, told="whose", left_out=())
    known = [one for one in given.identifiers if is_known_here(connection, one)]
    with in_own_right(connection):
        if not known:
            return replace(_quietly(connection, given, guard), told="nothing")
        found = identify(connection, replace(given, identifiers=known), guard)
    added = tuple(Conflict(where=one.kind, what=_NOT_ADDED) for one in given.identifiers if one not in known)
    return replace(found, left_out=(*found.left_out, *added))


def is_known_here(connection: Connection, who: Identifier) -> bool:
    """Say whether whoever is served sees whose identifier this is."""
    row = connection.execute(
        "select from profile_identifier where kind = %s and value = %s and ended_at is null", [who.kind, who.value]
    ).fetchone()
    return row is not None


def _without_question(connection: Connection, given: GivenProfile, guard: Guard | None) -> Identified:
    """Write a customer; of several whom she may be, the one of the first identifier: no answer tells of them."""
    found = identify(connection, given, guard)
    if found.profile_id is None and found.case_no is not None:  # the desk is asked, as ever
        return identify(connection, replace(given, identifiers=given.identifiers[:1]), guard)
    return found


def _quietly(connection: Connection, given: GivenProfile, guard: Guard | None) -> Identified:
    """Write a new customer, or the consent alone of one whom other stores know: all else stays as it was.

    Devices are of neither: by the visits of one a store would come to know her, if she is new.
    """
    holders = connection.execute(
        "select distinct person.kept_id, kept.display_name from unnest(%s::text[], %s::text[]) asked (kind, value)"
        "  join profile_identifier held using (kind, value) join person using (profile_id)"
        "  join profile kept on kept.profile_id = person.kept_id where held.ended_at is null",
        [[one.kind for one in given.identifiers], [one.value for one in given.identifiers]],
    ).fetchall()
    given = replace(given, devices=())
    if len(holders) == 1:
        held = _held(connection, given.identifiers)
        given = replace(given, display_name=holders[0][1], loyalty_tier=None, identifiers=held)
    try:
        with connection.transaction():
            return identify(connection, given, guard)
    except InputError:  # a consent's key that names another word: it would tell whose
        return Identified(profile_id=None)


def _held(connection: Connection, identifiers: Sequence[Identifier]) -> list[Identifier]:
    return [one for one in identifiers if is_known_here(connection, one)]


def _know(connection: Connection, profile: UUID, stores: Sequence[str]) -> None:
    connection.execute("select know_profile(%s, store_no) from store where id = any(%s)", [profile, list(stores)])
