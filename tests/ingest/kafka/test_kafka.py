"""The whole way over TCP: edges, mosquitto, bridge, a Kafka broker, a group of ingests, the database."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authority.authority import Authority
from core.limits import NS_PER_MS
from ingest.worker import run
from servers.mosquitto import Mosquitto
from servers.provide import Installed
from servers.tansu import Tansu, missing
from storage.connect import connect
from tests.chaos.house import await_that
from tests.ingest import world
from tests.ingest.conftest import QUICK, Store, add_store
from tests.ingest.edge_double import EdgeDouble
from tests.telemetry.scraping import scraped, value

kafka_client = pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed here")

from confluent_kafka import Producer  # noqa: E402

from ingest.kafka.bridge import Bridge  # noqa: E402
from ingest.kafka.source import KafkaSource, when_received  # noqa: E402
from ingest.kafka.teller import Teller  # noqa: E402
from ingest.kafka.topic import (  # noqa: E402
    HEADER,
    Kafka,
    count_partitions,
    create_topic,
    partition_of,
    read_properties,
)

pytestmark = [pytest.mark.servers, pytest.mark.skipif(bool(missing()), reason=missing())]
STORES = 4
PARTITIONS = 4
SESSION_MS = 2_000


def test_a_store_has_the_same_partition_everywhere() -> None:
    assert [partition_of(f"store-{no:04}", 64) for no in range(4)] == [19, 5, 63, 41]
    spread = [partition_of(f"store-{no:04}", 64) for no in range(1_000)]
    assert min(map(spread.count, range(64))) > 0


def test_a_time_that_no_bridge_can_have_written_is_now() -> None:
    now_ms = 1_796_000_000_000
    now_ns = now_ms * NS_PER_MS + 7
    for said_ms in (now_ms - 86_400_000, now_ms, now_ms + 1_000):
        assert when_received((1, said_ms), now_ns) == said_ms * NS_PER_MS
    for nonsense in (now_ms * 1_000, 4_102_444_800_000, 0, -1, 2**62):
        assert when_received((1, nonsense), now_ns) == now_ns
    assert when_received((0, -1), now_ns) == now_ns


def test_settings_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("# ours\nsecurity.protocol = SSL\n\nsasl.password=a=b\n")
    assert read_properties(file) == {"security.protocol": "SSL", "sasl.password": "a=b"}


@contextmanager
def bridging(where: Kafka, mqtt_url: str, credentials: Path | None = None) -> Iterator[Bridge]:
    stop = threading.Event()
    bridge = Bridge(where, mqtt_url, f"bridge-{where.topic}", replace(QUICK, receive_maximum=64), credentials)
    thread = threading.Thread(target=bridge.run, args=(stop,))
    thread.start()
    try:
        yield bridge
    finally:
        stop.set()
        thread.join(30)


@contextmanager
def member(url: str, where: Kafka, mqtt_url: str) -> Iterator[None]:
    stop = threading.Event()
    source = KafkaSource(where, mqtt_url, QUICK, session_ms=SESSION_MS)
    thread = threading.Thread(
        target=run, args=(url, mqtt_url), kwargs={"stop": stop, "settings": QUICK, "source": source}
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
        source.stop()


def owners(url: str) -> dict[str, set[str]]:
    """The stores of each owner."""
    found: dict[str, set[str]] = {}
    with connect(url) as connection:
        for owner, store in connection.execute("select owner, id from store_owner join store using (store_no)"):
            found.setdefault(owner, set()).add(store)
    return found


def equals_cold_replay(store: Store) -> bool:
    with connect(store.url) as connection:
        row = connection.execute(
            "select decoded, (select sum(signals) from signal_log where store_no = %(no)s) from engine_progress"
            " where store_no = %(no)s",
            {"no": store.no},
        ).fetchone()
        return (
            row is not None
            and row[0] == row[1]
            and world.stored_visits(connection, store.no) == world.cold_replay(connection, store.no)
        )


def write_nonsense(where: Kafka, store: str) -> None:
    """Write what no bridge would, as something else that has the topic's name may: it ends nobody."""
    producer = Producer({"bootstrap.servers": where.servers})
    home = partition_of(store, PARTITIONS)
    header: list[tuple[str, str | bytes | None]] = [(HEADER, f"sojourn/1/{store}/stranger/signals".encode())]
    for timestamp in (1_796_000_000_000_000, 4_102_444_800_000, 1):
        producer.produce(
            where.topic, b"junk", key=store.encode(), partition=home, headers=header, timestamp=timestamp
        )
    producer.produce(where.topic, b"junk", key=b"another", partition=home, headers=header)
    producer.produce(where.topic, None, key=store.encode(), partition=home)
    assert producer.flush(30) == 0


