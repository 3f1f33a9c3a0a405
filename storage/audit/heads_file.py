"""Heads as text, one day a line: 2026-11-28 link 1042 <64 hexadecimal digits>."""

from collections.abc import Iterable
from datetime import date

from core.errors import InputError
from storage.audit.sealing import Head

_WORDS = 4


def write_heads(heads: Iterable[Head]) -> str:
    """Return the text of some heads."""
    return "".join(f"{head.day} link {head.link_no} {head.hash.hex()}\n" for head in heads)


def read_heads(text: str, *, name: str) -> dict[date, tuple[int, bytes]]:
    """Return number of the link and hash by day; of a day that is named twice the longer chain counts.

    Raises
    ------
    InputError
        If a line is written otherwise.
    """
    found: dict[date, tuple[int, bytes]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        words = line.split()
        try:
            if len(words) != _WORDS:
                raise ValueError(line)
            day, link, digest = date.fromisoformat(words[0]), int(words[2]), bytes.fromhex(words[3])
        except ValueError as error:
            raise InputError(
                f"Line {number} of {name} is no head.", hint="Keep the lines as `sojourn audit heads` writes them."
            ) from error
        found[day] = max(found.get(day, (0, b"")), (link, digest))
    return found
