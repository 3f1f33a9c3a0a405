"""Phone and watch of a customer walk together: one visit."""

from random import Random

from core.journey.walks import Span, walks
from core.limits import NS_PER_S


def span(place: str, begin_s: int, end_s: int) -> Span:
    return Span(place=place, entered_at=begin_s * NS_PER_S, left_at=end_s * NS_PER_S)


def test_what_overlaps_in_one_place_is_one_walk_and_the_longest_stands_for_it() -> None:
    phone, watch, later = span("a", 0, 600), span("a", 7, 660), span("a", 661, 700)
    elsewhere = span("b", 5, 900)
    assert walks([later, watch, elsewhere, phone], lambda one: one) == [[watch, phone], [elsewhere], [later]]
    asleep = [span("a", 0, 60), span("a", 300, 500)]
    watch = span("a", 50, 350)
    assert walks([*asleep, watch], lambda one: one) == [[watch, asleep[1], asleep[0]]], "joined by the watch"
    touching = [span("a", 0, 60), span("a", 60, 120)]
    assert walks(touching, lambda one: one) == [touching], "of equally long ones the first to begin"
    assert walks([], lambda one: one) == []


def test_order_does_not_matter_and_nothing_is_lost() -> None:
    random = Random(5)
    for _ in range(200):
        # even seconds, so that a second between two visits is nobody's
        begins = [(random.choice("ab"), 2 * random.randrange(100)) for _ in range(random.randrange(1, 9))]
        lengths = [2 * random.randrange(1, 30) for _ in begins]
        visits = [span(*begin, begin[1] + length) for begin, length in zip(begins, lengths, strict=True)]
        found = walks(visits, lambda one: one)
        assert sorted(map(str, (one for walk in found for one in walk))) == sorted(map(str, visits))
        random.shuffle(visits)
        again = walks(visits, lambda one: one)
        assert {frozenset(map(str, walk)) for walk in again} == {frozenset(map(str, walk)) for walk in found}
        there = {
            (place, second)
            for (place, begin), length in zip(begins, lengths, strict=True)
            for second in range(begin, begin + length + 1)
        }
        assert len(found) == sum((place, second - 1) not in there for place, second in there), "stretches with her"
