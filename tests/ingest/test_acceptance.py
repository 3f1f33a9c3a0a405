import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.limits import FUTURE_BOUND_NS, PAST_BOUND_NS
from core.wire import Batch, decode, encode
from ingest.acceptance import accept
from tests.ingest.world import batch, floor_plan

PLAN = floor_plan("s").stores[0]
NOW = 1_700_000_000_000_000_000
US = 1_000


def rows(given: Batch) -> list[tuple[str, bytes, int, int]]:
    """What the rows of a batch say, whatever its dictionaries look like."""
    return [
        (given.anchors[anchor], given.devices[device].tobytes(), ts, level)
        for anchor, device, ts, level in zip(
            given.anchor.tolist(), given.device.tolist(), given.ts.tolist(), given.rssi_dbm.tolist(), strict=True
        )
    ]


def test_a_good_batch_is_accepted_as_it_is() -> None:
    good = batch(1, ts=[NOW, NOW])
    accepted = accept(good, PLAN, NOW)
    assert accepted.whole
    assert accepted.batch is good
    assert accepted.rejects == ()


@pytest.mark.parametrize(
    ("reason", "bad", "detail"),
    [
        ("unknown_anchor", batch(1, ts=[NOW], anchors=("a0", "x"), anchor=[1]), {"anchors": ["x"]}),
        ("rssi", batch(1, ts=[NOW], rssi_dbm=[21]), {"rssi_dbm": [21]}),
        ("rssi", batch(1, ts=[NOW], rssi_dbm=[-121]), {"rssi_dbm": [-121]}),
        ("rssi", batch(1, ts=[NOW], rssi_dbm=[125]), {"rssi_dbm": [125]}),
        ("rssi", batch(1, ts=[NOW], rssi_dbm=[128]), {"rssi_dbm": [128]}),
        ("future", batch(1, ts=[NOW + FUTURE_BOUND_NS + US]), {"seconds_ahead": [120.0, 120.0]}),
        ("past", batch(1, ts=[NOW - PAST_BOUND_NS - US]), {"seconds_ahead": [-604800.0, -604800.0]}),
    ],
)
def test_each_reason_refuses_just_beyond_its_bound(reason: str, bad: Batch, detail: dict[str, object]) -> None:
    accepted = accept(bad, PLAN, NOW)
    assert accepted.batch is None
    assert not accepted.whole
    (reject,) = accepted.rejects
    assert (reject.reason, reject.signals) == (reason, 1)
    assert detail.items() <= reject.detail.items()


@pytest.mark.parametrize(
    "good",
    [
        batch(1, ts=[NOW], rssi_dbm=[20]),
        batch(1, ts=[NOW], rssi_dbm=[-120]),
        batch(1, ts=[NOW], rssi_dbm=[126]),  # an app entered the region of a beacon
        batch(1, ts=[NOW], rssi_dbm=[127]),  # and left it
        batch(1, ts=[NOW + FUTURE_BOUND_NS]),
        batch(1, ts=[NOW - PAST_BOUND_NS]),
        batch(1, ts=[NOW], anchors=("a0", "x")),
    ],
)
def test_what_lies_on_a_bound_is_accepted(good: Batch) -> None:
    assert accept(good, PLAN, NOW).whole


def test_a_row_is_counted_under_one_reason_only() -> None:
    bad = batch(1, ts=[NOW + FUTURE_BOUND_NS + US], rssi_dbm=[99], anchors=("x",))
    assert [(reject.reason, reject.signals) for reject in accept(bad, PLAN, NOW).rejects] == [("unknown_anchor", 1)]


def test_what_is_left_names_only_what_it_needs() -> None:
    mixed = batch(
        1,
        ts=[NOW, NOW + US, NOW + 2 * US],
        anchors=("x", "a2", "a1"),
        anchor=[0, 2, 1],
        devices=3,
        device=[0, 2, 1],
        rssi_dbm=[-60, -61, 99],
    )
    accepted = accept(mixed, PLAN, NOW)
    assert accepted.batch is not None
    assert accepted.batch.anchors == ("a1",)
    assert len(accepted.batch.devices) == 1
    assert rows(accepted.batch) == rows(mixed)[1:2]
    assert [reject.reason for reject in accepted.rejects] == ["unknown_anchor", "rssi"]


@given(data=st.data())
def test_every_row_is_accepted_or_rejected_once_and_survives_the_wire(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 30))
    anchors = ("a0", "x", "a3", "y")
    ahead = st.sampled_from([0, -US, FUTURE_BOUND_NS, FUTURE_BOUND_NS + US, -PAST_BOUND_NS, -PAST_BOUND_NS - US])
    given_batch = batch(
        7,
        ts=[NOW + data.draw(ahead) for _ in range(count)],
        anchors=anchors,
        anchor=data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)),
        devices=5,
        device=data.draw(st.lists(st.integers(0, 4), min_size=count, max_size=count)),
        rssi_dbm=data.draw(st.lists(st.sampled_from([-121, -120, -60, 20, 21]), min_size=count, max_size=count)),
    )
    accepted = accept(given_batch, PLAN, NOW)
    expected = [
        row
        for row in rows(given_batch)
        if row[0] in ("a0", "a3") and -120 <= row[3] <= 20 and NOW - PAST_BOUND_NS <= row[2] <= NOW + FUTURE_BOUND_NS
    ]
    left = accepted.batch
    assert (rows(left) if left is not None else []) == expected
    assert len(expected) + sum(reject.signals for reject in accepted.rejects) == count
    assert accepted.whole == (len(expected) == count)
    span_us = 0 if left is None else int(np.ptp(left.ts)) // US
    if left is not None and span_us < 2**32:
        assert rows(decode(encode(left))) == expected
