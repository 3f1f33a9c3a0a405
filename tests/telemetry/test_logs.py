"""No identifier reaches a log, whatever it is told as."""

import io
import json
import logging
import time
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from core.identity import pseudonym
from telemetry.identifiers import DROPPED, TEXT_CHARACTERS, Checksum, without_identifiers
from telemetry.logs import configure
from tests.telemetry.keeping import logs_kept

PSEUDONYM = pseudonym(b"\xaa\xbb\xcc\xdd\xee\xff", bytes(32))
PROFILE = uuid.UUID("8f14e45f-ceea-467f-a0e6-9b3d2c1a7788")
IDENTIFIERS = {
    "address": "a4:C1:38:5f:00:7e",
    "address with dashes": "A4-C1-38-5F-00-7E",
    "address as BlueZ has it": "/org/bluez/hci0/dev_A4_C1_38_5F_00_7E",
    "address as routers write it": "a4c1.385f.007e",
    "bare address": "a4c1385f007e",
    "pseudonym as text": PSEUDONYM.hex(),
    "pseudonym as PostgreSQL writes it": "\\x" + PSEUDONYM.hex(),
    "pseudonym as a UUID": str(uuid.UUID(bytes=PSEUDONYM)),
    "pseudonym as a number": int.from_bytes(PSEUDONYM, "big"),
    "address as a number": 0xA4C1385F007E,
    "bytes": PSEUDONYM,
    "array": np.frombuffer(PSEUDONYM, np.uint8),
    "e-mail": "anna.muster+shop@mail.example.org",
    "profile": PROFILE,
    "profile as text": str(PROFILE),
    "profile without dashes": PROFILE.hex,
    "profile in a path": f"/v1/profiles/{PROFILE}/journey",
    "telephone": "+49 170 1234567",
    "mobile as a German writes it": "0170 1234567",
    "telephone with its city": "(030) 901820",
    "telephone in America": "212-555-0187",
    "telephone in France": "01 42 68 53 00",
    "telephone in a sentence": "She can be reached at 020 7946 0018 after six",
    "credentials": "postgresql://sojourn:verysecret@db:5432/x",  # not a secret
    "bearer": "Authorization: Bearer sk_abcdefgh",
    "webhook secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",  # not a secret
    "exception": ValueError("Key (email)=(anna.muster@example.org) already exists."),
    "nested": {"rows": [{"what": ("x", "a4:c1:38:5f:00:7e")}]},
    "a key": {"a4:c1:38:5f:00:7e": 1},
    "bytes shown as text": repr(PSEUDONYM),
}  # fmt: skip
TRACES = (
    "a4:c1:38", "A4-C1-38", "A4_C1_38", "a4c1.385f", "a4c1385f007e", str(0xA4C1385F007E), PSEUDONYM.hex()[:12],
    str(uuid.UUID(bytes=PSEUDONYM))[:9], str(int.from_bytes(PSEUDONYM, "big"))[:12], repr(PSEUDONYM)[2:14],
    repr(PSEUDONYM)[2:14].replace("\\", "\\\\"), "anna.muster", str(PROFILE)[:9], PROFILE.hex[:12], "1234567",
    "901820", "555-0187", "42 68 53", "7946 0018", "verysecret", "sk_abcdefgh", "MfKQ9r8",
)  # fmt: skip
"""A piece of each, as it would look if it came through."""


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    with logs_kept():
        yield


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("what", IDENTIFIERS)
def test_no_identifier_reaches_the_output(what: str, form: str) -> None:
    out = io.StringIO()
    configure(form, out)
    value = IDENTIFIERS[what]
    log = structlog.get_logger()
    for name in ("value", "why", "store", "error", "what", "path"):
        log.warning("something happened", **{name: value, "batches": 3})
    sentence = f"in the sentence itself: {value}"
    log.info(sentence, batches=3)
    logging.getLogger("a.library").error("from a library: %s", value)
    try:
        raise RuntimeError(str(value))
    except RuntimeError:
        log.exception("with a traceback")
        logging.getLogger("a.library").exception("with a traceback")
    said = out.getvalue()
    assert [trace for trace in TRACES if trace.lower() in said.lower()] == []
    assert said.count("something happened") == 6
    assert said.count("test_logs.py:") >= 2  # where it was, and nothing of what it held


