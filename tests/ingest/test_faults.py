"""Whatever is killed when: nothing is lost, nothing counts twice, and the visits are those of a quiet run."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from core.wire import encode
from ingest import feed
from servers.mosquitto import Mosquitto
from servers.postgres import Postgres
from storage.connect import connect
from storage.log.signals import tally
from storage.migrate import migrate
from tests.fix_proxy import TcpProxy
from tests.ingest import world
from tests.ingest.conftest import QUICK, Store, add_store, await_subscription, client_id, ingesting
from tests.ingest.edge_double import EdgeDouble
from tests.ingest.killed_worker import PLACES
from tests.ingest.world import cold_replay, stored_visits, walks

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]


def check(store: Store, sent: list[bytes]) -> None:
    """Accepted and logged are the same, each once; visits are those of a cold replay of the log."""
    with connect(store.url) as connection:
        counted = tally(connection, store.id)
        assert (counted.batches, counted.missing_batches, counted.duplicate_batches) == (len(sent), 0, 0)
        logged = connection.execute("select sha256 from signal_log where store_no = %s", [store.no]).fetchall()
        assert sorted(row[0] for row in logged) == sorted(sha256(payload).digest() for payload in sent)
        sequences = connection.execute(
            "select edge_no, boot, array_agg(sequence order by log_no) from signal_log where store_no = %s"
            " group by edge_no, boot",
            [store.no],
        ).fetchall()
        assert all(row[2] == list(range(1, len(row[2]) + 1)) for row in sequences)
        found = stored_visits(connection, store.no)
        assert found, "a check without a visit checks nothing"
        assert found == cold_replay(connection, store.no)
        decoded = connection.execute("select decoded from engine_progress where store_no = %s", [store.no]).fetchone()
        assert decoded == (counted.signals,)


@contextmanager
def doomed(store: Store, mqtt_url: str, place: str, times: int) -> Iterator["subprocess.Popen[bytes]"]:
    """An ingest that kills itself at a place of PLACES; it has done so when the block ends."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.ingest.killed_worker", place, str(times), client_id(store.url)],
        cwd=ROOT,
        env=os.environ | {"SOJOURN_DATABASE_URL": store.url, "SOJOURN_MQTT_URL": mqtt_url},
    )
    try:
        yield worker
        assert worker.wait(60) == -signal.SIGKILL, "the worker was to be killed"
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.chaos  # CI kills at each of these places twice in the run of faults
@pytest.mark.parametrize("place", PLACES)
def test_killed_at_a_named_place(store: Store, mqtt_url: str, edge: EdgeDouble, place: str) -> None:
    sent = list(walks(10, b"\1" * 16, batches=80))
    edge.send(*sent[:30])
    with doomed(store, mqtt_url, place, 2) as worker:
        while worker.poll() is None and not edge.committed:
            edge.send_again()
            edge.pause(0.5)
        for payload in sent[30:]:  # one after the other, so that it commits, derives and takes snapshots many times
            if worker.poll() is None:
                edge.send(payload)
                edge.pause(0.05)
    edge.send(*sent[edge.handed :])
    with ingesting(store.url, mqtt_url):
        edge.drain()
    check(store, sent)


@pytest.mark.parametrize("place", ["before_commit", "in_commit", "after_commit"])
def test_what_was_not_acknowledged_comes_again_without_any_outbox(
    store: Store, mqtt_url: str, edge: EdgeDouble, place: str
) -> None:
    sent = list(walks(17, b"\1" * 16, batches=60))
    with doomed(store, mqtt_url, place, 3):
        await_subscription(store.url, 0, threading.Event())
        for payload in sent:
            edge.publish("signals", payload)
        edge.await_acknowledged(60)
    with ingesting(store.url, mqtt_url), connect(store.url) as connection:
        while tally(connection, store.id).batches < 60:
            time.sleep(0.05)
    check(store, sent)


def test_the_database_is_stopped_and_started(own_database: Postgres, mqtt_url: str) -> None:
    migrate(own_database.dsn())
    store = add_store(own_database.dsn())
    sent = list(walks(11, b"\1" * 16, batches=60))
    edge = EdgeDouble(mqtt_url, store.id)
    try:
        with ingesting(store.url, mqtt_url):
            edge.send(*sent[:20])
            edge.drain()
            own_database.stop()
            edge.send(*sent[20:40])
            edge.await_acknowledged(40)
            assert edge.waiting == 20, "the broker has them, the database does not"
            own_database.start()
            edge.drain()
            own_database.kill()
            own_database.start()
            with connect(store.url) as connection:  # unlogged, so the crash emptied it; no signal comes to fill it
                while connection.execute("select count(*) from presence").fetchone() != (12,):
                    time.sleep(0.05)
            own_database.kill()
            edge.send(*sent[40:])
            own_database.start()
            edge.drain()
        check(store, sent)
    finally:
        edge.close()


def test_what_the_database_did_not_take_comes_again_without_any_outbox(own_database: Postgres, mqtt_url: str) -> None:
    migrate(own_database.dsn())
    store = add_store(own_database.dsn())
    sent = list(walks(18, b"\1" * 16, batches=60))
    edge = EdgeDouble(mqtt_url, store.id)
    try:
        with ingesting(store.url, mqtt_url):
            for number, payload in enumerate(sent):
                edge.publish("signals", payload)
                if number == 30:
                    edge.await_acknowledged(31)
                    own_database.kill()
            edge.await_acknowledged(60)
            own_database.start()
            with connect(store.url) as connection:
                while tally(connection, store.id).batches < 60:
                    time.sleep(0.05)
        check(store, sent)
    finally:
        edge.close()


