"""Kernels are compiled once a session, outside of what tests measure."""

import pytest

from core.dwell import calibration
from core.dwell.clocks import no_clocks
from core.dwell.engine import compile_kernels
from tests.dwell.scenes import grid_plan
from tests.kernels import PLAIN_PYTHON


@pytest.fixture(scope="session", autouse=True)
def warm_kernels() -> None:
    for zones in (1, 3, 9):  # up to 16 lanes
        compile_kernels(grid_plan(zones))


@pytest.fixture(autouse=True)
def clocks_without_jit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As plain Python comparing a scene's clocks takes minutes; its kernels have small scenes of their own."""
    if PLAIN_PYTHON:
        monkeypatch.setattr(
            calibration, "estimate_clocks_as_arrived", lambda _signals, anchors, _step_us: no_clocks(anchors)
        )
