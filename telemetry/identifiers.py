"""Take identifiers and secrets out of whatever a process says of itself.

Two nets, because either alone has holes: a value under a telling name goes whatever it is, and whatever looks like an
identifier goes whatever its name is. Too much is dropped rather than too little: an operator finds a delivery or a
profile in the pages, where access is looked at, not in a log that is copied to many places.

A person's name looks like any other word and cannot be found. What people wrote, and what an error repeats of it, is
therefore never logged at all (`telemetry.faults`; tests/telemetry/test_errors_in_logs.py reads every line that logs).
"""

import re
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from functools import lru_cache
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
_COUNTRIES: Final = (
    "DE", "AT", "CH", "FR", "BE", "NL", "LU", "GB", "IE", "ES", "PT", "IT", "PL", "CZ", "SK", "HU", "SI", "HR", "RO",
    "BG", "GR", "DK", "SE", "NO", "FI", "EE", "LV", "LT", "TR", "UA", "US", "MX", "BR", "AU", "NZ", "JP", "IN", "ZA",
)  # fmt: skip
"""Whose national telephone numbers are known again: Europe, and the largest elsewhere. US stands for all of +1."""
_NUMBER: Final = re.compile(r"(?<![\w.:/-])[+(]?\d(?:[ \u00a0()./\u2010-\u2015-]{0,3}\d){6,14}(?![\w:])")
"""What a telephone number may be: 7 to 15 digits (E.164), and what people put between them."""
_NO_NUMBER: Final = re.compile(
    r"(?:19|20)\d\d[-/.]\d\d[-/.]\d\d"  # a date, alone or with what follows it
    r"|\d{1,3}(?:\.\d{1,3}){3}$"  # an address of a network
    r"|\d+\.\d+$"  # a fraction
    r"|[1-9]\d*$"  # a count or number of a row: nobody writes a national number so, without its 0 and without a gap
)
_ASKED: Final = 50
"""Stretches of digits of one text that are looked up, a tenth of a millisecond each; what follows goes unseen."""
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
        r"\+\d[\d ()./-]{6,}\d",  # telephone number with its country
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
    left = _ASKED

    def unless_telephone(found: re.Match[str]) -> str:
        nonlocal left
        if _NO_NUMBER.match(found[0]) is not None:
            return found[0]
        left -= 1
        return DROPPED if left < 0 or _is_telephone(found[0]) else found[0]

    return _NUMBER.sub(unless_telephone, text)


@lru_cache(maxsize=1_024)
def _is_telephone(text: str) -> bool:
    """Whether digits are a valid telephone number of one of the countries, by Google's tables of them."""
    import phonenumbers  # noqa: PLC0415 - its tables take 50 ms to load

    for country in _COUNTRIES:
        with suppress(phonenumbers.NumberParseException):
            if phonenumbers.is_valid_number(phonenumbers.parse(text, country)):
                return True
    return False


def _holds_data(value: object) -> bool:
    """Whether a value is bytes or an array, in whose text an identifier would be hard to see."""
    return isinstance(value, bytes | bytearray | memoryview) or hasattr(value, "__array_interface__")
