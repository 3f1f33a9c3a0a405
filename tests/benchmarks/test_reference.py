"""The C machine is a measure only as long as it does the same: its stays are the decoder's."""

import shutil

import pytest

from benchmarks import reference
from benchmarks.ours import as_rows, plain_settings, stays_of
from benchmarks.workload import StoreLoad, workload
from core.dwell.model import prior_model

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc on this machine")

DEVICES = 40


@pytest.fixture(scope="module")
def store() -> StoreLoad:
    return workload(60_000, 5, stores=1, devices=DEVICES)[0]


def test_its_stays_are_the_decoders_to_the_microsecond(store: StoreLoad) -> None:
    # with offsets of devices and the watch over anchors off, which it does not have; timeouts are learnt in both
    ordered = store.in_order()
    machine = reference.Viterbi(prior_model(store.plan), DEVICES, len(ordered))
    for begin in range(0, len(ordered), 7_001):
        machine.decode(ordered[begin : begin + 7_001])
    in_c = as_rows(machine.finish())
    assert len(in_c) > 5 * DEVICES
    assert in_c == stays_of(store.plan, ordered, DEVICES, plain_settings())


def test_the_moving_average_finds_stays_too(store: StoreLoad) -> None:
    assert DEVICES < reference.ema(store.in_order(), DEVICES) < len(store.signals) // 20


def test_a_recording_that_does_not_fit_its_times_is_refused(store: StoreLoad) -> None:
    ordered = store.in_order()
    ordered["ts"][-1] += 1 << 32
    with pytest.raises(ValueError, match="71 minutes"):
        reference.Viterbi(prior_model(store.plan), DEVICES, len(ordered)).decode(ordered)


def test_without_gcc_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    reference.library.cache_clear()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(reference.NoCompilerError, match="not installed"):
        reference.library()
