"""Take identifiers and secrets out of whatever a process says of itself.

Two nets, because either alone has holes: a value under a telling name goes whatever it is, and whatever looks like an
identifier goes whatever its name is. Too much is dropped rather than too little: an operator finds a delivery or a
profile in the pages, where access is looked at, not in a log that is copied to many places.
"""

import re
from collections.abc import Mapping, Sequence, Set
from typing import Final

DROPPED: Final = "[dropped]"
DEPTH: Final = 4
"""Levels of nesting that are looked into; what lies deeper is dropped."""
ITEMS: Final = 64
"""Items of one list or mapping that are told."""
TEXT_CHARACTERS: Final = 20_000
"""A traceback fits; a longer text is cut before it is searched, so that a log line stays cheap."""
_LARGEST_COUNT: Final = 2**40
"""Beyond it a whole number is a pseudonym, an address or a time, not a count; times have a unit in their name."""
_TIME_ENDINGS: Final = ("_ns", "_us", "_at", "_bytes")

_NAMES: Final = frozenset(
    (
        "address", "addresses", "authorization", "cookie", "customer", "customers", "device", "devices", "email",
        "identity", "irk", "mac", "passphrase", "password", "payload", "phone", "profile", "profiles", "pseudonym",
        "pseudonyms", "secret", "secrets", "ticket", "token", "tokens", "uuid",
    )
)  # fmt: skip
"""Words of a name (`device_id`, `profile`) whose value is never told."""

_PATTERNS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<=://)[^/\s@]+@",  # credentials in a URL
        r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}",
        r"(?i)\b(?:password|secret|token)=\S+",
        r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+",  # e-mail
        r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",  # UUID
        r"(?i)(?<![0-9a-f])[0-9a-f]{2}(?:[:_-][0-9a-f]{2}){5,}(?![0-9a-f])",  # MAC, with any of its separators
        r"(?i)(?<![0-9a-f])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![0-9a-f])",  # MAC as routers write it
        r"(?i)(?<![0-9a-z])(?:\\x)?[0-9a-f]{12,}(?![0-9a-z])",  # bare MAC, pseudonym, key, digest
        r"(?:\\x[0-9a-fA-F]{2}){4,}",  # bytes as Python shows them
        r"b'(?:[^'\\]|\\.)*'|b\"(?:[^\"\\]|\\.)*\"",
        r"\+\d[\d ()/-]{6,}\d",  # telephone number
        r"whsec_\S+",
        # 16 bytes or more as base64: practically always with a digit, a small and a large letter, which words are not
        r"(?<![\w+/-])(?=[\w+/-]*\d)(?=[\w+/-]*[a-z])(?=[\w+/-]*[A-Z])[\w+/-]{22,}={0,2}",
    )
)


class Checksum(str):
    """A digest that names nobody and that somebody will compare, such as the head of a log: it is told as it is."""

    __slots__ = ()


def without_identifiers(value: object, *, name: str = "", depth: int = 0) -> object:
    """Return what may be told of a value: text and numbers, or lists and mappings of them.

    Parameters
    ----------
    value : object
        Whatever was to be told; bytes, arrays and objects of other kinds are told by their text or not at all.
    name : str
        What it was to be told as.
    """
    if value is None or isinstance(value, bool | float | Checksum):
        return value
    if names_an_identifier(name) or depth > DEPTH or _holds_data(value):
        return DROPPED
    if isinstance(value, int):
        return value if abs(value) < _LARGEST_COUNT or name.endswith(_TIME_ENDINGS) else DROPPED
    if isinstance(value, Mapping):
        return {
            without_identifiers_in(str(key)): without_identifiers(item, name=str(key), depth=depth + 1)
            for key, item in list(value.items())[:ITEMS]
        }
    if isinstance(value, Sequence | Set) and not isinstance(value, str):
        return [without_identifiers(item, name=name, depth=depth + 1) for item in list(value)[:ITEMS]]
    return without_identifiers_in(str(value))


def names_an_identifier(name: str) -> bool:
    """Whether a value of this name is not to be told, whatever it is."""
    return not _NAMES.isdisjoint(name.lower().replace("-", "_").split("_"))


def without_identifiers_in(text: str) -> str:
    """Return a text with everything replaced that looks like an identifier or a secret."""
    text = text if len(text) <= TEXT_CHARACTERS else text[:TEXT_CHARACTERS] + " …"
    for pattern in _PATTERNS:
        text = pattern.sub(DROPPED, text)
    return text


def _holds_data(value: object) -> bool:
    """Whether a value is bytes or an array, in whose text an identifier would be hard to see."""
    return isinstance(value, bytes | bytearray | memoryview) or hasattr(value, "__array_interface__")
