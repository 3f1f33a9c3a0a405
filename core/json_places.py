"""Where the values of a JSON text stand: line and column by path, for errors that a person can go to."""

import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # public, but typeshed leaves it out
from typing import Final, NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_PLAIN: Final = re.compile(r"[^\s,\]}]+")
_DEEPEST: Final = 64
"""No plan nests deeper; a text that does is refused instead of followed."""


class Place(NamedTuple):
    """Counted from 1, columns in characters."""

    line: int
    column: int


class Places:
    """The places of a JSON text.

    Parameters
    ----------
    text : str
        JSON that `json.loads` reads.

    Raises
    ------
    ValueError
        If it nests deeper than a plan can.
    """

    def __init__(self, text: str) -> None:
        self.doubled: list[tuple[str, Place]] = []
        """Keys that an object has more than once, where each stands again."""
        self._text = text
        self._starts: dict[Path, int] = {}
        self._value((), self._skip(0))

    def of(self, path: Path) -> Place:
        """Return where a value stands, or the innermost thing around it that is there."""
        while path not in self._starts:
            path = path[:-1]
        return place_of(self._text, self._starts[path])

    def _value(self, path: Path, at: int) -> int:
        """Note where a value begins, and go through it; return where it ends."""
        if len(path) > _DEEPEST:
            raise ValueError("The text nests too deep.")
        self._starts[path] = at  # of a doubled key the last, as readers of JSON take it
        begin = self._text[at]
        if begin == "{":
            return self._inside(path, at, "}")
        if begin == "[":
            return self._inside(path, at, "]")
        if begin == '"':
            return int(scanstring(self._text, at + 1, True)[1])
        found = _PLAIN.match(self._text, at)
        return found.end() if found else at + 1

    def _inside(self, path: Path, at: int, end: str) -> int:
        at = self._skip(at + 1)
        number, known = 0, set[str | int]()
        while self._text[at] != end:
            key: str | int = number
            if end == "}":
                begin = at
                key, at = scanstring(self._text, at + 1, True)
                if key in known:
                    self.doubled.append((str(key), place_of(self._text, begin)))
                known.add(key)
                at = self._skip(self._skip(at) + 1)  # past the colon
            at = self._skip(self._value((*path, key), at))
            if self._text[at] == ",":
                at = self._skip(at + 1)
            number += 1
        return at + 1

    def _skip(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        return found.end() if found else at


def place_of(text: str, at: int) -> Place:
    """Return line and column of a place in a text."""
    return Place(text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1)
