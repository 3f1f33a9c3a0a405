"""Reorder equals its oracle whatever comes: times near and far, sources, cuts, repetitions, snapshots between."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.dwell.reorder import Reorder, in_order_of_time
from core.dwell.settings import Settings
from core.records import SIGNAL
from tests.kernels import PLAIN_PYTHON
from tests.oracle.reordering import Heard, Waiting

pytestmark = pytest.mark.kernels

S = 10**9
RULES = Settings(lateness_ns=10 * S, patience_ns=60 * S, quiet_ns=5 * S)
START = 1_760_000_000 * S
MOST_DEVICES = 1 << 29
many = settings(max_examples=15 if PLAIN_PYTHON else 150, deadline=None)
"""Without compiled code a look through the ring alone takes milliseconds."""

seeds = st.integers(0, 2**32 - 1)
spans_s = st.sampled_from([0, 1e-6, 0.05, 5, 20, 90, 3_000, 1e6])
"""Of times: from all equal over within the bound to days."""
pushes = st.lists(
    st.tuples(
        st.integers(0, 2),  # source
        st.integers(0, 40),  # signals
        st.integers(-15, 300),  # s of its newest after the start
        spans_s,
        st.booleans(),  # what was pushed before once more
        st.integers(0, 30),  # s until it arrives
        st.booleans(),  # a snapshot afterwards
    ),
    max_size=20,
)


def signals_of(rng: np.random.Generator, count: int, newest_s: int, span_s: float) -> NDArray[Any]:
    signals = np.zeros(count, SIGNAL)
    signals["ts"] = START + newest_s * S - (rng.random(count) * span_s * S).astype(np.int64)
    signals["device"] = rng.choice([0, 1, 2, 1_000_000, MOST_DEVICES - 1], count)
    signals["anchor"] = rng.choice([0, 1, 1023], count)
    signals["rssi_dbm"] = rng.choice([-120, -61, -60, 20, 125, 126], count)
    return signals


def told(signals: NDArray[Any]) -> list[Heard]:
    return [(s["ts"].item(), s["rssi_dbm"].item(), s["anchor"].item(), s["device"].item()) for s in signals]


def oracle(rules: Settings) -> Waiting:
    return Waiting(rules.lateness_ns // 1000, rules.patience_ns // 1000, rules.quiet_ns // 1000, rules.held_signals)


def restored(reorder: Reorder, rules: Settings) -> Reorder:
    """As an engine restores it."""
    again = Reorder(rules)
    again.restore_pending(reorder.pending())
    for name in ("hold_until_us", "watermark_us", "newest_us", "arrived_us", "heard_us", "late", "repeated"):
        setattr(again, name, getattr(reorder, name))
    again.newest, again.spoke, again.expected = dict(reorder.newest), dict(reorder.spoke), set(reorder.expected)
    assert again.pending().tobytes() == reorder.pending().tobytes()
    return again


@many
@given(
    seed=seeds,
    plan=pushes,
    by_arrival=st.booleans(),
    expected=st.sets(st.integers(0, 3)),
    held_most=st.sampled_from([30, 10**6]),
)
def test_reorder_equals_the_oracle(
    seed: int, plan: list[tuple[Any, ...]], by_arrival: bool, expected: set[int], held_most: int
) -> None:
    rng = np.random.default_rng(seed)
    rules = Settings(
        lateness_ns=RULES.lateness_ns, patience_ns=RULES.patience_ns, quiet_ns=RULES.quiet_ns, held_signals=held_most
    )
    ours, slow = Reorder(rules), oracle(rules)
    for source in sorted(expected):
        ours.expect(source)
        slow.expect(source)
    signals = signals_of(rng, 0, 0, 0)
    arrived_s = 0
    for source, count, newest_s, span_s, again, later_s, snapshot in plan:
        signals = np.concatenate([signals if again else signals[:0], signals_of(rng, count, newest_s, span_s)])
        arrived_s += later_s
        arrived_us = arrived_s * 1_000_000 if by_arrival else None
        ours.push(signals, source, arrived_us)
        slow.push(told(signals), source, arrived_us)
        assert sorted(told(ours.preview())) == sorted(set(slow.held))
        assert told(ours.release()) == slow.release()
        assert (ours.late, ours.repeated, ours.held) == (slow.late, slow.repeated, len(slow.held))
        if snapshot:
            ours = restored(ours, rules)
    rest = told(ours.flush())
    assert rest == sorted(set(slow.held))
    assert ours.held == 0


@many
@given(
    seed=st.integers(0, 2**32 - 1), count=st.integers(0, 3000), span_s=spans_s, cuts=st.lists(st.integers(0, 3000))
)
def test_any_order_any_cuts_any_repetition_give_the_same_bytes(
    seed: int, count: int, span_s: float, cuts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    signals = signals_of(rng, count, 0, span_s)
    bound = Settings(lateness_ns=10**9 * S, patience_ns=RULES.patience_ns)
    once = Reorder(bound)
    once.push(signals, 0)
    mixed = Reorder(bound)
    for part in np.split(rng.permutation(np.repeat(signals, rng.integers(1, 4, count))), sorted(cuts)):
        mixed.push(part, 0)
    whole = once.flush()
    assert mixed.flush().tobytes() == whole.tobytes()
    assert mixed.late == once.late == 0
    in_us = signals.copy()
    in_us["ts"] //= 1000
    assert in_order_of_time(in_us)[0].tobytes() == whole.tobytes()


@pytest.mark.parametrize("at_once", [1, 70_000])
def test_more_signals_of_one_microsecond_than_a_buffer_holds(at_once: int) -> None:
    signals = np.zeros(70_000 if at_once > 1 else 300, SIGNAL)
    signals["ts"] = START
    signals["device"] = np.random.default_rng(1).permutation(len(signals))
    reorder = Reorder(RULES)
    for part in range(0, len(signals), at_once):
        reorder.push(signals[part : part + at_once], 0)
    assert reorder.flush()["device"].tolist() == list(range(len(signals)))
