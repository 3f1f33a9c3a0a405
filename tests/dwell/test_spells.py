"""Spells against a plain count, however the signals are cut."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dwell.spells import BEFORE_ALL_NS, CLOCKS_NS, Spells
from core.records import SIGNAL, SignalArray

GAP = 900 * 10**9
S = 10**9


def signals(heard: list[tuple[int, int]]) -> SignalArray:
    rows = np.zeros(len(heard), SIGNAL)
    rows["device"] = [device for device, _ in heard]
    rows["ts"] = [at for _, at in heard]
    return rows


def plainly(heard: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    found: list[list[int]] = []
    for device, at in sorted(heard):
        if found and found[-1][0] == device and at - found[-1][2] <= GAP:
            found[-1][2] = at
        else:
            found.append([device, at, at])
    return [(device, begin, end) for device, begin, end in found]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9000)), min_size=1, max_size=40),
    st.lists(st.integers(0, 40), max_size=4),
)
def test_spells_are_those_of_a_plain_count_however_they_are_cut(
    heard: list[tuple[int, int]], cuts: list[int]
) -> None:
    rows = signals([(device, at * S) for device, at in sorted(heard, key=lambda one: one[1])])
    spells = Spells(GAP, BEFORE_ALL_NS)
    for part in np.split(rows, sorted(min(cut, len(rows)) for cut in cuts)):
        spells.add(part[::-1])
    table = spells.table()
    found = list(zip(table.device.tolist(), table.begin.tolist(), table.end.tolist(), strict=True))
    assert found == plainly([(device, at * S) for device, at in heard])
    assert table.whole.all()
    assert table.holding(table.device, table.begin, table.end).tolist() == list(range(len(found)))


def test_a_silence_of_exactly_the_gap_ends_nothing_and_one_longer_does() -> None:
    for silence, count in ((GAP - 1, 1), (GAP, 1), (GAP + 1, 2)):
        spells = Spells(GAP, BEFORE_ALL_NS)
        spells.add(signals([(0, 0), (0, silence)]))
        assert len(spells.table().device) == count


def test_a_spell_that_may_have_begun_before_is_not_whole() -> None:
    spells = Spells(GAP, since_ns=0)
    spells.add(signals([(0, GAP), (1, GAP + 1), (0, 3 * GAP)]))
    assert spells.table().whole.tolist() == [False, True, True]


def test_a_stretch_may_lie_beside_its_spell_and_belongs_to_no_other() -> None:
    spells = Spells(GAP, BEFORE_ALL_NS)
    spells.add(signals([(0, 0), (0, 5 * S), (1, 0)]))
    for begin, spell in ((5 * S + CLOCKS_NS, 0), (5 * S + CLOCKS_NS + 1, -1)):
        stretch = np.array([begin])
        assert spells.table().holding(np.array([0]), stretch, stretch + S).tolist() == [spell]
    stretch = np.array([0])
    assert spells.table().holding(np.array([2]), stretch, stretch).tolist() == [-1]