def test_the_broker_is_killed_and_forgets_everything(store: Store, own_broker: Mosquitto) -> None:
    sent = list(walks(12, b"\1" * 16, batches=60))
    edge = EdgeDouble(own_broker.url, store.id)
    try:
        with ingesting(store.url, own_broker.url):
            edge.send(*sent[:20])
            edge.drain()
            edge.send(*sent[20:40])
            own_broker.kill()
            for kept in own_broker.folder.rglob("*.db"):
                kept.unlink()
            own_broker.start()
            edge.send(*sent[40:])
            edge.drain()
        check(store, sent)
    finally:
        edge.close()


def test_connections_that_break_in_every_way(
    store: Store, mqtt_url: str, edge: EdgeDouble, proxy_to: Callable[[str], TcpProxy]
) -> None:
    database, broker = proxy_to(store.url), proxy_to(mqtt_url)
    sent = list(walks(13, b"\1" * 16, batches=80))
    with ingesting(database.url, broker.url, replace(QUICK, commit_messages=4)):
        edge.send(*sent[:10])
        edge.drain()
        for number, fault in enumerate((broker.reset, database.reset, broker.cut, database.cut, broker.reset), 1):
            edge.send(*sent[number * 10 : number * 10 + 5])
            fault()
            edge.send(*sent[number * 10 + 5 : number * 10 + 10])
            broker.mend()
            database.mend()
            edge.drain()
        connections = database.connections
        database.reset()  # half of what was committed may not have been heard of
        edge.send(*sent[60:])
        edge.drain()
        assert database.connections > connections
    check(store, sent)


def test_memory_stays_bounded_while_the_database_is_away(own_database: Postgres, mqtt_url: str) -> None:
    migrate(own_database.dsn())
    store = add_store(own_database.dsn())
    edge = EdgeDouble(mqtt_url, store.id)
    try:
        with ingesting(store.url, mqtt_url):
            edge.send(encode(world.batch(1, boot=b"\1" * 16)))
            edge.drain()
            own_database.stop()
            rest = [encode(world.batch(n, boot=b"\1" * 16)) for n in range(2, 2_002)]
            edge.send(*rest)
            edge.await_acknowledged(2_001, 60)
            own_database.start()
            edge.drain(stall_s=5)
        with connect(store.url) as connection:
            assert tally(connection, store.id).batches == 2_001
    finally:
        edge.close()


def test_a_torn_snapshot_gives_way_to_the_one_before(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    sent = list(walks(14, b"\1" * 16, batches=60))
    for part in (sent[:20], sent[20:40]):
        with ingesting(store.url, mqtt_url):
            edge.send(*part)
            edge.drain()
    with connect(store.url) as connection:
        generations = connection.execute("select log_no from engine_snapshot order by log_no").fetchall()
        assert len(generations) == 2
        connection.execute(
            "update engine_snapshot set state = substring(state for 100) where log_no = %s", generations[1]
        )
    with ingesting(store.url, mqtt_url):
        edge.send(*sent[40:])
        edge.drain()
    check(store, sent)


def test_without_any_snapshot_everything_is_derived_again(
    store: Store, mqtt_url: str, edge: EdgeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_ROWS_A_READ", 4)
    sent = list(walks(15, b"\1" * 16, batches=60))
    with ingesting(store.url, mqtt_url):
        edge.send(*sent[:40])
        edge.drain()
    with connect(store.url) as connection:
        connection.execute("delete from engine_snapshot")
        connection.execute("delete from engine_progress")
        connection.execute("delete from presence")
    with ingesting(store.url, mqtt_url):
        edge.send(*sent[40:])
        edge.drain()
    check(store, sent)
    with connect(store.url) as connection:
        assert connection.execute("select count(*) from presence").fetchone() == (12,)


def test_two_edges_deliver_their_backlogs_one_after_the_other(store: Store, mqtt_url: str) -> None:
    one, two = EdgeDouble(mqtt_url, store.id, "e1"), EdgeDouble(mqtt_url, store.id, "e2")
    first = list(walks(16, b"\1" * 16, batches=25, anchors=range(2)))
    second = list(walks(16, b"\2" * 16, batches=25, anchors=range(2, 4)))
    try:
        with ingesting(store.url, mqtt_url):
            one.hello()
            two.hello()
            one.await_word(1)
            two.await_word(1)
            one.send(*first)
            one.drain()
            two.send(*second)
            two.drain()
        with connect(store.url) as connection:
            assert connection.execute("select late from engine_progress").fetchone() == (0,)
        check(store, first + second)
    finally:
        one.close()
        two.close()


def test_ingest_says_once_that_a_server_is_away(
    store: Store, own_broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    own_broker.stop()
    with ingesting(store.url, own_broker.url, subscribed=False) as stop:
        assert not stop.wait(2.0)
        own_broker.start()
        edge = EdgeDouble(own_broker.url, store.id)
        edge.send(encode(world.batch(1)))
        edge.drain()
        edge.close()
    said = capsys.readouterr().out
    assert said.count("waiting for the broker") == 1
    assert said.count("the broker is back") == 1


def test_ingest_ends_at_once_while_everything_is_away(store: Store, own_broker: Mosquitto) -> None:
    own_broker.stop()
    with ingesting(store.url, own_broker.url, subscribed=False) as stop:
        assert not stop.wait(0.5)
        begun = time.monotonic()
        stop.set()
    assert time.monotonic() - begun < 5
