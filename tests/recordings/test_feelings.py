"""How well feelings are read, on sentences that people rated; no lexicon was tuned on them, no weight learnt."""

import csv
from pathlib import Path

import numpy as np
import pytest

from api.lexicons import feeling_reader, feeling_reader_by_words
from core.journey.feeling import FEELS_AT, FeelingReader
from tests.journey.sentence_model_here import needs_sentence_model

pytestmark = pytest.mark.recordings

RATED_AT = 0.5
"""Mean ratings of -4..4 within this of 0 count as neutral, as in the figures for VADER: r = .59, .60 right."""


def test_feelings_are_read_by_their_words_as_people_rated_them(data: Path, figures: list[str]) -> None:
    correlation, accuracy = compared(feeling_reader_by_words(), data, figures)
    assert correlation >= 0.65
    assert accuracy >= 0.65


@needs_sentence_model
def test_with_a_sentence_model_better(data: Path, figures: list[str]) -> None:
    """Every fourth sentence: all of them (0.775 and 0.698, docs/notes.md) take a minute of a core."""
    correlation, accuracy = compared(feeling_reader(), data, figures, every=4)
    assert correlation >= 0.7
    assert accuracy >= 0.64


def compared(reader: FeelingReader, data: Path, figures: list[str], every: int = 1) -> tuple[float, float]:
    with (data / "review_sentences.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))[::every]
    rated = np.array([float(row["mean_rating"]) for row in rows])
    scores = np.array([reader.read(row["text"]).score for row in rows])
    classes = np.sign(rated) * (abs(rated) >= RATED_AT)
    accuracy = float((np.sign(scores) * (abs(scores) >= FEELS_AT) == classes).mean())
    correlation = float(np.corrcoef(scores, rated)[0, 1])
    figures.append(
        f"feelings of {len(rows)} sentences by {reader.read('good').model}: r = {correlation:.3f},"
        f" of three classes {accuracy:.3f} right"
    )
    return correlation, accuracy
