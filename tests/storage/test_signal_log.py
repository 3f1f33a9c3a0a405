import json
import threading
from collections.abc import Iterator, Sequence
from functools import partial

import pytest
from psycopg import errors

from core.dwell.coverage import CoveredHour
from core.floorplan import load
from storage.connect import Connection, connect, in_transaction
from storage.coverage import coverage_hours, gap_signals, save_hours
from storage.instants import to_datetime
from storage.log.signals import (
    GapEntry,
    LogEntry,
    Tally,
    advance_cursors,
    append,
    claim,
    lock_cursors,
    newest_cursors,
    read,
    save_gaps,
    tally,
)
from storage.stores import edge_numbers, load_plans, save_plan

pytestmark = pytest.mark.servers
BOOT = bytes(range(16))
S = 1_000_000_000


@pytest.fixture
def log(database_url: str) -> Iterator[Connection]:
    """A database with store 1 and its edge 1."""
    zones, anchors = [{"id": "z", "kind": "department"}], [{"id": "a", "zone": "z"}]
    plan = {"stores": [{"id": "s", "timezone": "UTC", "zones": zones, "anchors": anchors}]}
    with connect(database_url) as connection:
        save_plan(connection, load(json.dumps(plan)))
        (stored,) = load_plans(connection)
        numbers = in_transaction(connection, lambda c: edge_numbers(c, [(stored.store_no, "e")]))
        assert (stored.store_no, numbers[1, "e"].edge_no) == (1, 1)
        yield connection


def entry(sequence: int, *, boot: bytes = BOOT, signals: int = 3, received_at: int = 1_700_000_000 * S) -> LogEntry:
    heard = received_at if signals else None
    return LogEntry(1, 1, boot, sequence, received_at, signals, heard, heard, b"\1" * 32, b"batch %d" % sequence)


def commit(connection: Connection, entries: Sequence[LogEntry], committed: int, *gaps: GapEntry) -> None:
    def work(connection: Connection) -> None:
        lock_cursors(connection, [(1, BOOT)])
        append(connection, entries)
        save_gaps(connection, gaps)
        advance_cursors(connection, {(1, BOOT): committed})

    in_transaction(connection, work)


def test_batches_are_read_back_in_the_order_in_which_they_were_appended(log: Connection) -> None:
    # received on different days: the chunks of the table must not decide the order
    days = [1_700_000_000 * S + day * 86_400 * S for day in (3, 0, 2, 0, 1)]
    entries = [entry(sequence, received_at=at) for sequence, at in enumerate(days, 1)]
    numbers = in_transaction(log, lambda c: append(c, entries[:2]))
    numbers += in_transaction(log, lambda c: append(c, entries[2:]))
    assert numbers == sorted(set(numbers))
    assert in_transaction(log, lambda c: append(c, [])) == []
    rows = read(log, 1, after=0, most=10)
    assert [(row.log_no, row.edge_no, row.batch) for row in rows] == [
        (number, 1, b"batch %d" % sequence) for sequence, number in enumerate(numbers, 1)
    ]
    assert read(log, 1, after=numbers[1], most=2) == rows[2:4]
    assert read(log, 2, after=0, most=10) == []


def test_a_batch_without_signals_keeps_its_name(log: Connection) -> None:
    in_transaction(log, lambda c: append(c, [entry(1, signals=0)]))
    row = log.execute("select sequence, signals, first_at, last_at from signal_log").fetchone()
    assert row == (1, 0, None, None)


def test_cursors_begin_at_zero_and_only_go_forward(log: Connection) -> None:
    key, other = (1, BOOT), (1, b"\2" * 16)
    assert in_transaction(log, lambda c: lock_cursors(c, [key, other])) == {key: 0, other: 0}
    in_transaction(log, lambda c: advance_cursors(c, {key: 5}))
    in_transaction(log, lambda c: advance_cursors(c, {key: 3}))
    assert in_transaction(log, lambda c: lock_cursors(c, [key])) == {key: 5}
    assert in_transaction(log, lambda c: lock_cursors(c, [])) == {}


def test_the_boots_that_moved_last_are_told(log: Connection) -> None:
    boots = [bytes([number]) * 16 for number in range(1, 6)]
    for number, boot in enumerate(boots, 1):
        in_transaction(log, partial(lock_cursors, keys=[(1, boot)]))
        in_transaction(log, partial(advance_cursors, committed={(1, boot): number}))
    assert newest_cursors(log, [1, 99], 2) == {1: {boots[4]: 5, boots[3]: 4}, 99: {}}


