"""The way back to the edges: a small MQTT connection that only publishes.

The one who committed tells it, in one hop; the bridge carries one direction and has nothing to remember. At a broker
with certificates an identity is one connection, and whoever connects by it throws out who was there. Ingests that
share a folder of identities therefore draw one each: who is thrown out goes on to the next, until everybody has one.
"""

import threading
import time
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog

from core.errors import UnavailableError
from edge.broker import identities
from ingest.settings import Settings
from ingest.subscriber import Subscriber

_AGAIN_S: Final = 1.0
"""How long a broker that is away rests; edges send again after seconds and are then told."""
_CROWDED: Final = 2
"""Rounds through all identities after which there are too few of them: who is displaced by one that is itself looking
needs one round at most."""
_REST_S: Final = 10.0
"""How long one without an identity of its own rests: those who share one shall do more than greet the broker."""
_SETTLED_S: Final = 60.0
"""An identity that was held for so long was ours; what comes later is counted anew."""

_log = structlog.get_logger()


class Teller:
    """Publishes while the broker is there; a thread of its own connects again, so that ingest never waits for it.

    Parameters
    ----------
    mqtt_url : str
    settings : Settings
    credentials : Path, optional
        Folder with our certificate, or with a folder for each of several that the ingests share.

    Raises
    ------
    ConfigurationError
        If the URL or the credentials cannot be used.
    """

    def __init__(self, mqtt_url: str, settings: Settings, credentials: Path | None = None) -> None:
        drawn = uuid4()
        name = f"sojourn-teller-{drawn.hex[:12]}"
        folders = (None,) if credentials is None else identities(credentials)
        self._clients = [Subscriber(mqtt_url, name, settings, folder, subscriptions=()) for folder in folders]
        self._folders = folders
        self._at = drawn.int % len(folders)  # replicas that start together seldom draw the same
        self._thrown_out = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._stay, name="tell edges", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether edges can be told."""
        return self._clients[self._at].connected

    @property
    def identity(self) -> Path | None:
        """The folder whose certificate is in use."""
        return self._folders[self._at]

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish a retained message at QoS 1; while the broker is away it is dropped."""
        self._clients[self._at].publish(topic, payload)

    def stop(self) -> None:
        """End the connection."""
        self._stop.set()
        self._thread.join()
        for client in self._clients:
            client.drop()

    def _stay(self) -> None:
        away, since_s = False, 0.0
        while not self._stop.is_set():
            if not self.connected:
                rest_s = self._make_way(time.monotonic() - since_s)
                if self._stop.wait(rest_s):
                    return
                try:
                    self._clients[self._at].connect()
                    away, since_s = False, time.monotonic()
                except UnavailableError as error:
                    if not away:
                        _log.warning("edges cannot be told what is in the database; they keep it", why=str(error))
                    away = True
            self._stop.wait(_AGAIN_S)

    def _make_way(self, held_s: float) -> float:
        """Go on to the next identity if somebody else has taken this one; return how long to rest before."""
        if not self._clients[self._at].taken_over:
            return 0.0
        self._thrown_out = 1 if held_s > _SETTLED_S else self._thrown_out + 1
        self._clients[self._at].drop()
        self._at = (self._at + 1) % len(self._clients)
        enough = _CROWDED * len(self._clients)
        if self._thrown_out < enough:
            return 0.0
        if self._thrown_out == enough:
            _log.error(
                "other ingests use this one's certificate and throw it out; edges hear late what the database has",
                identities=len(self._clients),
                hint="Give each an identity: `sojourn certify service ingest-2 --out …` (docs/kafka.md).",
            )
        return _REST_S
