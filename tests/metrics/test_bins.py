"""Bins, quantiles and crowds against plain recomputation."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError
from core.metrics.bins import (
    BINS,
    EDGES_S,
    LENGTHS_S,
    at_least,
    at_least_each,
    bin_of,
    quantile_s,
    threshold_bin,
    width_s,
)
from core.metrics.crowd import occupancy
from core.metrics.presets import PRESETS

dwells = st.lists(st.floats(0, 90_000), min_size=1, max_size=200)


def counts_of(dwell_s: list[float]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.bincount(bin_of(np.array(dwell_s)), minlength=BINS).astype(np.int64)


@given(dwells, st.sampled_from([0, 1, 30, 59, 60, 180, 300, 900, 1200, 7200, 86400]))
def test_a_threshold_counts_exactly(dwell_s: list[float], threshold_s: int) -> None:
    assert at_least(counts_of(dwell_s), threshold_s) == sum(dwell >= threshold_s for dwell in dwell_s)


def test_a_visit_on_an_edge_lies_above_it() -> None:
    assert [int(found) for found in bin_of(np.array([29.999, 30.0, 30.001]))] == [29, 30, 30]


@given(dwells, st.sampled_from([0.5, 0.9, 0.95]))
def test_a_quantile_errs_by_less_than_its_bin(dwell_s: list[float], share: float) -> None:
    exact = sorted(dwell_s)[max(1, int(np.ceil(share * len(dwell_s) - 1e-9))) - 1]
    found = quantile_s(counts_of(dwell_s), share)
    assert found is not None
    if exact < EDGES_S[-1]:
        assert abs(found - exact) <= width_s(exact)


def test_a_bin_is_a_twelfth_of_its_dwell_wide_at_most() -> None:
    for begin, end in pairwise(EDGES_S):
        assert end - begin == 1 or end - begin <= begin / 12 + 1e-9, begin


def test_no_visit_has_no_quantile() -> None:
    assert quantile_s(np.zeros(BINS, np.int64), 0.5) is None


@pytest.mark.parametrize("threshold_s", [-1, 61, 301, 7260, 100_000])
def test_a_threshold_between_bins_is_refused_with_those_beside(threshold_s: int) -> None:
    with pytest.raises(InputError, match=r"Take \d+ or \d+"):
        threshold_bin(threshold_s)


@given(dwells)
def test_each_length_counts_the_visits_that_reach_it(dwell_s: list[float]) -> None:
    ((*found,),) = at_least_each(counts_of(dwell_s)[np.newaxis]).tolist()
    assert found == [sum(one >= length_s for one in dwell_s) for length_s in LENGTHS_S]


def test_every_length_of_a_preset_is_one_that_may_be_told() -> None:
    bands = {band.from_s for preset in PRESETS.values() for band in preset.bands}
    thresholds = {value for preset in PRESETS.values() for value in preset.parameters.values()}
    assert bands | thresholds <= set(LENGTHS_S)
    assert sorted(set(LENGTHS_S)) == sorted(LENGTHS_S)
    assert LENGTHS_S[0] == 0


@given(
    st.lists(st.tuples(st.integers(-50, 150), st.integers(0, 90)), max_size=40),
    st.lists(st.integers(-20, 120), min_size=2, max_size=6, unique=True).map(sorted),
)
def test_a_crowd_equals_counting_every_instant(visits: list[tuple[int, int]], edges: list[int]) -> None:
    entered = np.array([begin for begin, _ in visits], np.int64)
    left = np.array([begin + length for begin, length in visits], np.int64)
    mean, most = occupancy(entered, left, np.array(edges, np.int64))
    for number, (begin, end) in enumerate(pairwise(edges)):
        crowd = [sum(a <= at < a + length for a, length in visits) for at in range(begin, end)]
        assert most[number] == max(crowd)
        assert mean[number] == pytest.approx(sum(crowd) / len(crowd))
