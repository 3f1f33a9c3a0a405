"""`python -m benchmarks.bench_bridge`: what the bridge carries to three Kafka brokers, beside reading MQTT alone.

Batches of 200 signals wait at a mosquitto in the session of the one who reads; then he reads and acknowledges all of
them.
The Kafka brokers are librdkafka's mock cluster in a process of its own: no disk, no replication.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from ingest.kafka.bridge import RECEIVE_MAXIMUM, Bridge
from ingest.kafka.topic import Kafka, count_partitions
from ingest.settings import Settings
from ingest.subscriber import Subscriber
from servers.mosquitto import Mosquitto
from servers.provide import provide

MESSAGES: Final = 20_000
PAYLOAD: Final = bytes(2_092)  # as a batch of 200 signals of 40 devices
_SETTINGS: Final = Settings(receive_maximum=RECEIVE_MAXIMUM, commit_messages=RECEIVE_MAXIMUM)
_CLUSTER: Final = """
from confluent_kafka import Producer
import sys
cluster = Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "mock"})
print(",".join(f"{b.host}:{b.port}" for b in cluster.list_topics("bench", timeout=10).brokers.values()), flush=True)
sys.stdin.read()
"""


def fill(url: str) -> None:
    """Publish all messages, acknowledged by the broker."""
    client = paho.Client(CallbackAPIVersion.VERSION2, "fill", protocol=paho.MQTTv5)
    client.max_inflight_messages_set(500)
    parts = urlsplit(url)
    if parts.username is not None:
        client.username_pw_set(parts.username, parts.password)
    client.connect(str(parts.hostname), parts.port or 1883)
    client.loop_start()
    for number in range(MESSAGES):
        last = client.publish(f"sojourn/1/store-{number % 50}/e1/signals", PAYLOAD, qos=1)
    last.wait_for_publish(120)
    client.disconnect()
    client.loop_stop()


def read_alone(url: str) -> float:
    """Read and acknowledge; return messages a second."""
    subscriber = Subscriber(url, "alone", _SETTINGS)
    subscriber.connect()
    subscriber.drop()  # the session stays, and the broker keeps for it what comes
    fill(url)
    begun_s, read = time.perf_counter(), 0
    subscriber.connect()
    while read < MESSAGES:
        taken = subscriber.take(wait_s=1.0, gather_s=0.01)
        subscriber.acknowledge(taken)
        read += len(taken)
    rate = read / (time.perf_counter() - begun_s)
    subscriber.drop()
    return rate


def carry(url: str, servers: str) -> float:
    """Carry to Kafka; return messages a second."""
    where = Kafka(servers=servers, topic="bench")
    while not count_partitions(where):
        time.sleep(0.1)
    subscriber = Subscriber(url, "bridge", _SETTINGS)
    subscriber.connect()
    subscriber.drop()
    fill(url)
    bridge, stop = Bridge(where, url, "bridge", _SETTINGS), threading.Event()
    thread = threading.Thread(target=bridge.run, args=(stop,))
    begun_s = time.perf_counter()
    thread.start()
    while bridge.carried < MESSAGES:
        time.sleep(0.005)
    rate = bridge.carried / (time.perf_counter() - begun_s)
    stop.set()
    thread.join()
    return rate


def main() -> None:
    """Measure both and print a line for each, with the load of the machine."""
    with tempfile.TemporaryDirectory() as folder, Mosquitto(provide(), Path(folder)) as broker:
        alone = read_alone(broker.url)
        command = [sys.executable, "-c", _CLUSTER]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as cluster:
            if cluster.stdout is None:
                raise RuntimeError("The cluster has no way to tell where it is.")
            carried = carry(broker.url, cluster.stdout.readline().strip())
            cluster.terminate()
    load = os.getloadavg()[0]
    for name, rate in (("MQTT alone", alone), ("bridge to three brokers", carried)):
        print(f"{name}: {rate:,.0f} messages/s, {rate * 200:,.0f} signals/s at 200 a message (load {load:.1f})")


if __name__ == "__main__":
    main()
