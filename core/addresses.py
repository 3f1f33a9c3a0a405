"""Addresses of Bluetooth senders: which kind they are, and whose a resolvable private one is.

Source: Bluetooth Core 5.4, Vol 6 Part B 1.3 (kinds), Vol 3 Part H 2.2.2 (the hash `ah` of a resolvable address).
The hash itself is bluetooth-data-tools' `resolve_private_address`, which does AES by `cryptography`.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from bluetooth_data_tools import get_cipher_for_irk, resolve_private_address

from core.errors import ConfigurationError, InputError

ADDRESS_BYTES: Final = 6
IRK_BYTES: Final = 16
MOST_IRKS: Final = 4096
"""A new address costs one AES a key, 4 us each: with 4,096 keys that is 16 ms once, and 15 minutes of rest."""
CACHED_ADDRESSES: Final = 16_384
"""Addresses change about every 15 minutes; this is the phones of a mall in that time, 2 MB."""
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{12}")


class AddressKind(StrEnum):
    """What an address promises: only the first two are the same tomorrow."""

    PUBLIC = "public"
    STATIC = "static"
    """Random, the same until the sender loses power."""
    RESOLVABLE = "resolvable"
    """Random, changing; who has the sender's identity resolving key (IRK) recognises it."""
    NON_RESOLVABLE = "non_resolvable"
    """Random, changing; nobody recognises it."""


def read_address(text: str) -> bytes:
    """Read `AA:BB:CC:DD:EE:FF` or twelve hexadecimal digits, most significant byte first.

    Raises
    ------
    InputError
        If it is something else. The text is not repeated: it may be somebody's address.
    """
    if _ADDRESS.fullmatch(text) is None:
        raise InputError("This is not a Bluetooth address.", hint="Write it as AA:BB:CC:DD:EE:FF.")
    return bytes.fromhex(text.replace(":", ""))


def address_kind(address: bytes, *, random: bool) -> AddressKind | None:
    """Return the kind of an address; None for the random kind 10, which is reserved.

    Parameters
    ----------
    address : bytes
        ADDRESS_BYTES, most significant byte first.
    random : bool
        What the sender said (TxAdd); the bits of a public address mean nothing.
    """
    if not random:
        return AddressKind.PUBLIC
    by_bits = (AddressKind.NON_RESOLVABLE, AddressKind.RESOLVABLE, None, AddressKind.STATIC)
    return by_bits[address[0] >> 6]


RANDOMISED: Final = "random:"
"""Begins the name of a sender that is known by a randomised address alone."""


def is_randomised(identity: bytes) -> bool:
    """Say whether an identity rests on a randomised address: whoever has it tomorrow is somebody else.

    Such an identity never gets a stable pseudonym, so it never counts as returning, whatever list it stands on.
    """
    return identity.rpartition(b"@")[2].startswith(RANDOMISED.encode())


class Resolver:
    """Recognises resolvable private addresses by the IRKs of their senders.

    An address holds a random half and a hash of that half, and no time: whatever address a key made is recognised,
    the one before the latest change as well as the latest.

    Parameters
    ----------
    irks : iterable of bytes
        IRK_BYTES each, most significant byte first.

    Raises
    ------
    ConfigurationError
        If a key has another length or there are more than MOST_IRKS.
    """

    def __init__(self, irks: Iterable[bytes] = ()) -> None:
        keys = list(dict.fromkeys(irks))
        if any(len(irk) != IRK_BYTES for irk in keys):
            raise ConfigurationError(
                f"An identity resolving key has {IRK_BYTES} bytes.", hint="Write 32 hexadecimal digits."
            )
        if len(keys) > MOST_IRKS:
            raise ConfigurationError(
                f"There are {len(keys)} identity resolving keys.", hint=f"An edge takes at most {MOST_IRKS}."
            )
        self._ciphers = [(irk, get_cipher_for_irk(irk)) for irk in keys]
        self._known: dict[bytes, bytes | None] = {}

    def irk_of(self, address: bytes) -> bytes | None:
        """Return the key that made a resolvable private address, None if it is nobody's we know.

        A strange address fits one key in 2^24 by chance: with 4,096 keys and 10,000 strange addresses a day that
        happens to two or three of them.
        """
        if not self._ciphers:
            return None
        if address in self._known:
            return self._known[address]
        text = address.hex()
        found = next((irk for irk, cipher in self._ciphers if resolve_private_address(cipher, text)), None)
        if len(self._known) >= CACHED_ADDRESSES:
            self._known.clear()
        self._known[address] = found
        return found
