"""`sojourn edge` as a process of its own: real bleak, a real broker with TLS, configuration from afar."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import publish

from authority.authority import Authority
from edge.broker import CA, CERTIFICATE, KEY, Topics
from servers.mosquitto import Mosquitto
from servers.provide import Installed
from tests.edge.bluez_double import BlueZ
from tests.edge.listening import NAMESPACE, TAG, ibeacon
from tests.edge.stand_ins import StandInIngest, await_that

pytestmark = pytest.mark.servers
OTHER = "74278bdab64445208f0c720eaf059935"


@dataclass
class Store:
    """A store with a broker that lets in by certificate only."""

    broker: Mosquitto
    authority: Authority
    topics: Topics
    folder: Path

    def configuration(self, authority: Authority | None = None) -> Path:
        """Write the configuration of the edge; with another authority its certificate is a stranger's."""
        signer, own = authority if authority is not None else self.authority, self.folder / "credentials"
        signer.enrol(self.topics.store, self.topics.edge, own, datetime.now(UTC))
        path = self.folder / "edge.toml"
        path.write_text(f'''
store = "{self.topics.store}"
edge = "{self.topics.edge}"

[broker]
url = "{self.broker.url}"
ca = "{self.authority.folder}/ca.pem"
certificate = "{own}/certificate.pem"
key = "{own}/key.pem"

[files]
keys = "{self.folder}/keys"
outbox = "{self.folder}/outbox.sqlite3"
health = "{self.folder}/health.json"

[[adapter]]
name = "hci0"
anchor = "gw-entrance"

[[hear]]
kind = "ibeacon"
namespace = "{NAMESPACE}"
''')
        return path

    @property
    def health(self) -> dict[str, Any]:
        """What the health file says; empty before there is one."""
        path = self.folder / "health.json"
        return json.loads(path.read_bytes()) if path.exists() else {}

    def tell(self, config: dict[str, Any]) -> None:
        """Write the config topic."""
        self.tell_raw(json.dumps(config).encode())

    def tell_raw(self, payload: bytes) -> None:
        """Write the config topic as the operator, who alone may."""
        own = self.folder / "operator"
        self.authority.certify_service("operator", own, datetime.now(UTC))
        tls: Any = {"ca_certs": own / CA, "certfile": own / CERTIFICATE, "keyfile": own / KEY}
        publish.single(
            self.topics.config, payload, qos=1, retain=True, hostname="127.0.0.1", port=self.broker.port, tls=tls
        )


class Edge:
    """A running `sojourn edge`."""

    def __init__(self, configuration: Path, log: Path, **environment: str) -> None:
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sojourn", "edge", str(configuration)],
                env=os.environ | environment,
                stdout=file,
                stderr=file,
            )

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def store(installed: Installed, tmp_path: Path) -> Iterator[Store]:
    authority = Authority.create(tmp_path / "authority", datetime.now(UTC))
    authority.equip_broker(["127.0.0.1"], datetime.now(UTC))
    with Mosquitto(installed, tmp_path / "broker", secure=authority.broker_folder) as broker:
        yield Store(broker, authority, Topics(f"store-{uuid.uuid4().hex[:8]}", "north"), tmp_path)


@pytest.fixture
def ingest(store: Store) -> Iterator[StandInIngest]:
    store.authority.certify_service("ingest", store.folder / "ingest", datetime.now(UTC))
    stand_in = StandInIngest(store.broker.url, store.topics, credentials=store.folder / "ingest")
    yield stand_in
    stand_in.close()


def pseudonym_of(identity: str, keys: Path) -> bytes:
    """Compute a pseudonym of today from the words of docs/wire.md."""
    key = (keys / f"day-{datetime.now(UTC):%Y-%m-%d}.key").read_bytes()
    return blake2b(identity.encode(), digest_size=16, key=key, person=b"sojourn-device").digest()


def told(ingest: StandInIngest, **wanted: object) -> dict[str, Any]:
    """Wait for a status whose fields are as wanted, and return it."""
    ingest.await_(lambda it: bool(it.statuses) and all(it.statuses[-1].get(k) == v for k, v in wanted.items()))
    return ingest.statuses[-1]


