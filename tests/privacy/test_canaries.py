"""No stable identifier of somebody who has not consented reaches any disk.

A seeded run of everything that takes something in: a gateway service with its outbox, a real broker, ingest, a real
database, the API, apps, webhooks, nonsense on every way in, all of it traced. Canaries are what strangers would be
recognised by. Then every byte that was written is searched for them: tables, and all files, those of the servers too,
and what a collector of traces would be told (`make canaries`).
"""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import msgspec
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from api.app import create_app
from api.settings import Settings as ApiSettings
from core.addresses import AddressKind, address_kind
from core.advertisement import Rule
from core.identity import pseudonym
from core.privacy.masking import masked
from core.wire import encode
from edge.broker import Broker
from edge.gateways.service import run as run_gateway
from edge.gateways.settings import GatewaySettings, Listen
from edge.pseudonyms import KeyRing, write_consented
from edge.settings import BrokerSettings, Files
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from storage.connect import Connection, connect
from storage.migrate import migrate
from storage.profiles.profiles import create_profile
from storage.stores import save_plan
from tests.api.serving import answering, wait_for
from tests.ingest import world
from tests.ingest.conftest import QUICK, ingesting
from tests.privacy.searching import found_in, found_in_database, found_in_files, needles
from tests.telemetry.scraping import in_memory

pytestmark = pytest.mark.servers
SEED = 20_261_128
STORE = "canary"
NAMESPACE = "426c7565-4368-6172-6d42-6561636f6e73"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Canaries:
    """What strangers would be recognised by, and a customer's tag beside them."""

    public: bytes
    static: bytes
    private: bytes
    beacon: bytes
    """Major and minor of a stranger's iBeacon, with the namespace before them."""
    member: bytes
    installation: UUID
    email: str
    name: str
    number: str
    """A customer's, short as most are: nothing in it looks like an address."""

    @classmethod
    def drawn(cls, seed: int) -> "Canaries":
        rng = random.Random(seed)
        namespace = bytes.fromhex(NAMESPACE.replace("-", ""))
        return cls(
            public=b"\xc8\x34\x8e" + rng.randbytes(3),
            static=b"\xd7" + rng.randbytes(5),
            private=b"\x5b" + rng.randbytes(5),
            beacon=namespace + rng.randbytes(4),
            member=namespace + rng.randbytes(4),
            installation=UUID(bytes=rng.randbytes(16), version=4),
            email=f"canary.{rng.randbytes(4).hex()}@aviary.test",
            name=f"Zarathustra {rng.choice(('Kanari', 'Kanarienvogel'))}",
            number=f"KD-{rng.randrange(10_000, 100_000)}",
        )

    def identity(self, beacon: bytes) -> bytes:
        """As core.advertisement names an iBeacon."""
        return b"ibeacon:" + beacon[:16].hex().encode() + b":" + beacon[16:].hex().encode()

    def secrets(self, stable: bytes) -> dict[str, bytes]:
        """Everything that must not be found; also what strangers would be called under the stable key."""
        return {
            "public address": self.public,
            "static address": self.static,
            "private address": self.private,
            "beacon": self.beacon[8:],
            "installation": self.installation.bytes,
            "e-mail": self.email.encode(),
            "name": self.name.encode(),
            "customer number": self.number.encode(),
            "stable pseudonym": pseudonym(self.identity(self.beacon), stable),
            "stable pseudonym of an address": pseudonym(self.static, stable),
        }


def colons(address: bytes) -> str:
    return address.hex(":").upper()


def gateway_messages(canaries: Canaries) -> list[tuple[str, bytes]]:
    """What a gateway tells of a stranger's beacon, a member's tag and three strange addresses."""

    def frame(beacon: bytes) -> str:
        return "4c000215" + beacon.hex() + "c5"

    told: list[dict[str, object]] = [
        {"id": colons(canaries.static), "mac_type": 1, "manufacturerdata": frame(canaries.beacon), "rssi": -60},
        {"id": colons(canaries.private), "mac_type": 1, "manufacturerdata": frame(canaries.member), "rssi": -55},
        {"id": colons(canaries.public), "mac_type": 0, "manufacturerdata": "4c0010", "name": canaries.email},
        {"id": colons(canaries.static), "mac_type": 1, "rssi": "loud"},
    ]  # fmt: skip
    return [(f"home/omg/BTtoMQTT/{one['id']}".replace(":", ""), json.dumps(one).encode()) for one in told]


