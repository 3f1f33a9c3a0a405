"""Lexicons as data, one JSON file a language and purpose; another language is another file of the same form."""

from functools import cache
from importlib.resources import files
from typing import Final, TypeVar

import msgspec

from core.journey.feeling import FeelingLexicon, FeelingReader
from core.journey.reminder import Reminder, ReminderLexicon
from core.memory.topics import MemoryLexicon, TopicFinder

LANGUAGE: Final = "en"
"""What notes are read in; the only one there is so far."""

T = TypeVar("T")


@cache
def feeling_reader() -> FeelingReader:
    """Return the reader of feelings, made once."""
    return FeelingReader(_load(f"feeling_{LANGUAGE}.json", FeelingLexicon))


@cache
def reminder() -> Reminder:
    """Return the privacy reminder, made once."""
    return Reminder(_load(f"reminder_{LANGUAGE}.json", ReminderLexicon))


@cache
def topic_finder() -> TopicFinder:
    """Return what finds topics, preferences and promises, made once."""
    return TopicFinder(_load(f"memory_{LANGUAGE}.json", MemoryLexicon))


def _load(name: str, kind: type[T]) -> T:
    return msgspec.json.decode((files("api") / "lexicons" / name).read_bytes(), type=kind)
