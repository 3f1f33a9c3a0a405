"""Stand-ins for what an edge talks to."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from core import wire
from edge.broker import Broker, Topics
from edge.tls import use_tls


def await_that(what: Callable[[], bool], most_s: float = 60.0) -> None:
    """Wait until something holds that nobody announces."""
    until_s = time.monotonic() + most_s
    while not what():
        assert time.monotonic() < until_s, "it did not come to hold"
        time.sleep(0.02)


class StandInIngest:
    """Receives what an edge publishes and says what is committed; its database is a list."""

    def __init__(
        self,
        url: str,
        topics: Topics,
        *,
        commits: bool = True,
        answers: bool = True,
        credentials: Path | None = None,
    ) -> None:
        self.received: list[wire.Batch] = []  # in order, repeated ones included
        self.statuses: list[dict[str, Any]] = []
        self.log: dict[tuple[bytes, int], bytes] = {}  # first payload of each identity
        self.repeated = 0
        self.to_lose = 0  # so many batches are acknowledged to the broker and lost
        self.commits = commits
        self.answers = answers
        self._topics = topics
        self._changed = threading.Condition()
        self._cursors: dict[bytes, int] = {}
        self._subscribed = threading.Event()
        broker = Broker.from_url(url, credentials)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, f"ingest-{topics.store}", protocol=mqtt.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        use_tls(self._client, broker)
        if broker.username is not None:
            self._client.username_pw_set(broker.username, broker.password)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(broker.host, broker.port, clean_start=False, properties=properties)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def await_(self, what: Callable[["StandInIngest"], bool], most_s: float = 30.0) -> None:
        """Wait until something holds."""
        with self._changed:
            assert self._changed.wait_for(lambda: what(self), most_s), "it did not come to hold"

    def await_logged(self, batches: int) -> None:
        """Wait until at least so many batches are in the log."""
        self.await_(lambda it: len(it.log) >= batches)

    def commit(self) -> None:
        """Say what is committed now."""
        said = {"boots": {boot.hex(): sequence for boot, sequence in self._cursors.items()}}
        self._client.publish(self._topics.committed, json.dumps(said), qos=1, retain=True)

    def forge(self, boot: bytes, more: int) -> None:
        """Have batches of a boot that were committed beyond those that came here."""
        self._cursors[boot] += more

    def sequences(self, boot: bytes) -> list[int]:
        """Return what is in the log of one boot."""
        return sorted(sequence for of, sequence in self.log if of == boot)

    def close(self) -> None:
        """Leave; the session stays."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe([(self._topics.signals, 1), (self._topics.status, 1)])

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            if message.topic == self._topics.status:
                self.statuses.append(json.loads(message.payload))
                if self.answers and self.statuses[-1]["state"] == "online":
                    self.commit()
            else:
                self._take(bytes(message.payload))
                if self.commits:
                    self.commit()
            self._changed.notify_all()

    def _take(self, payload: bytes) -> None:
        if self.to_lose:
            self.to_lose -= 1
            return
        batch = wire.decode(payload)
        self.received.append(batch)
        key = (batch.boot, batch.sequence)
        if key in self.log:
            self.repeated += 1
            assert self.log[key] == payload, "the same identity with other content"
        else:
            self.log[key] = payload
        first = batch.gap.first if batch.gap is not None else batch.sequence
        if first <= self._cursors.get(batch.boot, 0) + 1:
            self._cursors[batch.boot] = max(self._cursors.get(batch.boot, 0), batch.sequence)
