"""From the word that something changed to every page that shows it.

One connection listens for all stores. A store's state is read once a change, however many pages show it, and only
while somebody watches. Each watcher has one place for the newest state: who is slow misses states in between
(counted), never the newest one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog

from api.stores.models import LiveStateOut
from core.errors import UnavailableError
from storage.live import LiveEvent
from telemetry.tracing import OFF, Tracing

WATCHERS: Final = 200
"""Pages that are open at the same time; each holds a connection and a few kB here."""
STATE_EVERY_S: Final = 0.2
"""Five states a second is as much as a person can see change; the first one after a pause goes out at once."""
HEARTBEAT_S: Final = 5.0
"""A page that has heard nothing for twice this long says that it has lost touch."""
SAMPLES_KEPT: Final = 256
"""Times of signals that a state carries at most; eight notices of 32, more come only when a page is slow."""
AGAIN_S: Final = (0.25, 0.5, 1.0, 2.0)
"""Pauses before listening is tried again; the last one stays. A database that restarts takes about two seconds."""

_log = structlog.get_logger()

ReadState = Callable[[str, bool], Awaitable[LiveStateOut]]
"""Reads a store's state; the flag says whether visits may have changed too."""


@dataclass(frozen=True)
class Beat:
    """Nothing new; `listening` says whether news would be heard."""

    listening: bool


@dataclass
class LiveCounts:
    """What happened since the start."""

    states: int = 0
    missed_states: int = 0
    lost_connections: int = 0


