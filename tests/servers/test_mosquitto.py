import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from authority.authority import Authority
from servers import mosquitto, process
from servers.errors import PortTaken
from servers.mosquitto import Mosquitto
from servers.process import free_port
from servers.provide import Installed

pytestmark = pytest.mark.servers
WAIT_S = 10.0


@contextmanager
def client(url: str, on_message: Callable[[mqtt.MQTTMessage], None] | None = None) -> Iterator[mqtt.Client]:
    """A connected MQTT 5 client with its loop running."""
    connected = threading.Event()
    made = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)

    def on_connect(_client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        assert not reason.is_failure
        connected.set()

    made.on_connect = on_connect
    if on_message is not None:
        made.on_message = lambda _client, _data, message: on_message(message)
    parts = urlsplit(url)
    made.username_pw_set(str(parts.username), parts.password)
    made.connect(str(parts.hostname), parts.port or 0)
    made.loop_start()
    try:
        assert connected.wait(WAIT_S)
        yield made
    finally:
        made.disconnect()
        made.loop_stop()


def publish_retained(url: str, topic: str, payload: bytes) -> None:
    with client(url) as publisher:
        publisher.publish(topic, payload, qos=1, retain=True).wait_for_publish(WAIT_S)


def retained(url: str, topic: str) -> bytes:
    got: list[bytes] = []
    arrived = threading.Event()

    def on_message(message: mqtt.MQTTMessage) -> None:
        got.append(bytes(message.payload))
        arrived.set()

    with client(url, on_message) as subscriber:
        subscriber.subscribe(topic, qos=1)
        assert arrived.wait(WAIT_S)
    return got[0]


def test_what_is_retained_survives_an_orderly_stop(own_broker: Mosquitto) -> None:
    publish_retained(own_broker.url, "a/b", b"kept")
    own_broker.stop()
    assert not own_broker.running
    own_broker.start()
    assert retained(own_broker.url, "a/b") == b"kept"


def test_after_a_kill_it_starts_again_on_the_same_port(own_broker: Mosquitto) -> None:
    url = own_broker.url
    own_broker.kill()
    own_broker.start()
    assert own_broker.url == url
    publish_retained(own_broker.url, "a/b", b"new")
    assert retained(own_broker.url, "a/b") == b"new"


def test_a_packet_as_large_as_the_largest_batch_passes(own_broker: Mosquitto) -> None:
    batch = bytes(524_288)
    publish_retained(own_broker.url, "sojourn/1/" + "s" * 64 + "/" + "e" * 64 + "/signals", batch)
    assert retained(own_broker.url, "sojourn/1/" + "s" * 64 + "/" + "e" * 64 + "/signals") == batch


def test_a_port_in_use(installed: Installed, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        server = Mosquitto(installed, tmp_path, port=other.getsockname()[1])
        with pytest.raises(PortTaken, match=r"Port \d+ .* is taken by another program.* SOJOURN_MQTT_URL"):
            server.start()


def test_a_port_lost_in_the_last_moment(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(mosquitto, "port_is_free", lambda _port: True)
        with pytest.raises(PortTaken):
            Mosquitto(installed, tmp_path, port=taken).start()
        ports = iter([taken, free_port()])
        monkeypatch.setattr(process, "free_port", lambda: next(ports))
        with Mosquitto(installed, tmp_path) as chosen:
            assert chosen.port != taken


def test_a_folder_with_a_blank_in_its_name(installed: Installed, tmp_path: Path) -> None:
    with Mosquitto(installed, tmp_path / "with a blank") as server:
        publish_retained(server.url, "a/b", b"kept")
        server.stop()
        server.start()
        assert retained(server.url, "a/b") == b"kept"


def test_nobody_comes_in_without_a_password(own_broker: Mosquitto) -> None:
    for user, password in ((None, None), ("local", "wrong"), ("nobody", "")):
        asked = threading.Event()
        reasons: list[bool] = []
        stranger = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)

        def on_connect(_c: mqtt.Client, _d: Any, _f: Any, reason: Any, _p: Any) -> None:
            reasons.append(reason.is_failure)  # noqa: B023 - waited for below
            asked.set()  # noqa: B023

        stranger.on_connect = on_connect
        stranger.username_pw_set(user, password)
        stranger.connect("127.0.0.1", own_broker.port)
        stranger.loop_start()
        assert asked.wait(WAIT_S)
        stranger.disconnect()
        stranger.loop_stop()
        assert reasons == [True], user


def test_the_compose_file_s_broker_has_the_same_settings(installed: Installed, tmp_path: Path) -> None:
    def settings(text: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for line in text.splitlines():
            if match := re.match(r"([a-z_]+) (.+)", line):
                found.setdefault(match.group(1), set()).add(match.group(2))
        for own in ("listener", "persistence_location"):
            found.pop(own, None)
        return {
            name: {value.replace(str(secure), "/mosquitto/credentials") for value in values}
            for name, values in found.items()
        }

    authority = Authority.create(tmp_path / "authority", datetime.now(UTC))
    authority.equip_broker(["127.0.0.1"], datetime.now(UTC))
    secure = authority.broker_folder

    deploy = Path(__file__).parents[2] / "deploy/mosquitto.conf"
    with Mosquitto(installed, tmp_path / "broker", secure=secure) as broker:
        assert settings(deploy.read_text()) == settings((broker.folder / "mosquitto.conf").read_text())
        assert broker.url.startswith("mqtts://")


def test_a_long_log_is_turned_over(own_broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    own_broker.stop()
    monkeypatch.setattr(process, "_LOG_BYTES", 10)
    own_broker.start()
    assert own_broker.log.with_name("log.before").exists()
    assert own_broker.log.read_text().count("running") == 1
