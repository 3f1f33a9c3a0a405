"""Who may do what at a real mosquitto, and what each is told whose certificate is not good."""

import gc
import re
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import structlog
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from authority.access import RULES
from authority.authority import Authority
from core.errors import SojournError, UnavailableError
from edge.broker import Broker, Topics
from edge.clock import Clock
from edge.outbox import Outbox
from edge.publisher import Publisher
from edge.tls import use_tls, why_ended, why_not
from ingest.settings import Settings
from ingest.subscriber import Subscriber
from servers.mosquitto import Mosquitto
from servers.process import free_port
from servers.provide import Installed
from simulators.fixtures.recorder import Recorder
from simulators.fixtures.recording import record
from simulators.fixtures.sealing import check_seal
from tests.ingest.world import walks

pytestmark = [
    pytest.mark.servers,
    # paho leaves the socket of a handshake that failed to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
WAIT_S = 10.0
NOW = datetime.now(UTC)
EDGES = (("shop", "north"), ("shop", "south"), ("mall", "north"))


@dataclass
class House:
    """A broker with its authority; credentials are folders below `folder`."""

    authority: Authority
    broker: Mosquitto
    gateway_port: int
    folder: Path

    def of(self, name: str) -> Broker:
        """The broker as somebody knows it."""
        return Broker.from_url(self.broker.url, self.folder / name)


@dataclass
class Peer:
    """A connected client, what it was refused, and what it received."""

    client: mqtt.Client
    received: list[tuple[str, bytes]] = field(default_factory=list)
    published: dict[int, int] = field(default_factory=dict)
    granted: list[int] = field(default_factory=list)
    lost: threading.Event = field(default_factory=threading.Event)
    refused: str = ""
    changed: threading.Condition = field(default_factory=threading.Condition)

    def publish(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> int:
        """Publish at QoS 1 and return the reason code of the broker's answer."""
        mid = self.client.publish(topic, payload, qos=1, retain=retain).mid
        with self.changed:
            assert self.changed.wait_for(lambda: mid in self.published or self.lost.is_set(), WAIT_S)
        return self.published.get(mid, -1)

    def subscribe(self, *topics: str) -> None:
        """Subscribe and wait for the answer."""
        before = len(self.granted)
        self.client.subscribe([(topic, 1) for topic in topics])
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.granted) >= before + len(topics), WAIT_S)

    def heard(self) -> set[str]:
        """The topics of what came so far."""
        with self.changed:
            return {topic for topic, _ in self.received}


def connect(broker: Broker, client_id: str = "", login: tuple[str, str] | None = None, *, session_s: int = 0) -> Peer:
    """Connect; `refused` says why not."""
    peer = Peer(mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5, reconnect_on_failure=False))
    answered = threading.Event()

    def note(list_: Any, value: Any) -> None:
        with peer.changed:
            list_.append(value)
            peer.changed.notify_all()

    def on_publish(_c: Any, _d: Any, mid: int, reason: Any, _p: Any) -> None:
        with peer.changed:
            peer.published[mid] = reason.value
            peer.changed.notify_all()

    def on_subscribe(_c: Any, _d: Any, _m: int, reasons: Any, _p: Any) -> None:
        for one in reasons:
            note(peer.granted, one.value)

    def on_connect(_c: Any, _d: Any, _f: Any, reason: Any, _p: Any) -> None:
        peer.refused = str(reason) if reason.is_failure else ""
        answered.set()

    def on_disconnect(*_: Any) -> None:
        with peer.changed:
            peer.lost.set()
            peer.changed.notify_all()
        answered.set()

    peer.client.on_publish, peer.client.on_connect, peer.client.on_disconnect = on_publish, on_connect, on_disconnect
    peer.client.on_message = lambda _c, _d, message: note(peer.received, (message.topic, bytes(message.payload)))
    peer.client.on_subscribe = on_subscribe
    if login is not None:
        peer.client.username_pw_set(*login)
    use_tls(peer.client, broker)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session_s
    try:
        peer.client.connect(broker.host, broker.port, clean_start=session_s == 0, properties=properties)
    except OSError as error:
        peer.refused = why_not(error, broker)
        return peer
    peer.client.loop_start()
    assert answered.wait(WAIT_S)
    if peer.lost.is_set() and not peer.refused:
        peer.refused = why_ended(broker)
    return peer


