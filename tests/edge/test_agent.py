import json
import socket
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import zstandard

from core import wire
from core.errors import UnavailableError
from core.limits import NS_PER_S
from edge import publisher, window
from edge.agent import WAITING_BATCHES, Accepted, Agent, AgentSettings
from edge.broker import Broker, Topics
from edge.clock import Clock
from edge.readings import ReadingQueue, Readings
from servers.mosquitto import Mosquitto
from tests.edge.stand_ins import StandInIngest, await_that
from tests.fix_proxy import TcpProxy

pytestmark = pytest.mark.servers
IDENTITIES = tuple(f"address-of-{n:04d}".encode() for n in range(40))


@pytest.fixture
def topics() -> Topics:
    return Topics(f"store-{uuid.uuid4().hex[:12]}", "north")


def readings(count: int, rng: np.random.Generator) -> Readings:
    now_ns = Clock().now_ns() // 1000 * 1000
    return Readings(
        now_ns - rng.integers(0, NS_PER_S // 1000, count) * 1000,
        rng.integers(0, 2, count),
        rng.integers(0, len(IDENTITIES), count),
        rng.integers(-90, -40, count).astype(np.int16),
        ("a01", "a02"),
        IDENTITIES,
    )


class Setup:
    """An agent with its queue, and what it accepted."""

    def __init__(self, url: str, topics: Topics, folder: Path, outbox_bytes: int = 10**8) -> None:
        self.accepted: list[Accepted] = []
        self.queue = ReadingQueue()
        self.agent = Agent(
            AgentSettings(
                store=topics.store,
                edge=topics.edge,
                anchors=("a01", "a02"),
                broker=Broker.from_url(url),
                keys=folder / "keys",
                outbox=folder / "outbox.sqlite3",
                outbox_bytes=outbox_bytes,
            ),
            self.queue,
            on_accepted=self.accepted.append,
        )
        self.agent.start()

    def hear(self, batches: int, rng: np.random.Generator) -> None:
        """Readings for about so many full batches."""
        for _ in range(batches):
            assert self.queue.put(readings(4096, rng), wait_s=10)

    @property
    def signals(self) -> int:
        return sum(one.signals for one in self.accepted)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture
def ingest(own_broker: Mosquitto, topics: Topics) -> Iterator[StandInIngest]:
    stand_in = StandInIngest(own_broker.url, topics)
    yield stand_in
    stand_in.close()


def logged_signals(ingest: StandInIngest) -> int:
    return sum(len(wire.decode(payload)) for payload in ingest.log.values())


def test_what_is_heard_is_logged_once_and_the_outbox_empties(
    own_broker: Mosquitto, topics: Topics, ingest: StandInIngest, tmp_path: Path, rng: np.random.Generator
) -> None:
    setup = Setup(own_broker.url, topics, tmp_path)
    setup.hear(5, rng)
    setup.queue.put(readings(17, rng))
    assert setup.agent.stop(drain_s=60) == 0
    assert setup.signals == 5 * 4096 + 17 == logged_signals(ingest)
    assert ingest.repeated == 0
    assert ingest.sequences(setup.agent.boot) == [one.sequence for one in setup.accepted]
    ingest.await_(lambda it: it.statuses[-1]["state"] == "stopped")
    assert ingest.statuses[0]["state"] == "online"
    assert ingest.statuses[-1]["backlog"] == 0
    assert ingest.statuses[0]["anchors"] == ["a01", "a02"]


def test_an_edge_whose_disk_lost_its_tail_delivers_on(
    own_broker: Mosquitto, topics: Topics, tmp_path: Path, rng: np.random.Generator
) -> None:
    ingest = StandInIngest(own_broker.url, topics, commits=False, answers=False)
    try:
        first = Setup(own_broker.url, topics, tmp_path)
        first.hear(8, rng)
        ingest.await_logged(8)
        assert first.agent.stop(drain_s=0) >= 8
        ingest.forge(first.agent.boot, 2)  # which the database has and this disk has not
        ingest.commits = ingest.answers = True
        second = Setup(own_broker.url, topics, tmp_path)
        second.hear(3, rng)
        assert second.agent.stop(drain_s=60) == 0
        assert ingest.sequences(second.agent.boot) == [one.sequence for one in second.accepted]
    finally:
        ingest.close()


def test_no_identity_reaches_disk_or_wire(
    own_broker: Mosquitto, topics: Topics, tmp_path: Path, rng: np.random.Generator
) -> None:
    ingest = StandInIngest(own_broker.url, topics, commits=False, answers=False)
    setup = Setup(own_broker.url, topics, tmp_path)
    setup.hear(2, rng)
    ingest.await_logged(2)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "own-broker" not in path.parts]
    assert {"outbox.sqlite3", "outbox.sqlite3-wal"} <= {path.name for path in files}
    content = b"".join(path.read_bytes() for path in files)
    content += b"".join(zstandard.decompress(payload) for payload in ingest.log.values())
    assert ingest.received[0].devices.tobytes() in content
    for identity in IDENTITIES:
        assert identity not in content
        assert identity.hex().encode() not in content
    setup.agent.stop(drain_s=0)
    ingest.close()


