"""Keys of programs: kept as a digest, with an end, with roles and stores as their scopes.

A key is 256 random bits, so SHA-256 is enough to keep it by: a slow hash makes guessing passwords slow, and nobody
guesses 256 bits; it would only make every request of a program cost what a login costs.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from core.errors import InputError
from storage.connect import Connection

KEYS_SHOWN: Final = 500
"""More programs than a house has."""
LONGEST: Final = timedelta(days=366)
"""A key that nobody renews for a year belongs to a program that nobody looks after."""
OVERLAP: Final = timedelta(hours=24)
"""As long as old and new key both hold, so that a program is changed over without a gap."""
NAME_CHARACTERS: Final = 80
USED_EVERY_S: Final = 60
"""When a key was used is written once a minute."""


_OWNER_IN: Final = "owner.disabled_at is null and cardinality(owner.roles) > 0"
"""Who has no role may not log in either: the identity provider has let them go."""
_HAS: Final = "key.owner_id is null or one = 'edge' or one = any(owner.roles)"
"""A key does for a person what she may do herself; `edge` is of programs alone, nobody has it to lose."""
_ROLES: Final = f"array(select one from unnest(key.roles) one where {_HAS})"  # noqa: S608 - constants
_LOST: Final = f"array(select one from unnest(key.roles) one where not ({_HAS}))"  # noqa: S608 - constants
_STORES: Final = (
    "case when owner.stores is null then key.stores when key.stores is null then owner.stores"
    " else array(select one from unnest(key.stores) one where one = any(owner.stores)) end"
)


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A key, without the key; `owner` is the person whom it works for, `owner_out` whether they are shut out.

    They are by us, or by an identity provider that has no group for them any more.
    `in_time` is whether it is neither revoked nor over; it holds if its owner is not shut out either. `roles` and
    `stores` are what was given to it and its owner still has; `lost` are roles that the owner has no more, and
    `given_stores` what it has once its owner has all of it.
    """

    key_no: int
    prefix: str
    name: str
    roles: tuple[str, ...]
    stores: tuple[str, ...] | None
    lost: tuple[str, ...]
    given_stores: tuple[str, ...] | None
    made_at: datetime
    made_by: str
    owner_id: UUID | None
    owner: str | None
    owner_out: bool
    ends_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: int | None
    in_time: bool
    stale: bool

    @property
    def holds(self) -> bool:
        """Whether it lets anybody in."""
        return self.in_time and not self.owner_out


def add_key(
    connection: Connection,
    sha256: bytes,
    *,
    prefix: str,
    name: str,
    roles: Iterable[str],
    stores: Sequence[str] | None,
    made_by: str,
    holds_for: timedelta,
    owner: UUID | None = None,
) -> int:
    """Write a key and return its number; `owner` is the account of the person whom it works for.

    Raises
    ------
    InputError
        If it would hold longer than LONGEST, or a store or its owner is unknown.
    """
    if not timedelta(0) < holds_for <= LONGEST:
        raise InputError(f"A key holds for 1 to {LONGEST.days} days.", hint="Choose fewer days and rotate it.")
    for store in stores if stores is not None else ():
        if connection.execute("select from store where id = %s", [store]).fetchone() is None:
            raise InputError(f"There is no store {store[:64]!r}.", hint="Leave it out, or add its floor plan first.")
    held = connection.execute(
        f"select {_OWNER_IN} from account owner where account_id = %s",  # noqa: S608 - constants
        [owner],
    ).fetchone()
    if owner is not None and held != (True,):
        raise InputError("Nobody who may log in is that owner.", hint="Choose somebody of the page People.")
    row = connection.execute(
        "insert into api_key (key_sha256, prefix, name, roles, stores, made_by, ends_at, owner_id)"
        " values (%s, %s, %s, %s, %s, %s, clock_timestamp() + %s, %s) returning key_no",
        [
            sha256,
            prefix,
            name,
            sorted(set(roles)),
            sorted(stores) if stores is not None else None,
            made_by,
            holds_for,
            owner,
        ],
    ).fetchone()
    if row is None:
        raise RuntimeError("insert … returning always has a row")
    made: int = row[0]
    return made


