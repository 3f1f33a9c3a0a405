"""What people write, as it is kept: composed, with something to be seen in it, on one line where it has to be.

Validators for pydantic's Annotated, after the constraints of length; and what the patterns of values say in words.
"""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ValidatorFunctionWrapHandler, WrapValidator

from core.floorplan import ID_PATTERN
from core.limits import ID_CHARACTERS
from storage.notes.choices import WORD_PATTERN

_UNSEEN: Final = ("C", "Z")
"""General categories of what leaves no ink: controls, formats, separators."""


SOURCE_PATTERN: Final = r"^[a-z0-9][a-z0-9._-]*$"
"""The name of another system."""
LINE_PATTERN: Final = r"^[^\r\n]*$"
MAYBE_WORD_PATTERN: Final = f"{WORD_PATTERN}|^$"
PATTERNS: Final = {
    ID_PATTERN: f"An id has 1 to {ID_CHARACTERS} letters, digits, dots, colons, dashes or underscores; it begins with"
    " a letter or digit.",
    SOURCE_PATTERN: "A system's name has small letters, digits, dots, dashes or underscores; it begins with a letter"
    " or digit.",
    LINE_PATTERN: "This is one line: leave out the line breaks.",
    WORD_PATTERN: "A name has 1 to 40 small letters, digits or underscores; it begins with a letter or digit.",
}
PATTERNS[MAYBE_WORD_PATTERN] = PATTERNS[WORD_PATTERN]
"""What each pattern of a value asks for, for people; programs read the pattern itself."""
_BY_US: Final = "Value error, "
"""What pydantic sets before a sentence of ours."""


def in_words(fault: Mapping[str, Any]) -> str:
    """Return what pydantic found wrong with a value, in a sentence: a regular expression tells people nothing."""
    if fault["type"] == "string_pattern_mismatch":
        return PATTERNS[fault["ctx"]["pattern"]]
    return str(fault["msg"]).removeprefix(_BY_US)


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


def _written(value: Any, handler: ValidatorFunctionWrapHandler) -> str:
    """Compose a text before its length is looked at: some letters are two once they are composed."""
    return written(handler(unicodedata.normalize("NFC", value) if isinstance(value, str) else value))


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


Written: Final = WrapValidator(_written)
OneLine: Final = AfterValidator(one_line)
WrittenTime = Annotated[datetime, BeforeValidator(_time_in_words)]
"""A time as it is written; a bare number may be of seconds, of milliseconds or a mistake."""
