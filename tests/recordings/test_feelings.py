"""How well feelings are read, on sentences that people rated; no lexicon was tuned on them."""

import csv
from pathlib import Path

import numpy as np
import pytest

from api.lexicons import feeling_reader
from core.journey.feeling import FEELS_AT

pytestmark = pytest.mark.recordings

RATED_AT = 0.5
"""Mean ratings of -4..4 within this of 0 count as neutral, as in the figures for VADER: r = .59, .60 right."""


def test_feelings_are_read_as_people_rated_them(data: Path, figures: list[str]) -> None:
    with (data / "review_sentences.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    rated = np.array([float(row["mean_rating"]) for row in rows])
    scores = np.array([feeling_reader().read(row["text"]).score for row in rows])
    classes = np.sign(rated) * (abs(rated) >= RATED_AT)
    accuracy = float((np.sign(scores) * (abs(scores) >= FEELS_AT) == classes).mean())
    correlation = float(np.corrcoef(scores, rated)[0, 1])
    figures.append(f"feelings of {len(rows)} sentences: r = {correlation:.3f}, of three classes {accuracy:.3f} right")
    assert correlation >= 0.65
    assert accuracy >= 0.65
