"""What a calibration looks at does not depend on how the recording was cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dwell.sample import Sample
from core.records import SIGNAL, SignalArray


def recording(devices: int, count: int, seed: int) -> SignalArray:
    rng = np.random.default_rng(seed)
    signals = np.zeros(count, SIGNAL)
    signals["ts"] = np.arange(count)
    # numbered in order of appearance, as `Sample.number` numbers them
    drawn = rng.integers(0, devices, count)
    first = dict.fromkeys(drawn.tolist())
    order = {device: place for place, device in enumerate(first)}
    signals["device"] = [order[device] for device in drawn.tolist()]
    return signals


def sampled(signals: SignalArray, limit: int, piece: int) -> SignalArray:
    sample = Sample(limit)
    known = 0
    for begin in range(0, len(signals), piece):
        part = signals[begin : begin + piece]
        new = int(part["device"].max()) + 1 - known
        if new > 0:
            ids = np.random.default_rng(5).integers(0, 256, (known + new, 16), dtype=np.uint8)[known:]
            assert sample.number(ids).tolist() == list(range(known, known + new))
            known += new
        sample.add(part)
    return sample.signals()


@given(st.integers(1, 30), st.integers(1, 400), st.integers(1, 500), st.integers(1, 60), st.integers(0, 99))
def test_the_same_whole_devices_are_kept_however_the_recording_is_cut(
    devices: int, count: int, limit: int, piece: int, seed: int
) -> None:
    signals = recording(devices, count, seed)
    kept = sampled(signals, limit, count)
    assert kept.tolist() == sampled(signals, limit, piece).tolist()
    assert 0 < len(kept) <= limit
    taken = np.unique(kept["device"])
    whole = signals[np.isin(signals["device"], taken)]
    assert kept.tolist() == whole.tolist()[: len(kept)]
    assert len(kept) == len(whole) or len(taken) == 1
    if count <= limit:
        assert len(kept) == count


@pytest.mark.parametrize("limit", [1, 10])
def test_nothing_in_nothing_out(limit: int) -> None:
    assert len(Sample(limit).signals()) == 0
