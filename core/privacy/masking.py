"""Text from outside that may hold somebody's address: what looks like one is cut down before it is kept anywhere."""

import re
from typing import Any, Final

_KEPT: Final = 6
"""Three bytes: of a network card its maker, of an id nothing; enough to see which entry of a list is meant."""
_NAMED: Final = re.compile(
    r"[^\s@`'\"<>]+@[^\s@`'\"<>]+"  # e-mail, with or without a dot
    # six bytes and more in hexadecimal, however they are parted and whatever is written to them: addresses, ids of
    # beacons, UUIDs, pseudonyms
    r"|[0-9A-Fa-f]{2}(?:[-:._ ]?[0-9A-Fa-f]{2}){5,}[0-9A-Fa-f]?"
    r"|\+?[0-9](?:[ ()/-]?[0-9]){7,}"  # phone
    r"|[A-Za-z0-9+/]{22,}={0,2}"  # sixteen bytes and more in base64
)


def masked(text: str) -> str:
    """Return a text in which nothing can be looked up that names a device or a person."""
    return _NAMED.sub(lambda found: "…@…" if "@" in found.group() else f"{found.group()[:_KEPT]}…", text)


def masked_deeply(value: Any) -> Any:
    """Return a value of JSON with every text and name in it `masked`."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {masked(str(name)): masked_deeply(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [masked_deeply(one) for one in value]
    return value