class Watcher:
    """One page that shows a store."""

    def __init__(self, store: str, counts: LiveCounts) -> None:
        self.store = store
        self.closed = False
        self._counts = counts
        self._state: LiveStateOut | None = None
        self._beat: Beat | None = None
        self._ready = asyncio.Event()

    def put(self, news: LiveStateOut | Beat) -> None:
        """Leave news; a state that was not fetched is replaced, and the times it carried go with the newer one."""
        if isinstance(news, Beat):
            self._beat = news
        else:
            if self._state is not None:
                self._counts.missed_states += 1
                samples = (self._state.sampled_signal_at_us + news.sampled_signal_at_us)[-SAMPLES_KEPT:]
                decided = _first(self._state.decided_at_us, news.decided_at_us)
                news = news.model_copy(update={"sampled_signal_at_us": samples, "decided_at_us": decided})
            self._state = news
        self._ready.set()

    def close(self) -> None:
        """Let `get` end; what is still there is not fetched any more."""
        self.closed = True
        self._ready.set()

    async def get(self, *, wait_s: float) -> LiveStateOut | Beat | None:
        """Return the newest news, or None after `wait_s` without any or when closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._ready.wait()
        if self.closed:
            return None
        news: LiveStateOut | Beat | None
        if self._beat is not None:  # whether anything is heard comes before what was heard
            news, self._beat = self._beat, None
        else:
            news, self._state = self._state, None
        if self._state is None and self._beat is None:
            self._ready.clear()
        return news


@dataclass
class _Watched:
    """A store that somebody watches."""

    watchers: set[Watcher] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    visits: bool = True
    samples: list[int] = field(default_factory=list)
    decided_at_us: int | None = None
    trace: str = ""
    latest: LiveStateOut | None = None
    task: asyncio.Task[None] | None = None


class LiveHub:
    """Listens, reads and hands out. Everything runs on one event loop.

    Parameters
    ----------
    listen : callable
        Returns an iterator as `storage.live.listen` does.
    read_state : callable
        See ReadState; may raise UnavailableError.
    tracing : Tracing
        Is told of each state that is read, as a part of what became of a batch.
    """

    def __init__(
        self, listen: Callable[[], AsyncIterator[LiveEvent | None]], read_state: ReadState, tracing: Tracing = OFF
    ) -> None:
        self.counts = LiveCounts()
        self.listening = False
        self._listen = listen
        self._read_state = read_state
        self._tracing = tracing
        self._stores: dict[str, _Watched] = {}
        self._closed = False

    @property
    def watchers(self) -> int:
        """How many watch now."""
        return sum(len(watched.watchers) for watched in list(self._stores.values()))  # also asked by other threads

    @property
    def full(self) -> bool:
        """Whether nobody more can watch."""
        return self._closed or self.watchers >= WATCHERS

    def watch(self, store: str) -> Watcher:
        """Return a watcher that gets the store's state at once and then its changes; `leave` ends it."""
        watcher = Watcher(store, self.counts)
        if self._closed:
            watcher.close()
            return watcher
        watched = self._stores.setdefault(store, _Watched())
        watched.watchers.add(watcher)
        watcher.put(Beat(self.listening))
        if watched.latest is not None:
            # these times were told to others before; to tell them again would make them look late
            watcher.put(watched.latest.model_copy(update={"sampled_signal_at_us": [], "decided_at_us": None}))
        if watched.task is None:
            watched.changed.set()
            watched.task = asyncio.create_task(self._follow(store, watched))
            watched.task.add_done_callback(partial(self._end, store, watched))
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Forget a watcher; the last one of a store ends its reading."""
        watched = self._stores.get(watcher.store)
        if watched is None or watcher not in watched.watchers:
            return
        watched.watchers.discard(watcher)
        if not watched.watchers:
            del self._stores[watcher.store]
            if watched.task is not None:
                watched.task.cancel()

    async def run(self) -> None:
        """Listen until cancelled, over every absence of the database."""
        tries = 0
        while True:
            try:
                async for event in self._listen():
                    tries = 0
                    self._hear(event)
            except UnavailableError:
                self._say_listening(listening=False)
                self.counts.lost_connections += 1
            await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
            tries += 1

    def close(self) -> None:
        """End every watcher and all reading, for good."""
        self._closed = True
        for watched in self._stores.values():
            if watched.task is not None:
                watched.task.cancel()
            for watcher in watched.watchers:
                watcher.close()

    def _hear(self, event: LiveEvent | None) -> None:
        if event is None:  # listening begins: what was said before was not heard
            self._say_listening(listening=True)
            for watched in self._stores.values():
                watched.visits = True
                watched.changed.set()
            return
        known = self._stores.get(event.store)
        if known is None:
            return
        known.samples = [*known.samples, *event.sampled_signal_at_us][-SAMPLES_KEPT:]
        known.decided_at_us = _first(known.decided_at_us, event.decided_at_us or None)
        known.visits = known.visits or event.visits > 0
        known.trace = event.trace
        known.changed.set()

    def _say_listening(self, *, listening: bool) -> None:
        if listening == self.listening:
            return
        self.listening = listening
        for watched in self._stores.values():
            for watcher in watched.watchers:
                watcher.put(Beat(listening))

    def _end(self, store: str, watched: _Watched, task: asyncio.Task[None]) -> None:
        """After a fault of ours: let the pages connect again rather than look alive."""
        fault = None if task.cancelled() else task.exception()
        if fault is None:
            return
        _log.error("a live state cannot be made", store=store, exc_info=fault)
        if self._stores.get(store) is watched:
            del self._stores[store]
        for watcher in watched.watchers:
            watcher.close()

    async def _follow(self, store: str, watched: _Watched) -> None:
        while True:
            await watched.changed.wait()
            watched.changed.clear()
            samples, watched.samples = watched.samples, []
            decided_at_us, watched.decided_at_us = watched.decided_at_us, None
            visits, watched.visits = watched.visits, False
            trace, watched.trace = watched.trace, ""
            try:
                with self._tracing.span("live state", parent=trace, store=store):
                    state = await self._read_state(store, visits)
            except UnavailableError:
                watched.samples = [*samples, *watched.samples][-SAMPLES_KEPT:]
                watched.decided_at_us = _first(decided_at_us, watched.decided_at_us)
                watched.visits = watched.visits or visits
                watched.changed.set()
                await asyncio.sleep(AGAIN_S[-1])
                continue
            if not visits and watched.latest is not None:
                state = state.model_copy(update={"newest_visits": watched.latest.newest_visits})
            state = state.model_copy(update={"sampled_signal_at_us": samples, "decided_at_us": decided_at_us})
            watched.latest = state
            self.counts.states += 1
            for watcher in watched.watchers:
                watcher.put(state)
            await asyncio.sleep(STATE_EVERY_S)


def _first(*times_us: int | None) -> int | None:
    return min((time for time in times_us if time is not None), default=None)
