"""What people write, as it is kept: composed, with something to be seen in it, on one line where it has to be.

Validators for pydantic's Annotated, after the constraints of length.
"""

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

_UNSEEN: Final = ("C", "Z")
"""General categories of what leaves no ink: controls, formats, separators."""


def written(text: str) -> str:
    """Return a text in NFC, so that a word is the same characters whoever typed it.

    Raises
    ------
    ValueError
        If it has a NUL, which no database keeps, or nothing but spaces and invisible characters.
    """
    if "\0" in text:
        raise ValueError("A text cannot have the character NUL. Leave it out.")
    if text and all(unicodedata.category(letter)[0] in _UNSEEN for letter in text):
        raise ValueError("There is nothing to be seen in this text. Write a word.")
    return unicodedata.normalize("NFC", text)


def one_line(text: str) -> str:
    """Return a text without any of Unicode's line ends.

    Raises
    ------
    ValueError
        If it has one.
    """
    if len(text.splitlines()) > 1:
        raise ValueError("This is one line. Write what is longer into the detail.")
    return text


def _time_in_words(value: Any) -> Any:
    if isinstance(value, int | float):
        raise ValueError("A time is written like 2026-11-30T10:00, not as a number.")  # noqa: TRY004 - a 422
    return value


Written: Final = AfterValidator(written)
OneLine: Final = AfterValidator(one_line)
WrittenTime = Annotated[datetime, BeforeValidator(_time_in_words)]
"""A time as it is written; a bare number may be of seconds, of milliseconds or a mistake."""