def test_json_is_one_object_a_line_and_keeps_what_is_no_identifier() -> None:
    out = io.StringIO()
    configure("json", out)
    told = {
        "store": "marktplatz", "edge": "edge-1", "batches": 128, "share": 0.25, "url": "http://127.0.0.1:8787",
        "path": "/v1/stores/{store}/visits", "why": "The broker cannot be used: [Errno 111] Connection refused.",
        "timescaledb": "2.19.3", "migration": "0095_schema_floor.sql", "begun_ns": 1_760_000_000_000_000_000,
    }  # fmt: skip
    structlog.get_logger().info("ingest has the database", **told)
    (line,) = out.getvalue().splitlines()
    said = json.loads(line)
    assert said.pop("timestamp").endswith("Z")
    assert said == {"event": "ingest has the database", "level": "info", **told}


NO_TELEPHONES = (
    "2026-11-29T15:00:57.671455Z", "2026-11-29 15:00:57", "2026-11-29 to 2026-12-05", "127.0.0.1:5432", "10.20.30.40",
    "batches=128 signals=25600", "log_no=48213377", "sequence 17482231", "row 2795964833", "0095_schema_floor.sql",
    "took 0.301234567 s, 2400 visits", "1,234,567 signals", "rows 1-200 of 100000", "timescaledb 2.19.3",
    "records 128-255 of partition 63", "1795964833 bytes", "mqtts://broker:8883", "pid 12345 of port 9464",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_TELEPHONES)
def test_counts_times_and_numbers_of_rows_are_no_telephone_numbers(text: str) -> None:
    assert without_identifiers(text) == text


def test_a_text_full_of_digits_is_not_looked_up_to_its_end() -> None:
    begun_s = time.process_time()
    said = without_identifiers(" ; ".join(f"12 34 56 78 {number:02}" for number in range(1_000)))
    assert "12 34 56 78" not in str(said)[-1_000:]
    assert time.process_time() - begun_s < 2


def test_a_checksum_that_somebody_compares_is_told() -> None:
    out = io.StringIO()
    configure("json", out)
    structlog.get_logger().info("head of a log", hash=Checksum("ab" * 32), other="ab" * 32)
    said = json.loads(out.getvalue())
    assert (said["hash"], said["other"]) == ("ab" * 32, DROPPED)


def test_debug_messages_of_libraries_stay_out() -> None:
    out = io.StringIO()
    configure("json", out)
    logging.getLogger("bleak").setLevel(logging.DEBUG)
    logging.getLogger("bleak").info("a device was seen")
    assert out.getvalue() == ""


@given(st.binary(min_size=6, max_size=6), st.sampled_from([":", "-", "_", ""]), st.booleans())
def test_every_address_goes(address: bytes, separator: str, upper: bool) -> None:
    text = address.hex(separator) if separator else address.hex()
    text = text.upper() if upper else text
    assert without_identifiers(f"heard {text}!") == f"heard {DROPPED}!"


@given(st.binary(min_size=16, max_size=16))
def test_every_pseudonym_goes(one: bytes) -> None:
    for value in (one, one.hex(), str(uuid.UUID(bytes=one)), uuid.UUID(bytes=one), [one.hex()]):
        assert one.hex() not in str(without_identifiers(value, name="x")).replace("-", "")


def test_a_long_text_is_cut_and_deep_nesting_ends() -> None:
    assert len(str(without_identifiers("x y " * 100_000))) < TEXT_CHARACTERS + 10
    nested: object = "a4:c1:38:5f:00:7e"
    for _ in range(50):
        nested = [nested]
    assert DROPPED in str(without_identifiers(nested))
