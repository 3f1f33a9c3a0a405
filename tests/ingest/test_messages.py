import json
from dataclasses import dataclass, replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as replace_fields

from core.wire import BOOT_BYTES, Gap, encode
from ingest.messages import Arrival, Reading, Said, read
from storage.log.dead_letters import DeadLetter
from tests.ingest.world import batch

BOOT = b"\7" * BOOT_BYTES


@dataclass(frozen=True)
class Received:
    payload: bytes
    topic: str = "sojourn/1/s/e/signals"
    received_at: int = 5


def dead(reading: Reading) -> DeadLetter:
    assert isinstance(reading, DeadLetter)
    return reading


def test_a_batch_is_an_arrival_with_its_identity() -> None:
    payload = encode(batch(9, boot=BOOT))
    arrival = read(Received(payload))
    assert isinstance(arrival, Arrival)
    assert (arrival.store, arrival.edge, arrival.boot, arrival.first, arrival.last) == ("s", "e", BOOT, 9, 9)
    assert arrival.sha256 == sha256(payload).digest()
    assert arrival.held_bytes > len(payload)


def test_json_is_read_too() -> None:
    spelled = {
        "v": 1, "boot": BOOT.hex(), "seq": 3, "base": 1_700_000_000_000_000, "anchors": ["a"], "devices": ["00" * 16],
        "t": [0], "a": [0], "d": [0], "r": [-60],
    }  # fmt: skip
    arrival = read(Received(json.dumps(spelled).encode()))
    assert isinstance(arrival, Arrival)
    assert (arrival.last, arrival.batch is not None) == (3, True)


def gap_batch(last: int, **gap: int) -> bytes:
    said = Gap(**({"from_ns": 1_000, "until_ns": 2_000} | gap))
    return encode(replace_fields(batch(last, boot=BOOT, ts=[]), gap=said))


def test_a_gap_stands_for_every_sequence_it_covers() -> None:
    arrival = read(Received(gap_batch(9, first=4, signals=70)))
    assert isinstance(arrival, Arrival)
    assert (arrival.first, arrival.last) == (4, 9)


@pytest.mark.parametrize(
    ("first", "last", "signals", "believed"),
    [
        (4, 6, 3 * 65_535, True),
        (4, 6, 3 * 65_535 + 1, False),
        (4, 6, 2**63 - 1, False),
        (1, 2**53 // 65_535, 2**53 // 65_535 * 65_535, True),
        (1, 2**53 // 65_535 + 1, 0, False),
        (1, 2**63 - 1, 2**63 - 1, False),
    ],
)
def test_a_gap_claims_no_more_than_its_batches_can_have_held(
    first: int, last: int, signals: int, believed: bool
) -> None:
    """What it claims is not kept; that its sequences will never come is, or everything behind them would wait."""
    arrival = read(Received(gap_batch(last, first=first, signals=signals)))
    assert isinstance(arrival, Arrival)
    assert (arrival.first, arrival.last) == (first, last)
    assert (arrival.batch is not None) == believed
    assert (None if arrival.fault is None else arrival.fault.reason) == (None if believed else "gap")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b"", "encoding"), (b"\x28\xb5\x2f\xfdnonsense", "zstd"), (b"{", "encoding"), (bytes(600_000), "size")],
)
def test_what_cannot_be_read_is_a_dead_letter_without_its_payload(payload: bytes, reason: str) -> None:
    letter = dead(read(Received(payload)))
    assert (letter.reason, letter.store, letter.edge) == (reason, "s", "e")
    assert (letter.message_bytes, letter.sha256) == (len(payload), sha256(payload).digest())
    assert letter.boot is None


def test_an_unreadable_batch_that_names_itself_keeps_its_place() -> None:
    arrival = read(Received(json.dumps({"v": 1, "boot": BOOT.hex(), "seq": 3, "t": "nonsense"}).encode()))
    assert isinstance(arrival, Arrival)
    assert (arrival.boot, arrival.first, arrival.last, arrival.batch) == (BOOT, 3, 3, None)
    assert arrival.fault is not None
    assert arrival.fault.reason == "encoding"


def test_another_version_is_left_to_a_newer_program() -> None:
    named = {"v": 2, "boot": BOOT.hex(), "seq": 3}
    assert dead(read(Received(json.dumps(named).encode()))).boot is None


@pytest.mark.parametrize("topic", ["sojourn/1/s/signals", "sojourn/1/s /e/signals", "sojourn/1//e/signals", "x"])
def test_a_topic_that_names_nobody_is_a_dead_letter(topic: str) -> None:
    assert dead(read(replace(Received(encode(batch(1))), topic=topic))).reason == "topic"


def test_a_status_is_read_and_unknown_fields_are_passed_over() -> None:
    said = read(Received(b'{"state":"online","backlog":4,"new":1}', topic="sojourn/1/s/e/status"))
    assert isinstance(said, Said)
    assert (said.status.state, said.status.backlog) == ("online", 4)


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b"[",
        b'{"state":1}',
        b'{"state":"' + b"x" * 270_000 + b'"}',
        b'{"state":"online","backlog":9223372036854775808}',  # no bigint: it would end the whole transaction
        b'{"state":"online","dropped":-1}',
        b'{"state":"offline","anchors":["a0\\u0000"]}',  # stored without its NUL it would be the anchor a0
        b'{"state":"online","at_us":5,"alive":{"v":1,"every_s":1,"at_us":{"a0\\u0000":1}}}',
        b'{"state":"online","battery_percent":{"a\\u00000":1}}',
    ],
)
def test_a_status_that_is_none_is_a_dead_letter(payload: bytes) -> None:
    assert dead(read(Received(payload, topic="sojourn/1/s/e/status"))).reason == "status"


def test_a_cleared_status_says_nothing() -> None:
    assert read(Received(b"", topic="sojourn/1/s/e/status")) is None


@given(st.binary(max_size=200), st.sampled_from(["signals", "status"]))
def test_no_bytes_stop_the_reader(payload: bytes, kind: str) -> None:
    read(Received(payload, topic=f"sojourn/1/s/e/{kind}"))


@given(st.integers(0, 400), st.integers(0, 7))
def test_no_flipped_bit_stops_the_reader(place: int, bit: int) -> None:
    payload = bytearray(encode(batch(1, ts=[1_700_000_000_000_000_000] * 20), compress=False))
    payload[place % len(payload)] ^= 1 << bit
    read(Received(bytes(payload)))
