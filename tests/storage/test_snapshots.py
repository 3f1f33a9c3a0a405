import json
from collections.abc import Iterator
from functools import partial

import pytest

from core.floorplan import load
from storage.connect import Connection, connect, in_transaction
from storage.log.snapshots import GENERATIONS, Snapshot, good_snapshots, save_snapshot
from storage.stores import save_plan

pytestmark = pytest.mark.servers


@pytest.fixture
def store(database_url: str) -> Iterator[Connection]:
    zones, anchors = [{"id": "z", "kind": "department"}], [{"id": "a", "zone": "z"}]
    with connect(database_url) as connection:
        plan = {"stores": [{"id": "s", "timezone": "UTC", "zones": zones, "anchors": anchors}]}
        save_plan(connection, load(json.dumps(plan)))
        yield connection


def save(connection: Connection, *snapshots: Snapshot) -> None:
    for snapshot in snapshots:
        in_transaction(connection, partial(save_snapshot, store_no=1, snapshot=snapshot))


def some(log_no: int) -> Snapshot:
    return Snapshot(log_no, "engine 1", b"state of %d" % log_no * 50, log_no, 2, 3)


def test_two_generations_are_kept_newest_first(store: Connection) -> None:
    save(store, *(some(log_no) for log_no in (3, 7, 12)))
    assert GENERATIONS == 2
    assert list(good_snapshots(store, 1)) == [some(12), some(7)]
    assert list(good_snapshots(store, 2)) == []


def test_a_second_snapshot_of_the_same_place_replaces_the_first(store: Connection) -> None:
    save(store, some(3), Snapshot(3, "engine 2", b"other"))
    assert list(good_snapshots(store, 1)) == [Snapshot(3, "engine 2", b"other")]


@pytest.mark.parametrize(
    "damage",
    [
        "state = substring(state for length(state) - 1)",
        "state = set_byte(state, length(state) / 2, get_byte(state, length(state) / 2) # 1)",
        "state = ''",
        "sha256 = '\\x00'",
        "log_no = 6",
        "decoded = decoded + 1000",
    ],
)
def test_a_torn_or_flipped_snapshot_is_passed_over(store: Connection, damage: str) -> None:
    save(store, some(3), some(7))
    store.execute(f"update engine_snapshot set {damage} where log_no = 7")
    assert list(good_snapshots(store, 1)) == [some(3)]