def test_a_locked_cursor_makes_others_wait(log: Connection, database_url: str) -> None:
    waits = threading.Event()
    order: list[str] = []

    def second() -> None:
        with connect(database_url) as connection:
            waits.set()
            in_transaction(connection, partial(lock_cursors, keys=[(1, BOOT)]))
            order.append("second")

    def first(connection: Connection) -> None:
        lock_cursors(connection, [(1, BOOT)])
        thread.start()
        assert waits.wait(10)
        blocked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        with connect(database_url) as observer:
            while observer.execute(blocked).fetchone() == (0,):
                pass
        order.append("first")

    thread = threading.Thread(target=second)
    in_transaction(log, lambda c: lock_cursors(c, [(1, BOOT)]))
    in_transaction(log, first)
    thread.join(10)
    assert order == ["first", "second"]


def test_the_same_row_cannot_stand_twice_at_one_time(log: Connection) -> None:
    in_transaction(log, lambda c: append(c, [entry(1)]))
    with pytest.raises(errors.UniqueViolation):
        in_transaction(log, lambda c: append(c, [entry(1)]))


def test_one_ingest_at_a_time_has_the_log(database_url: str) -> None:
    with connect(database_url, application_name="one") as one, connect(database_url, application_name="two") as two:
        assert claim(one)
        assert not claim(two)
        one.close()
        while not claim(two):
            pass


def test_a_connection_that_was_left_behind_does_not_keep_its_claim(database_url: str) -> None:
    left_behind = connect(database_url, application_name="one")
    assert claim(left_behind)
    with connect(database_url, application_name="one") as again:
        while not claim(again):
            pass
    with left_behind, pytest.raises(errors.OperationalError):
        left_behind.execute("select 1")


def test_the_tally_finds_what_is_missing_and_what_is_there_twice(log: Connection) -> None:
    commit(log, [entry(1), entry(2)], 2)
    assert tally(log, "s") == Tally(2, 6, 0, 0, 0)
    commit(log, [], 4)
    assert tally(log, "s").missing_batches == 2
    commit(log, [entry(2, received_at=1_800_000_000 * S)], 4)
    assert tally(log, "s").duplicate_batches == 1
    assert tally(log, "other") == Tally(0, 0, 0, 0, 0)


def test_dropped_batches_are_known_and_not_missing(log: Connection) -> None:
    gap = GapEntry(1, 1, BOOT, 2, 5, 40, 1_700_000_000 * S, 1_700_000_009 * S, 1_700_000_100 * S)
    commit(log, [entry(1), entry(5, signals=0)], 5, gap)
    assert tally(log, "s") == Tally(2, 3, 0, 0, 40)


def test_what_gaps_claim_together_may_be_more_than_a_bigint_holds(log: Connection) -> None:
    """One that older versions of ingest believed: it must not end every look at the store."""
    most, at = 2**63 - 1, 1_700_000_000 * S
    for boot in (BOOT, bytes(16)):
        save_gaps(log, [GapEntry(1, 1, boot, 1, most, most, at, at, at)])
        lock_cursors(log, {(1, boot)})
        advance_cursors(log, {(1, boot): most})
    assert tally(log, "s") == Tally(0, 0, 0, 0, 2 * most)
    assert gap_signals(log, 1, to_datetime(at), to_datetime(at + S)) == 2 * most
    save_hours(log, 1, [CoveredHour(at // (3600 * S) * 3_600_000_000, 1, 1.0)])
    assert [hour.gap_signals for hour in coverage_hours(log, 1, 1)] == [2 * most]


def test_a_gap_that_grew_after_it_was_sent_hides_nothing_that_is_missing(log: Connection) -> None:
    """An edge that starts anew does not know what it had sent, and may drop it, an older gap included."""
    first = GapEntry(1, 1, BOOT, 2, 3, 40, 1_700_000_000 * S, 1_700_000_009 * S, 1_700_000_100 * S)
    grown = GapEntry(1, 1, BOOT, 1, 5, 60, 1_700_000_000 * S, 1_700_000_019 * S, 1_700_000_200 * S)
    commit(log, [entry(1), entry(3, signals=0)], 3, first)
    commit(log, [entry(5, signals=0)], 5, grown)
    assert tally(log, "s").missing_batches == 0
    commit(log, [], 7)
    assert tally(log, "s").missing_batches == 2
