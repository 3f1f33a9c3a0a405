"""Pseudonyms to indices and back."""

import os

import numpy as np
import pytest

from core.dwell.devices import DeviceTable
from core.errors import InputError
from tests.dwell.scenes import pseudonyms

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


def test_a_million_devices() -> None:
    """Vectorised by numba; without it the table is tried with fewer."""
    names = pseudonyms(20_000 if os.environ.get("NUMBA_DISABLE_JIT") == "1" else 1_000_000)
    table = DeviceTable()
    assert (table.index(names) == np.arange(len(names))).all()
