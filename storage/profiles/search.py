"""Profiles by a part of their name or an identifier, page by page; only those whose consent holds.

Who is looked for is found in two steps. Names are compared in the process's own right, which gives ids alone: for
somebody bound to stores the database would else have to judge each profile before it may look at its name, and no
index of names would help. What is known of those few is then read in the role of whoever asks, which finds no profile
that it may not see.
"""

from contextlib import suppress
from datetime import datetime
from typing import Any, Final, LiteralString, TypeAlias
from uuid import UUID

import msgspec
from psycopg import sql

from core.errors import InputError
from core.resolution import KINDS, Identifier, identifier
from storage.access.acting import in_own_right, is_bound
from storage.audit.seen import AboutPerson
from storage.connect import Connection
from storage.page_cursors import read_cursor, write_cursor
from storage.profiles.profiles import PURPOSE
from storage.visit_queries import WHILE_LINKED

PROFILES_PER_PAGE: Final = 200
"""Three screens of a list."""
SEARCH_CHARACTERS: Final = 100
"""The longest name anybody types into a search box."""
_SHORT_CHARACTERS: Final = 2
"""So few letters are first looked for where words begin: no index holds less than three, and few mean a middle."""
_MORE_AT_ONCE: Final = 4
"""Where many of those found may not be seen, the next look takes so many times as many."""
_LOOKED_AT: Final = 20_000
"""Names of one page at most; what is left comes with the next one."""

_Place: TypeAlias = tuple[int, str, UUID]
"""Rank of the way a name was found, the name as it is sorted, the profile."""


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


_HELD: Final[LiteralString] = (
    "profile_id in (select person.kept_id from unnest(%(kinds)s::text[], %(values)s::text[]) asked (kind, value)"
    " join profile_identifier held using (kind, value) join person using (profile_id) where held.ended_at is null"
    " and consent_holds(person.profile_id, %(purpose)s))"
)
"""A customer number, card, e-mail address or telephone number as a whole: nobody is found by a part of one."""
_EVERYBODY: Final[tuple[LiteralString, ...]] = ("true",)
_BEGINS: Final[LiteralString] = "lower(display_name) like lower(%(search)s) || '%%'"
_WORD: Final[LiteralString] = "lower(display_name) like '%% ' || lower(%(search)s) || '%%'"
_WORD_BEGINS: Final[LiteralString] = _WORD + " and not " + _BEGINS
_HOLDS_AT_ALL: Final[LiteralString] = "lower(display_name) like '%%' || lower(%(search)s) || '%%'"
_HOLDS: Final[LiteralString] = _HOLDS_AT_ALL + " and not " + _BEGINS
_WAYS: Final[tuple[LiteralString, ...]] = (_HELD, _BEGINS, _HOLDS)
_WAYS_OF_FEW: Final[tuple[LiteralString, ...]] = (_HELD, _BEGINS, _WORD_BEGINS, _HOLDS + " and not " + _WORD)
_WORDS: Final = 5
"""Given names and family names; more is a sentence."""
_ONCE: Final[LiteralString] = " and not " + _HELD
"""Who is found by an identifier is not found by the name again."""
_NAMED: Final[LiteralString] = (
    "select lower(display_name), profile_id from profile where merged_into is null and removed_at is null"
)
_OWN: Final[LiteralString] = (
    " and exists (select from profile_store known where known.profile_id = profile.profile_id"
    " and known.store_no = any((select own_store_nos())::integer[]))"
)
# first the page by the index on names, then what is known of those few; the limit of 1 keeps the planner from joining
# the whole ledger
_LINES: Final = (
    "with page as (select profile.profile_id, profile.display_name, profile.loyalty_tier, consent.occurred_at"  # noqa: S608 - constants
    "  from profile cross join lateral (select occurred_at from consent_current"
    "   where profile_id = profile.profile_id and purpose = %(purpose)s and holds limit 1) consent"
    " where profile.profile_id = any(%(profiles)s) and merged_into is null and removed_at is null),"
    # the links of each one once, whatever the planner expects: it has gone through everybody present for each line
    " link as materialized (select page.profile_id, held.device, held.valid_from, held.valid_to"
    "  from page cross join lateral (select * from profile_device where profile_device.profile_id = page.profile_id"
    "   offset 0) held)"
    "select page.profile_id, page.display_name, page.loyalty_tier, page.occurred_at,"
    "       here.store, here.zone, here.arrived_at, last.entered_at, last.store, last.timezone"
    "  from page"
    "  left join lateral (select store.name as store, zone.name as zone, presence.arrived_at"
    "   from link cross join lateral (select * from presence where presence.device = link.device offset 0) presence"
    "   join store using (store_no) join zone using (store_no, zone_no)"
    "  where link.profile_id = page.profile_id"
    "    and presence.arrived_at >= link.valid_from and presence.arrived_at < link.valid_to"
    "  order by presence.last_signal_at desc limit 1) here on true"
    "  left join lateral (select visit.entered_at, store.name as store, store.timezone"
    "   from link cross join lateral (select entered_at, store_no from store_visit"
    f"     where device = link.device and not withdrawn and {WHILE_LINKED}"
    "     order by entered_at desc limit 1) visit join store using (store_no)"
    "  where link.profile_id = page.profile_id order by visit.entered_at desc limit 1) last on true"
)


