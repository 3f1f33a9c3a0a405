"""From advertisements to chunks, and the clock that stamps them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.advertisement import Advertisement, Identities, Rule
from core.limits import NS_PER_S
from edge.clock import ArrivalClock, Clock
from edge.hearing import CHUNK_READINGS, Hearing
from edge.readings import ReadingQueue
from tests.edge.listening import ibeacon

START_NS = 1_790_000_000 * NS_PER_S


class Hands:
    """A clock of two hands that a test moves."""

    def __init__(self) -> None:
        self.utc_ns = START_NS
        self.monotonic_s = 1000.0

    def clock(self) -> Clock:
        return Clock(lambda: self.utc_ns, lambda: self.monotonic_s)

    def on(self, seconds: float) -> None:
        self.monotonic_s += seconds
        self.utc_ns += round(seconds * NS_PER_S)


def tag(number: int) -> Advertisement:
    return Advertisement(None, False, ibeacon(number), {})


def test_readings_keep_order_anchor_identity_and_level() -> None:
    hands, queue = Hands(), ReadingQueue()
    hearing = Hearing(("a", "b"), Identities((Rule(kind="ibeacon"),)), queue, hands.clock())
    for adapter, number, level in ((0, 1, -50), (1, 2, -60), (0, 1, -51)):
        hands.on(0.25)
        hearing.take(adapter, tag(number), level, hands.monotonic_s)
    hearing.take(0, tag(1), None, hands.monotonic_s)
    hearing.take(0, tag(1), 21, hands.monotonic_s)
    hands.on(5)
    hearing.flush()
    chunk = queue.take(0)
    assert chunk is not None
    assert (chunk.ts - START_NS).tolist() == [NS_PER_S // 4, NS_PER_S // 2, 3 * NS_PER_S // 4]
    assert chunk.anchor.tolist() == [0, 1, 0]
    assert chunk.device.tolist() == [0, 1, 0]
    assert chunk.rssi_dbm.tolist() == [-50, -60, -51]
    assert len(chunk.identities) == 2
    assert hearing.heard[0].unmeasured == 2
    hearing.flush()
    assert queue.take(0) is None


def test_a_full_chunk_leaves_at_once_and_a_full_queue_is_counted() -> None:
    hands, queue = Hands(), ReadingQueue(1)
    hearing = Hearing(("a",), Identities((Rule(kind="ibeacon"),)), queue, hands.clock())
    for number in range(2 * CHUNK_READINGS):
        hearing.take(0, tag(number), -50, hands.monotonic_s)
    assert len(queue) == 1
    assert queue.turned_away == CHUNK_READINGS


def test_a_clock_that_is_set_moves_what_comes_after() -> None:
    hands = Hands()
    arrival = ArrivalClock(hands.clock())
    hands.on(10)
    assert arrival.utc_ns(hands.monotonic_s) == START_NS + 10 * NS_PER_S
    hands.utc_ns += 3600 * NS_PER_S
    assert arrival.utc_ns(hands.monotonic_s) == START_NS + 10 * NS_PER_S  # not in the middle of a chunk
    assert arrival.refresh() == 3600 * NS_PER_S
    assert arrival.utc_ns(hands.monotonic_s) == START_NS + 3610 * NS_PER_S


@given(st.lists(st.floats(0, 100, allow_nan=False), min_size=2, max_size=20))
def test_what_arrives_later_is_never_stamped_earlier(waits_s: list[float]) -> None:
    hands = Hands()
    arrival = ArrivalClock(hands.clock())
    stamps = []
    for wait_s in waits_s:
        hands.on(wait_s)
        stamps.append(arrival.utc_ns(hands.monotonic_s))
    assert (np.diff(np.array(stamps)) >= 0).all()


def test_the_closest_pair_of_readings_counts() -> None:
    monotonic_s = iter([0.0, 9.0, 10.0, 10.0, 20.0, 29.0])  # something ran in between at the first and the third
    utc_ns = iter([1, START_NS, 2])
    arrival = ArrivalClock(Clock(lambda: next(utc_ns), lambda: next(monotonic_s)))
    assert arrival.utc_ns(11.0) == START_NS + NS_PER_S
