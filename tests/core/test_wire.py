import contextlib
import json
from typing import Any

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from core import wire
from core.errors import WireError
from core.wire import Batch

# numbers of docs/wire.md, written out again: a test must not borrow the constants it checks
MAX_BYTES = 524_288
MAX_UNPACKED = 2_097_152
MAX_ROWS = 65_535


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    rows = draw(st.integers(1, 60))
    anchors = draw(st.lists(st.text("abz-.09", min_size=1, max_size=12), min_size=1, max_size=5, unique=True))
    devices = draw(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=9, unique=True))
    base_us = draw(st.integers(0, 2_000_000_000_000_000))
    offsets = draw(st.lists(st.integers(0, 2**32 - 1), min_size=rows, max_size=rows))

    def column(most: int, least: int = 0) -> list[int]:
        return draw(st.lists(st.integers(least, most), min_size=rows, max_size=rows))

    return Batch(
        boot=draw(st.binary(min_size=16, max_size=16)),
        sequence=draw(st.integers(1, 2**63 - 1)),
        anchors=tuple(anchors),
        devices=np.frombuffer(b"".join(devices), np.uint8).reshape(-1, 16),
        ts=(np.array(offsets, np.int64) + base_us) * 1000,
        anchor=np.array(column(len(anchors) - 1), np.uint16),
        device=np.array(column(len(devices) - 1), np.uint16),
        rssi_dbm=np.array(column(127, -128), np.int16),
    )


def small() -> dict[str, Any]:
    """The example of docs/wire.md."""
    return {
        "v": 1,
        "boot": "00112233445566778899aabbccddeeff",
        "seq": 7,
        "base": 1_795_341_600_000_000,
        "anchors": ["gw-entrance", "gw-shoes"],
        "devices": ["0f" * 16, "f0" * 16],
        "t": [0, 120_000, 980_000],
        "a": [0, 1, 1],
        "d": [0, 0, 1],
        "r": [-61, -74, -80],
    }


def packed(**changes: Any) -> bytes:
    spelled = small()
    whole: dict[str, Any] = {
        **spelled,
        "boot": bytes.fromhex(spelled["boot"]),
        "devices": b"".join(map(bytes.fromhex, spelled["devices"])),
        "t": np.array(spelled["t"], "<u4").tobytes(),
        "a": np.array(spelled["a"], "<u2").tobytes(),
        "d": np.array(spelled["d"], "<u2").tobytes(),
        "r": np.array(spelled["r"], "i1").tobytes(),
    }
    return msgspec.msgpack.encode({**whole, **changes})


EMPTY: dict[str, Any] = {"anchors": [], "devices": b"", "t": b"", "a": b"", "d": b"", "r": b""}


def same(one: Batch, other: Batch) -> bool:
    columns = ("devices", "ts", "anchor", "device", "rssi_dbm")
    return (one.boot, one.sequence, one.anchors) == (other.boot, other.sequence, other.anchors) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in columns
    )


@given(batches(), st.booleans())
def test_what_was_sent_is_what_is_read(batch: Batch, compress: bool) -> None:
    span_us = int(batch.ts.max() - batch.ts.min()) // 1000
    assert span_us <= 2**32 - 1
    payload = wire.encode(batch, compress=compress)
    assert same(wire.decode(payload), batch)
    assert wire.encode(wire.decode(payload), compress=compress) == payload


def test_the_three_forms_read_alike() -> None:
    from_json = wire.decode(json.dumps(small()).encode())
    from_map = wire.decode(packed())
    from_zstd = wire.decode(zstandard.compress(packed()))
    assert same(from_json, from_map)
    assert same(from_map, from_zstd)
    assert from_map.ts.tolist() == [1_795_341_600_000_000_000, 1_795_341_600_120_000_000, 1_795_341_600_980_000_000]
    assert from_map.rssi_dbm.tolist() == [-61, -74, -80]


def test_a_gap_stands_for_the_dropped_sequences() -> None:
    batch = wire.decode(packed(**EMPTY, gap={"first": 3, "n": 512, "base": 10, "until": 25}))
    assert batch.gap == wire.Gap(first=3, signals=512, from_ns=10_000, until_ns=25_000)
    assert (batch.sequence, len(batch)) == (7, 0)
    again = wire.decode(wire.encode(batch))
    assert again.gap == batch.gap
    assert same(again, batch)


