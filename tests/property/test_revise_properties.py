"""What revising promises: nothing twice, nothing lost, and the order of visits does not matter."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dwell.revise import Revisions, free_name, revise
from core.records import VISIT, VisitArray

S = 1_000_000_000
some = settings(max_examples=40, deadline=None)


@st.composite
def visits(draw: st.DrawFn) -> VisitArray:
    """Visits of two devices in three zones and of the store; those of one device and zone do not overlap."""
    rows = []
    for device in range(2):
        for kind, zone in ((0, 0), (0, 1), (0, 2), (1, -1)):
            at = 0
            for gap, stay in draw(st.lists(st.tuples(st.integers(0, 9), st.integers(5, 30)), max_size=4)):
                row = np.zeros((), VISIT)
                row["entered_at"], row["left_at"] = (at + gap) * S, (at + gap + stay) * S
                row["device"], row["kind"], row["zone"] = device, kind, zone
                row["signals"] = draw(st.integers(1, 3))
                at += gap + stay
                rows.append(row)
    return np.array(rows, VISIT)


def oracle(before: VisitArray, after: VisitArray) -> set[tuple[int, int]]:
    """Pairs, by looking at all of them."""
    pairs = []
    for i, one in enumerate(before):
        for j, other in enumerate(after):
            shared = min(one["left_at"], other["left_at"]) - max(one["entered_at"], other["entered_at"])
            if shared > 0 and all(one[name] == other[name] for name in ("device", "kind", "zone")):
                pairs.append((-shared, one["entered_at"], other["entered_at"], i, j))
    found: set[tuple[int, int]] = set()
    for *_, i, j in sorted(pairs):
        if all(i != a and j != b for a, b in found):
            found.add((i, j))
    return found


def pairs(found: Revisions) -> set[tuple[int, int]]:
    return {(i, j) for i, j in [*found.unchanged.tolist(), *found.corrected.tolist()]}


@some
@given(visits(), visits())
def test_pairs_are_those_of_the_oracle_and_nobody_is_lost(before: VisitArray, after: VisitArray) -> None:
    found = revise(before, after)
    assert pairs(found) == oracle(before, after)
    left = [i for i, _ in pairs(found)] + found.withdrawn.tolist()
    right = [j for _, j in pairs(found)] + found.added.tolist()
    assert sorted(left) == list(range(len(before)))
    assert sorted(right) == list(range(len(after)))
    for i, j in found.unchanged.tolist():
        assert before[i].tobytes() == after[j].tobytes()
    for i, j in found.corrected.tolist():
        assert before[i].tobytes() != after[j].tobytes()


@some
@given(visits(), visits())
def test_revising_twice_gives_nothing_new(before: VisitArray, after: VisitArray) -> None:
    first = revise(before, after)
    kept = np.concatenate([after[first.corrected[:, 1]], before[first.unchanged[:, 0]], after[first.added]])
    kept["revision"] += 1
    again = revise(kept, after)
    assert again.changes == 0
    assert len(again.unchanged) == len(after)


@some
@given(visits(), visits(), st.randoms(use_true_random=False))
def test_the_order_of_visits_does_not_matter(before: VisitArray, after: VisitArray, random: st.DataObject) -> None:
    one = list(range(len(before)))
    other = list(range(len(after)))
    random.shuffle(one)  # type: ignore[attr-defined]
    random.shuffle(other)  # type: ignore[attr-defined]
    found = revise(before, after)
    shuffled = revise(before[one], after[other])
    assert {(one[i], other[j]) for i, j in pairs(shuffled)} == pairs(found)
    assert {one[i] for i in shuffled.withdrawn.tolist()} == set(found.withdrawn.tolist())


def visit(entered_s: int, left_s: int, zone: int = 0) -> VisitArray:
    row = np.zeros(1, VISIT)
    row["entered_at"], row["left_at"], row["zone"] = entered_s * S, left_s * S, zone
    return row


def test_a_visit_that_falls_in_two_leaves_its_name_to_the_longer_part() -> None:
    found = revise(visit(0, 100), np.concatenate([visit(0, 30), visit(40, 100)]))
    assert found.corrected.tolist() == [[0, 1]]
    assert found.added.tolist() == [0]


def test_another_zone_is_another_visit_and_touching_is_not_overlapping() -> None:
    for after in (visit(0, 100, zone=1), visit(100, 200)):
        found = revise(visit(0, 100), after)
        assert (found.withdrawn.tolist(), found.added.tolist(), len(found.corrected)) == ([0], [0], 0)


def test_a_name_that_is_taken_is_not_given_again() -> None:
    name = bytes(16)
    assert free_name(name, set()) == name
    second = free_name(name, {name})
    assert second == free_name(name, [name])
    assert len({name, second, free_name(name, {name, second})}) == 3
