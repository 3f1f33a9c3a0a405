"""How well the feelings of notes are read: sets of notes, written and labelled for this without our lexicon.

The wrong ones of `notes_read_before.csv` were looked at and everyday idioms added after them (version 4); those of
`notes_read_second.csv` with a negation or two feelings were, for the rules of version 6. So both say little any more.
`notes_mixed_and_negated.csv`, the hard ones alone, was written before those rules and is only counted; nobody looked
at what is wrong in it, and nobody should: whoever does writes another one.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from api.lexicons import feeling_reader
from core.journey.feeling import FEELS_AT, Reading

# what was reached, less a few notes: they guard it and claim no quality; r is the goal itself
HERE = Path(__file__).parent
_POLARITY = {"positive": 1, "negative": -1, "neutral": 0}


def read(name: str) -> list[tuple[str, Reading]]:
    with (HERE / name).open(encoding="utf-8", newline="") as lines:
        return [(row["feeling"], feeling_reader().read(row["note"])) for row in csv.DictReader(lines)]


def share(right: Iterable[bool]) -> float:
    return float(np.mean(list(right)))


@pytest.mark.parametrize(("name", "floor"), [("notes_read_before.csv", 0.8), ("notes_read_second.csv", 0.79)])
def test_feelings_of_notes(name: str, floor: float) -> None:
    rows = read(name)
    assert len(rows) == 240
    assert share(reading.feeling == feeling for feeling, reading in rows) >= floor, "of four words"
    plain = [(_POLARITY[feeling], reading.score) for feeling, reading in rows if feeling in _POLARITY]
    assert share(np.sign(score) * (abs(score) >= FEELS_AT) == felt for felt, score in plain) >= 0.79, "of three"
    felt = np.array([_POLARITY.get(feeling, 0) for feeling, _ in rows])
    assert np.corrcoef(felt, [reading.score for _, reading in rows])[0, 1] >= 0.65
    assert share(reading.feeling == feeling for feeling, reading in rows if feeling == "mixed") >= 0.7


def test_mixed_and_negated_notes_that_nobody_tuned_on() -> None:
    with (HERE / "notes_mixed_and_negated.csv").open(encoding="utf-8", newline="") as lines:
        rows = [(row["label"], feeling_reader().read(row["text"])) for row in csv.DictReader(lines)]
    assert len(rows) == 60
    assert sum(reading.feeling == feeling for feeling, reading in rows) >= 42
