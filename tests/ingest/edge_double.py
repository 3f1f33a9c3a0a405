"""An edge as ingest sees it: an outbox that only the application's acknowledgement empties."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from core.wire import decode
from edge.broker import Broker
from edge.tls import use_tls


class EdgeDouble:
    """Publishes its outbox over MQTT and again whenever the connection is new or nothing is committed for a while.

    Parameters
    ----------
    url, store, edge : str
        Where, and as whom.
    """

    def __init__(self, url: str, store: str, edge: str = "e1", credentials: Path | None = None) -> None:
        self.store, self.edge = store, edge
        self.committed: list[dict[str, int]] = []  # every word from ingest, in order
        self.acknowledged = 0  # PUBACKs
        self.handed = 0  # batches given to `send`
        self._outbox: list[tuple[bytes, int, bytes]] = []
        self._changed = threading.Condition()
        broker = Broker.from_url(url, credentials)
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2, f"double-{store}-{edge}", protocol=paho.MQTTv5
        )
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        use_tls(client, broker)
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        client.connect(broker.host, broker.port, clean_start=True)
        client.loop_start()

    def topic(self, kind: str) -> str:
        return f"sojourn/1/{self.store}/{self.edge}/{kind}"

    def send(self, *payloads: bytes) -> None:
        """Put batches into the outbox and publish them."""
        named = [(batch.boot, batch.sequence, payload) for payload in payloads for batch in [decode(payload)]]
        with self._changed:
            self._outbox += named
            self.handed += len(named)
        for payload in payloads:
            self.publish("signals", payload)

    def publish(self, kind: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish without the outbox."""
        self._client.publish(self.topic(kind), payload, qos=1, retain=retain)

    def hello(self, state: str = "online", **more: Any) -> None:
        said = {"state": state, "boot": "00" * 16, "at_us": 1, "extra": 1} | more
        self.publish("status", json.dumps(said).encode(), retain=True)

    @property
    def waiting(self) -> int:
        with self._changed:
            return len(self._outbox)

    def drain(self, timeout_s: float = 60.0, *, stall_s: float = 1.5) -> None:
        """Wait until everything is committed; send again what waits when nothing moves."""
        deadline = time.monotonic() + timeout_s
        while (before := self.waiting) > 0:
            with self._changed:
                moved = self._changed.wait_for(lambda before=before: len(self._outbox) != before, stall_s)  # type: ignore[misc]
            if time.monotonic() > deadline:
                raise TimeoutError(f"{before} batches were not committed in {timeout_s} s")
            if not moved:
                self.send_again()

    def await_word(self, count: int, timeout_s: float = 60.0) -> dict[str, int]:
        """Wait until ingest has spoken this often and return its last word."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.committed) >= count, timeout_s):
                raise TimeoutError(f"ingest spoke {len(self.committed)} times, not {count}")
            return self.committed[-1]

    def await_acknowledged(self, count: int, timeout_s: float = 60.0) -> None:
        """Wait for PUBACKs."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.acknowledged >= count, timeout_s):
                raise TimeoutError(f"{self.acknowledged} PUBACKs, not {count}")

    def send_again(self) -> None:
        """Publish all that waits once more."""
        with self._changed:
            waiting = [payload for _, _, payload in self._outbox]
        # not under our lock: paho's thread takes it in callbacks while it holds its own
        for payload in waiting if self._client.is_connected() else ():
            self.publish("signals", payload)

    def pause(self, most_s: float) -> None:
        """Let a moment pass, at most until ingest speaks."""
        with self._changed:
            self._changed.wait(most_s)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_message = self._client.on_publish = None

    def _on_connect(self, *_told: object) -> None:
        self._client.subscribe(self.topic("committed"), qos=1)
        self.send_again()

    def _on_publish(self, *_told: object) -> None:
        with self._changed:
            self.acknowledged += 1
            self._changed.notify_all()

    def _on_message(self, _client: object, _userdata: object, message: paho.MQTTMessage) -> None:
        boots = json.loads(message.payload)["boots"]
        with self._changed:
            self.committed.append(boots)
            self._outbox = [row for row in self._outbox if row[1] > boots.get(row[0].hex(), 0)]
            self._changed.notify_all()
