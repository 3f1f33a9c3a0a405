"""Whoever is told to stop while kernels are compiled need not compile the rest."""

import numba
import pytest

from core.dwell.compiling import compiling_until

pytestmark = pytest.mark.compiled


def test_the_block_is_left_before_the_next_kernel_is_compiled() -> None:
    told: list[str] = []

    @numba.njit(cache=False)
    def first(x: int) -> int:
        return x + 1

    @numba.njit(cache=False)
    def second(x: int) -> int:
        return x + 2

    with compiling_until(lambda: bool(told)):
        told.append(f"first {first(1)}")
        told.append(f"second {second(1)}")
    assert told == ["first 2"]
    assert first.signatures
    assert not second.signatures
    assert second(1) == 3, "numba goes on as before"


def test_nobody_is_stopped_unasked_and_other_errors_pass() -> None:
    @numba.njit(cache=False)
    def kernel(x: int) -> int:
        return x + 1

    with compiling_until(lambda: False):
        assert kernel(1) == 2
    with pytest.raises(ZeroDivisionError), compiling_until(lambda: True):
        _ = 1 // 0
