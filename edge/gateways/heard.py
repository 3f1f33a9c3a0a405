"""What every format is translated into, and the words of the interface: pure."""

from collections.abc import Callable, Sequence
from typing import Annotated, Final, NamedTuple, TypeAlias, TypeVar

import msgspec

from core.addresses import ADDRESS_BYTES, address_kind
from core.advertisement import Advertisement, read_payload
from core.errors import InputError

MESSAGE_BYTES: Final = 524_288
"""As a batch of ours. A gateway that hears 2,000 adverts/s and tells once a second needs half of it."""
MOST_HEARD: Final = 8192
"""Readings of one message: a Meraki network of 100 access points in its minute. What is beyond is refused."""

_T = TypeVar("_T")
Hex = Annotated[str, msgspec.Meta(max_length=3300)]
Text = Annotated[str, msgspec.Meta(max_length=128)]


class Heard(NamedTuple):
    """One reading, as a gateway tells it."""

    gateway: str
    """What the gateway calls itself, as `gateway_id` spells it."""
    advertisement: Advertisement
    rssi_dbm: float | None
    at_s: float | None = None
    """When, by the clock of the gateway, from an unknown start: only differences inside one message count."""
    kind_told: bool = True
    """Whether `advertisement.random` is the gateway's word; else it is guessed from the bits of the address."""


class Translation(NamedTuple):
    """What a message says: readings, how many of its entries could not be read, and whose sign of life it is."""

    heard: list[Heard]
    refused: int = 0


Translator: TypeAlias = Callable[[str, bytes], Translation]
"""Topic and payload in, readings out. Raises InputError where nothing of a message can be read."""


def gateway_id(text: str) -> str:
    """Return an id of a gateway in one spelling: addresses without colons or dashes, lower case."""
    plain = text.replace(":", "").replace("-", "").lower()
    return plain if len(plain) in (12, 16) and _is_hex(plain) else text


def address_of(text: str) -> bytes | None:
    """Return ADDRESS_BYTES of a written address, None if it is none."""
    plain = text.replace(":", "").replace("-", "")
    return bytes.fromhex(plain) if len(plain) == 2 * ADDRESS_BYTES and _is_hex(plain) else None


def looks_random(address: bytes) -> bool:
    """Guess the kind of an address that its gateway does not tell.

    The kind 10 does not exist among random ones, so such an address is public. Any other may be random, and is taken
    for that: a stranger's changing address must not become a device. Whose addresses are public is said by the rules.
    """
    return address_kind(address, random=True) is not None


def sent_by(
    address: bytes | None, *, random: bool | None = None, payload: bytes | None = None
) -> tuple[Advertisement, bool]:
    """Return an advertisement of this sender, and whether the kind of its address was told.

    Raises
    ------
    InputError
        If the payload is longer than any advertisement.
    """
    told = random is not None
    is_random = random if random is not None else address is not None and looks_random(address)
    heard = read_payload(payload if payload is not None else b"", address, random=is_random)
    return heard, told


def read_json(payload: bytes, kind: type[_T]) -> _T:
    """Return a JSON message as a type.

    Raises
    ------
    InputError
        If it is something else. What it says is not repeated: it may be an address.
    """
    try:
        return msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError("The message is not of its format.") from error


def read_entries(entries: Sequence[object], kind: type[_T], reading: Callable[[_T], Sequence[Heard]]) -> Translation:
    """Translate entries one by one: one that cannot be read is counted and spoils no other."""
    heard: list[Heard] = []
    refused = 0
    for place, entry in enumerate(entries):
        if len(heard) >= MOST_HEARD:
            return Translation(heard[:MOST_HEARD], refused + len(entries) - place)
        try:
            found = reading(msgspec.convert(entry, kind))
        except (msgspec.ValidationError, InputError, ValueError, OverflowError):
            refused += 1
            continue
        heard += found
    return Translation(heard[:MOST_HEARD], refused)


def hexadecimal(text: str) -> bytes:
    """Return the bytes of hexadecimal digits.

    Raises
    ------
    InputError
        If it is something else.
    """
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise InputError("These are no hexadecimal digits.") from error


def _is_hex(text: str) -> bool:
    return bool(text) and all(digit in "0123456789abcdefABCDEF" for digit in text)
