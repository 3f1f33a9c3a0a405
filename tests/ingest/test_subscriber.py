"""What ingest asks of a broker's session, against a real broker."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.broker import Broker
from ingest.subscriber import Message, Subscriber
from tests.ingest import world
from tests.ingest.conftest import QUICK

pytestmark = pytest.mark.servers
_PATIENCE_S = 20.0


@pytest.fixture
def publish(mqtt_url: str) -> Iterator[Callable[[str, int], None]]:
    """Publishes so many messages, each a number, and returns once the broker has them."""
    client = paho.Client(CallbackAPIVersion.VERSION2, world.name("source"), protocol=paho.MQTTv5)
    broker = Broker.from_url(mqtt_url)
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password)
    client.connect(broker.host, broker.port)
    client.loop_start()

    def publishing(topic: str, messages: int) -> None:
        for sent in [client.publish(topic, b"%d" % number, qos=1) for number in range(messages)]:
            sent.wait_for_publish(_PATIENCE_S)
            assert sent.is_published()

    yield publishing
    client.disconnect()
    client.loop_stop()


@contextlib.contextmanager
def session(mqtt_url: str, client_id: str, receive_maximum: int = 256) -> Iterator[Subscriber]:
    """One life of an ingest: its session outlives it."""
    settings = replace(QUICK, receive_maximum=receive_maximum, commit_messages=4)
    topic = f"sojourn/1/{client_id}/+/signals"
    subscriber = Subscriber(mqtt_url, client_id, settings, subscriptions=[topic])
    subscriber.connect()
    try:
        yield subscriber
    finally:
        subscriber.drop()


def take(subscriber: Subscriber, messages: int) -> list[Message]:
    """Return so many messages, or fewer if no more come."""
    taken: list[Message] = []
    deadline_s = time.monotonic() + _PATIENCE_S
    while len(taken) < messages and time.monotonic() < deadline_s:
        taken += subscriber.take(wait_s=2.0, gather_s=0.1)
    return taken


def test_the_broker_keeps_what_comes_while_ingest_is_away(mqtt_url: str, publish: Callable[[str, int], None]) -> None:
    """A clean start, or a session that expires with its connection, would have the broker forget it."""
    me = world.name()
    with session(mqtt_url, me):
        pass
    publish(f"sojourn/1/{me}/e1/signals", 10)
    with session(mqtt_url, me) as subscriber:
        assert [int(message.payload) for message in take(subscriber, 10)] == list(range(10))


def test_the_broker_sends_again_what_was_not_acknowledged(mqtt_url: str, publish: Callable[[str, int], None]) -> None:
    me = world.name()
    with session(mqtt_url, me, receive_maximum=8) as subscriber:
        publish(f"sojourn/1/{me}/e1/signals", 12)
        subscriber.acknowledge(take(subscriber, 8)[:4])
        assert len(take(subscriber, 4)) == 4  # so the four acknowledgements have come: they made room
    with session(mqtt_url, me, receive_maximum=8) as subscriber:
        again = take(subscriber, 8)
        assert [int(message.payload) for message in again] == list(range(4, 12))
        subscriber.acknowledge(again)


def test_the_broker_has_no_more_open_than_was_asked_for(mqtt_url: str, publish: Callable[[str, int], None]) -> None:
    """The queue of the subscriber is as long: a broker that sent more would find its connection closed."""
    me = world.name()
    with session(mqtt_url, me, receive_maximum=8) as subscriber:
        publish(f"sojourn/1/{me}/e1/signals", 100)
        held = take(subscriber, 8)
        assert len(held) == 8
        assert subscriber.take(wait_s=0.5, gather_s=0.0) == [], "nothing more while nothing is acknowledged"
        subscriber.acknowledge(held)
        rest: list[Message] = []
        while len(rest) < 92 and (some := take(subscriber, 4)):
            subscriber.acknowledge(some)
            rest += some
        assert [int(message.payload) for message in [*held, *rest]] == list(range(100))
        assert subscriber.connected
