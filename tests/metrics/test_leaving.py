"""Counts that leave: no figure, and no difference of figures, speaks of fewer than ten people."""

from hypothesis import given, settings
from hypothesis import strategies as st

from core.metrics.leaving import told

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