def test_what_a_radio_hears_reaches_the_broker_under_pseudonyms_only(
    store: Store, ingest: StandInIngest, bluez: BlueZ
) -> None:
    edge = Edge(store.configuration(), store.folder / "log")
    try:
        await_that(lambda: bluez.adapters["hci0"].discovering)
        bluez.hear("hci0", TAG, -61, manufacturer=ibeacon(0x00010002))
        bluez.hear("hci0", TAG, -62, manufacturer=ibeacon(3, OTHER))
        ingest.await_logged(1)
        batch = ingest.received[0]
        assert batch.anchors == ("gw-entrance",)
        identity = f"ibeacon:{NAMESPACE}:00010002"
        assert [bytes(device) for device in batch.devices] == [pseudonym_of(identity, store.folder / "keys")]
        assert batch.rssi_dbm.tolist() == [-61]

        # told from afar: another namespace; what is invalid changes nothing
        store.tell({"version": 1, "hear": [{"kind": "ibeacon", "namespace": OTHER}]})
        told(ingest, config={"version": 1})
        bluez.hear("hci0", TAG, -63, manufacturer=ibeacon(0x00010002))
        bluez.hear("hci0", TAG, -64, manufacturer=ibeacon(3, OTHER))
        ingest.await_logged(2)
        assert bluez.adapters["hci0"].starts == 1  # a scan begun anew would have been deaf meanwhile
        assert [batch.rssi_dbm.tolist() for batch in ingest.received] == [[-61], [-64]]
        store.tell({"version": 2, "hear": [{"kind": "ibeacon", "namespace": "12"}]})
        ingest.await_(lambda it: "refused" in it.statuses[-1]["config"])
        said = ingest.statuses[-1]["config"]
        assert (said["version"], said["refused"]["version"]) == (1, 2)
        assert "32 hexadecimal digits" in said["refused"]["reason"]
        await_that(lambda: store.health.get("adapters", {}).get("gw-entrance", {}).get("signals") == 2)
        assert store.health["broker"] == "connected"
        assert store.health["adapters"]["gw-entrance"]["state"] == "hearing"
        assert edge.end() == 0
        assert told(ingest, state="stopped")["backlog"] == 0
    finally:
        edge.process.kill()
        edge.process.wait()
    leaves = b"".join(
        path.read_bytes() for path in store.folder.glob("*") if path.is_file() and path.suffix != ".toml"
    )
    for secret in (TAG, TAG.replace(":", ""), TAG.replace(":", "_"), f"{NAMESPACE}:0001", f"{OTHER}:0000"):
        assert secret.encode() not in leaves
        assert secret.lower().encode() not in leaves


def test_an_edge_that_is_killed_is_offline_and_keeps_its_configuration(
    store: Store, ingest: StandInIngest, bluez: BlueZ
) -> None:
    configuration = store.configuration()
    store.tell({"version": 7, "scanning": "passive"})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        path = bluez_socket(bluez)
        systemd.bind(path)
        systemd.settimeout(30)
        edge = Edge(configuration, store.folder / "log", NOTIFY_SOCKET=path)
        try:
            told(ingest, state="online", config={"version": 7})
            await_that(lambda: bluez.adapters["hci0"].monitors == 1)
            said = [systemd.recv(4096), systemd.recv(4096)]
            assert b"READY=1" in said
            assert any(b"WATCHDOG=1" in one and one.startswith(b"STATUS=") for one in said)
        finally:
            edge.end(signal.SIGKILL)
    told(ingest, state="offline")
    store.tell_raw(b"")
    edge = Edge(configuration, store.folder / "log")
    try:
        told(ingest, state="online", config={"version": 7})
    finally:
        edge.end()


def bluez_socket(bluez: BlueZ) -> str:
    """Return a path beside the bus, where names are short enough."""
    return bluez.address.removeprefix("unix:path=") + ".systemd"


def test_a_broker_keeps_a_strangers_certificate_out_and_nothing_is_lost(
    store: Store, ingest: StandInIngest, bluez: BlueZ
) -> None:
    stranger = Authority.create(store.folder / "stranger", datetime.now(UTC))
    edge = Edge(store.configuration(stranger), store.folder / "log")
    try:
        await_that(lambda: bluez.adapters["hci0"].discovering)
        bluez.hear("hci0", TAG, -61, manufacturer=ibeacon(1))
        await_that(lambda: b"not delivering, keeping everything" in edge.log.read_bytes())
        assert b"have it signed by the broker's own authority" in edge.log.read_bytes()
        await_that(lambda: store.health.get("backlog") == 1)
        assert not ingest.received
    finally:
        edge.end(signal.SIGKILL)
    edge = Edge(store.configuration(), store.folder / "log")
    try:
        ingest.await_logged(1)
    finally:
        edge.end()


@pytest.mark.parametrize("name", [CA, CERTIFICATE])
def test_a_certificate_that_may_not_be_read_ends_it_so_that_systemd_starts_it_no_more(
    store: Store, name: str
) -> None:
    configuration = store.configuration()
    closed = (store.authority.folder if name == CA else store.folder / "credentials") / name
    closed.chmod(0)
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is None:
        pytest.skip("root may read everything")
    bare = [setpriv, *(f"--{kind}=-dac_override,-dac_read_search" for kind in ("bounding-set", "inh-caps"))]
    words = [sys.executable, "-m", "sojourn", "edge", str(configuration)]
    ended = subprocess.run(
        [*(map(str, bare) if os.geteuid() == 0 else ()), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    closed.chmod(0o600)
    assert ended.returncode == os.EX_CONFIG
    assert f"this user may not read {closed}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_configuration_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_text('store = "s"\nedge = "e"\n')
    ended = subprocess.run(
        [sys.executable, "-m", "sojourn", "edge", "--check", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == os.EX_CONFIG
    assert "`broker` is missing" in ended.stderr
    assert "Traceback" not in ended.stderr
