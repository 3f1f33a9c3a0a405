"""From a status to the log, the engine and the page's tables."""

import json
import time
from typing import Any

import msgspec
import pytest

from core.limits import NS_PER_S, NS_PER_US
from core.wire import decode
from ingest.heartbeats import judge
from ingest.messages import Said, Status, read
from storage.connect import Connection, connect
from storage.log.dead_letters import DeadLetter
from storage.log.edge_status import EdgeChange, EdgeState, edge_changes
from storage.stores import adopted_plans, save_plan
from tests.ingest import world
from tests.ingest.conftest import Store, ingesting
from tests.ingest.edge_double import EdgeDouble
from tests.ingest.test_messages import Received
from tests.ingest.test_models import forget_derived
from tests.ingest.world import cold_replay, stored_visits, walks

BOOT = b"\7" * 16
OTHER = b"\10" * 16
NOW_US = 1_795_341_600_000_000
NOW = NOW_US * NS_PER_US
ANCHORS = ("a0", "a1")


def status(state: str, *, boot: bytes = BOOT, at_us: int = NOW_US, **more: Any) -> Status:
    said = {"state": state, "boot": boot.hex(), "at_us": at_us, "anchors": ANCHORS, "backlog": 0} | more
    return msgspec.convert(said, Status)


def after(before: EdgeState, said: Status, received: int = NOW) -> tuple[EdgeState, list[EdgeChange]]:
    return judge(before, said, received, store_no=1, edge_no=2)


def alive(**seconds_ago: float) -> dict[str, Any]:
    at_us = {anchor: NOW_US - int(ago * 1e6) for anchor, ago in seconds_ago.items()}
    return {"v": 1, "every_s": 10, "at_us": at_us}


def test_the_same_again_is_no_change() -> None:
    state, changes = after(EdgeState(), status("online"))
    assert [(one.state, one.anchors_down, one.anchors_up) for one in changes] == [("online", (), ())]
    assert after(state, status("online", at_us=NOW_US + 10_000_000, backlog=7)) == (state, [])


def test_an_anchor_is_down_when_three_heartbeats_are_missing_and_not_before() -> None:
    state, _ = after(EdgeState(), status("online", alive=alive(a0=30, a1=1)))
    assert state.anchors_down == frozenset()
    state, (change,) = after(state, status("online", alive=alive(a0=30.000001, a1=1)))
    assert (change.anchors_down, change.anchors_up) == (("a0",), ())
    assert change.at == NOW - 30_000_001_000, "since its last sign of life"
    state, (change,) = after(state, status("online", alive=alive(a0=1, a1=1)))
    assert (change.anchors_down, change.anchors_up, change.at) == ((), ("a0",), NOW)
    assert state.anchors_down == frozenset()


def test_one_falls_while_another_rises() -> None:
    state, _ = after(EdgeState(), status("online", alive=alive(a0=60, a1=1)))
    _, changes = after(state, status("online", alive=alive(a0=1, a1=60)))
    assert [(one.anchors_down, one.anchors_up) for one in changes] == [((), ("a0",)), (("a1",), ())]


@pytest.mark.parametrize(("backlog", "drained"), [(0, True), (3, False), (None, False)])
def test_a_stop_is_drained_only_with_nothing_left(backlog: int | None, drained: bool) -> None:
    before, _ = after(EdgeState(), status("online"))
    _, (change,) = after(before, status("stopped", backlog=backlog))
    assert (change.state, change.drained, change.anchors_down) == ("stopped", drained, ANCHORS)


def test_a_last_will_is_never_drained_and_is_taken_back_by_the_same_boot() -> None:
    online, _ = after(EdgeState(), status("online"))
    # the will was written when the connection began: its time and backlog say nothing
    gone, (change,) = after(online, status("offline", at_us=NOW_US - 10**9), NOW + 5 * NS_PER_S)
    assert (change.drained, change.anchors_down, change.at) == (False, ANCHORS, NOW + 5 * NS_PER_S)
    back, (change,) = after(gone, status("online", at_us=NOW_US + 60_000_000), NOW + 60 * NS_PER_S)
    assert (change.anchors_up, change.at) == (ANCHORS, NOW + 5 * NS_PER_S), "it has listened all the while"
    assert back.anchors_down == frozenset()
    _, (change,) = after(gone, status("online", boot=OTHER, at_us=NOW_US + 60_000_000), NOW + 60 * NS_PER_S)
    assert (change.anchors_up, change.at) == (ANCHORS, NOW + 60 * NS_PER_S), "it was off"


