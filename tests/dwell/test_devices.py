"""Pseudonyms to indices and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dwell.devices import DeviceTable
from core.errors import InputError
from tests.dwell.scenes import pseudonyms
from tests.kernels import PLAIN_PYTHON

pytestmark = pytest.mark.kernels


def test_indices_are_dense_in_order_of_first_sight_and_stay() -> None:
    table = DeviceTable()
    names = pseudonyms(3000)
    assert table.index(names[:5]).tolist() == [0, 1, 2, 3, 4]
    assert table.index(names[[7, 3, 7, 8]]).tolist() == [5, 3, 5, 6]
    for part in np.array_split(names, 17):
        table.index(part)
    assert len(table) == 3000
    assert (table.pseudonyms(table.index(names)) == names).all()
    assert sorted(table.index(names).tolist()) == list(range(3000))


def test_names_that_differ_in_one_half_only_are_told_apart() -> None:
    names = np.zeros((2000, 16), np.uint8)
    names[:1000].view("<u8")[:, 0] = np.arange(1000)
    names[1000:].view("<u8")[:, 1] = np.arange(1000) + 1
    table = DeviceTable()
    assert table.index(names).tolist() == list(range(2000))


def test_a_table_is_rebuilt_from_its_rows() -> None:
    table = DeviceTable()
    names = pseudonyms(700)
    table.index(names)
    again = DeviceTable.from_rows(table.rows())
    assert again.index(names[::-1]).tolist() == list(range(699, -1, -1))


@pytest.mark.parametrize("wrong", [np.zeros((2, 15), np.uint8), np.zeros(16, np.uint8), np.zeros((2, 16), np.int8)])
def test_other_shapes_are_refused(wrong: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    with pytest.raises(InputError):
        DeviceTable().index(wrong)


@pytest.mark.parametrize("wrong", [-1, 2])
def test_an_index_that_is_not_there_is_refused(wrong: int) -> None:
    table = DeviceTable()
    table.index(pseudonyms(2))
    with pytest.raises(InputError):
        table.pseudonyms(np.array([wrong]))


def test_forgotten_indices_are_given_anew_the_lowest_first() -> None:
    table = DeviceTable()
    names = pseudonyms(10)
    table.index(names)
    table.forget(np.array([7, 2, 5]))
    assert (table.pseudonyms(np.array([5])) == names[5]).all()  # until it is given anew
    assert table.index(names[[3, 5]]).tolist() == [3, 2]
    again = DeviceTable.from_rows(table.rows(), table.free(), table.named().copy())
    for one in (table, again):
        assert one.index(pseudonyms(3, seed=1)).tolist() == [5, 7, 10]
        assert one.index(names[[2, 7]]).tolist() == [11, 12]
        assert len(one) == 13


def test_the_hour_in_which_a_device_was_named_last_is_kept() -> None:
    table = DeviceTable()
    names = pseudonyms(2000)
    table.index(names, hour=3)
    table.index(names[5:9], hour=8)
    assert np.flatnonzero(table.named() == 8).tolist() == [5, 6, 7, 8]
    assert (np.delete(table.named(), [5, 6, 7, 8]) == 3).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), steps=st.lists(st.tuples(st.booleans(), st.integers(0, 900)), max_size=12))
def test_the_table_equals_a_dictionary(seed: int, steps: list[tuple[bool, int]]) -> None:
    """Named by a few bits only, so that many meet in one slot."""
    rng = np.random.default_rng(seed)
    table = DeviceTable()
    known: dict[bytes, int] = {}
    free: list[int] = []
    made = 0
    for forget, count in steps:
        if forget:
            gone = rng.permutation(sorted(known.values()))[:count].astype(np.int64)
            table.forget(gone)
            free = sorted([*free, *gone.tolist()], reverse=True)
            known = {name: index for name, index in known.items() if index not in set(gone.tolist())}
            continue
        names = rng.integers(0, 3, (count, 16), dtype=np.uint8) * rng.integers(0, 2, 16, dtype=np.uint8)
        expected = []
        for name in map(bytes, names):
            if name not in known:
                known[name] = free.pop() if free else made
                made = max(made, known[name] + 1)
            expected.append(known[name])
        assert table.index(names).tolist() == expected
        assert len(table) == made


def test_a_million_devices() -> None:
    """Vectorised by numba; without it the table is tried with fewer."""
    names = pseudonyms(20_000 if PLAIN_PYTHON else 1_000_000)
    table = DeviceTable()
    assert (table.index(names) == np.arange(len(names))).all()
    mixed = np.random.default_rng(1).permutation(len(names))
    assert (table.index(names[mixed]) == mixed).all()
