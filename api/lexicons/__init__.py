"""Lexicons as data, one JSON file a language and purpose; another language is another file of the same form."""

from functools import cache
from importlib.resources import files
from typing import Final, TypeVar

import msgspec

from api.lexicons.sentence_model import sentence_model
from core.journey.feeling import FeelingLexicon, FeelingReader
from core.journey.reminder import Reminder, ReminderLexicon
from core.journey.sentences import SentenceReader, SentenceWeights
from core.memory.topics import MemoryLexicon, TopicFinder

LANGUAGE: Final = "en"
"""What notes are read in; the only one there is so far."""

T = TypeVar("T")


@cache
def feeling_reader() -> FeelingReader:
    """Return the reader of feelings, made once: with a sentence model where the one that was learnt for is there."""
    weights = _load(f"sentences_{LANGUAGE}.json", SentenceWeights)
    place = sentence_model(weights.model, weights.model_version)
    return FeelingReader(feeling_lexicon(), SentenceReader(weights, place) if place is not None else None)


@cache
def feeling_reader_by_words() -> FeelingReader:
    """Return the reader of feelings that knows words alone, made once."""
    return FeelingReader(feeling_lexicon())


@cache
def reminder() -> Reminder:
    """Return the privacy reminder, made once."""
    return Reminder(_load(f"reminder_{LANGUAGE}.json", ReminderLexicon))


@cache
def topic_finder() -> TopicFinder:
    """Return what finds topics, preferences and promises, made once."""
    return TopicFinder(_load(f"memory_{LANGUAGE}.json", MemoryLexicon))


def feeling_lexicon() -> FeelingLexicon:
    """Return what is known of the words of feelings."""
    return _load(f"feeling_{LANGUAGE}.json", FeelingLexicon)


def _load(name: str, kind: type[T]) -> T:
    return msgspec.json.decode((files("api") / "lexicons" / name).read_bytes(), type=kind)
