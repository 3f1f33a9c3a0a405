"""Counts that leave: no figure, and no difference of figures, speaks of fewer than ten people."""

from collections import Counter
from itertools import chain, combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.metrics.leaving import Cell, kept, kept_tags, summed, told

A, B = ("2026-10", "marktplatz"), ("2026-11", "marktplatz")


def test_small_cells_are_hidden_and_sums_leave_them_out() -> None:
    found = told([(A, "x", 30, 12), (B, "x", 9, 9), (A, "y", 40, 30), (B, "y", 50, 30), (B, "z", 11, 11)])
    # in November x is small; z, the next smallest, would give it away
    assert [(one.word, one.count, one.hidden) for one in found] == [("y", 90, 0), ("x", 30, 1), ("z", None, 1)]


def test_a_word_that_is_alone_and_small_is_hidden_everywhere() -> None:
    assert [(one.word, one.count) for one in told([(A, "x", 3, 3)])] == [("x", None)]
    assert told([]) == []


cells = st.dictionaries(
    st.tuples(st.sampled_from([A, B]), st.sampled_from("uvwxyz")), st.integers(1, 40), max_size=12
).map(lambda found: [(group, word, people, people) for (group, word), people in found.items()])


@settings(max_examples=200, deadline=None)
@given(cells)
def test_whatever_is_told_of_a_month_leaves_enough_people_in_what_is_not(
    found: list[tuple[tuple[str, str], str, int, int]],
) -> None:
    for group in (A, B):
        rows = [row for row in found if row[0] == group]
        shown = {one.word for one in told(rows) if one.count is not None}
        rest = sum(people for _, word, _, people in rows if word not in shown)
        assert all(people >= 10 for _, word, _, people in rows if word in shown)
        assert rest == 0 or rest >= 10 or not shown
    both = {one.word: one.count for one in told(found)}
    each = [{one.word: one.count or 0 for one in told([row for row in found if row[0] == group])} for group in (A, B)]
    assert {word: count or 0 for word, count in both.items()} == {
        word: sum(part.get(word, 0) for part in each) for word in both
    }


FEELINGS = {"delighted": "positive", "pleased": "positive", "angry": "negative", "frustrated": "negative"}


def of(words: tuple[str, ...], people: int) -> Cell:
    return Cell(group=A, words=words, count=people, people=people)


def few(count: int) -> bool:
    return 0 < abs(count) < 10


def test_a_mood_is_not_had_by_subtracting_moods_from_their_feeling() -> None:
    people = {"delighted": 38, "pleased": 2, "angry": 12, "frustrated": 13}
    cells = kept(of((mood, FEELINGS[mood]), count) for mood, count in people.items())
    assert {row.word: row.count for row in summed(cells, 0)} == {
        "delighted": 38, "frustrated": 13, "angry": None, "pleased": None,
    }  # fmt: skip
    assert {row.word: row.count for row in summed(cells, 1)} == {"positive": 38, "negative": 13}


moods = st.dictionaries(
    st.tuples(st.sampled_from(["", *FEELINGS]), st.sampled_from(["positive", "negative"])),
    st.integers(1, 40),
    max_size=10,
)


@settings(max_examples=200, deadline=None)
@given(moods)
def test_no_difference_of_moods_and_feelings_is_of_few(found: dict[tuple[str, str], int]) -> None:
    cells = kept(of(words, count) for words, count in found.items())
    for mood in summed(cells, 0):
        assert not few(mood.count or 0)
    for feeling in summed(cells, 1):
        # whoever knows which moods are of a feeling takes any of them off
        of_it = [
            row.count
            for row in summed(cells, 0)
            if {word[1] for word in found if word[0] == row.word} == {feeling.word}
        ]
        for some in chain.from_iterable(
            combinations([count or 0 for count in of_it], n) for n in range(len(of_it) + 1)
        ):
            assert not few((feeling.count or 0) - sum(some))


def tags_told(notes: dict[tuple[str, frozenset[str]], int]) -> list[tuple[Cell, bool]]:
    tagged, places = Counter[tuple[str, str]](), Counter[str]()
    for (zone, tags), count in notes.items():
        places[zone] += count
        for tag in tags:
            tagged[zone, tag] += count
    return kept_tags(
        (of(words, count) for words, count in tagged.items()),
        {(A, zone): (count, count) for zone, count in places.items()},
    )


def test_a_tag_of_a_zone_is_not_had_by_subtracting_zones_from_the_store() -> None:
    hesitated = frozenset({"hesitated"})
    found = tags_told({("shoes", hesitated): 38, ("bags", hesitated): 2, ("", frozenset()): 20})
    assert [(row.word, row.count) for row in summed(found, 1)] == [("hesitated", 38)]
    alone = tags_told({("shoes", hesitated): 38, ("bags", hesitated): 2})
    assert [(row.word, row.count) for row in summed(alone, 1)] == [("hesitated", None)], "all notes are 40"
    without = tags_told({("shoes", hesitated): 38, ("shoes", frozenset()): 2})
    assert [(row.word, row.count) for row in summed(without, 1)] == [("hesitated", None)], "2 are without it"


written = st.dictionaries(
    st.tuples(st.sampled_from(["", "shoes", "bags"]), st.frozensets(st.sampled_from("xyz"))),
    st.integers(1, 40),
    max_size=10,
)


@settings(max_examples=200, deadline=None)
@given(written)
def test_no_difference_of_tags_of_a_store_of_its_zones_and_of_all_notes_is_of_few(
    notes: dict[tuple[str, frozenset[str]], int],
) -> None:
    found = tags_told(notes)
    for tag in summed(found, 1):
        of_zones = {cell.words[0]: cell.count for cell, tell in found if tell and cell.words[1] == tag.word}
        for zone, count in of_zones.items():
            assert not few(count)
            assert not few((tag.count or 0) - count)
            assert not few(sum(some for (place, _), some in notes.items() if place == zone) - count)
        if tag.count is not None:
            assert not few(sum(notes.values()) - tag.count)
