"""Opaque cursors: where a page ended, bound to the question that was asked."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Any, Final, TypeVar

import msgspec

from core.errors import InputError

_QUESTION_BYTES: Final = 6
"""Guards against mistakes (a cursor used with other filters), not against an attacker: it opens nothing."""
_CURSOR_CHARACTERS: Final = 1_200
"""A place is a time or a name, and an id; a name of 200 characters of four bytes makes 1,120."""

T = TypeVar("T")


def write_cursor(place: Any, question: Any) -> str:
    """Return a cursor for `place`, the sort key of the last row, within the answer to `question`."""
    packed = msgspec.msgpack.encode((_digest(question), place))
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def read_cursor(cursor: str, question: Any, kind: type[T]) -> T:
    """Return the place in a cursor.

    Raises
    ------
    InputError
        If it was not written by `write_cursor` for the same question.
    """
    if len(cursor) > _CURSOR_CHARACTERS:
        raise unreadable()
    try:
        packed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        digest, place = msgspec.msgpack.decode(packed, type=tuple[bytes, msgspec.Raw])
        found = msgspec.msgpack.decode(place, type=kind)
    except (ValueError, msgspec.MsgspecError) as error:
        raise unreadable() from error
    if digest != _digest(question):
        raise InputError(
            "This cursor belongs to a question with other filters.",
            hint="Ask again with the filters it came from, or without the cursor.",
            where="cursor",
        )
    return found


def unreadable() -> InputError:
    """Return the error of a cursor that `write_cursor` did not write, or not for such a question."""
    return InputError("This cursor cannot be read.", hint="Use next_cursor as it was given.", where="cursor")


def _digest(question: Any) -> bytes:
    return blake2b(msgspec.msgpack.encode(question), digest_size=_QUESTION_BYTES).digest()