def test_a_clock_that_is_ahead_does_not_put_a_change_off() -> None:
    _, (change,) = after(EdgeState(), status("stopped", at_us=NOW_US + 10**12))
    assert change.at == NOW


def test_a_word_or_a_version_of_a_newer_edge_is_passed_over() -> None:
    before, _ = after(EdgeState(), status("online"))
    assert after(before, status("updating")) == (before, [])
    newer = alive(a0=60) | {"v": 2}
    assert after(before, status("online", alive=newer)) == (before, [])
    _, (change,) = after(EdgeState(), status("online", boot=b"short"))
    assert change.state == "online"


def test_old_edges_without_it_and_new_ones_with_it_can_be_read() -> None:
    topic = "sojourn/1/s/e/status"
    old = read(Received(b'{"state":"online","at_us":5}', topic=topic))
    assert isinstance(old, Said)
    assert old.status.alive is None
    new = read(Received(b'{"state":"online","alive":{"v":1,"every_s":10,"at_us":{"a":5},"extra":1}}', topic=topic))
    assert isinstance(new, Said)
    assert new.status.alive is not None
    assert new.status.alive.at_us == {"a": 5}
    for broken in (b'{"state":"online","at_us":9999999999999999}', b'{"state":"online","alive":{"v":1}}'):
        assert isinstance(read(Received(broken, topic=topic)), DeadLetter)


def await_changes(connection: Connection, store: Store, count: int) -> list[EdgeChange]:
    while len(found := edge_changes(connection, store.no, after=0)) < count:
        time.sleep(0.01)
    return found


@pytest.mark.servers
def test_changes_stand_in_the_order_of_the_log_and_are_replayed(
    store: Store, mqtt_url: str, edge: EdgeDouble
) -> None:
    sent = list(walks(31, BOOT, batches=120))
    begin_us = int(decode(sent[0]).ts.min()) // 1000
    live: dict[str, Any] = {"boot": BOOT.hex(), "anchors": ["a0", "a1", "a2", "a3"], "backlog": 0}

    def at(batch: int) -> int:
        return begin_us + batch * world.BATCH_S * 1_000_000

    with ingesting(store.url, mqtt_url), connect(store.url) as connection:
        edge.hello(**live, at_us=at(0))
        edge.send(*sent[:60])
        edge.drain()
        said = {"v": 1, "every_s": 10, "at_us": dict.fromkeys(("a0", "a2", "a3"), at(60)) | {"a1": at(55)}}
        edge.hello(**live, at_us=at(60), alive=said)
        await_changes(connection, store, 2)
        edge.send(*sent[60:90])
        edge.drain()
        edge.hello("offline", **live, at_us=at(0))
        await_changes(connection, store, 3)
        edge.hello(**live, at_us=at(90))
        await_changes(connection, store, 4)
        edge.send(*sent[90:])
        edge.drain()
        edge.hello("stopped", **live, at_us=at(120))
        changes = await_changes(connection, store, 5)
        faults = "select array_agg(anchor || ' ' || state order by anchor) from anchor_fault"
        while connection.execute(faults).fetchone() != (["a0 down", "a1 down", "a2 down", "a3 down"],):
            time.sleep(0.01)
    assert [(one.state, one.drained, one.anchors_down, one.anchors_up) for one in changes] == [
        ("online", False, (), ()),
        ("online", False, ("a1",), ()),
        ("offline", False, ("a0", "a2", "a3"), ()),
        ("online", False, (), ("a0", "a1", "a2", "a3")),
        ("stopped", True, ("a0", "a1", "a2", "a3"), ()),
    ]
    assert changes[1].at == at(55) * NS_PER_US
    with connect(store.url) as connection:
        found = stored_visits(connection, store.no)
        assert len(found) > 12
        assert found == cold_replay(connection, store.no)
        order = connection.execute(
            "select log_no from signal_log union all select log_no from edge_change order by 1"
        ).fetchall()
        assert len({row[0] for row in order}) == len(order) == 125
        hours = "select begins_at, covered_s, share from coverage_hour order by 1"
        covered = connection.execute(hours).fetchall()
        assert sum(row[1] for row in covered) == pytest.approx(1200 - world.BATCH_S, abs=5)
        mean = sum(row[1] * row[2] for row in covered) / sum(row[1] for row in covered)
        assert 0.5 < mean < 1, "one of four was down for a while, which may lie in one hour of two"
        forget_derived(connection)
        connection.execute("delete from coverage_hour")
        connection.execute("delete from anchor_fault")
    with ingesting(store.url, mqtt_url), connect(store.url) as connection:
        until = time.monotonic() + 60
        while connection.execute("select count(*) from engine_progress").fetchone() == (0,):
            assert time.monotonic() < until
            time.sleep(0.01)
    with connect(store.url) as connection:
        assert stored_visits(connection, store.no) == found
        assert connection.execute(hours).fetchall() == covered, "a replay of the log covers the same"
        assert connection.execute("select count(*) from anchor_fault").fetchone() == (4,)


