import json
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from core.floorplan import StorePlan, load
from core.records import PRESENCE, VISIT, ClosedBy, Role, VisitKind
from storage.connect import Connection, connect, in_transaction
from storage.stores import save_plan
from storage.visits import (
    Progress,
    clear_presence,
    save_presence,
    save_progress,
    save_visits,
    visit_id,
    visit_ids,
)

S = 1_000_000_000
NOON = 1_700_000_000 * S
_PLAN = {
    "stores": [
        {
            "id": "s",
            "timezone": "UTC",
            "zones": [{"id": "z0", "kind": "entrance"}, {"id": "z1", "kind": "shelf"}],
            "anchors": [{"id": "a", "zone": "z0"}],
        }
    ]
}
PLAN: StorePlan = load(json.dumps(_PLAN)).stores[0]
DEVICES = np.arange(48, dtype=np.uint8).reshape(3, 16)


def visit(**given: Any) -> NDArray[Any]:
    row = np.zeros(1, VISIT)
    defaults = {"entered_at": NOON, "left_at": NOON + 90 * S, "signals": 7, "confidence": 0.5, "zone": 1}
    for name, value in (defaults | given).items():
        row[name] = value
    return row


def presence(device: int, zone: int = 0, last_signal_at: int = NOON) -> NDArray[Any]:
    row = np.zeros(1, PRESENCE)
    row["device"], row["zone"], row["last_signal_at"] = device, zone, last_signal_at
    row["arrived_at"] = row["in_zone_since"] = NOON
    return row