def nonsense(canaries: Canaries) -> list[tuple[str, bytes]]:
    """Messages that no edge of ours sends, with canaries wherever somebody may put them."""
    signals, status = f"sojourn/1/{STORE}/north/signals", f"sojourn/1/{STORE}/north/status"
    mac = colons(canaries.static)
    spelled = {"v": 1, "boot": "00" * 16, "seq": 1, "base": 1, "anchors": [mac], "devices": ["ab" * 16],
               "t": [0], "a": [0], "d": [0], "r": [-60]}  # fmt: skip
    now_us = time.time_ns() // 1_000
    return [
        (signals, canaries.static),
        (signals, mac.encode()),
        (signals, b"\x28\xb5\x2f\xfd" + canaries.public),
        (signals, json.dumps({mac: canaries.email}).encode()),
        (signals, json.dumps(spelled | {canaries.email: mac}).encode()),
        (signals, json.dumps(spelled | {"seq": canaries.email}).encode()),
        (signals, json.dumps(spelled | {"devices": [canaries.public.hex()]}).encode()),
        (signals, json.dumps(spelled | {"boot": "11" * 16, "base": now_us}).encode()),  # an anchor nobody knows
        (f"sojourn/1/{mac.replace(':', '')}/{canaries.installation}/signals", json.dumps(spelled).encode()),
        (
            status,
            json.dumps({"state": canaries.email, "boot": mac, "anchors": [mac, canaries.public.hex()]}).encode(),
        ),
        (
            status,
            json.dumps(
                {
                    "state": "stopped",
                    "anchors": [mac],
                    "battery_percent": {mac: 50},
                    "alive": {"v": 1, "every_s": 10, "at_us": {mac: 1}},
                }
            ).encode(),
        ),
        (status, b"{" + mac.encode()),
        (f"sojourn/1/{STORE}/app/presence", json.dumps({"token": str(canaries.installation), "mac": mac}).encode()),
    ]


def ask_wrongly(client: httpx.Client, canaries: Canaries) -> None:
    """Requests that are refused, or say nothing, with canaries in wrong fields."""
    key = {"Idempotency-Key": canaries.email}
    plain = (canaries.name, canaries.number)
    mac, app = colons(canaries.public), str(canaries.installation)
    said = [
        client.post("/v1/app/presence", headers={"Authorization": f"Bearer {app}", **key},
                    json={"store": STORE, "events": [{"kind": "enter", "anchor": mac, "device": mac}]}),
        client.post("/v1/app/presence", headers={"Authorization": f"Bearer {mac}"}, content=mac),
        client.post("/v1/profiles", headers=key, json={"source": canaries.email, "display_name": mac}),
        client.post("/v1/withdrawals", headers=key, json={"source": "crm", "wording": "1", "key": mac, "identifier": {
            "kind": "email", "value": canaries.email}, "occurred_at": "2026-11-01T00:00:00Z"}),
        client.post("/v1/inputs/orders", headers=key, json={"source": "shop", "events": [{
            "key": mac, "kind": canaries.email, "identifier": {"kind": "email", "value": canaries.email}}]}),
        client.post("/v1/imports/profiles?source=crm", headers={"Idempotency-Key": mac, "Content-Type": "text/csv"},
                    content=f"display_name,email,consent_source,consent_wording,consent_at,{mac}\n"
                    f"{canaries.email},test,{app},1,{mac},{app}\n{mac},{canaries.email}@,crm,1,2026-11-01T00:00:00Z,x\n"),
        *(client.post(f"/v1/inputs/{given_input}", headers={"Idempotency-Key": f"{word} {given_input}"}, json={
            "source": "shop", "events": [{"key": word, "kind": word, "customer_id": word, "query": word,
                                          "identifier": {"kind": word, "value": word}}]})
          for word in plain for given_input in ("orders", "online", "events")),
        # columns that were mixed up, and a header of somebody's data
        *(client.post("/v1/imports/online?source=shop", headers={"Idempotency-Key": word, "Content-Type": "text/csv"},
                      content=f"key,kind,occurred_at,customer_id,query,{word}\n"
                      f"k,{word},2026-11-01T00:00:00Z,searched,x,{word}\n") for word in plain),
        client.post("/v1/erasures", headers=key, json={"profile_id": app, "asked_by": canaries.name}),
        client.post("/v1/hooks/crm/profiles", headers={"webhook-id": app, "webhook-signature": mac},
                    content=json.dumps({"data": {"email": canaries.email}})),
        client.get("/v1/profiles", params={"q": canaries.email}),
        client.get(f"/v1/profiles/{app}"),
        client.get(f"/v1/stores/{mac}/zones"),
        client.post("/privacy/erasures", data={"profile_id": app, "asked_by": mac},
                    headers={"Origin": str(client.base_url)}),
    ]  # fmt: skip
    assert all(answer.status_code < 500 for answer in said), [answer.text for answer in said]


