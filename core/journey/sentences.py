"""How likely it is that a text says something good, and something bad, from where its sentences lie among others.

A sentence model turns a text into a point such that texts of like meaning lie close to each other. What was learnt
is a plane in that space for the good and one for the bad (logistic regression), moved by what the words of the text
say. So a feeling that no word says can be read as well, and a text can say both. The model itself is given.
"""

from collections.abc import Callable
from math import exp
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

SENTENCE_CHARACTERS: Final = 600
"""What is longer is read by its words alone: what was learnt from is shorter, and time grows with the length."""


class SaidByWords(NamedTuple):
    """How good the best clause is by its words, how bad the worst; the same of those that deny; 0..1 each."""

    good: float
    bad: float
    good_denied: float
    bad_denied: float


class FeelingWeights(msgspec.Struct, frozen=True, kw_only=True):
    """A plane: how far a text lies on the side of a feeling, in logits.

    `good_words` and `bad_words` weigh the best and the worst clause, 0..1, as its words were read; `good_denied` and
    `bad_denied` once more those that deny something, which words read better than places; `place` weighs the
    coordinates of the text.
    """

    bias: float
    good_words: float
    bad_words: float
    good_denied: float = 0.0
    bad_denied: float = 0.0
    place: tuple[float, ...]


class SentenceWeights(msgspec.Struct, frozen=True, kw_only=True):
    """What was learnt of one language for one sentence model."""

    language: str
    version: int
    model: str
    model_version: str
    good: FeelingWeights
    bad: FeelingWeights


class SentenceReader:
    """Tells how likely a text says something good and something bad.

    Parameters
    ----------
    weights : SentenceWeights
    place : callable
        The sentence model that they were learnt for: takes a text, returns its coordinates, as many as `place` has.
    """

    def __init__(self, weights: SentenceWeights, place: Callable[[str], NDArray[np.float32]]) -> None:
        self._place = place
        self._planes = [
            (plane.bias, _by_words(plane), np.array(plane.place)) for plane in (weights.good, weights.bad)
        ]
        self.model = weights.model
        self.version = f"{weights.model_version}+{weights.version}"

    def likely(self, text: str, by_words: SaidByWords) -> tuple[float, float]:
        """Return the probabilities, 0..1, of something good and of something bad in a text."""
        place = self._place(text)
        words = np.array(by_words)
        good, bad = (
            1 / (1 + exp(-(bias + float(weighs @ words) + float(by_place @ place))))
            for bias, weighs, by_place in self._planes
        )
        return good, bad


def _by_words(plane: FeelingWeights) -> NDArray[np.float64]:
    return np.array([plane.good_words, plane.bad_words, plane.good_denied, plane.bad_denied])
