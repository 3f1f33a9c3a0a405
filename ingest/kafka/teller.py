"""The way back to the edges: a small MQTT connection that only publishes.

The one who committed tells it, in one hop; the bridge carries one direction and has nothing to remember.
"""

import threading
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog

from core.errors import UnavailableError
from ingest.settings import Settings
from ingest.subscriber import Subscriber

_AGAIN_S: Final = 1.0
"""How long a broker that is away rests; edges send again after seconds and are then told."""

_log = structlog.get_logger()


class Teller:
    """Publishes while the broker is there; a thread of its own connects again, so that ingest never waits for it."""

    def __init__(self, mqtt_url: str, settings: Settings, credentials: Path | None = None) -> None:
        name = f"sojourn-teller-{uuid4().hex[:12]}"
        self._client = Subscriber(mqtt_url, name, settings, credentials, subscriptions=())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._stay, name="tell edges", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether edges can be told."""
        return self._client.connected

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish a retained message at QoS 1; while the broker is away it is dropped."""
        self._client.publish(topic, payload)

    def stop(self) -> None:
        """End the connection."""
        self._stop.set()
        self._thread.join()
        self._client.drop()

    def _stay(self) -> None:
        away = False
        while not self._stop.is_set():
            if not self._client.connected:
                try:
                    self._client.connect()
                    away = False
                except UnavailableError as error:
                    if not away:
                        _log.warning("edges cannot be told what is in the database; they keep it", why=str(error))
                    away = True
            self._stop.wait(_AGAIN_S)