def test_a_broker_that_forgets_everything_loses_nothing(
    own_broker: Mosquitto, topics: Topics, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "PATIENCE_S", (0.5, 5.0))
    ingest = StandInIngest(own_broker.url, topics)
    ingest.close()  # its session stays, so the broker acknowledges and keeps the messages
    setup = Setup(own_broker.url, topics, tmp_path)
    setup.hear(8, rng)
    await_that(lambda: setup.agent._publisher.sent >= 8)
    own_broker.kill()
    for path in (own_broker.folder / "store").iterdir():
        path.unlink()
    own_broker.start()
    ingest = StandInIngest(own_broker.url, topics)
    ingest.await_logged(8)
    assert setup.agent.stop(drain_s=60) == 0
    assert logged_signals(ingest) == setup.signals == 8 * 4096
    ingest.close()


def test_what_was_acknowledged_but_not_committed_is_sent_again(
    own_broker: Mosquitto, topics: Topics, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "PATIENCE_S", (0.5, 60.0))
    ingest = StandInIngest(own_broker.url, topics)
    ingest.to_lose = 3
    setup = Setup(own_broker.url, topics, tmp_path)
    setup.hear(5, rng)
    ingest.await_logged(5)
    assert setup.agent.stop(drain_s=60) == 0
    assert ingest.sequences(setup.agent.boot) == [1, 2, 3, 4, 5]
    assert len([said for said in ingest.statuses if said["state"] == "online"]) >= 2  # it asked before
    ingest.close()


