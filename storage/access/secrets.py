"""Secrets of people and programs: how they are made, and what they are kept by."""

from hashlib import sha256
from secrets import token_hex, token_urlsafe
from typing import Final

KEY_PREFIX: Final = "sjk_"
_KEY_BYTES: Final = 32
_SHOWN: Final = 6
"""Characters behind the prefix that tell keys apart: 36 bits of 256 are given away."""
_SECRET_BYTES: Final = 20


def digest(secret: str) -> bytes:
    """Return what a session, a key or a one-time secret is kept by; they are random, so a quick hash is enough."""
    return sha256(secret.encode()).digest()


def new_key() -> tuple[str, str]:
    """Return a key of 256 bits, and its beginning, by which people tell it from others."""
    key = KEY_PREFIX + token_urlsafe(_KEY_BYTES)
    return key, key[: len(KEY_PREFIX) + _SHOWN]


def new_secret() -> str:
    """Return a one-time secret of 160 bits."""
    return token_hex(_SECRET_BYTES)
