"""Feelings by words: clauses, cues and negation."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.lexicons import feeling_reader_by_words
from core.journey.feeling import CUES_MOST, is_sure


@pytest.mark.parametrize(
    ("text", "feeling"),
    [
        ("Loved the shoes but could not find her size", "mixed"),
        ("Great shoes, terrible service", "mixed"),
        ("Not happy with the queue; the staff were great", "mixed"),
        ("She loves the brand, although the till was broken", "mixed"),
        ("She was not impressed", "negative"),
        ("The staff didn't help at all", "negative"),
        ("The zip doesn't work", "negative"),
        ("The zip doesn’t work", "negative"),  # noqa: RUF001 - as phones write it
        ("Hat das Kleid anprobiert", "neutral"),
        ("Asked about the red one", "neutral"),
        ("Looks like the red one", "neutral"),
        ("Called customer service", "neutral"),
        ("No problems at the till", "positive"),
        ("The coat fits and is well made", "positive"),
        ("", "neutral"),
        ("The advice was hardly helpful", "negative"),
        ("Staff were less helpful than last time", "negative"),
        ("The new sign is less confusing than before", "positive"),
        ("Neither friendly nor helpful", "negative"),
        ("The queue was anything but pleasant", "negative"),
        ("She had nothing but praise for the staff", "positive"),
        ("Can't recommend this highly enough", "positive"),
        ("It would be great if there were more seats", "neutral"),
        ("Loved the shoes and hated the queue", "mixed"),
        ("Friendly and helpful", "positive"),
        ("I don't think it is good", "negative"),
        ("She doesn't think the new staff upstairs are very friendly", "negative"),
        ("I don't think I have ever been happier", "positive"),
        ("I can't say that I enjoyed it", "negative"),
        ("Loved nothing", "negative"),
        ("Used to love this shop", "negative"),
        ("She is used to good service", "positive"),
        ("Not only friendly but also fast", "positive"),
        ("\N{POUTING FACE}", "negative"),
        ("\N{THUMBS DOWN SIGN} the new till", "negative"),
        ("The wait was not long", "positive"),
        ("The queue wasn't that bad", "positive"),
        ("She did not have to wait", "positive"),
        ("Hardly any queue today", "positive"),
        ("The price is not too high for her", "positive"),
        ("The wait was long and the staff rude", "negative"),
        ("Happy with the shoes, not with the laces", "mixed"),
        ("The scarf is lovely, the smell of it isn't", "mixed"),
        ("Was dreading the fitting but the lady was lovely", "positive"),
        ("Hoped for a good seat, but the cushion was horrible", "negative"),
        ("Was worried about the price, and still is", "negative"),
        ("I have lost all trust in you", "negative"),
        ("Can't stop smiling", "positive"),
        ("Could not stop complaining", "negative"),
        ("Not sure yet which one", "neutral"),
        ("No bag needed", "neutral"),
        ("I just wish it had lasted", "negative"),
        ("Love it \N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}", "positive"),
    ],
)
def test_what_notes_say(text: str, feeling: str) -> None:
    assert feeling_reader_by_words().read(text).feeling == feeling


def test_a_cue_says_what_it_adds_negation_included() -> None:
    text = "Staff friendly. The fitting room was not clean"
    friendly, dirty = feeling_reader_by_words().read(text).clauses
    assert [(text[cue.begin : cue.end], cue.valence > 0) for cue in friendly.cues] == [("friendly", True)]
    assert [(text[cue.begin : cue.end], cue.valence > 0) for cue in dirty.cues] == [("clean", False)]
    assert text[friendly.begin : friendly.end] == "Staff friendly."
    assert text[dirty.begin : dirty.end] == "The fitting room was not clean"


def test_what_was_feared_is_no_feeling_of_what_came() -> None:
    feared, came = feeling_reader_by_words().read("Was dreading the fitting, but the lady was lovely").clauses
    assert (feared.feeling, feared.score, came.feeling) == ("neutral", 0.0, "positive")


@pytest.mark.parametrize(
    ("text", "sure"),
    [
        ("The staff were lovely", True), ("Asked about the red one", True),
        ("Loved the shoes, hated the queue", True), ("Lovely staff in an ugly shop", False), ("She sighed", False),
    ],
)  # fmt: skip
def test_what_contradicts_itself_or_is_faint_is_unsure(text: str, sure: bool) -> None:
    found = feeling_reader_by_words().read(text)
    cues = [cue.valence for clause in found.clauses for cue in clause.cues]
    assert is_sure(found.feeling, found.score, cues) is sure, (found.feeling, found.score, cues)


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=120)
    | st.lists(st.sampled_from(["good", "bad", "not", "but", ",", ".", "no", "loved", "'", "n't", "although"])).map(
        " ".join
    )
)
def test_any_text_is_read_and_clauses_lie_in_it(text: str) -> None:
    reading = feeling_reader_by_words().read(text)
    assert -1 <= reading.score <= 1
    end = 0
    for clause in reading.clauses:
        assert end <= clause.begin < clause.end <= len(text)
        end = clause.end
        assert all(clause.begin <= cue.begin < cue.end <= clause.end for cue in clause.cues)


@pytest.mark.parametrize(
    "text", ["good " * 1_000, "good, bad, " * 450, "\U0001f600" * 600], ids=["one", "two", "signs"]
)
def test_a_text_of_nothing_but_feelings_is_not_read_once_for_each_of_them(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took a quarter of a minute of a core, and whoever may write could have sent it."""
    reader, asked = feeling_reader_by_words(), 0
    score = reader._scorer.polarity_scores

    def counted(said: str) -> dict[str, float]:
        nonlocal asked
        asked += 1
        return score(said)

    monkeypatch.setattr(reader._scorer, "polarity_scores", counted)
    reading = reader.read(text)
    assert all(len(clause.cues) <= CUES_MOST for clause in reading.clauses)
    assert asked <= 3 * CUES_MOST