def profiles_page(connection: Connection, *, search: str = "", limit: int, cursor: str | None = None) -> ProfilePage:
    """Return the next profiles; `search` is a part of the name, in any case of letters, or a whole identifier.

    Whose identifier it is comes first, then names that begin with it, then those that hold it elsewhere (of one or
    two letters first those of which a word begins so), then those that hold each of its words in another order. A
    page may have fewer than `limit` and yet another one after it.

    Raises
    ------
    InputError
        If the cursor does not fit, or the limit or the search is out of bounds.
    """
    if not 1 <= limit <= PROFILES_PER_PAGE:
        raise InputError(f"A page has 1 to {PROFILES_PER_PAGE} profiles, asked for {limit}.", where="limit")
    if len(search) > SEARCH_CHARACTERS:
        raise InputError(f"A search has at most {SEARCH_CHARACTERS} characters.", where="q")
    search = " ".join(search.split())
    question = ("profiles", search)
    place = read_cursor(cursor, question, tuple[int, str, UUID]) if cursor is not None else None
    found: list[tuple[_Place, tuple[Any, ...]]] = []
    looked, most, more = 0, limit + 1, True
    while more and len(found) <= limit and looked < _LOOKED_AT:
        named = _named(connection, search, place, most)
        lines = _lines(connection, [profile for _, _, profile in named])
        found += [(one, lines[one[2]]) for one in named if one[2] in lines]
        looked, more = looked + len(named), len(named) == most
        place = named[-1] if named else place
        most = min(most * _MORE_AT_ONCE, _LOOKED_AT - looked)
    if len(found) > limit:
        place, more = found[limit - 1][0], True
    return ProfilePage(
        profiles=tuple(
            ProfileLine(**dict(zip(ProfileLine.__struct_fields__, row, strict=True))) for _, row in found[:limit]
        ),
        next_cursor=write_cursor(place, question) if more else None,
    )


def _named(connection: Connection, search: str, after: _Place | None, most: int) -> list[_Place]:
    """Return the next names that fit, whoever may see them; for somebody bound to stores, those known there."""
    ways = _WAYS if len(search) > _SHORT_CHARACTERS else _WAYS_OF_FEW if search else _EVERYBODY
    words = _as_written(search).split()
    if 1 < len(words) <= _WORDS:
        ways = (*ways, f"{_each(len(words))} and not {_HOLDS_AT_ALL}")
    own: LiteralString = _OWN if is_bound() else ""
    asked = _identifiers(search)
    values: dict[str, Any] = {"kinds": [one.kind for one in asked], "values": [one.value for one in asked]}
    values |= {"purpose": PURPOSE, "search": _as_written(search)}
    values |= {f"word{number}": word for number, word in enumerate(words)}
    found: list[_Place] = []
    with in_own_right(connection):
        for rank, way in enumerate(ways):
            if (after is not None and rank < after[0]) or len(found) == most or (way is _HELD and not asked):
                continue
            query: LiteralString = f"{_NAMED} and {way}{own}"
            if asked and way is not _HELD:
                query += _ONCE
            if after is not None and rank == after[0]:
                query += " and (lower(display_name), profile_id) > (%(name)s, %(id)s)"
                values |= {"name": after[1], "id": after[2]}
            query += " order by lower(display_name), profile_id limit %(most)s"
            # never prepared: the plan depends on the letters, and one for all of them would read every name
            rows = connection.execute(query, values | {"most": most - len(found)}, prepare=False).fetchall()
            found += [(rank, *row) for row in rows]
    return found


def _as_written(search: str) -> str:
    """Return a search as a pattern that means its own letters."""
    return search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _each(words: int) -> LiteralString:
    """Return SQL for a name that holds each of so many words."""
    return " and ".join(f"lower(display_name) like '%%' || lower(%(word{word})s) || '%%'" for word in range(words))


def _identifiers(search: str) -> list[Identifier]:
    """Return what a search would be as an identifier of each kind that it can be of."""
    found = []
    for kind in KINDS:
        with suppress(InputError):
            found.append(identifier(kind, search))
    return found


def _lines(connection: Connection, profiles: list[UUID]) -> dict[UUID, tuple[Any, ...]]:
    """Return what is known of those of some profiles that may be seen and whose consent holds, by profile."""
    if not profiles:
        return {}
    rows = connection.execute(sql.SQL(_LINES), {"purpose": PURPOSE, "profiles": profiles}).fetchall()
    return {row[0]: row for row in rows}
