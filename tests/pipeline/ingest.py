"""The ingest process: the real worker, subscriber, commit, feed and engine, started anew whenever it was killed."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from random import Random
from types import ModuleType
from typing import Any, Final
from unittest.mock import patch

from core.dwell.engine import Part, StoreEngine
from core.errors import UnavailableError
from ingest import subscriber, worker
from ingest.messages import Reading, read
from ingest.settings import Settings
from ingest.subscriber import Message
from tests.pipeline.broker import Broker, IngestLink
from tests.pipeline.clock import Time, WallClock
from tests.pipeline.database import Connection, Database, standing_in

_EVERY_S: Final = 1.0


class KilledError(BaseException):
    """The process ends here; nothing of it may go on, so it is no Exception."""


class Ingest:
    """The one ingest, through its restarts."""

    def __init__(self, time: Time, random: Random, broker: Broker, database: Database, settings: Settings) -> None:
        self._time, self._random, self._broker, self._database = time, random, broker, database
        self._settings = settings
        self.starts = 0
        self.stalled_until_s = 0.0
        self.connection: Connection | None = None
        self.read: set[bytes] = set()  # what came over this connection and was looked at
        self.heard: set[tuple[int, int | None]] = set()  # edge and time of arrival (ns), all that engines took in
        self._start()
        self._turn()

    def _start(self) -> None:
        self.starts += 1
        self.worker = worker._Worker("postgresql://database", "mqtt://broker", threading.Event(), self._settings)
        self.connection = None

    def _turn(self) -> None:
        wait_s = _EVERY_S
        if self._time.now_s < self.stalled_until_s:
            self._time.after(wait_s, self._turn)
            return
        try:
            with (
                patch.object(worker, "read", self._reading),
                patch.object(StoreEngine, "push_parts", self._hearing()),
            ):
                self._work()
        except UnavailableError as error:
            self.worker._let_go(error)
            self.connection = None
            wait_s = self._random.uniform(0.2, 3.0)
        except KilledError:
            self._broker.cut_ingest()
            wait_s = self._random.uniform(0.5, 8.0)
            self._start()
        self._time.after(wait_s, self._turn)

    def _reading(self, message: Message) -> Reading:
        self.read.add(message.payload)
        return read(message)

    def _hearing(self) -> Callable[..., Any]:
        push_parts = StoreEngine.push_parts

        def noted(engine: StoreEngine, signals: Any, parts: Sequence[Part]) -> Any:
            self.heard |= {(part.source, part.arrived_at) for part in parts}
            return push_parts(engine, signals, parts)

        return noted

    def _work(self) -> None:
        """Do what `_Worker.run` and `_session` do between two waits."""
        if self.connection is None:
            connection = self._database.connect()
            self.worker._prepare(connection)  # type: ignore[arg-type]
            self.connection = connection
        if not self.worker._source.connected:
            if not self._broker.running:
                self.worker._holding.derive(self.connection, busy=False)  # type: ignore[arg-type]
                return
            self.read.clear()
            self.worker._connect_broker(self.connection)  # type: ignore[arg-type]
        self.worker._turn(self.connection, wait_s=0)  # type: ignore[arg-type]


def clocked() -> list[ModuleType]:
    """Every module of ingest that reads the clock: none of them may see the real one, wherever its code moves."""
    ours = [module for name, module in sys.modules.items() if name.startswith("ingest.")]
    return [module for module in ours if vars(module).get("time") is time]


@contextmanager
def on_fake_servers(broker: Broker, clock: WallClock) -> Iterator[None]:
    """Let ingest read this clock and talk to this broker and to fake databases."""
    with (
        ExitStack() as clocks,
        standing_in(),
        patch.object(worker, "compile_kernels", lambda _plan: None),  # it only takes time
        patch.object(worker, "seal_compiled", lambda: None),
        patch.object(
            subscriber,
            "_Connection",
            lambda _url, _id, _settings, messages, _subscriptions: IngestLink(broker, messages),
        ),
    ):
        for module in clocked():
            clocks.enter_context(patch.object(module, "time", clock))
        yield