@pytest.fixture(scope="module")
def house(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    authority = Authority.create(folder / "authority", NOW)
    authority.equip_broker(["127.0.0.1", "localhost"], NOW)
    for store, edge in EDGES:
        authority.enrol(store, edge, folder / f"{store}-{edge}", NOW)
    for service in ("ingest", "kafka-bridge", "app-presence", "operator", "recorder", "player", "watch"):
        authority.certify_service(service, folder / service, NOW)
    port, of = free_port(), authority.broker_folder
    more = (
        f"listener {port} 127.0.0.1\ncafile {of}/ca.pem\ncertfile {of}/certificate.pem\nkeyfile {of}/key.pem\n"
        "tls_version tlsv1.2\nuse_username_as_clientid true\n"
    )
    with Mosquitto(installed, folder / "broker", more=more, secure=of, tell_s=1) as broker:
        yield House(authority, broker, port, folder)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Let sockets that paho left behind go while their warnings are still passed over."""
    yield
    gc.collect()


@pytest.fixture
def peers() -> Iterator[list[Peer]]:
    made: list[Peer] = []
    yield made
    for peer in made:
        peer.client.disconnect()
        peer.client.loop_stop()


PROBES = sorted(
    {
        f"sojourn/1/{store}/{edge}/{kind}"
        for store, edge in (*EDGES, ("shop", "app"), ("shop", "replay"))
        for kind in ("signals", "status", "committed", "config", "presence")
    }
    | {"sojourn/1/shop/signals", "gw/door/status", "elsewhere", "sojourn/1/ingest/signals"}
)


def allowed(who: str, doing: str, topic: str) -> bool:
    """Whether the table lets somebody, worked out anew from its words."""
    rules = [rule for rule in RULES if rule.doing == doing and rule.who == (who if "/" not in who else "edge")]
    filters = [rule.topic.replace("%u", who) for rule in rules]
    return any(mqtt.topic_matches_sub(one, topic) for one in filters)


def test_everybody_may_do_what_the_table_says_and_nothing_else(house: House, peers: list[Peer]) -> None:
    folders = {f"{store}/{edge}": f"{store}-{edge}" for store, edge in EDGES}
    folders |= {
        name: name for name in ("ingest", "kafka-bridge", "app-presence", "operator", "recorder", "player", "watch")
    }
    known = {who: connect(house.of(folder)) for who, folder in folders.items()}
    peers += known.values()
    for who, peer in known.items():
        assert not peer.refused, (who, peer.refused)
        peer.subscribe("#", "sojourn/1/+/+/committed", "sojourn/#")  # asked for, and yet nothing of others comes
    written: dict[str, str] = {}  # topic to somebody who may write it
    for who, peer in known.items():
        for topic in PROBES:
            answer = peer.publish(topic, who.encode())
            may = allowed(who, "write", topic)
            own_pattern = topic == f"sojourn/1/{who}/signals"  # a service's name as %u: a topic that nobody reads
            assert (answer < 0x80) == (may or own_pattern), (who, topic, answer)
            if may:
                written[topic] = who
    assert "sojourn/1/shop/north/signals" in written
    for who, peer in known.items():
        wanted = {topic for topic in written if allowed(who, "read", topic)}
        with peer.changed:
            peer.changed.wait_for(lambda wanted=wanted, peer=peer: wanted <= {t for t, _ in peer.received}, WAIT_S)  # type: ignore[misc]
        heard = {topic for topic in peer.heard() if not topic.startswith("$")}
        assert heard == wanted, who
    authors = {(topic, payload.decode()) for topic, payload in known["ingest"].received}
    assert ("sojourn/1/shop/north/signals", "shop/north") in authors
    assert all(topic.startswith(f"sojourn/1/{author}/") for topic, author in authors if "/" in author)


def test_nobody_takes_the_session_of_another(house: House, peers: list[Peer]) -> None:
    ingest = connect(house.of("ingest"), "sojourn-ingest", session_s=60)
    ingest.subscribe("sojourn/1/+/+/signals")
    thief = connect(house.of("mall-north"), "sojourn-ingest", session_s=60)
    peers += [ingest, thief]
    assert not thief.refused
    edge = connect(house.of("shop-north"), "x")
    peers.append(edge)
    assert edge.publish("sojourn/1/shop/north/signals", b"for ingest") < 0x10
    with ingest.changed:
        assert ingest.changed.wait_for(lambda: bool(ingest.received), WAIT_S)
    assert not ingest.lost.is_set()
    assert thief.heard() == set()
    assert thief.publish("sojourn/1/mall/north/signals", bytes(600_000)) == -1, "larger than the broker's packet cap"


def test_gateways_come_by_password_to_their_topics_alone(house: House, peers: list[Peer]) -> None:
    authority = house.authority
    password = authority.add_gateway("door", ["gw/door/#", "sojourn/1/shop/app/presence"], [], NOW)
    reading = authority.add_gateway("bridge", [], ["gw/+/#"], NOW)
    house.broker.reload()
    broker = Broker("127.0.0.1", house.gateway_port, tls=True, ca=house.authority.broker_folder / "ca.pem")
    until = time.monotonic() + WAIT_S
    while (door := connect(broker, "shop/north", ("door", password))).refused and time.monotonic() < until:
        time.sleep(0.05)  # the broker reads its files anew when it comes to it
    bridge, wrong, nobody = (
        connect(broker, "", login) for login in (("bridge", reading), ("door", "wrong"), ("ingest", ""))
    )
    anonymous = connect(broker)
    edge = connect(house.of("shop-north"))
    peers += [door, bridge, wrong, nobody, anonymous, edge]
    assert not door.refused
    assert all("ot authorized" in one.refused for one in (wrong, nobody, anonymous)), wrong.refused
    bridge.subscribe("#")
    assert door.publish("gw/door/status", b"heard") < 0x80
    for topic in ("gw/other/status", "sojourn/1/shop/north/signals", "sojourn/1/mall/app/presence"):
        assert door.publish(topic) == 0x87, topic
    assert bridge.publish("gw/door/status") == 0x87
    with bridge.changed:
        assert bridge.changed.wait_for(lambda: ("gw/door/status", b"heard") in bridge.received, WAIT_S)
    assert edge.publish("sojourn/1/shop/north/status") < 0x80, "nobody took its place by its name"
    assert bridge.heard() == {"gw/door/status"}


def spoilt(house: House, folder: Path, what: str) -> Path:
    """Return credentials of an edge in whose files something is wrong."""
    shutil.copytree(house.folder / "shop-north", folder)
    other = Authority.create(folder.parent / "other", NOW)
    if what == "ended":
        house.authority.enrol("shop", "north", folder, NOW - timedelta(days=400))
    elif what == "of a stranger":
        other.enrol("shop", "north", folder, NOW)
        shutil.copy(house.authority.folder / "ca.pem", folder / "ca.pem")
    elif what == "of another broker":
        shutil.copy(other.folder / "ca.pem", folder / "ca.pem")
    elif what == "another's key":
        shutil.copy(house.folder / "mall-north" / "key.pem", folder / "key.pem")
    elif what == "broken":
        (folder / "certificate.pem").write_text("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n")
    elif what == "missing":
        (folder / "ca.pem").write_text("")
    return folder


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("ended", "ended on .*Renew it"),
        ("of a stranger", "does not know who signed our certificate; have it signed by the broker's own authority"),
        ("of another broker", "from nobody in .*ca.pem; copy ca.pem of the broker's own authority"),
        ("another's key", "key.pem is not the key of .*certificate.pem"),
        ("broken", "TLS files cannot be used.*docs/transport.md"),
        ("missing", "there is no certificate in .*ca.pem"),
    ],
)
def test_what_is_wrong_with_our_files_is_one_sentence_for_edge_and_ingest(
    house: House, tmp_path: Path, what: str, said: str
) -> None:
    own = spoilt(house, tmp_path / "own", what)
    assert re.search(said, of_ingest(house.broker.url, own)), of_ingest(house.broker.url, own)
    assert re.search(said, of_edge(Broker.from_url(house.broker.url, own), tmp_path))


@pytest.mark.parametrize(
    ("hosts", "days_ago", "said"),
    [
        (["broker.example"], 0, "not for 127.0.0.1; use a name that it is for.*sojourn certify broker 127.0.0.1"),
        (["127.0.0.1"], 400, "the broker's certificate has ended; renew it there: `sojourn certify broker`"),
        (["127.0.0.1"], -2, "not valid yet; set the clock of this machine right"),
    ],
)
def test_what_is_wrong_with_the_brokers_certificate_is_one_sentence_for_both(
    house: House, tmp_path: Path, hosts: list[str], days_ago: int, said: str
) -> None:
    house.authority.certify_server(hosts, tmp_path / "server", NOW - timedelta(days=days_ago))
    with handshaking(tmp_path / "server") as url:
        assert re.search(said, of_ingest(url, house.folder / "ingest"))
        assert re.search(said, of_edge(Broker.from_url(url, house.folder / "shop-north"), tmp_path))


def test_no_certificate_and_no_tls_are_told_apart(house: House, broker: Mosquitto, tmp_path: Path) -> None:
    whole = house.of("shop-north")
    unnamed = Broker(whole.host, whole.port, tls=True, ca=whole.ca)
    assert "wants to know who we are; give certificate and key" in of_edge(unnamed, tmp_path)
    plain = f"mqtts://127.0.0.1:{broker.port}"
    assert "speaks no TLS, it seems; name its port for TLS" in of_ingest(plain, house.folder / "ingest")
    for said in (
        of_ingest(f"mqtt://127.0.0.1:{whole.port}", None),
        of_edge(Broker(whole.host, whole.port), tmp_path),
    ):
        assert "if it wants TLS, write mqtts://" in said


def test_what_is_revoked_stays_out_once_the_broker_has_read_it(house: House, peers: list[Peer]) -> None:
    house.authority.enrol("mall", "south", house.folder / "mall-south", NOW)
    lost = connect(house.of("mall-south"))
    peers.append(lost)
    assert not lost.refused
    assert house.authority.revoke("mall/south", datetime.now(UTC)) == 1
    house.broker.reload()
    until = time.monotonic() + WAIT_S
    while not (again := connect(house.of("mall-south"))).refused and time.monotonic() < until:
        again.client.disconnect()
    assert "our certificate was revoked" in again.refused
    house.broker.stop()
    house.broker.start()
    assert lost.lost.wait(WAIT_S), "a connection that stands ends with a restart at the latest"
    other = connect(house.of("mall-north"))
    peers.append(other)
    assert not other.refused
    house.authority.enrol("mall", "south", house.folder / "mall-south", datetime.now(UTC))
    back = connect(house.of("mall-south"))
    peers.append(back)
    assert not back.refused, "a new certificate of the same edge holds"


def of_ingest(url: str, credentials: Path | None) -> str:
    """Return what ingest says of a broker that it cannot use."""
    with pytest.raises(SojournError) as raised:
        Subscriber(url, "sojourn-ingest", Settings(), credentials).connect()
    return str(raised.value)


def of_edge(broker: Broker, folder: Path) -> str:
    """Return what an edge says of a broker that it cannot use."""
    outbox = Outbox(folder / "outbox.sqlite3", lambda _dropped: b"")
    publisher = Publisher(broker, Topics("shop", "north"), outbox, Clock(), lambda _state: b"{}")
    with structlog.testing.capture_logs() as logs:
        publisher.start()
        until = time.monotonic() + WAIT_S
        while not any("reason" in entry for entry in logs) and time.monotonic() < until:
            time.sleep(0.02)
        publisher.stop()
    outbox.close()
    return " ".join(str(entry.get("reason", "")) for entry in logs)


@contextmanager
def handshaking(credentials: Path) -> Iterator[str]:
    """Give the URL of a server that has a certificate and nothing to say."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credentials / "certificate.pem", credentials / "key.pem")

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with suppress(OSError), context.wrap_socket(peer, server_side=True) as wrapped:
                    wrapped.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"mqtts://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(WAIT_S)


def test_a_recorder_whose_place_is_taken_ends_with_a_file_that_says_so(
    house: House, peers: list[Peer], tmp_path: Path
) -> None:
    edge, out = connect(house.of("shop-north")), tmp_path / "torn.parquet"
    peers.append(edge)
    payload = next(walks(1, b"\7" * 16, batches=1))
    broker = house.of("recorder")

    def told(recorder: Recorder) -> None:
        if recorder.rows and len(peers) == 1:
            peers.append(connect(broker))
        elif not recorder.messages:
            edge.publish("sojourn/1/shop/north/signals", payload)

    with pytest.raises(UnavailableError, match=r"same certificate.* is in .*torn\.parquet") as ended:
        record(broker, out, threading.Event(), for_s=WAIT_S, told=told)
    assert "Only one may run" in ended.value.hint
    kept = check_seal(out)
    assert kept is not None
    assert kept.rows == len(pl.read_parquet(out)) > 0
    assert "torn off" in kept.lacks()[0]
    assert "same certificate" in kept.torn
