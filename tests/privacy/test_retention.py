"""Retention takes away what is too old, by kind, and nothing else; a dry run changes nothing."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from core.dwell.coverage import HOUR_US, CoveredHour
from core.errors import ConfigurationError
from core.privacy.retention import KINDS, cutoff_s, read_policy
from storage.connect import Connection
from storage.coverage import coverage_hours, gap_signals, newest_gaps, save_hours
from storage.instants import to_datetime, to_ns
from storage.log.signals import save_gaps
from storage.privacy.places import PLACES
from storage.privacy.receipts import retention_runs
from storage.privacy.retention import retain
from storage.profiles.profiles import create_profile, withdraw_consent
from storage.rollups.keeping import refresh
from tests.api.seeding import add_visit, device, gap_of
from tests.fix_api import SeededStore


def test_a_policy_is_the_defaults_and_what_is_set() -> None:
    policy = read_policy("signals=14d, visits=6mo")
    assert policy["signals"] == 14
    assert policy["visits"] == 186
    assert policy["notes"] == KINDS["notes"].days
    assert cutoff_s(policy, "signals", 14 * 86_400.0) == 0


@pytest.mark.parametrize("text", ["signal=3d", "signals=1d", "visits=x", "visits=10", "notes=-3d", "cues=1000y"])
def test_a_policy_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        read_policy(text)


def test_every_kind_of_the_registry_is_one_of_the_policy() -> None:
    said = {place.kept for place in PLACES}
    assert KINDS.keys() - said == {"dead_letters", "receipts"}, "kinds without people"


@pytest.mark.servers
def test_what_is_too_old_goes_and_counts_stand(store: SeededStore) -> None:
    connection, at = store.connection, store.now
    for days in (500, 450, 20):
        for number in range(12):
            add_visit(connection, store.plan, store.store_no, pseudonym=device(number + 1),
                      entered_at=at - timedelta(days=days, seconds=number), dwell_s=60)  # fmt: skip
    for days in (450, 20):  # one of them goes a way of her own
        for number, zone in enumerate(store.plan.zones[:2]):
            add_visit(connection, store.plan, store.store_no, pseudonym=device(1), zone=zone.id,
                      entered_at=at - timedelta(days=days, seconds=-30 * number), dwell_s=30)  # fmt: skip
    refresh(connection, most_days=50)
    assert [_few(connection, table) for table in ("path_rollup", "flow_rollup")] == [2, 2]
    for days in (60, -20):
        connection.execute(
            "insert into signal_log (received_at, log_no, store_no, edge_no, boot, sequence, signals, sha256, batch)"
            " values (%s, 1, %s, 1, %s, 1, 0, 'x', '')",
            [at - timedelta(days=days), store.store_no, UUID(int=1)],
        )
        connection.execute(
            "insert into dead_letter (received_at, store, edge, reason, signals, detail, bytes, sha256)"
            " values (%s, 's', 'e', 'x', 0, '{}', 1, %s)",
            [at - timedelta(days=2 * days), str(days).encode()],
        )
    gone = create_profile(connection, display_name="Gone", devices=[], granted_at=at - timedelta(days=90))
    here = create_profile(connection, display_name="Here", devices=[], granted_at=at - timedelta(days=90))
    withdraw_consent(connection, gone, source="app", wording="1", at=at - timedelta(days=80))
    connection.execute(
        "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at, recorded_at)"
        " values (%s, 'in_store_journey', 'withdrawn', 'mail', '1', %s, %s)",
        [
            gone,
            at - timedelta(days=79),
            at + timedelta(days=39),
        ],  # said again: it puts nothing off
    )
    _notes(store, here)
    policy = read_policy("")
    later = at + timedelta(days=40)  # the words of the ledger are of today

    def found(*, dry_run: bool) -> dict[str, int]:
        return {kept.table: kept.count for kept in retain(connection, policy, later, dry_run=dry_run)}

    # what no snapshot covers is still needed, however old it is
    assert "signal_log" not in found(dry_run=True)
    connection.execute(
        "insert into engine_snapshot (store_no, log_no, engine, decoded, late, repeated, sha256, state)"
        " values (%s, 1, 'x', 0, 0, 0, 'x', '')",
        [store.store_no],
    )
    first = found(dry_run=True)
    assert first == {"signal_log": 1, "store_visit": 2, "zone_visit": 1, "note": 1, "profile": 1, "dead_letter": 1}
    assert found(dry_run=False) == first
    assert found(dry_run=False) == {}
    assert connection.execute("select count(*) from store_visit").fetchone() == (12,)
    assert connection.execute("select count(*) from signal_log").fetchone() == (1,)
    assert connection.execute("select count(*) from note").fetchone() == (2,)
    assert _few(connection, "path_rollup") == 1, "gone with the visits"
    assert _few(connection, "flow_rollup", "day < now() - interval '400 days' and (people, moves) <> (1, 1)") == 0
    assert _few(connection, "visit_rollup", "day < now() - interval '400 days' and dwell_ms > 0") == 0
    assert _few(connection, "visit_rollup", "dwell_ms > 0") > 0, "what has its visits yet"
    counted = "select count(distinct day), min(people) from visit_rollup where not hourly and scope = -1"
    assert connection.execute(counted).fetchone() == (3, 12)
    connection.execute("select recount_store(%s)", [store.store_no])
    refresh(connection, most_days=50)
    assert connection.execute(counted).fetchone() == (3, 12), "a change of the store counts no day without its visits"
    assert {(one.kind, one.rows, one.unit) for one in retention_runs(connection)} >= {
        ("signals", 1, "chunks"), ("visits", 2, "chunks"), ("withdrawn", 1, "people"),
    }  # fmt: skip
    waits = connection.execute("select source, state from erasure").fetchall()
    assert waits == [("retention", "waiting")]


@pytest.mark.servers
def test_what_edges_dropped_is_told_as_long_as_coverage_is(store: SeededStore) -> None:
    """Without its gap an hour of which signals were lost would look as heard as any other."""
    connection, hour_us = store.connection, to_ns(store.now) // 1_000 // HOUR_US * HOUR_US
    begins = to_datetime(hour_us * 1_000)
    save_hours(connection, store.store_no, [CoveredHour(hour_us, HOUR_US, 1.0)])
    save_gaps(
        connection,
        [gap_of(connection, store.store_no, hour_us * 1_000, hour_us * 1_000 + 10**9, signals=70, last=3)],
    )
    for days in (20, 40, 500, 5_000):
        retain(connection, read_policy(""), store.now + timedelta(days=days))
        assert [hour.gap_signals for hour in coverage_hours(connection, store.store_no, 1)] == [70], f"{days} days on"
        assert [gap.signals for gap in newest_gaps(connection, store.store_no, None)] == [70]
        assert gap_signals(connection, store.store_no, begins, begins + timedelta(hours=1)) == 70


def _few(connection: Connection, table: str, more: str = "true") -> int:
    """How many counts of fewer than ten people there are."""
    row = connection.execute(f"select count(*) from {table} where people < 10 and {more}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def _notes(store: SeededStore, profile: UUID) -> None:
    """An old one, an old one with an open task, and a new one."""
    for days, task in ((900, False), (900, True), (1, False)):
        note = uuid4()
        store.connection.execute(
            "insert into note (note_id, asked_sha256, profile_id, noted_at, operator, source, purpose, subject,"
            " detail, tags, feeling_read) values (%s, 'x', %s, %s, 'Ada', 'staff', 'service', 'a', 'b', '{}',"
            ' \'{"feeling": "neutral"}\')',
            [note, profile, datetime.now(UTC) - timedelta(days=days)],
        )
        if task:
            store.connection.execute(
                "insert into follow_up (follow_up_id, note_id, operator, due_at, timezone, instructions, made_at)"
                " values (%s, %s, 'Ada', now(), 'UTC', 'Call', now())",
                [uuid4(), note],
            )