@pytest.fixture
def store(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        save_plan(connection, load(json.dumps(_PLAN)))
        yield connection


def save(connection: Connection, visits: NDArray[Any]) -> int:
    devices = DEVICES[visits["device"]]
    return in_transaction(connection, lambda c: save_visits(c, 1, PLAN, visits, devices))


def test_the_id_of_a_visit_is_what_it_was_in_every_version() -> None:
    said = b"s\0zone\0z1\0" + bytes(16) + (5).to_bytes(8, "little")
    expected = blake2b(said, digest_size=16, person=b"sojourn-visit").digest()
    assert visit_id("s", VisitKind.ZONE, bytes(16), "z1", 5) == expected


def test_ids_differ_in_each_of_their_parts() -> None:
    ids = {
        visit_id(*parts)
        for parts in (
            ("s", VisitKind.ZONE, bytes(16), "z", 5),
            ("s2", VisitKind.ZONE, bytes(16), "z", 5),
            ("s", VisitKind.STORE, bytes(16), "", 5),
            ("s", VisitKind.ZONE, b"\1" * 16, "z", 5),
            ("s", VisitKind.ZONE, bytes(16), "y", 5),
            ("s", VisitKind.ZONE, bytes(16), "z", 6),
        )
    }
    assert len(ids) == 6


def test_ids_of_an_array_are_those_of_its_rows() -> None:
    visits = np.concatenate([visit(device=1), visit(device=2, zone=-1, kind=1, entered_at=-5)])
    found = visit_ids(PLAN, visits, DEVICES[visits["device"]])
    assert found[0].tobytes() == visit_id("s", VisitKind.ZONE, DEVICES[1].tobytes(), "z1", NOON)
    assert found[1].tobytes() == visit_id("s", VisitKind.STORE, DEVICES[2].tobytes(), "", -5)


@pytest.mark.servers
def test_visits_arrive_with_every_column(store: Connection) -> None:
    bounds = {"entered_earliest": 1 * S, "entered_latest": 2 * S, "left_earliest": 3 * S, "left_latest": 4 * S}
    one = visit(device=1, closed_by=ClosedBy.SILENCE, revision=2, forced=1, role=Role.STAFF, **bounds)
    other = visit(device=2, zone=-1, kind=VisitKind.STORE, closed_by=ClosedBy.APP_EXIT, role=Role.FIXTURE)
    assert save(store, np.concatenate([one, other])) == 2
    columns = (
        "device, extract(epoch from entered_at)::bigint, extract(epoch from left_at)::bigint,"
        " extract(epoch from entered_earliest)::int, extract(epoch from entered_latest)::int,"
        " extract(epoch from left_earliest)::int, extract(epoch from left_latest)::int,"
        " dwell_s, confidence, signals, closed_by, revision, forced, role"
    )
    zone = store.execute(f"select zone_no, {columns} from zone_visit").fetchall()
    device = UUID(bytes=DEVICES[1].tobytes())
    assert zone == [(1, device, NOON // S, NOON // S + 90, 1, 2, 3, 4, 90.0, 0.5, 7, 1, 2, True, 2)]
    whole = store.execute(f"select {columns} from store_visit").fetchall()
    device = UUID(bytes=DEVICES[2].tobytes())
    assert whole == [(device, NOON // S, NOON // S + 90, 0, 0, 0, 0, 90.0, 0.5, 7, 3, 0, False, 1)]


@pytest.mark.servers
def test_the_same_visits_again_change_nothing(store: Connection) -> None:
    visits = np.concatenate([visit(device=n, entered_at=NOON + n * S) for n in range(3)])
    assert save(store, visits) == 3
    assert save(store, visits) == 0
    assert save(store, visits[:0]) == 0
    assert store.execute("select count(*) from zone_visit").fetchone() == (3,)


@pytest.mark.servers
@pytest.mark.parametrize(("revision", "expected"), [(0, 90.0), (1, 90.0), (2, 60.0)])
def test_only_a_higher_revision_replaces(store: Connection, revision: int, expected: float) -> None:
    save(store, visit(revision=1))
    save(store, visit(revision=revision, left_at=NOON + 60 * S))
    assert store.execute("select dwell_s from zone_visit").fetchall() == [(expected,)]


@pytest.mark.servers
def test_a_visit_and_its_correction_may_come_together(store: Connection) -> None:
    save(store, np.concatenate([visit(revision=1, left_at=NOON + 60 * S), visit(revision=0)]))
    assert store.execute("select dwell_s, revision from zone_visit").fetchall() == [(60.0, 1)]


@pytest.mark.servers
def test_two_stores_may_be_saved_in_one_transaction(store: Connection) -> None:
    def both(connection: Connection) -> None:
        save_visits(connection, 1, PLAN, visit(device=1), DEVICES[1:2])
        save_visits(connection, 2, PLAN, visit(device=2), DEVICES[2:3])

    in_transaction(store, both)
    assert store.execute("select store_no, count(*) from zone_visit group by 1 order by 1").fetchall() == [
        (1, 1),
        (2, 1),
    ]


@pytest.mark.servers
def test_somebody_who_is_there_turns_out_to_be_staff(store: Connection) -> None:
    row = presence(0)
    for role in (Role.VISITOR, Role.STAFF):
        row["role"] = role
        in_transaction(store, lambda c: save_presence(c, 1, row, DEVICES[:1], DEVICES[:0]))
        assert store.execute("select role from presence").fetchall() == [(role,)]


@pytest.mark.servers
def test_presence_is_written_replaced_and_removed(store: Connection) -> None:
    def write(changed: list[NDArray[Any]], gone: list[int]) -> list[tuple[Any, ...]]:
        rows = np.concatenate([np.empty(0, PRESENCE), *changed])
        in_transaction(store, lambda c: save_presence(c, 1, rows, DEVICES[rows["device"]], DEVICES[gone]))
        return store.execute("select device, zone_no from presence order by device").fetchall()

    one, two, three = (UUID(bytes=device.tobytes()) for device in DEVICES)
    assert write([presence(0), presence(1)], []) == [(one, 0), (two, 0)]
    assert write([presence(1, zone=1), presence(2)], [0]) == [(two, 1), (three, 0)]
    assert write([], []) == [(two, 1), (three, 0)]
    clear_presence(store, 2)
    assert write([], [1]) == [(three, 0)]
    clear_presence(store, 1)
    assert write([], []) == []


@pytest.mark.servers
def test_progress_is_one_row_a_store(store: Connection) -> None:
    for progress in (Progress(5, 10, 1, 2, None), Progress(6, 20, 3, 4, NOON)):
        in_transaction(store, partial(save_progress, store_no=1, progress=progress))
    row = store.execute(
        "select log_no, decoded, late, repeated, extract(epoch from decided_through)::bigint from engine_progress"
    ).fetchall()
    assert row == [(6, 20, 3, 4, NOON // S)]
