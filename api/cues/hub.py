"""From the word that a cue was told to every page of that store's staff."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Final

from core.errors import UnavailableError
from telemetry.absence import Absence

WATCHERS: Final = 100
"""Pages of staff that are open at the same time, in all stores of this service."""
AGAIN_S: Final = 1.0
"""Before listening is tried again after the database was away."""


class CueWatcher:
    """One page of a store's staff; `wait` returns when there may be news."""

    def __init__(self, store: str) -> None:
        self.store = store
        self.closed = False
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There may be news."""
        self._news.set()

    async def wait(self, seconds: float) -> bool:
        """Return True when there may be news, False after `seconds` without."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        found = self._news.is_set()
        self._news.clear()
        return found


class CueHub:
    """Listens and wakes. Everything runs on one event loop.

    Parameters
    ----------
    listen : callable
        Returns an iterator as `storage.cues.log.listen` does.
    """

    def __init__(self, listen: Callable[[], AsyncIterator[str | None]]) -> None:
        self.listening = False
        self._deaf = Absence("cues are not heard", "cues are heard again")
        self._listen = listen
        self._watchers: set[CueWatcher] = set()
        self._closed = False

    @property
    def watchers(self) -> int:
        """How many watch now."""
        return len(self._watchers)

    @property
    def full(self) -> bool:
        """Whether nobody more can watch."""
        return self._closed or len(self._watchers) >= WATCHERS

    def watch(self, store: str) -> CueWatcher:
        """Return a watcher; `leave` ends it."""
        watcher = CueWatcher(store)
        watcher.closed = self._closed
        self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: CueWatcher) -> None:
        """Forget a watcher."""
        self._watchers.discard(watcher)

    def close(self) -> None:
        """End every watcher, for good."""
        self._closed = True
        for watcher in self._watchers:
            watcher.closed = True
            watcher.wake()

    async def run(self) -> None:
        """Listen until cancelled, over every absence of the database."""
        while True:
            try:
                async for store in self._listen():
                    self._deaf.is_over()
                    self.listening = True
                    for watcher in self._watchers:
                        if store in {None, watcher.store}:
                            watcher.wake()
            except UnavailableError as error:
                self._deaf.lasts(error=str(error))
            self.listening = False
            await asyncio.sleep(AGAIN_S)