def keys(connection: Connection) -> list[KeyRow]:
    """Return the keys: those that are not over first, then the newest; at most KEYS_SHOWN."""
    return _keys(connection, "true order by in_time desc, key_no desc limit %s", KEYS_SHOWN)


def find_key(connection: Connection, sha256: bytes) -> KeyRow | None:
    """Return the key that a digest stands for; None if there is none or it is over.

    One whose owner is shut out is returned and does not hold: its program is told why.
    """
    found = next(iter(_keys(connection, "key_sha256 = %s", sha256)), None)
    return found if found is not None and found.in_time else None


def key_of(connection: Connection, key_no: int) -> KeyRow | None:
    """Return a key by its number; None if there is none."""
    return next(iter(_keys(connection, "key_no = %s", key_no)), None)


def mark_used(connection: Connection, key_no: int) -> None:
    """Say that a key was used now."""
    connection.execute("update api_key set last_used_at = clock_timestamp() where key_no = %s", [key_no])


def revoke_key(connection: Connection, key_no: int) -> bool:
    """Let a key hold no longer; False if it does not hold."""
    changed = connection.execute(
        "update api_key set revoked_at = clock_timestamp()"
        " where key_no = %s and revoked_at is null and ends_at > clock_timestamp()",
        [key_no],
    )
    return changed.rowcount == 1


def rotate_key(connection: Connection, key_no: int, sha256: bytes, *, prefix: str, made_by: str) -> int | None:
    """Make another key with the same scopes and as long a life; the old one ends after OVERLAP. None if it ended."""
    row = connection.execute(
        "with old as (select * from api_key where key_no = %(key)s and revoked_at is null and replaced_by is null"
        "   and ends_at > clock_timestamp() for update)"
        " insert into api_key (key_sha256, prefix, name, roles, stores, made_by, ends_at, owner_id)"
        " select %(sha256)s, %(prefix)s, name, roles, stores, %(by)s, clock_timestamp() + (ends_at - made_at),"
        " owner_id"
        " from old"
        " returning key_no",
        {"key": key_no, "sha256": sha256, "prefix": prefix, "by": made_by},
    ).fetchone()
    if row is None:
        return None
    connection.execute(
        "update api_key set replaced_by = %s, ends_at = least(ends_at, clock_timestamp() + %s) where key_no = %s",
        [row[0], OVERLAP, key_no],
    )
    made: int = row[0]
    return made


def _keys(connection: Connection, clause: str, value: object) -> list[KeyRow]:
    question = (  # the clauses are those of this file
        f"select key_no, prefix, key.name, {_ROLES}, {_STORES}, {_LOST}, key.made_at, key.made_by, owner_id,"  # noqa: S608
        f" owner.display_name, coalesce(not ({_OWNER_IN}), false), ends_at, revoked_at, last_used_at, replaced_by,"
        " revoked_at is null and ends_at > clock_timestamp() as in_time,"
        f" coalesce(last_used_at < clock_timestamp() - interval '{USED_EVERY_S} seconds', true), key.stores"
        " from api_key key left join account owner on owner.account_id = key.owner_id where " + clause
    )
    rows = connection.execute(question.encode(), [value]).fetchall()
    return [
        KeyRow(
            key_no=row[0],
            prefix=row[1],
            name=row[2],
            roles=tuple(row[3]),
            stores=tuple(row[4]) if row[4] is not None else None,
            lost=tuple(row[5]),
            made_at=row[6],
            made_by=row[7],
            owner_id=row[8],
            owner=row[9],
            owner_out=row[10],
            ends_at=row[11],
            revoked_at=row[12],
            last_used_at=row[13],
            replaced_by=row[14],
            in_time=row[15],
            stale=row[16],
            given_stores=tuple(row[17]) if row[17] is not None else None,
        )
        for row in rows
    ]
