"""Kernels are compiled once a session, outside of hypothesis' deadlines."""

import pytest

from core.dwell.engine import StoreEngine
from tests.dwell.scenes import Walk, grid_plan, pseudonyms, walk


@pytest.fixture(scope="session", autouse=True)
def warm_kernels() -> None:
    for zones in (3, 9):  # 8 and 16 lanes
        plan = grid_plan(zones)
        engine = StoreEngine(plan)
        engine.device_index(pseudonyms(2))
        engine.push(walk(plan, 0, Walk(stays=1)))
        engine.presence()
        engine.finish()
        assert engine.decided_through > 0
