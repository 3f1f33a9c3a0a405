"""What librdkafka says goes to our log: as JSON, without identifiers, and not twenty times a second."""

import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import structlog

from core.errors import UnavailableError
from telemetry.logs import configure

pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed here")

from confluent_kafka import Consumer, Producer

from ingest.kafka import topic
from ingest.kafka.library_log import EVERY_S, LibraryLog
from ingest.kafka.topic import Kafka

FORM = "%s [%s] %s"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Where the log goes to, as JSON."""
    before, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    stream = io.StringIO()
    configure("json", stream)
    yield stream
    structlog.configure(**before)
    logging.getLogger().handlers[:] = handlers


def told(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_a_kind_is_told_once_a_minute_with_how_many_were_like_it(lines: io.StringIO) -> None:
    now_s = 1_000.0
    log = LibraryLog(lambda: now_s)
    for no in range(50):
        log.log(logging.ERROR, FORM, "FAIL", f"rdkafka#producer-{no}", "Connection refused")
        log.log(logging.WARNING, FORM, "SESSTMOUT", "rdkafka#consumer-7", "no word of dc:a6:32:01:02:03, token=abc")
    now_s += EVERY_S - 0.001
    log.log(logging.ERROR, FORM, "FAIL", "rdkafka#producer-99", "Connection refused")
    assert [(one["kind"], one["client"], one["level"]) for one in told(lines)] == [
        ("FAIL", "producer", "error"),
        ("SESSTMOUT", "consumer", "warning"),
    ]
    assert told(lines)[1]["text"] == "no word of [dropped], [dropped]"
    now_s += 0.001
    log.log(logging.ERROR, FORM, "FAIL", "rdkafka#producer-99", "Connection refused")
    assert told(lines)[2]["more_like_it"] == 50


def test_every_client_tells_it_to_the_log_and_nothing_to_stderr(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(topic, "ANSWER_S", 0.5)
    nobody = Kafka(servers="127.0.0.1:9")
    for _ in range(2):
        with pytest.raises(UnavailableError):
            topic.count_partitions(nobody)
    Producer(nobody.client()).poll(0.5)
    consumer = Consumer(nobody.client(group_id="g"))
    deadline_s = time.monotonic() + 20
    while not any(one["client"] == "consumer" for one in told(lines)) and time.monotonic() < deadline_s:
        consumer.poll(0.2)
    consumer.close()
    assert "|FAIL|" not in capfd.readouterr().err
    assert sorted((str(one["kind"]), str(one["client"])) for one in told(lines)) == [
        ("FAIL", "consumer"),
        ("FAIL", "producer"),  # the admin client is a producer, so one line stands for both
    ]


@pytest.mark.servers
def test_a_bridge_without_kafka_writes_json_and_little_of_it(mqtt_url: str) -> None:
    environment = {**os.environ, "SOJOURN_LOG": "json", "SOJOURN_KAFKA": "127.0.0.1:9", "SOJOURN_MQTT_URL": mqtt_url}
    process = subprocess.Popen(
        [sys.executable, "-m", "sojourn", "bridge"], env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(25)  # two rounds of ten seconds in which nobody answers
    finally:
        process.terminate()
        out, err = process.communicate(timeout=60)
    events = [json.loads(line)["event"] for line in (out + err).decode().splitlines()]
    assert "the bridge waits; nothing is lost" in events
    assert events.count("librdkafka says") == 1
