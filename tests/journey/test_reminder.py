"""The privacy reminder: what it flags in any of its forms, what looks like it and passes, and its data."""

import csv
from pathlib import Path

import pytest

from api.lexicons import reminder


def flagged(text: str) -> list[tuple[str, str]]:
    return [(text[flag.begin : flag.end], flag.topic) for flag in reminder().flags(text)]


def test_words_are_flagged_whole_and_phrases_as_one() -> None:
    text = "A PREGNANT woman with dark skinned children; can’t afford it. Raced to the embargo."  # noqa: RUF001
    assert flagged(text) == [("PREGNANT", "health"), ("dark skinned", "origin"), ("can’t afford", "money")]  # noqa: RUF001
    assert len(flagged("muslim " * 100)) == 20


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Is in her third pregnancy", "health"), ("had miscarried", "health"), ("uses a wheelchair", "health"),
        ("has disabilities", "health"), ("is visually impaired", "health"), ("wears hearing aids", "health"),
        ("seems depressed", "health"), ("was autistic", "health"), ("had chemotherapy", "health"),
        ("mentally ill", "health"), ("an alcoholic", "health"), ("allergies", "health"), ("had a stroke", "health"),
        ("two Muslims", "religion"), ("a Sikh family", "religion"), ("Jewish", "religion"), ("atheists", "religion"),
        ("wore hijabs", "religion"), ("baptised", "religion"), ("goes to church", "religion"),
        ("Eastern European", "origin"), ("refugees", "origin"), ("a black guy", "origin"), ("Turkish", "origin"),
        ("she's Italian", "origin"), ("an English couple", "origin"), ("looks Swedish", "origin"),
        ("the customers were probably Dutch", "origin"), ("doesn't speak German", "origin"),
        ("a lesbian couple", "orientation"), ("gays", "orientation"), ("non-binary", "orientation"),
        ("is a trans woman", "orientation"), ("homosexuality", "orientation"),
        ("voted for the greens", "politics"), ("a socialist", "politics"), ("trade unionist", "politics"),
        ("is in the union", "politics"), ("shop stewards", "politics"), ("unionised", "politics"),
        ("shoplifting", "money"), ("is unemployed", "money"), ("an ex-convict", "money"), ("probably poor", "money"),
        ("He's Black", "origin"), ("she was white", "origin"), ("is of Polish descent", "origin"),
        ("she is expecting", "health"), ("She's expecting in June", "health"), ("is expecting her first", "health"),
        ("the lady is expecting a baby", "health"), ("a mum-to-be", "health"), ("a blind man", "health"),
        ("asked for kosher", "religion"), ("only eats halal", "religion"), ("she wears a headscarf", "religion"),
        ("came with her wife", "orientation"), ("goes to Mass", "religion"),
        ("is preg\N{SOFT HYPHEN}nant", "health"), ("is Mus\N{ZERO WIDTH SPACE}lim", "religion"),
        ("gay\N{COMBINING ACUTE ACCENT}", "orientation"), ("a \N{LATIN SMALL LIGATURE FI}nnish man", "origin"),
        ("\N{FULLWIDTH LATIN SMALL LETTER A}DHD", "health"), ("épileptique", "health"), ("gay²", "orientation"),
    ],
)  # fmt: skip
def test_what_cannot_be_observed_is_flagged_in_its_forms(text: str, topic: str) -> None:
    assert [found for _, found in flagged(text)] == [topic]


@pytest.mark.parametrize(
    "text",
    [
        "Touched the jacket, smiled and left", "Tried a Christian Dior coat", "Asked about Turkish towels",
        "Italian leather, French cuffs", "Wanted Japanese denim and an Indian cotton shirt", "nail polish remover",
        "the arabica beans", "looked at the jewellery", "dry skin, so skin care", "a stroke of luck",
        "The sign about hospitality", "an accent colour", "non-alcoholic drinks", "raced to the till",
        "asked for a blind hem and roller blinds", "sick of waiting", "an infectious laugh", "trans-seasonal coat",
        "romantic dress", "democratic prices", "spoke liberally of it", "was socialising with friends",
        "fire-retardant curtains", "virgin wool", "union jack mug", "white children's shoes", "black men's boots",
        "Church's shoes", "walking poles", "a conservative cut", "visual aids", "the depressing music",
        "asked about sustainability", "unbelievable price", "the Cuban heels", "prescription glasses",
        "confused by the sign", "excited by packaging", "the queue was illogical", "nuance of colour", "gave a gift",
        "black shoes", "They were black", "the bag is black", "he is a black coffee drinker",
        "she is expecting a parcel",
        "was expecting better", "he's expecting guests", "she is expecting her parcel",
        "expecting a call", "kosher salt",
        "asked for kosher salt", "wanted kosher pickles", "the deal was not quite kosher", "halal counter",
        "a headscarf in silk", "the blind is broken", "a blind for the kitchen",
        "deaf to our offers", "Asian noodles",
        "the sick new colour", "the fit is poor", "quality looks poor",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_passes(text: str) -> None:
    assert flagged(text) == []


def test_a_list_that_was_written_before_the_rules() -> None:
    """Written as staff write, before whoever wrote it had seen the lexicon of version 3, which had 54 and 9.

    The rules of version 4 are by the same writer, so it guards them and claims little: docs/notes.md.
    """
    with (Path(__file__).parent / "reminder_written_before.csv").open(encoding="utf-8", newline="") as lines:
        rows = [(row["asserts"] == "1", bool(flagged(row["text"]))) for row in csv.DictReader(lines)]
    assert sum(asserts for asserts, _ in rows) == 66
    assert sum(found for asserts, found in rows if asserts) >= 65
    assert sum(found for asserts, found in rows if not asserts) <= 4


def test_the_data_holds_together() -> None:
    lexicon = reminder().lexicon
    phrases = [*lexicon.passes, *(phrase for topic in lexicon.topics for phrase in topic.words)]
    assert len(phrases) == len(set(phrases)), "each stands once"
    for phrase in phrases:
        words = phrase.split()
        assert 1 <= len(words) <= 6, phrase
        assert phrase == phrase.casefold(), phrase
        assert len(words[0]) > 2 or words[0][-1] not in "*~", "stems are looked up by two letters"
        for word in words:
            assert not word.startswith("@") or word[1:] in lexicon.groups, phrase
