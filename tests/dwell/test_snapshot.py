"""Snapshots are refused rather than guessed at."""

import numpy as np
import pytest
from msgspec import structs

from core.dwell import snapshot
from core.dwell.engine import StoreEngine
from core.dwell.model import prior_model
from core.dwell.settings import Settings
from core.errors import SnapshotError
from tests.dwell.scenes import Walk, grid_plan, pseudonyms, random_model, walk

pytestmark = pytest.mark.kernels
PLAN = grid_plan(4)


@pytest.fixture(scope="module")
def taken() -> bytes:
    engine = StoreEngine(PLAN)
    engine.device_index(pseudonyms(2))
    engine.expect(7)
    engine.push(walk(PLAN, 0, Walk(stay_s=40.0)), source=3)
    return engine.snapshot()


def test_a_snapshot_is_the_same_bytes_again(taken: bytes) -> None:
    assert StoreEngine.restore(taken, PLAN).snapshot() == taken


def test_any_flipped_byte_is_found(taken: bytes) -> None:
    places = np.random.default_rng(5).integers(0, len(taken), 200).tolist()
    for place in [*range(60), *places, len(taken) - 1]:
        flipped = bytearray(taken)
        flipped[place] ^= 0x10
        with pytest.raises(SnapshotError):
            StoreEngine.restore(bytes(flipped), PLAN)


@pytest.mark.parametrize("length", [0, 5, 39, 40, 1000])
def test_a_torn_snapshot_is_refused(taken: bytes, length: int) -> None:
    with pytest.raises(SnapshotError):
        StoreEngine.restore(taken[:length], PLAN)


def test_another_version_is_named(taken: bytes) -> None:
    other = bytearray(taken)
    other[7] = 99
    with pytest.raises(SnapshotError, match="version 99"):
        StoreEngine.restore(bytes(other), PLAN)


def test_another_plan_model_or_setting_is_refused(taken: bytes) -> None:
    with pytest.raises(SnapshotError, match="another floor plan, model or settings"):
        StoreEngine.restore(taken, grid_plan(5))
    with pytest.raises(SnapshotError, match="another floor plan, model or settings"):
        StoreEngine.restore(taken, PLAN, random_model(PLAN, 1))
    with pytest.raises(SnapshotError, match="another floor plan, model or settings"):
        StoreEngine.restore(taken, PLAN, settings=Settings(lateness_ns=0))
    nested = structs.replace(
        PLAN, zones=(PLAN.zones[0], structs.replace(PLAN.zones[1], parent="z0"), *PLAN.zones[2:])
    )
    with pytest.raises(SnapshotError, match="another floor plan, model or settings"):
        StoreEngine.restore(taken, nested, prior_model(PLAN))


def test_an_unreadable_map_behind_a_right_checksum_is_refused() -> None:
    body = b"\x81\xa1a\x01"
    data = snapshot._MAGIC + bytes([snapshot.VERSION]) + snapshot._digest(body) + body
    with pytest.raises(SnapshotError, match="cannot be read"):
        snapshot.unpack(data)


def test_an_engine_can_be_restored_under_the_prior_said_or_not(taken: bytes) -> None:
    assert StoreEngine.restore(taken, PLAN, prior_model(PLAN)).snapshot() == taken
