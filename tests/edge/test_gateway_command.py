"""`sojourn gateway` on a real broker: what gateways publish in the clear arrives under pseudonyms, kept nowhere."""

import socket
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish

from edge.broker import Broker, Topics
from edge.gateways import webhook
from edge.gateways.service import run
from edge.gateways.settings import read_settings
from servers.process import free_port
from tests.edge.gateway_messages import GATEWAY, IDENTITY, MESSAGES, NAMESPACE, TAG
from tests.edge.stand_ins import StandInIngest, await_that
from tests.edge.test_edge_command import pseudonym_of

pytestmark = pytest.mark.servers


@pytest.fixture
def topics() -> Topics:
    return Topics(f"store-{uuid.uuid4().hex[:8]}", "bridge")


@pytest.fixture
def ingest(mqtt_url: str, topics: Topics) -> Iterator[StandInIngest]:
    stand_in = StandInIngest(mqtt_url, topics)
    yield stand_in
    stand_in.close()


def configuration(folder: Path, broker: Broker, topics: Topics, port: int, root: str) -> Path:
    """Write a configuration with every format; topics of gateways stand below a root of this test's own."""
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text("swordfish\n")
    password = folder / "password"
    password.touch(mode=0o600)
    password.write_text(str(broker.password))
    forms = {message.form: "#" for message in MESSAGES if message.form != "meraki"}
    listens = "".join(f'[[listen]]\nformat = "{form}"\ntopic = "{root}/{form}/#"\n' for form in forms)
    path = folder / "gateway.toml"
    path.write_text(f'''
store = "{topics.store}"
edge = "{topics.edge}"
[broker]
url = "mqtt://{broker.host}:{broker.port}"
username = "{broker.username}"
password_file = "{password}"
[files]
keys = "{folder}/keys"
outbox = "{folder}/outbox.sqlite3"
health = "{folder}/health.json"
[gateways]
omg = "door"
shoes = "shoes"
"{GATEWAY}" = "till"
"001bc50940810000" = "till"
{listens}
[meraki]
validator = "a1b2c3"
secret_file = "{secret}"
port = {port}
[[hear]]
kind = "ibeacon"
namespace = "{NAMESPACE}"
''')
    return path


def test_every_format_arrives_under_one_pseudonym_and_nothing_names_the_tag(
    mqtt_url: str, topics: Topics, ingest: StandInIngest, tmp_path: Path
) -> None:
    port, root, stop, broker = free_port(), f"foreign-{topics.store}", threading.Event(), Broker.from_url(mqtt_url)
    settings = read_settings(configuration(tmp_path, broker, topics, port, root))
    running = threading.Thread(target=run, args=(settings, stop))
    running.start()
    try:
        health = tmp_path / "health.json"
        await_that(lambda: health.exists() and '"source": "connected"' in health.read_text())
        for message in MESSAGES:
            if message.form != "meraki":
                where = f"{root}/{message.form}/{message.topic.lstrip('/')}"
                login: Any = {"username": broker.username, "password": broker.password}
                publish.single(where, message.payload, hostname=broker.host, port=broker.port, auth=login)
        meraki = MESSAGES[-1]
        assert ask(port) == (200, b"a1b2c3")
        assert ask(port, meraki.payload) == (200, b"")
        assert ask(port, meraki.payload.replace(b"swordfish", b"sword")) == (403, b"")
        assert ask(port, b"{") == (400, b"")
        ingest.await_(lambda it: sum(len(batch.ts) for batch in it.received) == len(MESSAGES))
        heard = {
            (batch.anchors[anchor], bytes(batch.devices[device]), level)
            for batch in ingest.received
            for anchor, device, level in zip(
                batch.anchor.tolist(), batch.device.tolist(), batch.rssi_dbm.tolist(), strict=True
            )
        }
        who = pseudonym_of(IDENTITY.decode(), tmp_path / "keys")
        assert heard == {(anchor, who, -63) for anchor in ("door", "shoes", "till")}
        await_that(lambda: '"secret": 1' in health.read_text())
        for path in (*tmp_path.glob("outbox*"), health):
            kept = path.read_bytes().lower()
            for trace in (IDENTITY, TAG.lower().encode(), bytes.fromhex(TAG), b"c0:34:f2"):
                assert trace not in kept, f"{path.name} holds {trace!r}"
        for status in ingest.statuses:
            assert TAG.lower() not in str(status).lower()
    finally:
        stop.set()
        running.join(30)
    assert ingest.statuses[-1]["state"] == "stopped"


def ask(port: int, body: bytes | None = None) -> tuple[int, bytes]:
    """Ask the webhook."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=body)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_nobody_keeps_a_place_at_the_webhook_by_sending_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0

        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    monkeypatch.setattr(webhook, "_WHOLE_S", 2.0)
    with webhook._Server(("127.0.0.1", 0), Handler) as server, ExitStack() as stack:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = ("127.0.0.1", server.server_address[1])
        dripping = [stack.enter_context(socket.create_connection(address)) for _ in range(8)]
        for client in dripping:
            client.sendall(b"GET / HTTP/1.1\r\nX: ")

        def answered() -> bool:
            for client in dripping:
                with suppress(OSError):
                    client.send(b"x")
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{address[1]}/", timeout=5) as answer:
                return bool(answer.status == 204)
            return False

        assert not answered(), "every place is taken: the test shows nothing"
        await_that(answered)
        server.shutdown()
