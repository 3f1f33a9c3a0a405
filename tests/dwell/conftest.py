"""Kernels are compiled once a session, outside of what tests measure."""

import pytest

from core.dwell.engine import compile_kernels
from tests.dwell.scenes import grid_plan


@pytest.fixture(scope="session", autouse=True)
def warm_kernels() -> None:
    for zones in (1, 3, 9):  # up to 16 lanes
        compile_kernels(grid_plan(zones))
