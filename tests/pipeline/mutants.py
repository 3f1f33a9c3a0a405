"""What somebody might break: each promise taken away once. The simulation has to notice every one of them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch
from weakref import WeakKeyDictionary

from core.wire import decode
from edge import outbox
from edge.outbox import Outbox, _count
from edge.window import Window
from ingest import commit, feed, worker
from ingest.acceptance import Accepted, accept
from ingest.cursors import Arranged
from ingest.feed import StoreFeed
from ingest.holding import Holding
from ingest.logged import Logged
from ingest.messages import Arrival, read
from ingest.subscriber import Subscriber
from tests.edge.outbox_mutants import MUTANTS as OUTBOX_MUTANTS
from tests.pipeline.database import Connection, named_visits
from tests.pipeline.edge import Client

if TYPE_CHECKING:
    from tests.pipeline.edge import Edge
    from tests.pipeline.world import World


@contextmanager
def told_before_commit(_world: "World") -> Iterator[None]:
    """Edges hear of a commit before it."""
    take_in = worker._Worker._take_in

    def mutant(self: Any, connection: Any, messages: Any) -> None:
        for arrival in filter(lambda reading: isinstance(reading, Arrival), map(read, messages)):
            self._tell((arrival.store, arrival.edge), {arrival.boot: arrival.last})  # type: ignore[union-attr]
        take_in(self, connection, messages)

    with patch.object(worker._Worker, "_take_in", mutant):
        yield


@contextmanager
def acknowledged_before_commit(_world: "World") -> Iterator[None]:
    """The broker hears of a commit before it."""
    take_in = worker._Worker._take_in

    def mutant(self: Any, connection: Any, messages: Any) -> None:
        self._source.acknowledge(messages)
        with patch.object(self._source, "acknowledge", lambda _: None):
            take_in(self, connection, messages)

    with patch.object(worker._Worker, "_take_in", mutant):
        yield


@contextmanager
def highest_not_contiguous(_world: "World") -> Iterator[None]:
    """The cursor is the highest sequence that came: max() in the place of the next one."""

    def mutant(arrivals: Any, parked: Any, committed: Any) -> Arranged[Any, Any]:
        cursors = dict(committed)
        ready: list[Any] = []
        repeated: list[Any] = []
        for key, arrival in arrivals:
            (ready if arrival.last > cursors[key] else repeated).append((key, arrival))
            cursors[key] = max(cursors[key], arrival.last)
        return Arranged(tuple(ready), tuple(repeated), {}, cursors)

    with patch.object(commit, "arrange", mutant):
        yield


@contextmanager
def deleted_on_puback(world: "World") -> Iterator[None]:
    """An edge lets go of what the broker has."""

    def mutant(edge: "Edge", payload: bytes) -> None:
        batch = decode(payload)
        edge.outbox.acknowledge(batch.boot, batch.sequence)
        edge.publisher._window.committed(batch.boot, batch.sequence, edge.clock.monotonic())

    for edge in world.edges:
        edge.on_taken = mutant
    yield


@contextmanager
def stale_acks_count(_world: "World") -> Iterator[None]:
    """What an older connection brought is taken and acknowledged over the newest."""

    def take(self: Any, *, wait_s: float, gather_s: float) -> list[Any]:
        count = min(self._messages.qsize(), self._settings.commit_messages)
        return [self._messages.get_nowait() for _ in range(count)]

    def acknowledge(self: Any, messages: Any) -> None:
        for message in messages:
            if self._connection is not None:
                self._connection.client.ack(message.mid, message.qos)

    def drop(self: Any) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    with patch.multiple(Subscriber, take=take, acknowledge=acknowledge, drop=drop):
        yield


@contextmanager
def any_boot_counts(_world: "World") -> Iterator[None]:
    """An edge takes a word about one boot, be it long over, for all of them."""

    def mutant(self: Any, _boot: bytes, committed: int) -> int:
        with self._lock, self._transaction():
            gone = self._database.execute("delete from outbox where sequence <= ?", (committed,)).rowcount
            self._held = _count(self._database)
        return int(gone)

    with patch.object(Outbox, "acknowledge", mutant):
        yield


@contextmanager
def visits_inserted_again(_world: "World") -> Iterator[None]:
    """A visit that is there already is written once more."""

    def mutant(self: Any, store_no: int, plan: Any, visits: Any, devices: Any, *, model_version: int) -> int:
        for name, row in named_visits(plan, visits, devices).items():
            self._state.visits[name if name not in self._state.visits else name + b"again"] = row
        return len(visits)

    with patch.object(Connection, "save_visits", mutant):
        yield


@contextmanager
def visits_written_or_not(_world: "World") -> Iterator[None]:
    """What an engine has found is let go of, whether the database took it or not."""
    write = StoreFeed.write

    def mutant(self: Any, connection: Any, **how: Any) -> int:
        try:
            return write(self, connection, **how)
        finally:
            self._derived.clear()

    with patch.object(StoreFeed, "write", mutant):
        yield


@contextmanager
def window_is_kept(_world: "World") -> Iterator[None]:
    """An edge believes of what it gave an older connection that it is still on its way."""
    with patch.object(Window, "forget", lambda _self, _now_s: None):
        yield


@contextmanager
def dropped_on_their_way(_world: "World") -> Iterator[None]:
    """A full outbox drops what was sent and may arrive, too."""
    make_room = Outbox._make_room

    def mutant(self: Any) -> None:
        self._offered_to = 0
        make_room(self)

    with patch.object(Outbox, "_make_room", mutant):
        yield


@contextmanager
def any_word_counts(_world: "World") -> Iterator[None]:
    """An edge believes that more of a boot is committed than it ever sent."""

    def mutant(self: Any, boot: bytes, committed: int) -> int:
        with self._lock, self._transaction():
            of_boot = "delete from outbox where boot = ? and sequence <= ?"
            gone = self._database.execute(of_boot, (boot, committed)).rowcount
            self._held = _count(self._database)
        return int(gone)

    with patch.object(Outbox, "acknowledge", mutant):
        yield


@contextmanager
def refused_as_a_whole(_world: "World") -> Iterator[None]:
    """Of a batch with one signal that cannot be placed nothing is logged."""

    def mutant(batch: Any, plan: Any, received_at: int) -> Accepted:
        judged = accept(batch, plan, received_at)
        return judged if judged.whole else Accepted(None, False, judged.rejects)

    with patch.object(commit, "accept", mutant):
        yield


@contextmanager
def acknowledged_backwards(_world: "World") -> Iterator[None]:
    """Of one commit the last message is acknowledged first."""
    acknowledge = Subscriber.acknowledge

    def mutant(self: Any, messages: Any) -> None:
        acknowledge(self, messages[::-1])

    with patch.object(Subscriber, "acknowledge", mutant):
        yield


@contextmanager
def states_not_replayed(_world: "World") -> Iterator[None]:
    """An engine that catches up with the log does not hear that edges and anchors went or came back."""
    with patch.object(feed, "edge_changes", _nothing):
        yield


@contextmanager
def first_words_not_replayed(_world: "World") -> Iterator[None]:
    """An engine that catches up with the log does not wait for an edge from when it was first heard."""
    with patch.object(feed, "edges_heard", _nothing):
        yield


def _nothing(_connection: Connection, _store_no: int, *, after: int) -> list[Any]:
    return []


@contextmanager
def not_caught_up(_world: "World") -> Iterator[None]:
    """After a lost database an engine goes on as if all that it was not told of had not been committed."""
    bring_up = Holding._bring_up

    def mutant(self: Any, connection: Any, stores: Any, *, leads: bool) -> None:
        unknown = [adopted for adopted in stores if adopted.store_no not in self.feeds]
        bring_up(self, connection, unknown, leads=leads)

    with patch.object(Holding, "_bring_up", mutant):
        yield


@contextmanager
def offered_is_forgotten(_world: "World") -> Iterator[None]:
    """With its connection an edge forgets what it ever offered, and drops what may arrive or is logged."""
    lose = Client.lose

    def mutant(self: Any, why: str, *, told: bool = True) -> None:
        lose(self, why, told=told)
        self._edge.outbox._offered_to = 0

    with patch.object(Client, "lose", mutant):
        yield


@contextmanager
def given_up_undamaged(_world: "World") -> Iterator[None]:
    """An edge takes every fourth batch that it reads for damaged, and honestly tells of a gap."""
    after = Outbox._after
    looked_at: WeakKeyDictionary[Outbox, int] = WeakKeyDictionary()

    def mutant(self: Any, place: int, most: int) -> Any:
        rows = after(self, place, most)
        new = [row for row in rows if row.place > looked_at.get(self, 0)]
        given_up = [row.place for row in new if row.sequence % 4 == 0 and decode(row.payload).gap is None]
        looked_at[self] = max([looked_at.get(self, 0), *(row.place for row in new)])
        if given_up:
            with self._lock:
                self._give_up(given_up)
            rows = after(self, place, most)
        return rows

    with patch.object(Outbox, "_after", mutant):
        yield


@contextmanager
def nearly_all_is_dropped(_world: "World") -> Iterator[None]:
    """A full outbox lets go of nine tenths of its bound, not of a twentieth."""
    with patch.object(outbox, "_ROOM", 0.9):
        yield


@contextmanager
def drops_with_room(_world: "World") -> Iterator[None]:
    """An outbox lets go of rows when it is half full."""
    with _other_outbox("drops_with_room"):
        yield


@contextmanager
def drops_the_newest(_world: "World") -> Iterator[None]:
    """A full outbox lets go of what came last."""
    with _other_outbox("drops_the_newest"):
        yield


@contextmanager
def gaps_of_another_time(_world: "World") -> Iterator[None]:
    """A gap does not say when what it stands for was heard."""
    with _other_outbox("gaps_of_another_time"):
        yield


def _other_outbox(name: str) -> AbstractContextManager[object]:
    attribute, other = OUTBOX_MUTANTS[name]
    return patch.object(Outbox, attribute, other)


@contextmanager
def heard_at_another_time(_world: "World") -> Iterator[None]:
    """An engine is told another time of arrival than the log keeps."""
    logged = Logged

    def mutant(store_no: int, edge_no: int, log_no: int, received_at: int, batch: Any) -> Any:
        return logged(store_no, edge_no, log_no, received_at + 5_000_000_000, batch)

    with patch.object(commit, "Logged", mutant):
        yield


MUTANTS: Final[tuple[Callable[["World"], AbstractContextManager[None]], ...]] = (
    told_before_commit, acknowledged_before_commit, highest_not_contiguous, deleted_on_puback, stale_acks_count,
    any_boot_counts, visits_inserted_again, visits_written_or_not, window_is_kept, dropped_on_their_way,
    any_word_counts, refused_as_a_whole, acknowledged_backwards, states_not_replayed, first_words_not_replayed,
    not_caught_up, offered_is_forgotten, given_up_undamaged, nearly_all_is_dropped, drops_with_room,
    drops_the_newest, gaps_of_another_time, heard_at_another_time,
)  # fmt: skip
