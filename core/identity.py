"""Pseudonyms: what may leave an edge in place of a device's own identity.

A pseudonym is keyed BLAKE2b over the identity. Without the key it cannot be computed, so a list of all
addresses does not reverse it (an unkeyed hash of a MAC falls in seconds). Source: RFC 7693, keyed mode.
"""

from hashlib import blake2b
from typing import Final

from core.errors import ConfigurationError
from core.limits import PSEUDONYM_BYTES

KEY_BYTES: Final = 32
"""256 bits, so that a guess is out of reach for the life of a key."""
_PERSON: Final = b"sojourn-device"  # at most 16 bytes; separates these hashes from any other use of a key


def pseudonym(identity: bytes, key: bytes) -> bytes:
    """Return the pseudonym of a device identity under a key.

    Parameters
    ----------
    identity : bytes
        What the device calls itself (address, beacon id, installation id); never stored.
    key : bytes
        KEY_BYTES secret bytes: the key of the day for unknown devices, a stable one after consent.

    Returns
    -------
    bytes
        PSEUDONYM_BYTES bytes.

    Raises
    ------
    ConfigurationError
        If the key does not have KEY_BYTES bytes.
    """
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"A pseudonym key has {KEY_BYTES} bytes, this one {len(key)}.")
    return blake2b(identity, digest_size=PSEUDONYM_BYTES, key=key, person=_PERSON).digest()