def test_a_group_of_ingests_grows_and_shrinks_and_finds_the_same_visits(
    database_url: str, mqtt_url: str, kafka: Tansu
) -> None:
    where = Kafka(servers=kafka.servers, topic=world.name("edges"), group=world.name("group"))
    create_topic(where, partitions=PARTITIONS, replicas=1)
    assert count_partitions(where) == PARTITIONS
    stores = [add_store(database_url)]
    while len({partition_of(store.id, PARTITIONS) for store in stores}) < STORES:
        stores.append(add_store(database_url))
    with ExitStack() as stack:
        bridge = stack.enter_context(bridging(where, mqtt_url))
        doubles = [EdgeDouble(mqtt_url, store.id) for store in stores]
        for double in doubles:
            stack.callback(double.close)
        batches = [list(world.walks(no, bytes(16), batches=60)) for no in range(len(stores))]
        stack.enter_context(member(database_url, where, mqtt_url))
        write_nonsense(where, stores[0].id)
        for double, sent in zip(doubles, batches, strict=True):
            double.hello()
            double.send(*sent[:20])
        for double in doubles:
            double.drain()
        assert len(owners(database_url)) == 1
        with member(database_url, where, mqtt_url):  # growth: some stores move, the others stay where they are
            await_that(lambda: len(owners(database_url)) == 2, "the second ingest to own stores")
            for double, sent in zip(doubles, batches, strict=True):
                double.send(*sent[20:40])
            for double in doubles:
                double.drain()
        for double, sent in zip(doubles, batches, strict=True):
            double.send(*sent[40:])
        for double in doubles:
            double.drain()
        assert len(owners(database_url)) == 1
        told = scraped(bridge._meters.registry)
        carried = value(told, "sojourn_bridge_messages_total")
        assert carried >= len(stores) * 61  # with a hello of each edge
        assert value(told, "sojourn_bridge_carry_seconds_count") == carried
        assert value(told, "sojourn_bridge_bytes_total") >= sum(len(one) for sent in batches for one in sent)
        assert (value(told, "sojourn_bridge_standing"), value(told, "sojourn_bridge_retreats_total")) == (1, 0)
        for store in stores:
            await_that(lambda store=store: equals_cold_replay(store), f"visits of {store.id} as of a cold replay")  # type: ignore[misc]
            with connect(database_url) as connection:
                assert world.stored_visits(connection, store.no)


