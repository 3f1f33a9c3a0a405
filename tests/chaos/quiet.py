"""The uninterrupted run: the whole ingest on a database of its own, handed the same batches without any fault."""

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import ingest.worker
from ingest.subscriber import Message
from storage.connect import connect
from tests.chaos.checker import Logged, figures
from tests.chaos.journal import Journal
from tests.chaos.worker_process import settings


class _Handed:
    """Messages in the place of a broker's, each at its time of receipt; stops ingest behind the last one."""

    def __init__(self, messages: list[Message], stop: threading.Event) -> None:
        self._messages = messages
        self._stop = stop
        self.connected = True
        self.queued = 0
        self.dropped_by_broker = None

    @property
    def shared(self) -> bool:
        return False

    def holds(self, store: str) -> bool:
        del store
        return True

    def gained(self) -> bool:
        return False

    def take(self, *, wait_s: float, gather_s: float) -> list[Message]:
        del wait_s, gather_s
        taken, self._messages = self._messages[:8], self._messages[8:]
        if not taken:
            self._stop.set()
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        pass

    def publish(self, topic: str, payload: bytes) -> None:
        pass

    def drop(self) -> None:
        pass


def messages(journal: Journal, found: Logged, store: str) -> list[Message]:
    """Return what reached the log, in the order in which edges accepted it and at that time."""
    kept = []
    for identity, digest in found.rows:
        edge, _, _ = identity
        payload = journal.payloads(identity).get(digest)
        if payload is None:
            continue  # the checker has told that
        kept.append((journal.attempts[identity].at_ns, edge, payload))
    return [
        Message(f"sojourn/1/{store}/{edge}/signals", payload, at_ns, 0, 1, cast("Any", SimpleNamespace()))
        for at_ns, edge, payload in sorted(kept, key=lambda one: one[0])
    ]


def uninterrupted(url: str, store_no: int, handed: list[Message]) -> dict[str, str]:
    """Run ingest over these messages on an empty, prepared database; return its figures."""
    stop = threading.Event()
    with patch.object(ingest.worker, "Subscriber", lambda *_: _Handed(handed, stop)):
        ingest.worker.run(url, "mqtt://nowhere", stop=stop, settings=settings("quiet"))
    with connect(url) as connection:
        return figures(connection, store_no)
