"""A former owner that wakes up cannot write: claims, epochs, and the checker that would notice."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

import ingest.commit
import ingest.feed
import ingest.worker
import storage.stores
from core.errors import FencedError
from core.wire import decode
from ingest.source import Parting
from ingest.subscriber import Message
from storage.connect import connect, in_transaction
from storage.log.owners import check_owned, claim_stores, lead
from storage.log.signals import claim
from tests.chaos import checker
from tests.chaos.house import await_that
from tests.chaos.journal import Journal
from tests.ingest import world
from tests.ingest.conftest import QUICK, Store

pytestmark = pytest.mark.servers
BOOT = b"\3" * 16
SETTINGS = replace(QUICK, commit_messages=3, snapshot_s=0.2)


def test_a_claim_raises_the_epoch_and_refuses_the_former_owner(store: Store) -> None:
    with connect(store.url) as one, connect(store.url) as other:
        first = claim_stores(one, "one", [store.id, "unknown"])
        assert first == {store.no: 1}
        in_transaction(one, lambda connection: check_owned(connection, first, [store.no]))
        assert claim_stores(other, "other", [store.id]) == {store.no: 2}
        with pytest.raises(FencedError):
            in_transaction(one, lambda connection: check_owned(connection, first, [store.no]))
        with pytest.raises(FencedError):  # never owned
            in_transaction(one, lambda connection: check_owned(connection, {}, [store.no]))


def test_a_claim_waits_for_a_transaction_and_ends_one_that_stands_still(store: Store) -> None:
    with connect(store.url, application_name="one") as one, connect(store.url) as other:
        owned = claim_stores(one, "one", [store.id])
        with pytest.raises(psycopg.OperationalError), one.transaction():  # noqa: PT012
            check_owned(one, owned, [store.no])
            one.execute("update store set name = 'by a former owner'")
            # a process that was stopped here would never come back to its transaction
            assert claim_stores(other, "other", [store.id]) == {store.no: 2}
            one.execute("select 1")
        assert other.execute("select count(*) from store where name = 'by a former owner'").fetchone() == (0,)


def test_those_who_share_stores_and_the_one_who_has_all_exclude_each_other(database_url: str) -> None:
    with ExitStack() as stack:
        one, two, alone = (
            stack.enter_context(connect(database_url, application_name=name)) for name in ("one", "two", "alone")
        )
        assert claim(one, shared=True)
        assert claim(two, shared=True)
        assert not claim(alone)
        assert lead(one)
        assert not lead(two)


class Scripted:
    """A shared source in the hand of the test: it holds its store or not, and brings what it is given."""

    shared = True
    connected = False
    queued = 0
    dropped_by_broker = None

    def __init__(self, batches: Sequence[Message], before_bringing: Callable[[], None] = lambda: None) -> None:
        self.batches = list(batches)
        self.held = False
        self.given = threading.Event()
        self._new = False
        self._before_bringing = before_bringing

    def connect(self, parting: Parting) -> None:
        del parting
        self.connected = True

    def holds(self, store: str) -> bool:
        del store
        return self.held

    def gained(self) -> bool:
        new, self._new = self._new, False
        return new

    def take(self, *, wait_s: float, gather_s: float) -> list[Message]:
        if self.given.is_set() and not self.held:
            self.held = self._new = True
            return []
        if not self.held or not self.batches:
            threading.Event().wait(min(wait_s, gather_s, 0.02))
            return []
        self._before_bringing()
        taken = self.batches[:3]
        del self.batches[:3]
        return taken

    def acknowledge(self, messages: Sequence[Message]) -> None:
        pass

    def publish(self, topic: str, payload: bytes) -> None:
        pass

    def drop(self) -> None:
        self.connected = self.held = False
        self.given.clear()


@contextmanager
def working(url: str, source: Scripted) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(
        target=ingest.worker.run,
        args=(url, "mqtt://nowhere"),
        kwargs={"stop": stop, "settings": SETTINGS, "source": source},
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


def no_fencing(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (ingest.commit, ingest.feed, ingest.worker, storage.stores):
        monkeypatch.setattr(module, "check_owned", lambda *_: None)


def fell_asleep(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Let the first ingest sleep before its second commit; return when it does and what wakes it."""
    asleep, wake = threading.Event(), threading.Event()
    commit: Callable[..., Any] = vars(ingest.worker)["commit"]
    calls = 0

    def sleepy(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            asleep.set()
            wake.wait(60)
        return commit(*given)

    monkeypatch.setattr(ingest.worker, "commit", sleepy)
    return asleep, wake


@pytest.mark.parametrize("mutant", [False, True], ids=["fenced", "mutant"])
def test_a_former_owner_that_wakes_up_cannot_write(
    store: Store, monkeypatch: pytest.MonkeyPatch, mutant: bool
) -> None:
    if mutant:
        no_fencing(monkeypatch)
    asleep, wake = fell_asleep(monkeypatch)
    journal, messages = Journal(), []
    for payload in world.walks(7, BOOT, batches=60):
        batch = decode(payload)
        at_ns = int(batch.ts.max()) + 1
        journal.accept("e1", BOOT, batch.sequence, payload, signals=len(batch), at_ns=at_ns)
        link: Any = None
        messages.append(Message(f"sojourn/1/{store.id}/e1/signals", payload, at_ns, 0, 1, link))

    def logged() -> int:
        with connect(store.url) as connection:
            return len(checker.logged(connection).rows)

    def taken_over() -> None:
        wake.set()
        if mutant:  # whoever may write is let go first
            await_that(lambda: logged() >= 6, "the former owner to write")

    # the former owner has no more than it holds: whatever it writes, the engine of the present one has to lack it
    former, present = Scripted(messages[:6]), Scripted(messages[3:], taken_over)
    former.given.set()
    with working(store.url, former):
        assert asleep.wait(60)  # it has three in the log, and three in its hands
        with working(store.url, present):
            present.given.set()
            await_that(lambda: logged() == 60, "the rest to be logged")
            if not mutant:
                await_that(lambda: not former.held, "the former owner to be shut out")
    broken = _broken(journal, store)
    if mutant:
        assert any("went into the engine" in sentence for sentence in broken)
    else:
        assert broken == []


def _broken(journal: Journal, store: Store) -> list[str]:
    """What the checker of the chaos run finds; no shopper leaves here, so it is not asked for visits of the store."""
    with connect(store.url) as connection:
        found = checker.figures(connection, store.no)
        assert found["zone visits"]
        return [
            *checker.check_log(journal, checker.logged(connection)),
            *checker.check_visits(connection, store.no),
            *checker.differences("a cold replay", found, checker.cold_replay(connection, store.no)),
        ]
