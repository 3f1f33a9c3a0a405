import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import wire
from core.limits import BATCH_SPAN_US, PSEUDONYM_BYTES
from edge.batching import Batcher, Columns, batch

BOOT = bytes(range(16))
START_NS = 1_767_603_600_000_000_000


def columns(rows: list[tuple[int, int, int, int]], anchors: tuple[str, ...] = ("a", "b", "c")) -> Columns:
    """Rows of us after the start, anchor, device, level."""
    table = np.array(rows, np.int64).reshape(-1, 4)
    devices = np.zeros((5, PSEUDONYM_BYTES), np.uint8)
    devices[:, 0] = np.arange(5)
    devices[:, -1] = 0  # trailing zero bytes belong to a pseudonym too
    return Columns(
        START_NS + table[:, 0] * 1000, table[:, 1], table[:, 2], table[:, 3].astype(np.int16), anchors, devices
    )


def spelled(pieces: list[Columns]) -> list[tuple[int, str, bytes, int]]:
    return [
        (at, part.anchors[anchor], part.devices[device].tobytes(), rssi)
        for part in pieces
        for at, anchor, device, rssi in zip(
            part.ts.tolist(), part.anchor.tolist(), part.device.tolist(), part.rssi_dbm.tolist(), strict=True
        )
    ]


row = st.tuples(st.integers(0, 10**7), st.integers(0, 2), st.integers(0, 4), st.integers(-110, 0))
anchor_names = st.permutations(["a", "b", "c"]).map(tuple)
chunk = st.tuples(st.lists(row, max_size=30), anchor_names, st.floats(0, 0.9))


@given(chunks=st.lists(chunk, max_size=12), most=st.integers(1, 25))
def test_nothing_is_lost_repeated_or_moved(
    chunks: list[tuple[list[tuple[int, int, int, int]], tuple[str, ...], float]], most: int
) -> None:
    batcher = Batcher(most=most, wait_s=1.0)
    now_s = 0.0
    given_, taken = [], []
    for rows, names, pause_s in chunks:
        now_s += pause_s
        part = columns(rows, names)
        given_.append(part)
        ready = batcher.add(part, now_s)
        taken += ready
        assert all(1 <= len(one.ts) <= most for one in ready)
        assert len(batcher) < most
    taken += batcher.flush()
    assert spelled(taken) == spelled(given_)
    sent = []
    for sequence, one in enumerate(taken, start=1):
        made = wire.decode(wire.encode(batch(one, BOOT, sequence)))
        assert made.sequence == sequence
        assert len(np.unique(made.devices, axis=0)) == len(made.devices)
        sent.append(Columns(made.ts, made.anchor.astype(np.int64), made.device.astype(np.int64), made.rssi_dbm,
                            made.anchors, made.devices))  # fmt: skip
    assert spelled(sent) == spelled(given_)


def test_a_reading_waits_no_longer_than_asked() -> None:
    batcher = Batcher(most=100, wait_s=1.0)
    assert batcher.add(columns([(0, 0, 0, -50)]), 10.0) == []
    assert batcher.add(columns([(1, 0, 0, -50)]), 10.9) == []
    assert batcher.wait_s(10.9) == pytest.approx(0.1)
    assert batcher.due(10.99) == []
    assert len(batcher.due(11.0)[0].ts) == 2
    assert batcher.due(20.0) == []
    assert batcher.wait_s(20.0) == 1.0


def test_a_full_batch_does_not_wait() -> None:
    batcher = Batcher(most=3, wait_s=1.0)
    ready = batcher.add(columns([(n, 0, 0, -50) for n in range(7)]), 0.0)
    assert [len(one.ts) for one in ready] == [3, 3]
    assert len(batcher) == 1


def test_a_clock_that_jumps_ends_the_batch() -> None:
    batcher = Batcher(most=100, wait_s=1.0)
    late_us = BATCH_SPAN_US + 1
    batcher.add(columns([(0, 0, 0, -50), (BATCH_SPAN_US, 1, 1, -60), (late_us, 2, 2, -70), (0, 0, 0, -50)]), 0.0)
    pieces = batcher.flush()
    assert [len(one.ts) for one in pieces] == [2, 1, 1]
    for sequence, one in enumerate(pieces, start=1):
        wire.encode(batch(one, BOOT, sequence))  # would raise


def test_names_do_not_pile_up_under_steady_load() -> None:
    batcher = Batcher(most=4, wait_s=1.0)
    for second in range(50):
        for one in batcher.add(columns([(second, 0, n % 5, -50) for n in range(5)]), float(second) / 10):
            assert len(one.devices) <= 10
