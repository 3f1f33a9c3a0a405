"""The hub by itself: what watchers get, what slow ones miss, and what an absent database does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from api.stores import live
from api.stores.live import Beat, LiveHub, Watcher
from api.stores.models import CoverageNowOut, LiveStateOut, ZonePeopleOut
from core.errors import UnavailableError
from storage.live import LiveEvent


class Ingest:
    """A stand-in for the database: tells events, counts reads, can go away."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[LiveEvent | None] = asyncio.Queue()
        self.reads: list[tuple[str, bool]] = []
        self.people = 0
        self.away = False
        self.broken = False

    async def listen(self) -> AsyncIterator[LiveEvent | None]:
        if self.away:
            raise UnavailableError("away")
        yield None
        while True:
            event = await self.told.get()
            if event is None:
                raise UnavailableError("cut")
            yield event

    async def read(self, store: str, with_visits: bool) -> LiveStateOut:
        self.reads.append((store, with_visits))
        if self.away:
            raise UnavailableError("away")
        if self.broken:
            raise ZeroDivisionError
        return LiveStateOut(
            store=store, as_of_us=1, server_at_us=2, sampled_signal_at_us=[], decided_at_us=None,
            occupancy=[ZonePeopleOut(zone="shoes", people=self.people)], total=self.people, resident_count=0,
            newest_visits=[],
            coverage=CoverageNowOut(anchor_count=2, working_count=2, faults=[]),
        )  # fmt: skip

    def tell(self, *samples: int, store: str = "a", visits: int = 0) -> None:
        self.people += 1
        self.told.put_nowait(
            LiveEvent(
                store=store,
                as_of_us=1,
                sampled_signal_at_us=samples,
                visits=visits,
                decided_at_us=100 + samples[0] if samples else 0,
            )
        )


def story(tell: Callable[[Ingest, LiveHub], Coroutine[Any, Any, None]]) -> Callable[[pytest.MonkeyPatch], None]:
    """Run an async test with a hub that listens; pauses are shortened, what they are for stays."""

    def run(monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live, "STATE_EVERY_S", 0.01)
        monkeypatch.setattr(live, "AGAIN_S", (0.01,))

        async def main() -> None:
            ingest = Ingest()
            hub = LiveHub(ingest.listen, ingest.read)
            listening = asyncio.create_task(hub.run())
            try:
                await asyncio.wait_for(tell(ingest, hub), 10)
            finally:
                hub.close()
                listening.cancel()
                with suppress(asyncio.CancelledError):
                    await listening

        asyncio.run(main())

    run.__name__ = tell.__name__
    run.__doc__ = tell.__doc__
    return run


async def state_of(watcher: Watcher, wanted: Callable[[LiveStateOut], bool] = lambda _: True) -> LiveStateOut:
    while True:
        news = await watcher.get(wait_s=5)
        assert news is not None
        if isinstance(news, LiveStateOut) and wanted(news):
            return news


async def until(what: Callable[[], bool]) -> None:
    while not what():
        await asyncio.sleep(0.001)


def has(people: int) -> Callable[[LiveStateOut], bool]:
    return lambda state: state.total == people


@story
async def test_a_watcher_gets_the_state_at_once_and_then_its_changes(ingest: Ingest, hub: LiveHub) -> None:
    await until(lambda: hub.listening)
    watcher = hub.watch("a")
    assert await watcher.get(wait_s=5) == Beat(listening=True)
    assert (await state_of(watcher)).total == 0
    ingest.tell(11, 12, visits=1)
    changed = await state_of(watcher, has(1))
    assert changed.sampled_signal_at_us == [11, 12]
    assert changed.decided_at_us == 111
    assert ingest.reads == [("a", True), ("a", True)]
    ingest.tell(13)
    await state_of(watcher, has(2))
    assert ingest.reads[-1] == ("a", False), "visits are read again only where some are new"
    assert await watcher.get(wait_s=0.01) is None


