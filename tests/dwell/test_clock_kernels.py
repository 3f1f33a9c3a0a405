"""The counting behind the comparison of clocks equals what one would count by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dwell import clock_kernels as kernels
from core.records import SIGNAL
from tests.oracle.clocks import Lag, adverts, told

pytestmark = pytest.mark.kernels


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), regular=st.booleans())
def test_the_kernels_equal_the_oracle(seed: int, regular: bool) -> None:
    rng = np.random.default_rng(seed)
    widths, reach, bin_us, step, longest, most = np.array([40, 300]), 9_000, 250, 100, 6_000, 3
    rows = []
    for device in range(3):
        at = np.cumsum(1000 + rng.integers(0, 120, 14) if regular else rng.integers(1, 2500, 14))
        for anchor in range(2):
            heard = at[rng.random(14) < 0.7] + rng.integers(0, 40)
            rows += [(int(time), device, anchor, -60) for time in np.sort(np.r_[heard, heard[:2] + 30])]
    signals = np.array(rows, SIGNAL)
    signals = signals[np.lexsort((signals["ts"], signals["device"]))]
    gap_us = np.empty((len(signals), most), np.int64)
    kernels.gaps(signals, step, longest, np.zeros((2, most), np.int64), np.full(2, -1, np.int64), gap_us)
    by_device = []
    tables = []
    for anchor in range(2):
        chosen = (signals["anchor"] == anchor) & (gap_us[:, 0] >= 0)
        columns = [signals["device"][chosen].astype(np.int64), signals["ts"][chosen], gap_us[chosen]]
        tables.append(np.column_stack(columns))
    for device in range(3):
        own = signals[signals["device"] == device]
        by_device.append(
            tuple(adverts(own["ts"][own["anchor"] == anchor].tolist(), step, longest, most) for anchor in range(2))
        )
        for anchor, made in enumerate(by_device[-1]):
            table = tables[anchor][tables[anchor][:, 0] == device]
            assert table[:, 1].tolist() == [advert.at for advert in made]
            assert [[gap for gap in row if gap >= 0] for row in table[:, 2:].tolist()] == [a.gaps for a in made]
    bins = 2 * reach // bin_us + 1
    sums = np.zeros((kernels.SUMS, len(widths), bins), np.int64)
    work = np.zeros((2, len(widths), bins), np.int64)
    kernels.agreement(tables[0], tables[1], widths, reach, bin_us, work[0], work[1], np.zeros(bins, np.int64), sums)
    assert not work.any(), "the next device starts from nothing"
    for place, width in enumerate(widths.tolist()):
        expected = told(by_device, width, times=10, reach=reach, bin_us=bin_us, unit=1024)  # type: ignore[arg-type]
        for slot in range(bins):
            here = expected.get(slot, Lag())
            assert sums[:, place, slot].tolist() == [
                here.excess * 1024,
                here.doubt * 1024**2,
                here.compared,
                here.matched,
                here.lags,
            ]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_company_is_counted_as_one_would_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    signals = np.zeros(60, SIGNAL)
    signals["ts"], signals["device"] = rng.integers(0, 1000, 60), rng.integers(0, 3, 60)
    signals["anchor"] = rng.integers(0, 4, 60)
    signals = signals[np.lexsort((signals["ts"], signals["device"]))]
    gap_us = np.where(rng.random((60, 1)) < 0.8, 5, -1)
    together = np.zeros((4, 4), np.int64)
    kernels.company(signals, gap_us, 100, together, np.zeros(4, np.int64), np.zeros(4, np.int64))
    expected = np.zeros((4, 4), np.int64)
    gapped = signals[gap_us[:, 0] >= 0]
    for device in range(3):
        for span in range(10):
            inside = gapped[(gapped["device"] == device) & (gapped["ts"] // 100 == span)]
            count = np.bincount(inside["anchor"], minlength=4)
            expected += np.minimum(count[:, None], count[None, :]) * (1 - np.eye(4, dtype=np.int64))
    assert together.tolist() == expected.tolist()