def test_a_bridge_that_is_killed_loses_nothing_on_three_brokers(mqtt_url: str, tmp_path: Path) -> None:
    """Against librdkafka's cluster of three; each message was taken by mosquitto and has nobody else who keeps it."""
    cluster = kafka_client.Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "mock"})
    servers = ",".join(f"{b.host}:{b.port}" for b in cluster.list_topics(timeout=10).brokers.values())
    where = Kafka(servers=servers, topic=world.name("edges"))
    cluster.list_topics(where.topic, timeout=10)  # it makes a topic of four partitions when it is asked for one
    assert count_partitions(where) == PARTITIONS
    store, sent = world.name(), 2_000
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.ingest.kafka.bridge_process"]
    stands = tmp_path / "stands"
    environment = os.environ | {"MQTT": mqtt_url, "KAFKA": servers, "TOPIC": where.topic, "STANDS": str(stands)}

    def begin() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environment)

    bridge = begin()
    double = EdgeDouble(mqtt_url, store)
    reader = kafka_client.Consumer(
        {"bootstrap.servers": servers, "group.id": "look", "auto.offset.reset": "earliest"}
    )
    reader.subscribe([where.topic])
    found: list[int] = []

    def read() -> int:
        for message in reader.consume(500, 0.1):
            if message.error() is None and message.key() == store.encode():
                assert message.partition() == partition_of(store, PARTITIONS)
                assert dict(message.headers())["topic"] == f"sojourn/1/{store}/e1/signals".encode()
                found.append(int(message.value()))
        return len(found)

    try:
        await_that(stands.exists, "the bridge to stand")
        for number in range(sent):
            double.publish("signals", b"%d" % number)
        await_that(lambda: read() > 100, "the first to be in Kafka")
        bridge.kill()
        bridge.wait()
        before = len(found)
        bridge = begin()
        await_that(lambda: read() >= 0 and len(set(found)) == sent, "all of them to be in Kafka")
    finally:
        bridge.send_signal(signal.SIGTERM)
        bridge.wait(30)
        double.close()
        reader.close()
    assert before < sent
    firsts = list(dict.fromkeys(found))
    assert firsts == sorted(firsts)  # repeated perhaps, but nothing overtook what came before it


def test_of_two_bridges_one_works_and_the_other_says_why_it_rests(
    mqtt_url: str, kafka: Tansu, capsys: pytest.CaptureFixture[str]
) -> None:
    where = Kafka(servers=kafka.servers, topic=world.name("edges"))
    create_topic(where, partitions=1, replicas=1)

    def standing(bridge: Bridge) -> float:
        return value(scraped(bridge._meters.registry), "sojourn_bridge_standing")

    def retreats(*bridges: Bridge) -> float:
        return sum(value(scraped(one._meters.registry), "sojourn_bridge_retreats_total") for one in bridges)

    with bridging(where, mqtt_url) as first:
        await_that(lambda: standing(first) == 1, "the first bridge to stand")
        with bridging(where, mqtt_url) as second:
            await_that(lambda: retreats(first, second) == 1, "one to make room")
            threading.Event().wait(3)  # each of them would have thrown the other out by now
            assert retreats(first, second) == 1
            assert (standing(first), standing(second)) == (0, 1)
    said = capsys.readouterr()
    assert "the bridge makes room for another one" in said.out + said.err
    assert "Somebody else has connected to the MQTT broker by this bridge's name." in said.out + said.err


def test_bridge_and_ingests_by_certificates_leave_each_other_alone(
    kafka: Tansu, installed: Installed, tmp_path: Path
) -> None:
    where = Kafka(servers=kafka.servers, topic=world.name("edges"))
    create_topic(where, partitions=1, replicas=1)
    now = datetime.now(UTC)
    authority = Authority.create(tmp_path / "authority", now)
    authority.equip_broker(["127.0.0.1"], now)
    for name in ("kafka-bridge", "ingest-1", "ingest-2"):
        authority.certify_service(name, tmp_path / name, now)
    with Mosquitto(installed, tmp_path / "broker", secure=authority.broker_folder) as broker, ExitStack() as stack:
        bridge = stack.enter_context(bridging(where, broker.url, tmp_path / "kafka-bridge"))
        tellers = [Teller(broker.url, QUICK, tmp_path / name) for name in ("ingest-1", "ingest-2")]
        for teller in tellers:
            stack.callback(teller.stop)
        await_that(lambda: all(teller.connected for teller in tellers), "both to be connected")
        threading.Event().wait(3)  # three rounds of connecting anew
        assert [teller.connected for teller in tellers] == [True, True]
        told = scraped(bridge._meters.registry)
        assert (value(told, "sojourn_bridge_standing"), value(told, "sojourn_bridge_retreats_total")) == (1, 0)
