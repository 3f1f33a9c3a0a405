"""A scanner in a loop and a thread of its own, and what it handed over."""

import asyncio
import contextlib
import logging
import threading
from typing import Self

import numpy as np

from core.advertisement import Identities, Rule
from edge.clock import Clock
from edge.hearing import Hearing
from edge.readings import ReadingQueue, Readings
from edge.scanner import Listening, Scanner

NAMESPACE = "426c7565436861726d426561636f6e73"
OURS = (Rule(kind="ibeacon", namespace=NAMESPACE),)
TAG = "C0:34:12:AB:00:01"


def ibeacon(number: int, namespace: str = NAMESPACE) -> dict[int, bytes]:
    """Return manufacturer data of a tag."""
    return {0x004C: bytes.fromhex("0215" + namespace) + number.to_bytes(4, "big") + b"\xc5"}


class Listener:
    """Scanners of some adapters, listening until the block ends."""

    def __init__(
        self, *adapters: str, rules: tuple[Rule, ...] = OURS, passive: bool = False, silence_s: float = 60.0
    ):
        self.alive = 0
        self.queue = ReadingQueue()
        self.listening = Listening("passive" if passive else "active", silence_s, rules)
        clock = Clock()
        anchors = tuple(f"gw-{adapter}" for adapter in adapters)
        self.hearing = Hearing(anchors, Identities(rules), self.queue, clock)
        self.scanners = [
            Scanner(name, place, self.hearing, self.listening, clock=clock, alive=self._note)
            for place, name in enumerate(adapters)
        ]
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=self._run, name="scanners", daemon=True)
        self._task: asyncio.Future[object]
        self._begun = threading.Event()

    @property
    def scanner(self) -> Scanner:
        return self.scanners[0]

    def change(self, listening: Listening) -> None:
        self._loop.call_soon_threadsafe(self.scanner.change, listening)

    def readings(self) -> list[tuple[str, bytes, int]]:
        """Return anchor, identity and level of what was heard since the last call."""
        found = []
        for chunk in self.chunks():
            for anchor, device, rssi_dbm in zip(chunk.anchor, chunk.device, chunk.rssi_dbm, strict=True):
                found.append((chunk.anchors[anchor], chunk.identities[device], int(rssi_dbm)))
        return found

    def times_ns(self) -> list[int]:
        """Return the times of what was heard since the last call."""
        chunks = self.chunks()
        return np.concatenate([chunk.ts for chunk in chunks]).tolist() if chunks else []

    def chunks(self) -> list[Readings]:
        done = threading.Event()
        self._loop.call_soon_threadsafe(self.hearing.flush)
        self._loop.call_soon_threadsafe(done.set)
        assert done.wait(10)
        found = []
        while (chunk := self.queue.take(0)) is not None:
            found.append(chunk)
        return found

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._begun.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the scanners do not end"

    def _note(self) -> None:
        self.alive += 1

    def _run(self) -> None:
        async def scan() -> None:
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.ensure_future(asyncio.gather(*(scanner.run() for scanner in self.scanners)))
            self._begun.set()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

        logging.getLogger("bleak").setLevel(logging.ERROR)  # it tells of a lost bus too
        asyncio.run(scan())
