"""What a user would write first: paho, JSON, one INSERT per signal. A subscriber and its edges, each a process.

    python -m benchmarks.ingest.plain take MQTT_URL          (DSN in SOJOURN_DATABASE_URL)
    python -m benchmarks.ingest.plain send MQTT_URL PREFIX STORES EDGES DEVICES

The same signals, 200 to a message at QoS 1, one commit a message. No pseudonyms, no cursor, no visits, and paho
acknowledges by itself: a kill loses what was received. The sender keeps 16 messages of each edge under way, counted
by what the subscriber says, so that nothing queues without end. Topics begin with PREFIX, here `plain`; whoever else
takes the same messages has a prefix of their own.
"""

import os
import sys
import threading
import time
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.ingest.air import HEARD_BY, SIGNALS, StoreAir, nothing, store_id
from benchmarks.ingest.publishing import sign_in
from core.limits import NS_PER_S

TABLE: Final = """
create table if not exists plain_signal (
    ts timestamptz not null, store text not null, edge text not null, anchor text not null, device uuid not null,
    rssi smallint not null
);
select create_hypertable('plain_signal', by_range('ts'), if_not_exists => true);
"""
_INSERT: Final = (
    "insert into plain_signal (ts, store, edge, anchor, device, rssi) values (to_timestamp(%s), %s, %s, %s, %s, %s)"
)
_UNDER_WAY: Final = 16
PREFIX: Final = "plain"
_DONE: Final = f"{PREFIX}/done"


def take(mqtt_url: str) -> None:
    """Write every message of `plain/signals/…` until SIGTERM; tell the count of messages in `plain/done`."""
    with psycopg.connect(os.environ["SOJOURN_DATABASE_URL"]) as connection:
        done = 0

        def on_message(client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
            nonlocal done
            store, edge = message.topic.split("/")[2:4]
            for row in msgspec.json.decode(message.payload):
                connection.execute(_INSERT, (row["ts"], store, edge, row["anchor"], row["device"], row["rssi"]))
            connection.commit()
            done += 1
            client.publish(_DONE, str(done))

        client = _client(mqtt_url, "plain-taker")
        client.on_message = on_message
        client.on_connect = lambda client, *_: client.subscribe(f"{PREFIX}/signals/#", qos=1)
        # what is published before anybody subscribes is lost: the sender waits for this
        client.on_subscribe = lambda client, *_: client.publish(_DONE, "0", retain=True)
        client.loop_forever()


def send(mqtt_url: str, prefix: str, stores: int, edges: int, devices: int) -> None:
    """Publish until stdin ends, at most _UNDER_WAY messages an edge ahead; say how many signals were written."""
    over, news, done, sent, said_s = threading.Event(), threading.Condition(), 0, 0, 0.0
    taken = threading.Event()

    def on_message(_client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        nonlocal done
        with news:
            done = max(done, int(message.payload))
            news.notify()
        taken.set()

    client = _client(mqtt_url, f"{prefix}-sender")
    client.on_message = on_message
    client.on_connect = lambda client, *_: client.subscribe(f"{prefix}/done")
    client.loop_start()

    def await_end() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=await_end, daemon=True).start()
    airs = [StoreAir(number, devices=devices, edges=edges) for number in range(stores)]
    rests = {(store, edge): nothing() for store in range(stores) for edge in range(edges)}
    taken.wait()
    heard_until_ns = time.time_ns()
    while not over.is_set():
        if sent - done < _UNDER_WAY * len(rests):
            now_ns = time.time_ns()
            for number, air in enumerate(airs):
                for edge, fresh in enumerate(air.hear(edges * SIGNALS // HEARD_BY, heard_until_ns, now_ns)):
                    held = rests[number, edge].then(fresh)
                    for start in range(0, len(held) // SIGNALS * SIGNALS, SIGNALS):
                        payload = _spelled(air, edge, held.rows(slice(start, start + SIGNALS)))
                        client.publish(f"{prefix}/signals/{store_id(number)}/edge-{edge}", payload, qos=1)
                        sent += 1
                    rests[number, edge] = held.rows(slice(len(held) // SIGNALS * SIGNALS, None))
            heard_until_ns = now_ns
        else:
            with news:
                news.wait(0.05)
        if time.monotonic() - said_s >= 0.5:
            said_s = time.monotonic()
            print(done * SIGNALS, flush=True)


def _spelled(air: StoreAir, edge: int, heard: Any) -> bytes:
    anchors = air.anchors(edge)
    names = [pseudonym.tobytes().hex() for pseudonym in air.pseudonyms[heard.device]]
    columns = zip(heard.ts.tolist(), heard.anchor.tolist(), names, heard.rssi_dbm.tolist(), strict=True)
    return msgspec.json.encode(
        [
            {"ts": ts / NS_PER_S, "anchor": anchors[anchor], "device": device, "rssi": rssi}
            for ts, anchor, device, rssi in columns
        ]
    )


def _client(mqtt_url: str, name: str) -> paho.Client:
    where = urlsplit(mqtt_url)
    client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv5)
    sign_in(client, where)
    client.connect(str(where.hostname), where.port or 1883)
    return client


if __name__ == "__main__":
    if sys.argv[1] == "take":
        take(sys.argv[2])
    else:
        send(sys.argv[2], sys.argv[3], *map(int, sys.argv[4:7]))
