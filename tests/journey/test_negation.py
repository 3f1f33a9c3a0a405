"""What a negation reaches and what it makes of it: each rule by sentences of its own."""

import pytest

from api.lexicons import feeling_reader_by_words
from core.journey.negation import REACH


@pytest.mark.parametrize(
    ("text", "feeling"),
    [
        # to the end of the clause, not three words
        ("Nobody at the counter by the door was rude", "positive"),
        ("You can't get any sensible answer here", "negative"),
        ("Not a very nice welcome", "negative"),
        ("None of the plates were broken", "positive"),
        # and not beyond
        ("I was not there because of the rude staff", "negative"),
        ("Not happy with the rude reply", "negative"),
        ("She never came and we were glad", "mixed"),
        ("I did not see the sign, lovely shop", "positive"),
        # what is denied of somebody who does not deny
        ("There's nothing I don't like about the coat", "positive"),
        ("Not without charm", "positive"),
        # a comparative, so and such, enough: praise and blame by negation
        ("Couldn't be happier", "positive"),
        ("It couldn't be worse", "negative"),
        ("I have never had a nicer welcome", "positive"),
        ("There is no friendlier shop", "positive"),
        ("The service is no better", "negative"),
        ("It never got better", "negative"),
        ("Never been so well served", "positive"),
        ("Never seen such rude staff", "negative"),
        ("I can't praise the lady at the desk enough", "positive"),
        ("Couldn't find enough nice cups", "negative"),
        # absence of what is bad
        ("Never disappointed", "positive"),
        ("No complaints", "positive"),
        ("Went without a hitch", "positive"),
        ("Nothing wrong with it", "positive"),
        ("Not bad at all", "positive"),
        ("Not annoyed by the delay", "positive"),
        ("Her worries were for nothing", "positive"),
        ("The squeak is gone", "positive"),
        # and of what is wanted
        ("Hardly any help", "negative"),
        ("They never called me back", "negative"),
        ("Not a single chair", "negative"),
        ("A lack of choice", "negative"),
        ("Failed to apologise", "negative"),
        ("Unable to find anybody", "negative"),
        # less than it says
        ("Far from happy", "negative"),
        ("By no means a good repair", "negative"),
        ("Not as warm as they say", "negative"),
        ("Not what I hoped for", "negative"),
        ("Too stiff to walk in", "negative"),
        # one that hides no feeling
        ("Wouldn't hesitate to come back", "positive"),
        ("She can't wait to wear it", "positive"),
        ("Not only friendly but also fast", "positive"),
        ("She didn't mind which one", "neutral"),
        ("Not great, not terrible", "neutral"),
    ],
)
def test_denials_are_read_as_they_are_meant(text: str, feeling: str) -> None:
    assert feeling_reader_by_words().read(text).feeling == feeling


def test_what_is_missed_is_a_cue() -> None:
    text = "Hardly any help"
    (clause,) = feeling_reader_by_words().read(text).clauses
    assert [(text[cue.begin : cue.end], cue.valence < 0) for cue in clause.cues] == [
        ("Hardly any", True),
        ("help", True),
    ]


@pytest.mark.parametrize(("words", "feeling"), [(REACH - 1, "negative"), (REACH, "positive")])
def test_a_negation_reaches_so_many_words(words: int, feeling: str) -> None:
    assert feeling_reader_by_words().read("not " + "blue " * words + "good").feeling == feeling


@pytest.mark.parametrize(
    ("text", "doubted"),
    [
        ("She did not bring the blue one", True),
        ("Asked about the blue one", False),
        ("Nobody was rude", False),
    ],
)
def test_a_denial_of_nothing_known_is_doubted(text: str, doubted: bool) -> None:
    reading = feeling_reader_by_words().read(text)
    assert reading.doubted is doubted, reading
