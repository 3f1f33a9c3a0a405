"""The whole way on a real broker and a real database."""

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import structlog

from core.errors import ConfigurationError
from core.floorplan import StorePlan
from core.limits import FUTURE_BOUND_NS, NS_PER_S, PAST_BOUND_NS
from core.records import APP_EXIT
from core.wire import Batch, Gap, decode, encode
from doctor.database import check_database
from ingest.holding import Holding
from ingest.settings import Settings
from servers.mosquitto import Mosquitto
from servers.provide import Installed
from storage.connect import connect
from storage.log.ingest_status import IngestStatus, load_status
from storage.log.signals import Tally, tally
from storage.migrate import migrate
from storage.stores import save_plan
from tests.api.serving import wait_for
from tests.ingest import world
from tests.ingest.conftest import QUICK, Store, add_store, await_subscription, ingesting
from tests.ingest.edge_double import EdgeDouble
from tests.ingest.world import S, batch, cold_replay, digests, stored_visits, walks

pytestmark = pytest.mark.servers
BOOT = b"\5" * 16


def test_signals_become_visits(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    sent = list(walks(1, BOOT, batches=60))
    with ingesting(store.url, mqtt_url):
        edge.send(*sent)
        edge.drain()
    with connect(store.url) as connection:
        assert tally(connection, store.id) == Tally(60, 60 * 60, 0, 0, 0)
        logged = connection.execute("select sha256, batch from signal_log order by log_no").fetchall()
        assert digests(sent) == sorted(row[0] for row in logged)
        assert [row[1] for row in logged] == sent, "batches that are accepted whole are kept as they came"
        found = stored_visits(connection, store.no)
        assert len(found) > 12
        assert found == cold_replay(connection, store.no)
        progress = connection.execute("select decoded, late, repeated from engine_progress").fetchone()
        assert progress == (3600, 0, 0)
        assert connection.execute("select count(*) from presence").fetchone() == (12,)
        assert connection.execute("select count(*) from engine_snapshot").fetchone() == (1,)
        assert connection.execute("select count(*) from dead_letter").fetchone() == (0,)
        status = load_status(connection)
    assert status is not None
    assert (status.batches, status.signals, status.dead_letters) == (60, 3600, 0)


def test_an_apps_word_of_leaving_closes_its_visit(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    """A phone hears a beacon for a minute and tells 25 s later that it left; a tag is heard long after."""
    begin = time.time_ns() - 600 * S
    phone = [begin + second * S for second in range(61)]
    heard = batch(1, boot=BOOT, ts=[*phone, phone[-1] + 25 * S], rssi_dbm=[-60] * 61 + [APP_EXIT])
    later = batch(2, boot=BOOT, ts=[begin + (300 + n) * S for n in range(30)], devices=2, device=[1] * 30)
    with ingesting(store.url, mqtt_url):
        edge.send(encode(heard), encode(later))
        edge.drain()
    with connect(store.url) as connection:
        found = connection.execute(
            "select closed_by.word, dwell_s from store_visit join closed_by on code = closed_by order by left_at"
        ).fetchall()
        assert connection.execute("select count(*) from dead_letter").fetchone() == (0,)
    assert found == [("app_exit", 60.0)]


def test_batches_that_come_again_count_once(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    sent = list(walks(2, BOOT, batches=10))
    with ingesting(store.url, mqtt_url):
        edge.send(*sent)
        edge.drain()
        words = len(edge.committed)
        for payload in sent[3:7]:
            edge.publish("signals", payload)
        assert edge.await_word(words + 1) == {BOOT.hex(): 10}, "who sends again has not heard, and is told again"
        edge.send(encode(batch(11, boot=BOOT)))
        edge.drain()
    with connect(store.url) as connection:
        assert tally(connection, store.id) == Tally(11, 601, 0, 0, 0)
        assert stored_visits(connection, store.no) == cold_replay(connection, store.no)


def test_a_gap_is_not_skipped_and_closes_when_the_missing_one_comes(
    store: Store, mqtt_url: str, edge: EdgeDouble
) -> None:
    sent = list(walks(3, BOOT, batches=6))
    with ingesting(store.url, mqtt_url):
        for payload in (sent[0], sent[2], sent[3], sent[5]):
            edge.publish("signals", payload)
        edge.await_acknowledged(4)
        with connect(store.url) as connection:
            while (status := load_status(connection)) is None or status.parked != 3:
                time.sleep(0.01)
            assert tally(connection, store.id).batches == 1
        edge.publish("signals", sent[1])
        while edge.await_word(1) != {BOOT.hex(): 4}:
            edge.await_word(len(edge.committed) + 1)
        edge.publish("signals", sent[4])
        while edge.await_word(1) != {BOOT.hex(): 6}:
            edge.await_word(len(edge.committed) + 1)
    with connect(store.url) as connection:
        assert tally(connection, store.id) == Tally(6, 360, 0, 0, 0)
        order = connection.execute("select sequence from signal_log order by log_no").fetchall()
    assert [row[0] for row in order] == [1, 2, 3, 4, 5, 6]


def test_more_gaps_than_memory_allows_come_from_the_outbox(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    sent = list(walks(4, BOOT, batches=300))
    with ingesting(store.url, mqtt_url, replace(QUICK, parked_bytes=20_000, receive_maximum=16, commit_messages=8)):
        for payload in sent[1:]:
            edge.publish("signals", payload)
        edge.await_acknowledged(299)
        edge.send(*sent)
        edge.drain()
    with connect(store.url) as connection:
        assert tally(connection, store.id) == Tally(300, 18_000, 0, 0, 0)


def test_a_new_boot_starts_at_one_and_old_ones_go_on(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    old, new = b"\1" * 16, b"\2" * 16
    with ingesting(store.url, mqtt_url):
        edge.send(encode(batch(1, boot=old)), encode(batch(1, boot=new)), encode(batch(2, boot=old)))
        edge.drain()
        assert edge.committed[-1] == {old.hex(): 2, new.hex(): 1}


def test_what_cannot_be_read_is_kept_as_a_dead_letter_and_the_rest_goes_on(
    store: Store, mqtt_url: str, edge: EdgeDouble
) -> None:
    unreadable = json.dumps({"v": 1, "boot": BOOT.hex(), "seq": 2, "t": "nonsense"}).encode()
    with ingesting(store.url, mqtt_url):
        edge.send(encode(batch(1, boot=BOOT)))
        edge.publish("signals", b"nonsense")
        edge.publish("signals", b"nonsense")
        edge.publish("signals", unreadable)
        edge.publish("status", b"nonsense")
        edge.send(encode(batch(3, boot=BOOT)))
        edge.drain()
    with connect(store.url) as connection:
        letters = connection.execute(
            "select reason, store, edge, coalesce(sequence, 0), times from dead_letter order by reason, 4"
        ).fetchall()
        log = connection.execute("select sequence, signals, length(batch) from signal_log order by log_no").fetchall()
        held = connection.execute("select detail::text from dead_letter").fetchall()
    assert letters == [
        ("encoding", store.id, "e1", 0, 2),
        ("encoding", store.id, "e1", 2, 1),
        ("status", store.id, "e1", 0, 1),
    ]
    assert [row[:2] for row in log] == [(1, 1), (2, 0), (3, 1)]
    assert log[1][2] == 0
    assert all("nonsense" not in row[0] for row in held), "the message itself is not kept"


def test_every_reason_refuses_its_rows_and_the_rest_of_the_batch_goes_on(
    store: Store, mqtt_url: str, edge: EdgeDouble
) -> None:
    now = time.time_ns()
    bad = batch(
        1,
        boot=BOOT,
        ts=[now, now, now, now + FUTURE_BOUND_NS + 60 * NS_PER_S, now],
        anchors=("a0", "nowhere"),
        anchor=[0, 1, 0, 0, 0],
        rssi_dbm=[-60, -60, 42, -60, -61],
        devices=3,
        device=[0, 1, 2, 1, 2],
    )
    past = batch(2, boot=BOOT, ts=[now - PAST_BOUND_NS - 60 * NS_PER_S])
    with ingesting(store.url, mqtt_url):
        spelled = _spelled(bad)
        edge.send(spelled, encode(past))
        edge.drain()
    with connect(store.url) as connection:
        letters = connection.execute("select reason, signals, boot, sequence from dead_letter").fetchall()
        ((first, first_sha), (second, _)) = connection.execute(
            "select batch, sha256 from signal_log order by log_no"
        ).fetchall()
        progress = connection.execute("select decoded from engine_progress").fetchone()
    assert sorted((row[0], row[1], row[3]) for row in letters) == [
        ("future", 1, 1),
        ("past", 1, 2),
        ("rssi", 1, 1),
        ("unknown_anchor", 1, 1),
    ]
    assert {row[2].bytes for row in letters} == {BOOT}
    assert first_sha in digests([spelled]), "the digest is of the message as it came"
    kept = decode(first)
    assert (kept.anchors, kept.rssi_dbm.tolist(), len(kept.devices)) == (("a0",), [-60, -61], 2)
    assert second == b"", "a batch of which nothing is left still moves the cursor"
    assert progress == (2,)


def _spelled(given: Batch) -> bytes:
    """The JSON form, which can carry levels out of range."""
    base = int(given.ts.min()) // 1_000
    return json.dumps(
        {
            "v": 1,
            "boot": given.boot.hex(),
            "seq": given.sequence,
            "base": base,
            "anchors": given.anchors,
            "devices": [device.tobytes().hex() for device in given.devices],
            "t": (given.ts // 1_000 - base).tolist(),
            "a": given.anchor.tolist(),
            "d": given.device.tolist(),
            "r": given.rssi_dbm.tolist(),
        }
    ).encode()


def test_a_gap_of_the_edge_is_recorded_and_moves_the_cursor(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    from_ns = time.time_ns() // 1_000 * 1_000
    dropped = Gap(first=2, signals=90, from_ns=from_ns, until_ns=from_ns + 5_000)
    gap = msgspec.structs.replace(batch(5, boot=BOOT, ts=[]), gap=dropped)
    with ingesting(store.url, mqtt_url):
        edge.send(encode(batch(1, boot=BOOT)), encode(gap), encode(batch(6, boot=BOOT)))
        edge.drain()
    with connect(store.url) as connection:
        assert tally(connection, store.id) == Tally(3, 2, 0, 0, 90)
        row = connection.execute(
            "select first_sequence, last_sequence, until_at - from_at from signal_gap"
        ).fetchone()
    assert row is not None
    assert (row[0], row[1], row[2].microseconds) == (2, 5, 5)


def test_a_gap_that_claims_more_than_can_be_is_refused_and_nothing_waits_for_it(
    store: Store, mqtt_url: str, edge: EdgeDouble
) -> None:
    at_ns = time.time_ns() // 1_000 * 1_000
    claimed = Gap(first=2, signals=2**63 - 1, from_ns=at_ns, until_ns=at_ns)
    gap = msgspec.structs.replace(batch(3, boot=BOOT, ts=[]), gap=claimed)
    with ingesting(store.url, mqtt_url):
        edge.send(encode(batch(1, boot=BOOT)), encode(gap), encode(batch(4, boot=BOOT)))
        edge.drain()
    with connect(store.url) as connection:
        letters = connection.execute("select reason, boot, sequence, detail->>'what' from dead_letter").fetchall()
        assert [(reason, sequence) for reason, _, sequence, _ in letters] == [("gap", 3)]
        assert "131070" in letters[0][3]
        assert connection.execute("select count(*) from signal_gap").fetchone() == (0,)
        # 3 has its place in the log; that 2 is gone stands nowhere but in the dead letter, and so it is missing
        assert tally(connection, store.id) == Tally(3, 2, 1, 0, 0)


def test_an_unknown_store_is_told_and_nothing_is_lost_once_its_plan_is_there(
    database_url: str, mqtt_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = world.name("late")
    edge = EdgeDouble(mqtt_url, name)
    # the batch itself shall find the plan, not the look that ingest takes at times
    monkeypatch.setattr(Holding, "adopt_changes", lambda *_: None)
    try:
        with ingesting(database_url, mqtt_url), connect(database_url) as connection:
            edge.send(encode(batch(1, boot=BOOT)), encode(batch(2, boot=BOOT)))
            reason = "select reason, detail->>'hint' from dead_letter where store = %s"
            sent_s = time.monotonic()
            while (row := connection.execute(reason, [name]).fetchone()) is None:
                time.sleep(0.01)
                if time.monotonic() - sent_s > 2:  # as an edge does that hears nothing: ingest may have come anew
                    edge.send_again()
                    sent_s = time.monotonic()
            assert row == ("unknown_store", "Load its plan; the edge sends again.")
            save_plan(connection, world.floor_plan(name))
            edge.drain()
            assert tally(connection, name) == Tally(2, 2, 0, 0, 0)
        with connect(database_url) as connection:
            assert connection.execute("select decoded from engine_progress").fetchall() == [(2,)]
    finally:
        edge.close()


def test_a_hello_is_answered_and_kept(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    with ingesting(store.url, mqtt_url):
        edge.hello()
        assert edge.await_word(1) == {}
        edge.send(encode(batch(1, boot=BOOT)))
        edge.drain()
        words = len(edge.committed)
        edge.hello()
        assert edge.await_word(words + 1) == {BOOT.hex(): 1}
        edge.hello("offline")
        with connect(store.url) as connection:
            state = "select status->>'state' from edge where status_at is not null"
            while connection.execute(state).fetchone() != ("offline",):
                time.sleep(0.01)


def test_an_edge_that_was_gone_before_it_was_heard_is_no_edge(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    edge.hello("offline")
    edge.await_acknowledged(1)
    other = EdgeDouble(mqtt_url, store.id, "e2")
    with ingesting(store.url, mqtt_url):
        other.send(encode(batch(1, boot=BOOT)))
        other.drain()
    other.close()
    with connect(store.url) as connection:
        assert connection.execute("select id from edge").fetchall() == [("e2",)]


def test_boots_beyond_those_told_are_told_when_they_send_again(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    boots = [bytes([number]) * 16 for number in range(1, 12)]
    with ingesting(store.url, mqtt_url):
        for boot in boots:
            edge.send(encode(batch(1, boot=boot)))
            edge.drain()
        assert len(edge.committed[-1]) == 8
        assert boots[0].hex() not in edge.committed[-1]
        words = len(edge.committed)
        edge.publish("signals", encode(batch(1, boot=boots[0])))
        assert edge.await_word(words + 1)[boots[0].hex()] == 1


def test_a_plan_that_changes_is_taken_into_use_in_the_order_of_the_log(
    store: Store, mqtt_url: str, edge: EdgeDouble
) -> None:
    sent = list(walks(6, BOOT, batches=30))
    with ingesting(store.url, mqtt_url), connect(store.url) as connection:
        edge.send(*sent[:20])
        edge.drain()
        edge.send(encode(batch(21, boot=BOOT, anchors=("a4",))))
        edge.drain()
        save_plan(connection, world.floor_plan(store.id, zones=5))
        versions = "select max(plan_version) from adopted_plan where store_no = %s"
        while connection.execute(versions, [store.no]).fetchone() != (2,):
            time.sleep(0.01)
        edge.send(encode(batch(22, boot=BOOT, anchors=("a4",))))
        edge.drain()
    with connect(store.url) as connection:
        closed = connection.execute("select count(*) from zone_visit where closed_by = 5").fetchone()
        assert closed is not None
        assert closed[0] > 0, "visits that were open are closed at their last signal"
        refused = connection.execute("select sequence, reason from dead_letter").fetchall()
        assert refused == [(21, "unknown_anchor")]
        assert connection.execute("select decoded from engine_progress").fetchone() == (1201,)
        before = stored_visits(connection, store.no)
        connection.execute("delete from engine_snapshot")
        connection.execute("delete from zone_visit")
        connection.execute("delete from store_visit")
    with ingesting(store.url, mqtt_url), connect(store.url) as connection:
        while connection.execute("select count(*) from engine_snapshot").fetchone() == (0,):
            if load_status(connection) is not None and stored_visits(connection, store.no) == before:
                break
            time.sleep(0.01)
    with connect(store.url) as connection:
        assert stored_visits(connection, store.no) == before, "the same plans are taken up at the same places"
        assert connection.execute("select decoded from engine_progress").fetchone() == (1201,)


def test_a_database_without_migrations_says_what_to_run_and_is_waited_for(
    empty_database_url: str, mqtt_url: str
) -> None:
    with structlog.testing.capture_logs() as logs, ingesting(empty_database_url, mqtt_url, subscribed=False) as stop:
        wait_for(lambda: "sojourn migrate" in str(logs) or stop.is_set(), "ingest says what to run")
        migrate(empty_database_url)
        await_subscription(empty_database_url, 0, stop)


def test_a_url_that_is_no_brokers_is_said(database_url: str) -> None:
    with (
        pytest.raises(ConfigurationError, match="mqtt://"),
        ingesting(database_url, "http://127.0.0.1", subscribed=False),
    ):
        pass


def test_a_second_ingest_stands_by_and_takes_over(store: Store, mqtt_url: str, edge: EdgeDouble) -> None:
    with ingesting(store.url, mqtt_url) as first, ingesting(store.url, mqtt_url, subscribed=False):
        edge.send(*walks(7, BOOT, batches=5))
        edge.drain()
        first.set()
        edge.send(encode(batch(6, boot=BOOT)))
        edge.drain()
    with connect(store.url) as connection:
        assert tally(connection, store.id) == Tally(6, 301, 0, 0, 0)
        assert stored_visits(connection, store.no) == cold_replay(connection, store.no)


def test_settings_keep_the_order_that_they_rely_on() -> None:
    settings = Settings()
    assert settings.receive_maximum > settings.commit_messages


def test_what_the_broker_drops_is_told_and_comes_again(store: Store, installed: Installed, tmp_path: Path) -> None:
    """A queue of three messages runs over while nobody reads; then the edge sends again what was never committed."""
    with Mosquitto(installed, tmp_path / "small", queued_messages=3, tell_s=1) as broker:
        with ingesting(store.url, broker.url):
            pass  # its session stays
        edge = EdgeDouble(broker.url, store.id)
        edge.send(*walks(5, BOOT, batches=30))
        edge.await_acknowledged(30)
        with ingesting(store.url, broker.url), connect(store.url) as connection:
            while (status := load_status(connection)) is None or not status.broker_dropped:
                edge.pause(0.05)  # up to two of the broker's own rounds
            edge.drain()
        edge.close()
    with connect(store.url) as connection:
        assert tally(connection, store.id).batches == 30
    assert status.broker_dropped_at is not None


def test_an_ingest_that_compiles_its_kernels_says_so_and_that_it_is_alive(
    store: Store, mqtt_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr("ingest.worker.compile_kernels", lambda _plan: go_on.wait(60))
    with ingesting(store.url, mqtt_url, subscribed=False) as stop, connect(store.url) as connection:
        words: list[IngestStatus] = []
        while len(words) < 3 and not stop.wait(0.02):
            status = load_status(connection)
            if status is not None and (not words or status.changed_at > words[-1].changed_at):
                words.append(status)
        (found,) = (finding for finding in check_database(store.url) if finding.what == "ingest")
        go_on.set()
        while (status := load_status(connection)) is None or not status.broker_connected:
            assert not stop.wait(0.02)
    assert [word.starting for word in words] == [True] * 3
    assert (found.state, found.says[:10]) == ("warn", "It starts:")
    assert not status.starting
    said = capsys.readouterr()
    assert (said.out + said.err).count("compiling kernels, once for this version") == 1


def test_the_first_plan_is_compiled_for_before_it_is_used_and_that_is_told(
    database_url: str, mqtt_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation starts ingest before anybody has loaded a floor plan."""
    go_on = threading.Event()
    asked: list[int] = []

    def slowly(plan: StorePlan) -> None:
        asked.append(len(plan.zones))
        assert go_on.wait(60)

    monkeypatch.setattr("ingest.worker.compile_kernels", slowly)
    with ingesting(database_url, mqtt_url) as stop, connect(database_url) as connection:
        store = add_store(database_url)
        words: set[int] = set()
        while len(words) < 3 and not stop.wait(0.02):
            status = load_status(connection)
            if status is not None and status.starting:
                words.add(status.changed_at)
        assert connection.execute("select count(*) from engine_progress").fetchone() == (0,)
        go_on.set()
        edge = EdgeDouble(mqtt_url, store.id)
        edge.send(*walks(5, BOOT, batches=12))
        edge.drain()
        edge.close()
        while (status := load_status(connection)) is None or status.starting:
            assert not stop.wait(0.02)
    assert asked == [world.ZONES]
    with connect(store.url) as connection:
        assert stored_visits(connection, store.no) == cold_replay(connection, store.no)


def test_an_ingest_that_replays_a_long_log_says_that_it_is_alive(
    store: Store, mqtt_url: str, edge: EdgeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ingesting(store.url, mqtt_url):
        edge.send(*walks(5, BOOT, batches=12))
        edge.drain()

    def slowly(batch: bytes) -> Batch:
        time.sleep(0.1)
        return decode(batch)

    with connect(store.url) as connection:
        connection.execute("delete from engine_snapshot")
        monkeypatch.setattr("ingest.feed._ROWS_A_READ", 2)
        monkeypatch.setattr("ingest.feed.decode", slowly)
        begun = time.time_ns()
        seen = set()
        with ingesting(store.url, mqtt_url, subscribed=False) as stop:
            while (status := load_status(connection)) is None or not status.broker_connected:
                if status is not None and status.started_at > begun and status.starting:
                    seen.add(status.changed_at)
                assert not stop.wait(0.02)
    assert len(seen) >= 3
