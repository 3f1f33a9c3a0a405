"""A reminder before a note is saved: observation, not assumption.

Words that assert somebody's health, religion, origin or the like are found by a lexicon, so that whoever writes can
think again. Nothing is judged and nothing is kept of it: what is flagged may be saved when it is what was said.
The page does the same while it is offline (api/static/reminder.js), by the same data.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

FLAGS: Final = 20
"""Whoever sees twenty words marked will not need a twenty-first."""
_PHRASE_WORDS: Final = 6
_KEY_CHARACTERS: Final = 2
"""By so many letters phrases are looked up; no word or stem of a lexicon is shorter."""
_UNSEEN: Final = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff")
"""Soft hyphens, joiners and spaces without width: texts that are pasted have them within words."""
_WORD: Final = re.compile(r"[^ ]+")


class ReminderTopic(msgspec.Struct, frozen=True, kw_only=True):
    """What should not be asserted of a customer, in single words or phrases."""

    topic: str
    label: str
    words: tuple[str, ...]


class ReminderLexicon(msgspec.Struct, frozen=True, kw_only=True):
    """The topics of one language.

    In phrases `stem*` is a word that begins so, `word~` the word itself or with one of `endings`, `@group` any word
    of a group. Where phrases begin at the same word the longest counts. `passes` are phrases that look like one and
    assert nothing (the polish of a nail, a Turkish towel); among equally long ones they count.
    """

    language: str
    version: int
    says: str
    endings: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    passes: tuple[str, ...]
    topics: tuple[ReminderTopic, ...]


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """A word or phrase at [begin, end) of the text, and what it asserts."""

    begin: int
    end: int
    topic: str


class Reminder:
    """Finds what texts of one language assert; safe to use from several threads.

    Parameters
    ----------
    lexicon : ReminderLexicon
    """

    def __init__(self, lexicon: ReminderLexicon) -> None:
        self.lexicon = lexicon
        self._by_key: dict[str, list[tuple[Sequence[str], str]]] = defaultdict(list)
        said = [(phrase, "") for phrase in lexicon.passes]
        said += [(phrase, one.topic) for one in lexicon.topics for phrase in one.words]
        for phrase, topic in sorted(said, key=lambda pair: -len(pair[0].split())):  # stable: passes stay first
            words = phrase.split()
            for key in {word[:_KEY_CHARACTERS] for word in self._spelt(words[:1])}:
                self._by_key[key].append((words, topic))

    def flags(self, text: str) -> tuple[Flag, ...]:
        """Return what a text asserts, in its order, FLAGS at most; a phrase counts once."""
        letters, places = folded(text)
        tokens = [(match.group(), places[match.start()], places[match.end()]) for match in _WORD.finditer(letters)]
        found: list[Flag] = []
        place = 0
        while place < len(tokens) and len(found) < FLAGS:
            length, topic = self._longest([token for token, _, _ in tokens[place : place + _PHRASE_WORDS]])
            if topic:
                found.append(Flag(begin=tokens[place][1], end=tokens[place + length - 1][2], topic=topic))
            place += max(1, length)
        return tuple(found)

    def _longest(self, tokens: Sequence[str]) -> tuple[int, str]:
        for words, topic in self._by_key.get(tokens[0][:_KEY_CHARACTERS], ()):
            if len(words) <= len(tokens) and all(map(self._fits, tokens, words)):
                return len(words), topic
        return 0, ""

    def _fits(self, token: str, wanted: str) -> bool:
        return any(self._is(token, word) for word in self._spelt([wanted]))

    def _is(self, token: str, word: str) -> bool:
        if word.endswith("*"):
            return token.startswith(word[:-1])
        if word.endswith("~"):
            stem = word[:-1]
            return token == stem or (token.startswith(stem) and token[len(stem) :] in self.lexicon.endings)
        return token == word

    def _spelt(self, words: Iterable[str]) -> Iterator[str]:
        """Yield words with those of a group in its place."""
        for word in words:
            if word.startswith("@"):
                yield from self.lexicon.groups[word[1:]]
            else:
                yield word


def folded(text: str) -> tuple[str, list[int]]:
    """Return a text in small letters without accents, and where in the text each of them stands.

    Letters are compatibility-decomposed (NFKD: ligatures, full width), their marks left out, so that one word has one
    spelling; all that is no letter is a space. The places have one more at the end, the text's length.
    """
    letters: list[str] = []
    places: list[int] = []
    for place, sign in enumerate(text):
        if sign in _UNSEEN or unicodedata.category(sign).startswith("M"):
            continue
        parts = unicodedata.normalize("NFKD", sign) if sign.isalpha() else " "
        for part in parts.lower():
            if part.isalpha() or part == " ":
                letters.append(part)
                places.append(place)
    return "".join(letters), [*places, len(text)]
