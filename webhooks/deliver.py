"""The loop that delivers: takes out what is due, sends it side by side, and writes what came of it.

It may run several times beside itself; each delivery is taken out by one. After a kill what was under way is sent
again when its lease is over.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog

from core.errors import UnavailableError
from core.webhooks import Network
from storage.connect import Connection, read_url
from storage.privacy.keys import PrivacyFolder
from storage.privacy.restored import Restored
from storage.reading import Reader
from storage.webhooks.queue import (
    Attempt,
    DueDelivery,
    Outcome,
    Waiting,
    listen,
    record_attempt,
    sweep,
    take_due,
    waiting,
)
from storage.webhooks.subscriptions import pause
from storage.writing import Writer
from telemetry.absence import Absence
from telemetry.exposition import exposed, make_registry
from webhooks.meters import Meters
from webhooks.sending import GONE, Sender

AT_ONCE: Final = 32
"""Attempts side by side; each waits for somebody else's server."""
AT_ONCE_EACH: Final = 4
"""Of one subscription: a receiver that is slow holds up its own events only, and is not overrun."""
LOOK_EVERY_S: Final = 5.0
"""A retry is due without anybody telling; new events wake the loop at once."""
AGAIN_S: Final = 1.0
"""Before the database is asked again after it was away."""
SWEEP_EVERY_S: Final = 60.0
TELL_EVERY_S: Final = 10.0
"""How often the queue is counted, more often than it is usually scraped."""
STOP_S: Final = 5.0
"""What is under way gets so long at a stop; the rest is sent again later."""

_log = structlog.get_logger()


def run(
    database_url: str,
    stop: threading.Event,
    *,
    allowed: Sequence[Network] = (),
    metrics: str = "",
    privacy: Path | None = None,
) -> None:
    """Deliver until told to stop; survives the database's absence.

    Parameters
    ----------
    database_url : str
        As libpq reads it.
    stop : threading.Event
    allowed : sequence of Network
        Private networks, or such without TLS, that events may be sent to.
    metrics : str
        Address that counts are served on, such as 127.0.0.1:9464; empty: nowhere.
    privacy : Path, optional
        Folder of the suppression list: from a database that is older than it nothing is sent.

    Raises
    ------
    ConfigurationError
        If a URL or address cannot be read.
    UnavailableError
        If `metrics` cannot be listened on.
    """
    read_url(database_url)
    meters = Meters(make_registry("webhooks"))
    with exposed(meters.registry, metrics):
        asyncio.run(Deliverer(database_url, allowed, meters, privacy=privacy).run(stop))


class Deliverer:
    """See `run`."""

    def __init__(
        self,
        database_url: str,
        allowed: Sequence[Network],
        meters: Meters | None = None,
        *,
        privacy: Path | None = None,
    ) -> None:
        self._database_url = database_url
        self._meters = meters if meters is not None else Meters()
        self._writer = Writer(database_url, application_name="sojourn webhooks")
        self._reader = Reader(database_url, connections=1)
        self._waits = Absence("webhooks wait", "webhooks go on")
        self._deaf = Absence("webhooks are only looked for", "webhooks are heard of again")
        self._restored = Restored(None if privacy is None else PrivacyFolder(privacy), self._reader)
        self._sender = Sender(allowed)
        self._wake = asyncio.Event()
        self._busy: Counter[UUID] = Counter()
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, stop: threading.Event) -> None:
        """Deliver until told to stop."""
        around = [
            asyncio.create_task(one) for one in (self._listen(), self._sweep(), self._tell(), self._await(stop))
        ]
        _log.info("webhooks are delivered")
        try:
            while not stop.is_set():
                self._wake.clear()
                more = await self._take()
                if not more:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(LOOK_EVERY_S):
                            await self._wake.wait()
        finally:
            stop.set()  # else a thread would wait for it for ever after a fault of ours
            for task in around:
                task.cancel()
            await asyncio.gather(*around, return_exceptions=True)
            if self._under_way:
                _, late = await asyncio.wait(self._under_way, timeout=STOP_S)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)
            await asyncio.to_thread(self._writer.close)
            await asyncio.to_thread(self._reader.close)

    async def _take(self) -> bool:
        """Start what is due; return whether there may be more at once."""
        room = AT_ONCE - len(self._under_way)
        if room <= 0:
            return False
        busy = dict(self._busy)

        def work(connection: Connection) -> list[DueDelivery]:
            return take_due(connection, most=room, each=AT_ONCE_EACH, busy=busy)

        try:
            await asyncio.to_thread(self._restored.check)
            due = await asyncio.to_thread(self._writer.write, work)
        except UnavailableError as error:
            self._waits.lasts(error=str(error), hint=error.hint)
            await asyncio.sleep(AGAIN_S)
            return True
        self._waits.is_over()
        for one in due:
            self._busy[one.subscription_id] += 1
            task = asyncio.create_task(self._deliver(one))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return bool(due)

    async def _deliver(self, due: DueDelivery) -> None:
        try:
            with self._meters.under_way.track_inprogress():
                attempt = await self._sender.send(due)
            outcome = await asyncio.to_thread(
                self._writer.write, lambda connection: _record(connection, due, attempt)
            )
            self._meters.attempted(attempt, outcome)
        except UnavailableError as error:
            # what was sent is sent again after its lease: at least once
            _log.warning("what came of a webhook cannot be written", error=str(error))
        except Exception:  # noqa: BLE001 - one delivery's fault stops no other
            _log.exception("a webhook fails by our own fault", delivery=due.delivery_id)
        finally:
            self._busy[due.subscription_id] -= 1
            self._wake.set()

    async def _listen(self) -> None:
        while True:
            try:
                async for _ in listen(self._database_url):
                    self._deaf.is_over()
                    self._wake.set()
            except UnavailableError as error:
                self._deaf.lasts(error=str(error))
            await asyncio.sleep(AGAIN_S)

    async def _sweep(self) -> None:
        while True:
            with suppress(UnavailableError):
                await asyncio.to_thread(self._writer.write, sweep)
            await asyncio.sleep(SWEEP_EVERY_S)

    async def _tell(self) -> None:
        while True:
            with suppress(UnavailableError):
                found: Waiting = await asyncio.to_thread(self._writer.write, waiting)
                self._meters.waits(found)
            await asyncio.sleep(TELL_EVERY_S)

    async def _await(self, stop: threading.Event) -> None:
        await asyncio.to_thread(stop.wait)
        self._wake.set()


def _record(connection: Connection, due: DueDelivery, attempt: Attempt) -> Outcome:
    outcome = record_attempt(connection, attempt)
    if attempt.http_status == GONE:
        pause(connection, due.subscription_id, "pause", because="the receiver answered 410: it wants nothing more")
    if outcome == "dead":
        _log.warning("a webhook is given up", delivery=due.delivery_id, said=attempt.outcome)
    return outcome
