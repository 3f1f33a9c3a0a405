"""A reminder before a note is saved: observation, not assumption.

Words that assert somebody's health, religion, origin or the like are found by a lexicon, so that whoever writes can
think again. Nothing is judged and nothing is kept of it: "Turkish towel" is flagged too, and may be saved.
The page does the same while it is offline (api/static/reminder.js), by the same data.
"""

import re
from typing import Final

import msgspec

FLAGS: Final = 20
"""Whoever sees twenty words marked will not need a twenty-first."""
_WORD: Final = re.compile(r"[^\W\d_]+")


class ReminderTopic(msgspec.Struct, frozen=True, kw_only=True):
    """What should not be asserted of a customer; `words` are single words or phrases, with * for any ending."""

    topic: str
    label: str
    words: tuple[str, ...]


class ReminderLexicon(msgspec.Struct, frozen=True, kw_only=True):
    """The topics of one language."""

    language: str
    version: int
    says: str
    topics: tuple[ReminderTopic, ...]


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A word or phrase at [begin, end) of the text, and what it asserts."""

    begin: int
    end: int
    topic: str


def flags(text: str, lexicon: ReminderLexicon) -> tuple[Flag, ...]:
    """Return what a text asserts by these words, in its order, FLAGS at most; a phrase counts once."""
    tokens = [(match.group().casefold(), *match.span()) for match in _WORD.finditer(text)]
    found: list[Flag] = []
    place = 0
    while place < len(tokens) and len(found) < FLAGS:
        length, topic = _longest([token for token, _, _ in tokens[place : place + 6]], lexicon)
        if topic:
            found.append(Flag(begin=tokens[place][1], end=tokens[place + length - 1][2], topic=topic))
        place += max(1, length)
    return tuple(found)


def _longest(tokens: list[str], lexicon: ReminderLexicon) -> tuple[int, str]:
    best = (0, "")
    for topic in lexicon.topics:
        for phrase in topic.words:
            wanted = phrase.split()
            if len(wanted) > best[0] and len(wanted) <= len(tokens) and all(map(_fits, tokens, wanted)):
                best = (len(wanted), topic.topic)
    return best


def _fits(token: str, wanted: str) -> bool:
    return token.startswith(wanted[:-1]) if wanted.endswith("*") else token == wanted
