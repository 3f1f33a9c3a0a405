"""Pseudonyms: what may leave an edge in place of a device's own identity.

A pseudonym is keyed BLAKE2b over the identity. Without the key it cannot be computed, so a list of all
addresses does not reverse it (an unkeyed hash of a MAC falls in seconds). Source: RFC 7693, keyed mode.
"""

from hashlib import blake2b
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.errors import ConfigurationError
from core.limits import PSEUDONYM_BYTES

KEY_BYTES: Final = 32
"""256 bits, so that a guess is out of reach for the life of a key."""
_PERSON: Final = b"sojourn-device"  # at most 16 bytes; separates these hashes from any other use of a key
_NOBODY: Final = b"\0nobody\0"
"""A keyed hash begins like this once in 2^64."""


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


def nobody(index: NDArray[Any]) -> NDArray[np.uint8]:
    """Return what stands in the place of pseudonyms that were erased: nobody's, one for each index.

    Parameters
    ----------
    index : integers, shape (k,)
        Whatever tells them apart where they stand together.

    Returns
    -------
    uint8, shape (k, PSEUDONYM_BYTES)
    """
    rows = np.empty((len(index), PSEUDONYM_BYTES), np.uint8)
    rows[:, : len(_NOBODY)] = np.frombuffer(_NOBODY, np.uint8)
    rows[:, len(_NOBODY) :] = np.asarray(index).astype("<u8").view(np.uint8).reshape(-1, 8)
    return rows


def are_nobody(pseudonyms: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which rows (uint8, shape (k, PSEUDONYM_BYTES)) stand for somebody who was erased."""
    found: NDArray[np.bool_] = (pseudonyms[:, : len(_NOBODY)] == np.frombuffer(_NOBODY, np.uint8)).all(axis=1)
    return found
