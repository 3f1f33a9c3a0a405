"""Names of people: what they are shown as, and a login name for those whom an identity provider names."""

from collections.abc import Iterable
from hashlib import sha256
from re import sub
from typing import Final
from unicodedata import combining, normalize

NAME_CHARACTERS: Final = 64
"""The longest e-mail address anybody types gladly."""
DISPLAY_CHARACTERS: Final = 80
"""As long as an operator's name may be."""
_NOBODY: Final = "person"
_TOLD_APART_BY: Final = 8
"""Hexadecimal digits: of 65,000 people of one name two have the same with one half."""


def shown_name(wanted: str) -> str:
    """Return a name as it is shown: one form of each letter (NFKC), nothing that is not seen, single spaces.

    What is not seen (controls, marks of direction, spaces of no width) would let two people look alike. It may leave
    nothing.
    """
    seen = "".join(letter for letter in normalize("NFKC", wanted) if letter.isprintable() or letter.isspace())
    return " ".join(seen.split())[:DISPLAY_CHARACTERS].rstrip()


def login_name(wanted: Iterable[object]) -> str:
    """Return the first of some names that leaves a login name: a-z, 0-9 and . _ @ -, with a letter or digit first.

    Nobody types it, so letters lose their accents and what cannot be in one becomes a hyphen.
    """
    for one in wanted:
        if isinstance(one, str):
            plain = "".join(letter for letter in normalize("NFKD", one.casefold()) if not combining(letter))
            name = sub(r"[^a-z0-9._@-]+", "-", plain).strip("-._@")[:NAME_CHARACTERS].rstrip("-._@")
            if name:
                return name
    return _NOBODY


def told_apart(name: str, subject: str) -> str:
    """Return a login name that is another one's with what tells its holder apart behind it."""
    behind = sha256(subject.encode()).hexdigest()[:_TOLD_APART_BY]
    return f"{name[: NAME_CHARACTERS - _TOLD_APART_BY - 1]}-{behind}"
