"""`sojourn edge`: adapters, agent, configuration and health in one process.

The loop runs in the main thread and does nothing but listen: what it hears goes through a queue to the agent's
threads, which hash, write and publish.
"""

import asyncio
import contextlib
import logging
import threading
from typing import Final

import structlog

from core.advertisement import Identities, with_known
from core.limits import NS_PER_US
from edge.agent import Agent, AgentSettings
from edge.clock import Clock
from edge.health import HEALTH_S, Health, notify
from edge.hearing import Hearing
from edge.meters import Meters, Told, telling
from edge.readings import ReadingQueue
from edge.remote import RemoteControl
from edge.scanner import Listening, Scanner
from edge.settings import EdgeSettings

HEARTBEAT_S: Final = 5.0
"""An adapter without a sign of life for three of these is known to be down as soon as the next status is told."""
HAND_OVER_S: Final = 0.1
"""How often what was heard goes to the agent; a tenth of the second that it may be on its way to the page."""
DRAIN_S: Final = 5.0
"""On stopping, how long the database may take to commit the rest; the outbox keeps what it does not."""
_CHANGE_S: Final = 5.0
"""The loop is busy for milliseconds; a delivery that waits this long for it is not late yet."""

log = structlog.get_logger()


class EdgeService:
    """One edge.

    Parameters
    ----------
    settings : EdgeSettings
    clock : Clock

    Raises
    ------
    ConfigurationError, UnavailableError
        If keys, outbox or certificates cannot be used.
    """

    def __init__(self, settings: EdgeSettings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock if clock is not None else Clock()
        self._readings = ReadingQueue()
        self._resolver = settings.resolver()
        self._remote = RemoteControl(settings, settings.files.outbox.with_suffix(".config.json"), self._change)
        self._agent = Agent(
            AgentSettings(
                store=settings.store,
                edge=settings.edge,
                anchors=settings.anchors,
                of_this_machine=settings.anchors,
                broker=settings.connection(),
                keys=settings.files.keys,
                outbox=settings.files.outbox,
                heartbeat_s=HEARTBEAT_S,
            ),
            self._readings,
            clock=self._clock,
            on_config=self._remote.take,
            more_status=lambda: {"config": self._remote.status(), "adapters": self._adapters()},
        )
        listening = self._remote.listening
        self._hearing = Hearing(settings.anchors, self._identities(listening), self._readings, self._clock)
        self._scanners = [self._scanner(place, listening) for place in range(len(settings.adapter))]
        self._health = Health(settings.files.health)
        self.meters = Meters(self._agent)
        self._told = Told(self.meters.registry, None)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self, stop: threading.Event, told: Told | None = None) -> int:
        """Listen until told to stop; return how many messages the database is not known to have."""
        if told is not None:
            self._told = told
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_note_fault)
        self._agent.start()
        tasks = [asyncio.create_task(scanner.run()) for scanner in self._scanners]
        tasks += [asyncio.create_task(self._hand_over()), asyncio.create_task(self._tell())]
        notify("READY=1")
        try:
            while not stop.is_set():
                done, _ = await asyncio.wait(tasks, timeout=HAND_OVER_S, return_when=asyncio.FIRST_EXCEPTION)
                for task in done:
                    task.result()  # none of them ends by itself: what ended one is a fault of ours
        finally:
            notify("STOPPING=1")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._hearing.flush()
            left = await asyncio.to_thread(self._agent.stop, DRAIN_S)
        return left

    def _scanner(self, place: int, listening: Listening) -> Scanner:
        adapter = self._settings.adapter[place]
        return Scanner(
            adapter.name,
            place,
            self._hearing,
            listening,
            clock=self._clock,
            alive=lambda: self._agent.alive((adapter.anchor,)),
        )

    def _identities(self, listening: Listening) -> Identities:
        return Identities(with_known(listening.rules), self._resolver)

    def _change(self, listening: Listening) -> None:
        """Listen in another way; called by the publisher's thread, whose next status says that it is so."""
        identities = self._identities(listening)

        async def change() -> None:
            self._hearing.identities = identities
            for scanner in self._scanners:
                scanner.change(listening)

        if self._loop is None or self._loop.is_closed():
            return
        with contextlib.suppress(TimeoutError):  # the loop has just ended, or is late and changes later
            asyncio.run_coroutine_threadsafe(change(), self._loop).result(_CHANGE_S)

    async def _hand_over(self) -> None:
        while True:
            await asyncio.sleep(HAND_OVER_S)
            self._hearing.flush()

    async def _tell(self) -> None:
        while True:
            well = self._agent.running
            away = [scanner for scanner in self._scanners if scanner.reason]
            sentence = away[0].reason if away else f"{len(self._scanners)} adapters, {self._agent.backlog} to deliver"
            self._health.tell(self._said(), sentence, well=well)
            self.meters.adapters = self._adapters()
            self._told.rewrite()
            await asyncio.sleep(HEALTH_S)

    def _said(self) -> dict[str, object]:
        return {
            "at_us": self._clock.now_ns() // NS_PER_US,
            "store": self._settings.store,
            "edge": self._settings.edge,
            "broker": "connected" if self._agent.connected else "away",
            "backlog": self._agent.backlog,
            "dropped": self._agent.lost,
            "config": self._remote.status(),
            "adapters": self._adapters(),
        }

    def _adapters(self) -> dict[str, dict[str, object]]:
        """Return by anchor how each adapter fares: states, sentences and counts, nothing of devices."""
        return {
            adapter.anchor: {
                "adapter": adapter.name,
                "state": scanner.state,
                "reason": scanner.reason,
                "restarts": scanner.restarts,
                "adverts": heard.adverts,
                "signals": heard.signals,
                "not_ours": heard.not_ours,
                "unmeasured": heard.unmeasured,
            }
            for adapter, scanner, heard in zip(
                self._settings.adapter, self._scanners, self._hearing.heard, strict=True
            )
        }


def _note_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Note what nobody waited for; its kind alone, details may name devices."""
    error = context.get("exception")
    # a write to a D-Bus that has gone: the scanner says so itself, and nobody has to do anything about this
    tell = log.debug if isinstance(error, OSError | EOFError) else log.warning
    tell("something failed unseen", what=context.get("message"), error=type(error).__name__)


def run(settings: EdgeSettings, stop: threading.Event, *, metrics: str = "") -> int:
    """Run an edge until told to stop.

    Parameters
    ----------
    settings : EdgeSettings
    stop : threading.Event
    metrics : str
        Address that counts are served on, or a file that ends in `.prom`; empty: nowhere.

    Returns
    -------
    int
        Messages that the database is not known to have; the outbox keeps them.

    Raises
    ------
    ConfigurationError, UnavailableError
        As `EdgeService` does.
    """
    for name in ("bleak", "dbus_fast", "bluetooth_data_tools"):  # their debug messages hold addresses
        logging.getLogger(name).setLevel(logging.WARNING)
    # that a D-Bus has gone is said by `edge.radio_faults`, with what to do
    logging.getLogger("bleak.backends.bluezdbus.manager").setLevel(logging.ERROR)
    service = EdgeService(settings)
    with telling(service.meters, metrics) as told:
        left = asyncio.run(service.run(stop, told))
    if left:
        log.warning("stopped before the database had everything; the outbox keeps it", messages=left)
    return left