@story
async def test_many_watchers_cost_one_read(ingest: Ingest, hub: LiveHub) -> None:
    await until(lambda: hub.listening)
    watchers = [hub.watch("a") for _ in range(20)]
    for watcher in watchers:
        await state_of(watcher)
    reads = len(ingest.reads)
    ingest.tell()
    for watcher in watchers:
        await state_of(watcher, has(1))
    assert len(ingest.reads) == reads + 1


@story
async def test_a_slow_watcher_misses_states_but_neither_the_newest_nor_a_sample(ingest: Ingest, hub: LiveHub) -> None:
    await until(lambda: hub.listening)
    slow, quick = hub.watch("a"), hub.watch("a")
    await state_of(slow)
    await state_of(quick)
    for number in range(1, 6):
        ingest.tell(number)
        await state_of(quick, has(number))
    assert hub.counts.missed_states == 4
    newest = await state_of(slow)
    assert newest.total == 5
    assert newest.sampled_signal_at_us == [1, 2, 3, 4, 5]
    assert newest.decided_at_us == 101, "the first of what was missed"
    assert await slow.get(wait_s=0.01) is None


@story
async def test_events_in_a_burst_become_one_state_with_all_samples(ingest: Ingest, hub: LiveHub) -> None:
    await until(lambda: hub.listening)
    watcher = hub.watch("a")
    await state_of(watcher)
    for number in range(200):
        ingest.tell(number)
    samples: list[int] = []
    while len(samples) < 200:
        samples += (await state_of(watcher)).sampled_signal_at_us
    assert samples == list(range(200))
    assert len(ingest.reads) < 20


@story
async def test_nothing_is_read_for_stores_that_nobody_watches(ingest: Ingest, hub: LiveHub) -> None:
    await until(lambda: hub.listening)
    ingest.tell(store="b")
    watcher = hub.watch("a")
    await state_of(watcher)
    hub.leave(watcher)
    hub.leave(watcher)
    ingest.tell()
    await until(ingest.told.empty)
    await asyncio.sleep(0.02)
    assert ingest.reads == [("a", True)]
    assert hub.watchers == 0


@story
async def test_an_absence_is_told_and_afterwards_the_state_is_read_anew(ingest: Ingest, hub: LiveHub) -> None:
    await until(lambda: hub.listening)
    watcher = hub.watch("a")
    await state_of(watcher)
    ingest.away = True
    ingest.told.put_nowait(None)
    while await watcher.get(wait_s=5) != Beat(listening=False):
        pass
    ingest.people = 7  # changed while nobody could hear it
    ingest.away = False
    assert (await state_of(watcher, has(7))).total == 7
    assert hub.listening
    assert hub.counts.lost_connections >= 1


@story
async def test_it_starts_while_the_database_is_away(ingest: Ingest, hub: LiveHub) -> None:
    ingest.away = True
    ingest.told.put_nowait(None)
    await until(lambda: hub.counts.lost_connections > 0)
    watcher = hub.watch("a")
    assert await watcher.get(wait_s=5) == Beat(listening=False)
    await until(lambda: len(ingest.reads) > 2)
    ingest.away = False
    assert (await state_of(watcher)).store == "a"


@story
async def test_a_fault_of_ours_ends_the_streams_so_that_pages_connect_again(ingest: Ingest, hub: LiveHub) -> None:
    await until(lambda: hub.listening)
    watcher = hub.watch("a")
    await state_of(watcher)
    ingest.broken = True
    ingest.tell()
    await until(lambda: watcher.closed)
    ingest.broken = False
    assert (await state_of(hub.watch("a"))).total == 1


@story
async def test_watchers_are_bounded(ingest: Ingest, hub: LiveHub) -> None:
    for _ in range(live.WATCHERS):
        assert not hub.full
        hub.watch("a")
    assert hub.full


@story
async def test_closing_ends_every_watcher_at_once(ingest: Ingest, hub: LiveHub) -> None:
    watchers = [hub.watch(name) for name in "abc"]
    waiting: list[Awaitable[LiveStateOut | Beat | None]] = [watcher.get(wait_s=60) for watcher in watchers]
    hub.close()
    assert await asyncio.gather(*waiting) == [None, None, None]
    assert hub.watch("a").closed