@contextmanager
def publishing(url: str) -> Iterator[paho.Client]:
    broker = Broker.from_url(url)
    client = paho.Client(CallbackAPIVersion.VERSION2, "canaries", protocol=paho.MQTTv5)
    client.username_pw_set(broker.username, broker.password)
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def gateway(folder: Path, url: str) -> Iterator[None]:
    """The gateway service, with keys, outbox and health in a folder of its own."""
    broker, password = Broker.from_url(url), folder / "password"
    folder.mkdir(exist_ok=True)
    password.touch(mode=0o600)
    password.write_text(str(broker.password))
    settings = GatewaySettings(
        store=STORE,
        edge="north",
        broker=BrokerSettings(
            url=f"mqtt://{broker.host}:{broker.port}", username=broker.username, password_file=password
        ),
        files=Files(keys=folder / "keys", outbox=folder / "outbox.db", health=folder / "health.json"),
        gateways={"omg": "a0"},
        hear=(Rule(kind="ibeacon", namespace=NAMESPACE),),
        listen=(Listen(format="openmqttgateway", topic="home/omg/BTtoMQTT/+"),),
    )
    stop = threading.Event()
    thread = threading.Thread(target=run_gateway, args=(settings, stop), name="gateway")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def heard(connection: Connection) -> bool:
    row = connection.execute("select coalesce(sum(signals), 0) from signal_log").fetchone()
    return row is not None and row[0] >= 2


def refused(connection: Connection, many: int) -> bool:
    row = connection.execute("select coalesce(sum(times), 0) from dead_letter").fetchone()
    return row is not None and row[0] >= many


