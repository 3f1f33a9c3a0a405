"""What a clause is about, by a list of words that is data: topics, preferences, promises."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

_APOSTROPHES: Final = str.maketrans({"\N{RIGHT SINGLE QUOTATION MARK}": "'"})


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """Something that people are delighted or frustrated by: words or phrases, with * for any ending, and tags."""

    topic: str
    label: str
    words: tuple[str, ...]
    tags: tuple[str, ...] = ()


class MemoryLexicon(msgspec.Struct, frozen=True, kw_only=True):
    """One language. `prefers` begin what a customer wants, `promises` what staff said would be done.

    Where one of `not_preferred` or `not_promised` stands in the same clause it is no preference or promise: it is
    denied or asked, or somebody else's. With one of `not_plain` it is a wish that a message does not quote: it may
    mean the opposite, or reproach whoever reads it.
    """

    language: str
    version: int
    topics: tuple[Topic, ...]
    prefers: tuple[str, ...]
    promises: tuple[str, ...]
    not_preferred: tuple[str, ...]
    not_promised: tuple[str, ...]
    not_plain: tuple[str, ...]


class TopicFinder:
    """Finds topics, preferences and promises; safe to use from several threads.

    Parameters
    ----------
    lexicon : MemoryLexicon
    """

    def __init__(self, lexicon: MemoryLexicon) -> None:
        self.labels = {topic.topic: topic.label for topic in lexicon.topics}
        self._by_tag = {tag: topic.topic for topic in lexicon.topics for tag in topic.tags}
        self._topics = [(topic.topic, _any_of(topic.words)) for topic in lexicon.topics]
        self._prefers = _any_of(lexicon.prefers)
        self._promises = _any_of(lexicon.promises)
        self._not_preferred = _any_of(lexicon.not_preferred)
        self._not_promised = _any_of(lexicon.not_promised)
        self._not_plain = _any_of(lexicon.not_plain)

    def of_text(self, text: str) -> list[str]:
        """Return the topics of a clause in the lexicon's order."""
        said = text.translate(_APOSTROPHES)
        return [topic for topic, pattern in self._topics if pattern.search(said)]

    def of_tags(self, tags: Sequence[str]) -> list[str]:
        """Return the topics that tags stand for, each once."""
        return list(dict.fromkeys(self._by_tag[tag] for tag in tags if tag in self._by_tag))

    def is_preference(self, text: str) -> bool:
        """Say whether a clause tells what the customer wants or always does."""
        return _tells(text, self._prefers, self._not_preferred)

    def is_promise(self, text: str) -> bool:
        """Say whether a clause of staff tells what will be done for the customer."""
        return _tells(text, self._promises, self._not_promised)

    def is_plain(self, text: str) -> bool:
        """Say whether a clause has no word that denies, bounds or compares, or speaks of whoever reads it."""
        return self._not_plain.search(text.translate(_APOSTROPHES)) is None


def _tells(text: str, what: re.Pattern[str], unless: re.Pattern[str]) -> bool:
    said = text.translate(_APOSTROPHES)
    return what.search(said) is not None and unless.search(said) is None and not said.rstrip().endswith("?")


def _any_of(words: Sequence[str]) -> re.Pattern[str]:
    either = "|".join(re.escape(word).replace(r"\*", r"[^\W_]*").replace(r"\ ", r"\s+") for word in words)
    return re.compile(rf"(?<![^\W_])(?:{either})(?![^\W_])", re.IGNORECASE)