def test_without_a_subscriber_nothing_counts_as_sent(
    own_broker: Mosquitto, topics: Topics, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "REFUSED_S", 0.3)
    setup = Setup(own_broker.url, topics, tmp_path)
    setup.hear(3, rng)
    await_that(lambda: setup.agent._publisher.sent > 3)  # refused with "no matching subscribers", sent again
    assert setup.agent.backlog == 3
    ingest = StandInIngest(own_broker.url, topics)
    ingest.await_logged(3)
    assert setup.agent.stop(drain_s=60) == 0
    ingest.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A publisher that tries again at once."""
    monkeypatch.setattr(publisher, "_BACKOFF_S", (0.05, 0.5))
    monkeypatch.setattr(publisher, "_KEEPALIVE_S", 2)


@pytest.mark.usefixtures("impatient")
def test_cut_stalled_and_reset_connections(
    own_broker: Mosquitto, topics: Topics, ingest: StandInIngest, tmp_path: Path, rng: np.random.Generator
) -> None:
    proxy = TcpProxy(own_broker.url)
    setup = Setup(proxy.url, topics, tmp_path)
    heard = 0
    for fault in (proxy.cut, proxy.stall, proxy.reset):
        setup.hear(3, rng)
        heard += 3
        ingest.await_logged(heard)
        fault()
        setup.hear(3, rng)
        heard += 3
        await_that(partial(lambda batches: len(setup.accepted) >= batches, heard))
        proxy.mend()
        ingest.await_logged(heard)
    assert setup.agent.stop(drain_s=60) == 0
    assert logged_signals(ingest) == setup.signals == 18 * 4096
    assert proxy.connections >= 3
    proxy.close()


def test_a_restart_delivers_what_an_earlier_boot_left(
    own_broker: Mosquitto, topics: Topics, tmp_path: Path, rng: np.random.Generator
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        away = f"mqtt://127.0.0.1:{nobody.getsockname()[1]}"
    first = Setup(away, topics, tmp_path)
    first.hear(4, rng)
    await_that(lambda: len(first.accepted) == 4)
    assert first.agent.stop(drain_s=0) == 4
    ingest = StandInIngest(own_broker.url, topics)
    second = Setup(own_broker.url, topics, tmp_path)
    second.hear(2, rng)
    assert second.agent.stop(drain_s=60) == 0
    assert ingest.sequences(first.agent.boot) == [1, 2, 3, 4]
    assert ingest.sequences(second.agent.boot) == [1, 2]
    ingest.close()


def test_a_full_outbox_tells_the_database_what_is_missing(
    own_broker: Mosquitto, topics: Topics, tmp_path: Path, rng: np.random.Generator
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        away = f"mqtt://127.0.0.1:{nobody.getsockname()[1]}"
    first = Setup(away, topics, tmp_path, outbox_bytes=200_000)
    first.hear(20, rng)
    await_that(lambda: len(first.accepted) == 20)
    dropped = json.loads(first.agent.status("online"))["dropped"]
    assert dropped > 4096
    first.agent.stop(drain_s=0)
    ingest = StandInIngest(own_broker.url, topics)
    second = Setup(own_broker.url, topics, tmp_path)
    assert second.agent.stop(drain_s=60) == 0
    gaps = [batch.gap for batch in ingest.received if batch.gap is not None]
    assert sum(gap.signals for gap in gaps) == dropped
    assert gaps[0].first == 1
    assert first.accepted[0].first_ns // 1000 * 1000 in [gap.from_ns for gap in gaps] or len(gaps) == 1
    assert logged_signals(ingest) + dropped == first.signals
    ingest.close()


def test_anchors_with_a_heartbeat_are_told_with_their_last_sign_of_life(topics: Topics, tmp_path: Path) -> None:
    now_ns = [1_795_341_600 * NS_PER_S]
    clock = Clock(now_ns=lambda: now_ns[0])

    def agent(name: str, heartbeat_s: float | None) -> Agent:
        settings = AgentSettings(
            store=topics.store,
            edge=topics.edge,
            anchors=("a01", "a02"),
            broker=Broker.from_url("mqtt://127.0.0.1:1"),
            keys=tmp_path / "keys",
            outbox=tmp_path / f"{name}.sqlite3",
            heartbeat_s=heartbeat_s,
        )
        return Agent(settings, ReadingQueue(), clock=clock)

    assert "alive" not in json.loads(agent("old", None).status("online"))
    with_heartbeat = agent("new", 10.0)
    began_us = now_ns[0] // 1000
    now_ns[0] += 25 * NS_PER_S
    with_heartbeat.alive(["a02", "of another edge"])
    said = json.loads(with_heartbeat.status("online"))
    assert said["alive"] == {"v": 1, "every_s": 10.0, "at_us": {"a01": began_us, "a02": began_us + 25_000_000}}


def test_what_a_full_disk_refuses_for_too_long_is_told_as_a_gap(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = Setup("mqtt://127.0.0.1:1", topics, tmp_path)
    agent, rng = setup.agent, np.random.default_rng(3)
    outbox = agent._outbox

    def hear(batches: int) -> None:
        for _ in range(batches):
            agent._take_in(readings(10, rng))
            agent._waiting += agent._batcher.flush()
            agent._keep()

    hear(1)
    append = outbox.append

    def refuse(*_: object) -> list[bytes]:
        raise UnavailableError("The disk is full.")

    monkeypatch.setattr(outbox, "append", refuse)
    hear(WAITING_BATCHES + 2)
    assert agent.dropped == 20
    hear(3)
    monkeypatch.setattr(outbox, "append", append)
    hear(1)
    rows = [wire.decode(row.payload) for row in outbox.after(0, 1000)]
    assert [rows[0].sequence, rows[1].sequence, rows[2].sequence] == [1, 6, 7]
    gap = rows[1].gap
    assert gap is not None
    assert (gap.first, gap.signals) == (2, 50)
    assert rows[-1].sequence == 7 + WAITING_BATCHES
    assert [one.sequence for one in setup.accepted] == [1, *range(7, 8 + WAITING_BATCHES)]
    outbox.close()
