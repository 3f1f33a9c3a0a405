"""Gap sessions one signal at a time: a plain Python machine, and bytewax."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from benchmarks.peers.job import BUCKET_NS, SESSION_NS, SILENCE_BUCKETS, ZONE_BITS, Columns, Peer


def _lists(columns: Columns) -> Any:
    return columns


def _plain(columns: Any) -> int:
    """Sort by time, then one dict entry a device: bucket, loudest so far, and the running session."""
    order = np.argsort(columns.ts, kind="stable")
    signals = zip(
        columns.ts[order].tolist(), columns.device[order].tolist(), columns.loudness()[order].tolist(), strict=True
    )
    devices: dict[int, list[int]] = {}
    mask = (1 << ZONE_BITS) - 1
    sessions = 0
    for ts, device, loud in signals:
        bucket = ts // BUCKET_NS
        state = devices.get(device)
        if state is None:
            devices[device] = [bucket, loud, ts, ts, -1, 0, 0, 0]
        elif state[0] == bucket:
            state[1] = max(state[1], loud)
            state[3] = ts
        else:
            sessions += _end_bucket(state, mask)
            state[:4] = bucket, loud, ts, ts
    for state in devices.values():
        sessions += _end_bucket(state, mask)
        sessions += state[6] - state[5] >= SESSION_NS
    return sessions


def _end_bucket(state: list[int], mask: int) -> int:
    """Take a finished bucket into the device's session; return 1 if that ended a session that counts.

    state : bucket, loudest, first and last time of it; zone, first and last time, last bucket of the session
    """
    bucket, loud, first, last, zone, entered, left, until = state
    if zone == loud & mask and bucket - until <= SILENCE_BUCKETS:
        state[6], state[7] = last, bucket
        return 0
    ended = zone >= 0 and left - entered >= SESSION_NS
    state[4:] = loud & mask, first, last, bucket
    return int(ended)


def _events(columns: Columns) -> Any:
    begin = datetime.fromtimestamp(int(columns.ts[0]) // 10**9, UTC)
    base = int(columns.ts[0]) // 10**9 * 10**9
    loud = columns.loudness().tolist()
    return [
        (str(device), (begin + timedelta(microseconds=(ts - base) // 1000), loudness))
        for ts, device, loudness in zip(columns.ts.tolist(), columns.device.tolist(), loud, strict=True)
    ]


def _bytewax(events: Any) -> int:
    import bytewax.operators as op
    from bytewax.dataflow import Dataflow
    from bytewax.operators import windowing
    from bytewax.testing import TestingSink, TestingSource, run_main

    clock = windowing.EventClock(lambda event: event[0], wait_for_system_duration=timedelta(seconds=30))
    tumbling = windowing.TumblingWindower(length=timedelta(seconds=5), align_to=datetime(2020, 1, 1, tzinfo=UTC))
    session = windowing.SessionWindower(gap=timedelta(seconds=60))
    spans: list[Any] = []
    flow = Dataflow("sessions")
    heard = op.input("signals", flow, TestingSource(events, batch_size=1_000))
    loudest = windowing.fold_window("loudest", heard, clock, tumbling, lambda: None, _louder, _louder)
    keyed = op.map("zone", loudest.down, lambda row: (f"{row[0]}/{row[1][1][1] & 255}", row[1][1][2:]))
    clock_again = windowing.EventClock(lambda span: span[0], wait_for_system_duration=timedelta(seconds=30))
    stays = windowing.fold_window("stays", keyed, clock_again, session, lambda: None, _longer, _longer)
    op.output("out", stays.down, TestingSink(spans))
    run_main(flow)
    return sum((last - first).total_seconds() >= SESSION_NS / 1e9 for _, (_, (first, last)) in spans)


def _louder(state: Any, event: Any) -> Any:
    """State and event: (time, loudness[, first, last])."""
    first, last = (event[2], event[3]) if len(event) > 2 else (event[0], event[0])
    if state is None:
        return (event[0], event[1], first, last)
    return (event[0], max(state[1], event[1]), min(state[2], first), max(state[3], last))


def _longer(state: Any, span: Any) -> Any:
    return span if state is None else (min(state[0], span[0]), max(state[1], span[1]))


PLAIN = Peer(
    "python",
    "gap sessions, strongest anchor of 5 s; a dict of small machines",
    (),
    _lists,
    _plain,
    500_000,
    5_000_000,
)
BYTEWAX = Peer(
    "bytewax",
    "strongest anchor of 5 s in tumbling windows, session windows of 60 s by device and zone",
    ("bytewax",),
    _events,
    _bytewax,
    40_000,
    200_000,
)
