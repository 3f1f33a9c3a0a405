"""The brokers of the chaos run: a group that settles whoever leaves it, and a loss that clients get over."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.chaos.kafka.cluster import Cluster

if TYPE_CHECKING:
    from confluent_kafka import Consumer

client = pytest.importorskip("confluent_kafka")
TOPIC, PARTITIONS = "edges", 3
PATIENCE_S = 60


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path / "kafka.log", topic=TOPIC, partitions=PARTITIONS) as made:
        yield made


def join(cluster: Cluster) -> "Consumer":
    consumer: Consumer = client.Consumer(
        {
            "bootstrap.servers": cluster.servers,
            "group.id": "g",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": 2_000,
            "heartbeat.interval.ms": 400,
        }
    )
    consumer.subscribe([TOPIC])
    return consumer


def await_all_read(cluster: Cluster, consumers: "list[Consumer]", what: bytes) -> None:
    """Send to each partition until all of them have been read from."""
    producer = client.Producer({"bootstrap.servers": cluster.servers})
    read: set[int | None] = set()
    until_s = time.monotonic() + PATIENCE_S
    while len(read) < PARTITIONS:
        assert time.monotonic() < until_s, f"only {read} were read"
        for partition in range(PARTITIONS):
            producer.produce(TOPIC, what, partition=partition)
        producer.flush(5)
        for consumer in consumers:
            read |= {m.partition() for m in consumer.consume(100, 0.2) if not m.error() and m.value() == what}


def test_a_group_settles_when_its_leader_leaves_while_it_is_formed(cluster: Cluster) -> None:
    """Tansu's group does not, and therefore Tansu is not what storms are tested on."""
    members = [join(cluster)]
    await_all_read(cluster, members, b"one")
    for number in range(4):
        members.append(join(cluster))
        members[-1].poll(0.3)  # asks to join, so that the group forms anew
        members.pop(0).close()  # the one that leads it
        members.append(join(cluster))
        members.pop(0).close()
        await_all_read(cluster, members, b"%d" % number)
    for member in members:
        member.close()


def test_clients_find_a_cluster_that_lost_everything(cluster: Cluster) -> None:
    consumer = join(cluster)
    await_all_read(cluster, [consumer], b"before")
    servers = cluster.servers
    cluster.kill()
    cluster.start()
    assert cluster.servers == servers
    await_all_read(cluster, [consumer], b"after")
    late = join(cluster)
    late.unsubscribe()
    late.assign([client.TopicPartition(TOPIC, 0, 0)])
    assert late.consume(1, 10)[0].value() == b"after"
    for one in (consumer, late):
        one.close()
