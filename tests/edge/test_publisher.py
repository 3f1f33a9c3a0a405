"""The publisher over a client that does what a test says: no broker, no threads but where one is meant."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTErrorCode

from core.wire import SEQUENCE_MAX
from edge.broker import Broker, Topics
from edge.clock import Clock
from edge.outbox import ROW_BYTES, Dropped, Entry, Outbox
from edge.publisher import Publisher, _Link

BOOT = b"b" * 16
TOPICS = Topics("s1", "north")
ROWS = 10


def gap(dropped: Dropped) -> bytes:
    return b"gap %d-%d" % (dropped.first, dropped.last)


def entries(first: int, last: int) -> list[Entry]:
    return [Entry(BOOT, n, b"%04d" % n + bytes(996), 1, n, n) for n in range(first, last + 1)]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox", gap, ROWS * (1000 + ROW_BYTES))
    yield outbox
    outbox.close()


@pytest.fixture
def publisher(outbox: Outbox) -> Publisher:
    return Publisher(Broker.from_url("mqtt://127.0.0.1"), TOPICS, outbox, Clock(), lambda _state: b"{}")


def said(boots: dict[str, int]) -> MQTTMessage:
    message = MQTTMessage(topic=TOPICS.committed.encode())
    message.payload = json.dumps({"boots": boots}).encode()
    message.retain = True
    return message


class Client:
    """Takes every message; at the first one something else happens."""

    def __init__(self, at_first: Callable[[], object]) -> None:
        self.taken: list[bytes] = []
        self._at_first = at_first

    def publish(self, _topic: str, payload: bytes, qos: int) -> Any:  # noqa: ARG002
        if not self.taken:
            self._at_first()
        self.taken.append(payload)
        return SimpleNamespace(rc=MQTTErrorCode.MQTT_ERR_SUCCESS)


def test_rows_in_the_publishers_hand_are_not_dropped_by_an_outbox_that_gets_full(
    outbox: Outbox, publisher: Publisher
) -> None:
    outbox.append(entries(1, 4), at_ns=0)
    client = Client(lambda: outbox.append(entries(5, 30), at_ns=0))  # as the batching thread may at any moment
    publisher._send(client)  # type: ignore[arg-type]
    while publisher._send(client):  # type: ignore[arg-type]
        pass
    names = [payload[:4] for payload in client.taken[:4]]
    assert names == [b"0001", b"0002", b"0003", b"0004"]
    assert client.taken[4].startswith(b"gap 5-"), "what was sent is in a gap besides"
    assert outbox.dropped == int(client.taken[4].split(b"-")[1]) - 4


@pytest.mark.parametrize("at", [SEQUENCE_MAX + 1, 2**64, 10**300, -1])
def test_a_word_of_what_no_sequence_can_be_frees_nothing(outbox: Outbox, publisher: Publisher, at: int) -> None:
    outbox.append(entries(1, 3), at_ns=0)
    link = _Link()
    for boot in (BOOT, bytes(16)):
        link.on_message(None, None, said({boot.hex(): at}))  # type: ignore[arg-type]
    publisher._take_notice(link)
    assert outbox.rows == 3
    link.on_message(None, None, said({BOOT.hex(): 2, bytes(16).hex(): SEQUENCE_MAX}))  # type: ignore[arg-type]
    publisher._take_notice(link)
    assert outbox.rows == 1, "the word that follows counts"


def test_a_fault_of_its_own_costs_the_connection_and_not_the_thread(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = threading.Event()
    tries: list[int] = []

    def broken() -> None:
        tries.append(1)
        if len(tries) == 3:
            third.set()
        raise OverflowError("something nobody thought of")

    monkeypatch.setattr(publisher, "_connection", broken)
    monkeypatch.setattr("edge.publisher._BACKOFF_S", (0.001, 0.01))
    publisher.start()
    assert third.wait(10)
    assert publisher.running
    publisher.stop()
    assert not publisher.running
