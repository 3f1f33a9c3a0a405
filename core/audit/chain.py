"""The chain of audit entries: each hash covers one entry and the hash before (Haber and Stornetta, 1991).

Whoever keeps one hash can tell whether anything before it was changed.
An entry names people by commitments only, SHA-256 of a random salt and the profile. Erasure takes salt and profile
away, and the chain still holds.
"""

from hashlib import sha256
from typing import Final
from uuid import UUID

import msgspec

VERSION: Final = 1
GENESIS: Final = bytes(32)
"""The hash before the first entry."""
_encoder = msgspec.json.Encoder(order="sorted")


class ChainedEntry(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a hash covers of an entry, in this order; `at_us` is µs since 1970 (UTC), `sealed_on` YYYY-MM-DD."""

    entry_no: int
    at_us: int
    actor: str
    actor_id: str | None
    actor_kind: str
    role: str | None
    stores: tuple[str, ...] | None
    purpose: str
    kind: str
    route: str
    outcome: str
    fields: tuple[str, ...]
    commitments: tuple[str, ...]
    detail: dict[str, object]
    sealed_on: str


def canonical(entry: ChainedEntry) -> bytes:
    """Return the one text of an entry: a JSON array without spaces, version first, names in `detail` sorted."""
    return _encoder.encode((VERSION, entry))


def chained(before: bytes, entry: ChainedEntry) -> bytes:
    """Return the hash (32 bytes) of an entry behind the hash `before`."""
    return sha256(before + canonical(entry)).digest()


def commitment(salt: bytes, profile: UUID) -> bytes:
    """Return what an entry says of a person: SHA-256 of the salt and the profile's 16 bytes."""
    return sha256(salt + profile.bytes).digest()