def test_no_canary_reaches_a_disk(
    own_database: Postgres, own_broker: Mosquitto, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    canaries = Canaries.drawn(SEED)
    assert address_kind(canaries.private, random=True) is AddressKind.RESOLVABLE
    house = tmp_path / "edge"
    ring = KeyRing(house / "keys")
    stable = ring.stable()[0]
    hers = pseudonym(canaries.identity(canaries.member), stable)
    write_consented(ring.folder, [hers])
    url = own_database.dsn()
    tracing, traces = in_memory()
    migrate(url)
    settings = replace(QUICK, snapshot_s=0.2, privacy=tmp_path / "privacy", privacy_s=0.2)
    with connect(url) as connection, ExitStack() as running:
        save_plan(connection, world.floor_plan(STORE))
        create_profile(connection, display_name="Member", devices=[hers], granted_at=LONG_AGO)
        running.enter_context(ingesting(url, own_broker.url, settings, tracing=tracing))
        running.enter_context(gateway(house, own_broker.url))
        app = create_app(url, ApiSettings(privacy=tmp_path / "privacy"), tracing=tracing)
        client = running.enter_context(answering(app))
        publish = running.enter_context(publishing(own_broker.url)).publish
        ask_wrongly(client, canaries)
        wrong = nonsense(canaries)
        for topic, payload in wrong:
            publish(topic, payload, qos=1)

        def told() -> bool:
            for topic, payload in gateway_messages(canaries):
                publish(topic, payload, qos=1).wait_for_publish(5)
            time.sleep(0.3)
            return heard(connection)

        wait_for(told, "the tags")
        wait_for(lambda: refused(connection, 8), "the dead letters")
        wanted = needles(canaries.secrets(stable))
        assert {"outbox.db", "outbox.db-wal"} <= {path.name for path in house.iterdir()}, "it runs, with its log"
        in_house = found_in_files(house, wanted)
        running.close()

        connection.execute("checkpoint")
        in_tables = found_in_database(connection, wanted)
        assert "signal_log" in found_in_database(connection, needles({"hers": hers})), (
            "the search finds what is there"
        )
        _plant(connection, canaries)
        planted = found_in_database(connection, wanted)
    spans = traces.get_finished_spans()
    assert {"batch receive", "commit"} <= {span.name for span in spans}
    assert any(span.attributes and "http.route" in span.attributes for span in spans), "requests are traced too"
    assert found_in("".join(span.to_json() for span in spans).encode(), wanted) == set()
    own_broker.stop()  # writes what it keeps
    own_database.stop()
    said = capfd.readouterr()
    in_files = found_in_files(tmp_path, wanted)
    assert (in_house, in_tables) == ({}, {})
    assert found_in((said.out + said.err).encode(), wanted) == set()
    assert planted.keys() == {"dead_letter", "note_choice", "signal_log"}, "a canary that was planted is found"
    data = {name for name in in_files if name.startswith("own-database/")}
    assert data, "planted rows are found in the files of the database"
    assert in_files.keys() - data == set()
    (tmp_path / "own-broker" / "planted").write_text(f"seen {colons(canaries.static).lower()}")
    assert set(found_in_files(tmp_path / "own-broker", wanted)) == {"planted"}


def _plant(connection: Connection, canaries: Canaries) -> None:
    """Put canaries where a fault might, to see that they are found: in text, in JSON, in a packed batch."""
    connection.execute(
        "insert into note_choice (list, word, label, place) values ('tag', 'canary', %s, 99)", [canaries.email]
    )
    connection.execute(
        "update dead_letter set detail = jsonb_build_object('what', %s::text)", [colons(canaries.public)]
    )
    packed = world.batch(1, devices=40, ts=[time.time_ns()] * 40, device=list(range(40)))
    devices = packed.devices.copy()
    devices[7, :6] = list(canaries.static)
    payload = encode(msgspec.structs.replace(packed, devices=devices))
    assert canaries.static not in payload
    connection.execute(
        "update signal_log set batch = %s where ctid in (select ctid from signal_log limit 1)", [payload]
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("c8:34:8e:c5:ff:75", "c8:34:…"),
        ("no anchor C8348EC5FF75 here", "no anchor C8348E… here"),
        ("0xC8348EC5FF75", "0xC8348E…"),
        ("tagC8348EC5FF75", "tagC8348E…"),
        ("xC8348EC5FF75/y", "xC8348E…/y"),
        ("mac=C8:34:8E:C5:FF:75x", "mac=C8:34:…x"),
        ("ada@localhost", "…@…"),
        ("call4930123456789now", "call493012…now"),
        ("9738aa03-bf7e-47a3-8c74-d464fd68e963", "9738aa…"),
        ("field `ada@example.org` of", "field `…@…` of"),
        ("+49 30 1234567", "+49 30…"),
        ("door-north-1, a01, 2026, 12.5 s, till_3", "door-north-1, a01, 2026, 12.5 s, till_3"),
        ("MTIzNDU2Nzg5MDEyMzQ1Ng==", "MTIzND…"),
    ],
)
def test_what_looks_like_an_address_is_cut_down(text: str, left: str) -> None:
    assert masked(text) == left
