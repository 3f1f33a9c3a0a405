"""What labelled signals tell a calibration equals the oracle, and no device tells a spot more than its bound."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.dwell import calibration_kernels as kernels
from core.dwell.calibration import weights
from core.records import SIGNAL, SignalArray
from tests.kernels import PLAIN_PYTHON
from tests.oracle import tallying
from tests.oracle.tallying import Labelled

pytestmark = pytest.mark.kernels

STEP_US = 100_000
MOST = 30
SPOTS, ANCHORS, DEVICES = 3, 4, 3
few = settings(max_examples=20 if PLAIN_PYTHON else 100, deadline=None)


class Scene(NamedTuple):
    """A labelled path, as the product takes it and as the oracle does."""

    signals: SignalArray
    stay: NDArray[np.int64]
    spot: NDArray[np.int64]
    told: list[Labelled]

    @property
    def first(self) -> NDArray[np.bool_]:
        first = np.zeros(len(self.signals), np.bool_)
        kernels.find_adverts(self.signals, STEP_US, first)
        return first


def scene(seed: int, stays: int, longest: int) -> Scene:
    """Stays of some devices, each advert heard by some anchors within the step or up to its end; some uncertain."""
    rng = np.random.default_rng(seed)
    rows: list[Labelled] = []
    number = 0
    for device in range(DEVICES):
        at = int(rng.integers(0, 10**6))
        for _ in range(int(rng.integers(0, stays + 1))):
            spot = int(rng.integers(-1, SPOTS))
            for _ in range(int(rng.integers(1, longest + 1))):
                at += int(rng.choice([STEP_US, STEP_US + 1, 10**6, 10**7]))
                for after in np.sort(rng.choice([0, 1, STEP_US - 1], int(rng.integers(1, 4)))):
                    anchor, rssi_dbm = int(rng.integers(0, ANCHORS)), int(rng.integers(-95, -40))
                    told = at if not rows or rows[-1].device != device or rows[-1].at < at else at + int(after)
                    rows.append(Labelled(device, told, anchor, rssi_dbm, number, spot if spot >= 0 else None))
                at = rows[-1].at
            number += 1
    signals = np.array([(row.at, row.device, row.anchor, row.rssi_dbm) for row in rows], SIGNAL)
    stay = np.array([row.stay for row in rows], np.int64)
    spot_of = np.array([-1 if row.spot is None else row.spot for row in rows], np.int64)
    return Scene(signals, stay, spot_of, rows)


scenes = st.builds(scene, st.integers(0, 2**32), st.integers(1, 8), st.sampled_from([3, 40, 120]))


@given(scenes)
@few
def test_weights_equal_the_oracle(made: Scene) -> None:
    weight = weights(made.signals["device"], made.first, made.stay, made.spot)
    assert weight.tolist() == pytest.approx(tallying.weights(made.told, STEP_US, MOST), abs=1e-12)


@given(scenes, st.integers(0, 2**32))
@few
def test_sums_equal_the_oracle_whatever_signals_weigh(made: Scene, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.choice([0.1, 0.5, 1.0, 20.0], len(made.signals))
    offset_db = rng.uniform(-6, 6, DEVICES)
    block = rng.integers(0, 2, len(made.signals))
    sent, steps, heard_in = np.zeros((2, SPOTS)), np.zeros((2, SPOTS)), np.zeros((2, ANCHORS), np.int64)
    heard, count, total = np.zeros((SPOTS, ANCHORS)), np.zeros((SPOTS, ANCHORS)), np.zeros((SPOTS, ANCHORS))
    last_step = np.zeros(ANCHORS, np.int64)
    by_block = block, sent, steps, heard_in
    kernels.tally(
        made.signals, made.first, made.spot, weight, offset_db, *by_block, heard, count, total, last_step
    )  # fmt: skip
    told = tallying.told(made.told, weight.tolist(), offset_db.tolist(), STEP_US)
    for summed, by_spot in ((sent, told.sent), (steps, told.steps)):
        assert summed.sum(axis=0).tolist() == pytest.approx([by_spot[spot] for spot in range(SPOTS)])
    for cells, by_cell in ((heard, told.heard), (count, told.readings), (total, told.total)):
        wanted = [by_cell[spot, anchor] for spot in range(SPOTS) for anchor in range(ANCHORS)]
        assert cells.ravel().tolist() == pytest.approx(wanted, abs=1e-9)
    assert heard_in.sum() == len(made.signals)


@given(scenes)
@few
def test_a_device_tells_a_spot_no_more_than_one_stay_can(made: Scene) -> None:
    weight, first = weights(made.signals["device"], made.first, made.stay, made.spot), made.first
    assert (weight > 0).all()
    assert (weight <= 1).all()
    for device in range(DEVICES):
        for spot in range(-1, SPOTS):
            own = first & (made.signals["device"] == device) & (made.spot == spot)
            assert weight[own].sum() <= MOST + 1e-9
            adverts = [int((own & (made.stay == stay)).sum()) for stay in np.unique(made.stay[own])]
            if sum(adverts) <= MOST:
                assert (weight[own] == 1).all()


@given(scenes)
@few
def test_a_stay_that_is_longer_or_comes_again_takes_nothing_from_other_devices(made: Scene) -> None:
    own = made.signals["device"] == 0
    twice = np.concatenate([np.flatnonzero(own), np.arange(len(own))])
    signals, stay = made.signals[twice], made.stay[twice]
    signals["ts"][own.sum() :][signals["device"][own.sum() :] == 0] += 10**12
    stay[: own.sum()] += len(made.signals)
    again = Scene(signals, stay, made.spot[twice], [])
    before = weights(made.signals["device"], made.first, made.stay, made.spot)
    after = weights(signals["device"], again.first, stay, again.spot)
    assert after[own.sum() :][~own].tolist() == before[~own].tolist()