@pytest.mark.servers
def test_visits_of_a_store_do_not_wait_for_an_edge_that_stopped(
    store: Store, mqtt_url: str, edge: EdgeDouble
) -> None:
    north, south = (list(walks(32, boot, batches=40, anchors=anchors)) for boot, anchors in (
        (BOOT, range(2)), (OTHER, range(2, 4)),
    ))  # fmt: skip
    other = EdgeDouble(mqtt_url, store.id, "e2")
    newest_us = int(decode(north[-1]).ts.max()) // 1000
    decided = "select (extract(epoch from decided_through) * 1000000)::bigint from engine_progress"
    with ingesting(store.url, mqtt_url), connect(store.url) as connection:
        for one in (edge, other):
            one.hello(backlog=20)
            one.await_word(1)
        edge.send(*north[:20])
        edge.drain()
        other.send(*south[:20])
        other.drain()
        other.hello("stopped", boot=OTHER.hex(), backlog=0, anchors=["a2", "a3"])
        await_changes(connection, store, 3)
        edge.send(*north[20:])
        edge.drain()
    other.close()
    with connect(store.url) as connection:
        assert connection.execute("select late from engine_progress").fetchone() == (0,)
        watermark_us = newest_us - 30_000_000
        last = connection.execute("select max((extract(epoch from left_at) * 1000000)::bigint) from zone_visit")
        assert connection.execute(decided).fetchone() is not None
        (left_us,) = last.fetchone() or (0,)
        assert left_us > int(decode(south[19]).ts.max()) // 1000, "visits after the stop are decided"
        assert left_us < watermark_us + 30_000_000
        assert stored_visits(connection, store.no) == cold_replay(connection, store.no)


@pytest.mark.servers
def test_what_is_known_of_anchors_outlives_a_change_of_the_plan(
    store: Store, mqtt_url: str, edge: EdgeDouble
) -> None:
    sent = list(walks(33, BOOT, batches=40))
    with ingesting(store.url, mqtt_url), connect(store.url) as connection:
        edge.send(*sent[:30])
        edge.drain()
        at_us = int(decode(sent[29]).ts.max()) // 1000
        heard = {"v": 1, "every_s": 5, "at_us": {"a3": at_us - 60_000_000}}
        edge.hello(boot=BOOT.hex(), at_us=at_us, anchors=["a0", "a1", "a2", "a3"], backlog=0, alive=heard)
        await_changes(connection, store, 1)
        save_plan(connection, world.floor_plan(store.id, zones=5))
        while len(adopted_plans(connection, store.no)) < 2:
            time.sleep(0.01)
        edge.send(*sent[30:])
        edge.drain()
    with connect(store.url) as connection:
        state = "select state from anchor_fault where anchor = 'a3'"
        assert connection.execute(state).fetchone() == ("down",)
        detail = connection.execute("select status from edge").fetchone()
    assert detail is not None
    assert json.loads(json.dumps(detail[0]))["alive"]["every_s"] == 5