def test_times_are_floored_to_microseconds() -> None:
    batch = wire.decode(packed())
    finer = msgspec.structs.replace(batch, ts=batch.ts + 999)
    assert same(wire.decode(wire.encode(finer)), batch)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "encoding"),
        (b"\x00", "encoding"),
        (b"{", "encoding"),
        (b"[" * 100_000, "encoding"),
        (packed()[:-1], "encoding"),
        (packed(more=1), "encoding"),
        (packed().replace(b"gw-shoes", b"gw-sho\xf3s"), "encoding"),
        (packed(v=2), "version"),
        (packed(boot=b"short"), "identity"),
        (packed(seq=0), "identity"),
        (packed(seq=2**63), "identity"),
        (packed(t=b"\x00" * 11), "columns"),
        (packed(t=b"", a=b"", d=b"", r=b""), "columns"),
        (packed(devices=b"\x00" * 17), "columns"),
        (packed(a=np.array([0, 1, 2], "<u2").tobytes()), "columns"),
        (packed(d=np.array([0, 1, 2], "<u2").tobytes()), "columns"),
        (packed(base=-1), "columns"),
        (packed(gap={"first": 1, "n": 3, "base": 1, "until": 2}), "columns"),  # a gap has no rows
        (packed(**EMPTY, gap={"first": 8, "n": 3, "base": 1, "until": 2}), "columns"),  # ends at 7
        (packed(**EMPTY, gap={"first": 0, "n": 3, "base": 1, "until": 2}), "columns"),
        (packed(**EMPTY, gap={"first": 1, "n": -1, "base": 1, "until": 2}), "columns"),
        (packed(**EMPTY, gap={"first": 1, "n": 1, "base": 2, "until": 1}), "columns"),
        (packed(**EMPTY, gap={"first": 1, "n": 1, "base": -1, "until": 1}), "columns"),
        (packed(**EMPTY, gap={"first": 1}), "encoding"),
        (packed(base=2**62), "columns"),
        (packed(anchors=["gw-entrance", ""]), "ids"),
        (packed(anchors=["gw-entrance", "x" * 65]), "ids"),
        (packed(anchors=[str(n) for n in range(1025)]), "columns"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 20, "zstd"),
        (zstandard.compress(packed())[:-3], "zstd"),
        (b"\x80" * (MAX_BYTES + 1), "size"),
        (zstandard.compress(b"\x00" * (MAX_UNPACKED + 1)), "size"),
        (json.dumps({**small(), "boot": "zz"}).encode(), "encoding"),
        (json.dumps({**small(), "devices": ["AA:BB:CC:DD:EE:FF", "f0" * 16]}).encode(), "encoding"),
        (json.dumps({**small(), "devices": ["aabbccddeeff", "f0" * 16]}).encode(), "columns"),
        (json.dumps({**small(), "t": [-1, 0, 0]}).encode(), "columns"),
        (json.dumps({**small(), "a": [0, 1, 70_000]}).encode(), "columns"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_nonsense_is_refused_by_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(WireError) as refused:
        wire.decode(payload)
    assert refused.value.reason == reason


@pytest.mark.parametrize("stated", [True, False])
def test_a_bomb_is_refused_within_the_bound(*, stated: bool) -> None:
    """Also one that asks for a window of 128 MiB: zstd writes into our buffer, and takes none of its own."""
    wide = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=stated)
    zeros = b"\x00" * (64 * MAX_UNPACKED)
    payload = zstandard.ZstdCompressor(compression_params=wide).compress(zeros)
    assert len(payload) < MAX_BYTES
    with pytest.raises(WireError) as refused:
        wire.decode(payload)
    assert wire.identity(payload) is None
    assert refused.value.reason == ("size" if stated else "zstd")


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(payload: bytes) -> None:
    with contextlib.suppress(WireError):  # any other error fails the test
        wire.decode(payload)


@given(st.data())
def test_a_flipped_byte_is_refused_or_still_in_bounds(data: st.DataObject) -> None:
    payload = bytearray(packed())
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= data.draw(st.integers(1, 255))
    try:
        batch = wire.decode(bytes(payload))
    except WireError:
        return
    assert batch.anchor.max() < len(batch.anchors)
    assert batch.device.max() < len(batch.devices)


def test_an_impossible_level_reaches_the_row_check_instead_of_spoiling_the_batch() -> None:
    batch = wire.decode(json.dumps({**small(), "r": [-61, -200, 10**12]}).encode())
    assert batch.rssi_dbm.tolist() == [-61, -200, 32_767]


def test_the_largest_batch_fits() -> None:
    random = np.random.default_rng(1)
    batch = Batch(
        boot=bytes(16),
        sequence=1,
        anchors=("a",),
        devices=random.integers(0, 256, (2_000, 16), dtype=np.uint8),
        ts=np.arange(MAX_ROWS, dtype=np.int64) * 500_000,
        anchor=np.zeros(MAX_ROWS, np.uint16),
        device=random.integers(0, 2_000, MAX_ROWS).astype(np.uint16),
        rssi_dbm=np.full(MAX_ROWS, -70, np.int16),
    )
    payload = wire.encode(batch)
    assert len(payload) <= MAX_BYTES
    assert same(wire.decode(payload), batch)


def test_a_batch_over_its_span_is_refused_when_written() -> None:
    batch = wire.decode(packed())
    wide = msgspec.structs.replace(batch, ts=batch.ts + np.array([0, 0, 2**32]) * 1000)
    with pytest.raises(WireError) as refused:
        wire.encode(wide)
    assert refused.value.reason == "span"


@pytest.mark.parametrize(
    ("level", "arrives"), [(-129, -128), (20, 20), (125, 125), (126, 126), (127, 127), (999, 127)]
)
def test_a_level_beyond_a_byte_never_turns_into_a_word_of_an_app(level: int, arrives: int) -> None:
    sent = msgspec.structs.replace(wire.decode(packed()), rssi_dbm=np.full(3, level, np.int16))
    assert wire.decode(wire.encode(sent)).rssi_dbm.tolist() == [arrives] * 3
