"""Visits that are decoded again: late signals, other models, twice, cut off, beside a running engine."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

import ingest.revising
import sojourn
from core.dwell.model import prior_model
from core.records import ClosedBy
from ingest.feed import restore
from ingest.late_revision import revise_late
from storage.connect import Connection, connect, in_transaction
from storage.log.late import late_open, late_stores
from storage.models import adopt_model, save_model, want_model, wishes
from storage.occupancy import occupancy
from storage.revisions import history, revising
from storage.stores import load_plans
from storage.visit_queries import VisitFilter, VisitRow, visits_page
from tests.ingest.conftest import Store
from tests.ingest.late_store import BEGIN, CLERK, HERE, SHOPPER, Heard, LateStore, S, batches, in_pieces

pytestmark = pytest.mark.servers


@pytest.fixture
def connection(store: Store) -> Iterator[Connection]:
    with connect(store.url) as connection:
        yield connection


@pytest.fixture
def late(connection: Connection, store: Store) -> LateStore:
    """The hour and the backlog, as the live engine decoded them."""
    late = LateStore(connection, store.no)
    late.hour()
    late.backlog()
    return late


def command(store: Store, *words: str) -> str:
    result = CliRunner().invoke(
        sojourn.app, ["revise", "--store", store.id, "--quiet", *words], env={"SOJOURN_DATABASE_URL": store.url}
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    """All that the database says about visits, withdrawn ones and history too."""
    found: list[tuple[Any, ...]] = []
    for table in ("zone_visit", "store_visit", "visit_revision"):
        found += connection.execute(f"select * from {table} order by visit_id, revision").fetchall()
    return found


def shoppers(connection: Connection, store: Store) -> list[tuple[int, int, int]]:
    """Zone, entry and exit (s after the beginning) of the shopper's zone visits in force, by entry."""
    return [
        (zone, round(entered - BEGIN / S), round(left - BEGIN / S))
        for zone, entered, left in connection.execute(
            "select zone_no, extract(epoch from entered_at)::float8, extract(epoch from left_at)::float8"
            " from zone_visit where store_no = %s and device = %s and not withdrawn order by entered_at",
            [store.no, UUID(bytes=SHOPPER)],
        ).fetchall()
    ]


def listed(connection: Connection, store: Store) -> dict[UUID, VisitRow]:
    page = visits_page(connection, store.no, VisitFilter(), limit=500)
    return {row.visit_id: row for row in page.visits}


def test_late_signals_become_revisions_with_the_right_dwell(
    store: Store, connection: Connection, late: LateStore
) -> None:
    before = listed(connection, store)
    stood = shoppers(connection, store)
    assert [zone for zone, *_ in stood] in ([0], [0, 0]), "the live engine never heard of z2"
    assert late_open(connection) == 1
    people = occupancy(connection, store.no)
    said = command(store)
    assert "1 spells of presence looked at" in said
    assert shoppers(connection, store) == [(0, 0, 119), (2, 120, 239), (0, 240, 359)]
    now = listed(connection, store)
    others = {name: row for name, row in before.items() if row.zone_no != 0}
    assert {name: now[name] for name in others} == others, "of whom nothing was late stays as it was"
    corrected = [row for row in now.values() if row.revised]
    assert corrected
    for row in corrected:
        told = history(connection, store.no, row.visit_id)
        assert told is not None
        assert told.visit == row
        (change,) = told.changes
        assert (change.revision, change.change, change.reason) == (1, "corrected", "late_signals")
        assert change.before == before[row.visit_id]
    new = [row for name, row in now.items() if name not in before]
    assert all(row.revision == 0 for row in new)
    assert {history(connection, store.no, row.visit_id).changes[0].change for row in new} == {"added"}  # type: ignore[union-attr]
    assert occupancy(connection, store.no) == people


def test_revising_twice_gives_nothing_new_and_a_dry_run_nothing_at_all(
    store: Store, connection: Connection, late: LateStore
) -> None:
    untouched = rows(connection)
    assert "would be revised" in command(store, "--dry-run")
    assert rows(connection) == untouched
    command(store)
    once = rows(connection)
    assert once != untouched
    assert "Nothing changed" in command(store)
    for words in (["--reason", "by_hand"], ["--from", "2026-03-02T09:30", "--until", "2026-03-02T12:00+01:00"]):
        said = command(store, *words)
        assert "Nothing changed" in said, "the window does not matter to what is found"
    assert rows(connection) == once


def test_ingest_revises_what_has_settled_and_closes_the_late_batch(
    store: Store, connection: Connection, late: LateStore
) -> None:
    arrived = BEGIN + late.now_s * S
    assert late_stores(connection, settled_before=arrived, waited_before=0) == []
    assert late_stores(connection, settled_before=arrived + S, waited_before=0) == [store.no]
    assert late_stores(connection, settled_before=0, waited_before=arrived + S) == [store.no]
    found = revise_late(connection, store.no, threading.Event())
    assert found is not None
    assert found.changes > 0
    assert late_open(connection) == 0
    assert shoppers(connection, store) == [(0, 0, 119), (2, 120, 239), (0, 240, 359)]
    assert revise_late(connection, store.no, threading.Event()) is None


def test_a_spell_that_is_not_over_waits(store: Store, connection: Connection) -> None:
    late = LateStore(connection, store.no)
    late.now_s = 3600
    told = [Heard(SHOPPER, "a0", 0, 120), Heard(CLERK, "a1", 0, 600)]
    late.bring("e1", batches(bytes(16), in_pieces(told), HERE))
    late.backlog()
    untouched = rows(connection)
    found = revise_late(connection, store.no, threading.Event())
    assert found is not None
    assert (found.changes, found.rows) == (0, set())
    assert late_open(connection) == 1
    assert rows(connection) == untouched


def test_another_model_changes_nothing_until_it_is_asked_for(
    store: Store, connection: Connection, late: LateStore
) -> None:
    command(store)
    untouched = rows(connection)
    plan = load_plans(connection, [store.id])[0].plan
    model = prior_model(plan)
    swapped = replace(model, level_dbm=model.level_dbm[:, [1, 0, 2, 3]], detection=model.detection[:, [1, 0, 2, 3]])

    def keep(connection: Connection) -> int:
        version = save_model(connection, store.no, swapped, span=None)
        want_model(connection, store.no, version)
        return version

    version = in_transaction(connection, keep)
    (wish,) = wishes(connection).values()
    in_transaction(connection, lambda connection: adopt_model(connection, store.no, wish))
    late.feed.catch_up(connection, stopped=lambda: False)
    late.feed.write(connection)
    assert late.feed.model_version == version
    assert rows(connection) == untouched
    assert "Nothing changed" in command(store, "--reason", "by_hand"), "what was decided was under the priors"
    assert "were revised" in command(store, "--model", "latest")
    once = rows(connection)
    found = connection.execute("select zone_no from zone_visit where not withdrawn and model_version = 1").fetchall()
    assert (1,) in found, "who was before a0 is now in z1"
    reasons = connection.execute("select distinct reason, model_version from visit_revision order by 1").fetchall()
    assert reasons == [("late_signals", 0), ("new_model", version)]
    assert "Nothing changed" in command(store, "--model", "latest")
    assert rows(connection) == once


def test_it_is_all_or_nothing(
    store: Store, connection: Connection, late: LateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    untouched = rows(connection)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ingest.revising, "close_late", cut)
        with pytest.raises(KeyboardInterrupt):
            revise_late(connection, store.no, threading.Event())
    assert rows(connection) == untouched
    assert late_open(connection) == 1
    assert revise_late(connection, store.no, threading.Event()) is not None


def test_an_engine_that_decodes_the_log_again_leaves_revised_visits_alone(
    store: Store, connection: Connection, late: LateStore
) -> None:
    command(store)
    once = rows(connection)
    connection.execute("delete from engine_snapshot")
    feed = restore(connection, store.no)
    feed.catch_up(connection, stopped=lambda: False)
    feed.write(connection)
    assert rows(connection) == once
    assert late_open(connection) == 1, "late batches are kept once"


def test_the_last_customer_of_a_day_is_revised_though_nobody_is_heard_until_the_next(
    store: Store, connection: Connection
) -> None:
    late = LateStore(connection, store.no)
    late.now_s = 20 * 3600
    told = [Heard(SHOPPER, "a0", 0, 120), Heard(SHOPPER, "a0", 240, 360)]
    told.append(Heard(CLERK, "a1", late.now_s, late.now_s + 1200))  # who opens the store next morning
    late.bring("e1", batches(bytes(16), in_pieces(told), HERE))
    late.backlog()
    found = revise_late(connection, store.no, threading.Event())
    assert found is not None
    assert late_open(connection) == 0
    assert shoppers(connection, store) == [(0, 0, 119), (2, 120, 239), (0, 240, 359)]
    reasons = connection.execute("select distinct closed_by from store_visit where revision > 0").fetchall()
    assert reasons in ([], [(int(ClosedBy.SILENCE),)]), "as the live engine says of who fell silent"
    assert "Nothing changed" in command(store)


def test_an_engine_that_finds_the_earlier_entry_again_does_not_bring_the_visit_back(
    store: Store, connection: Connection
) -> None:
    late = LateStore(connection, store.no)
    late.hour()
    late.bring("e3", batches(b"\3" * 16, [Heard(SHOPPER, "a0", -60, 0)], HERE), arrived_s=late.now_s)
    command(store)
    assert shoppers(connection, store)[0][:2] == (0, -60), "the entry is part of the row's key, and has moved"
    once = rows(connection)
    connection.execute("delete from engine_snapshot")
    feed = restore(connection, store.no)
    feed.catch_up(connection, stopped=lambda: False)
    feed.write(connection)
    assert rows(connection) == once


def test_only_one_revises_a_store(store: Store, connection: Connection, late: LateStore) -> None:
    with (
        connect(store.url) as other,
        revising(other, store.no),
        pytest.raises(Exception, match="being revised already"),
    ):
        command(store)
    assert "revised" in command(store)


def test_a_visit_that_is_not_found_again_is_withdrawn_and_comes_back(
    store: Store, connection: Connection, late: LateStore
) -> None:
    command(store)
    names = listed(connection, store)
    # a visit that no signal speaks of, within the shopper's spell
    connection.execute(
        "insert into zone_visit select entered_at + interval '10 s', gen_random_uuid(), store_no, device, 3,"
        " left_at, entered_earliest, entered_latest, left_earliest, left_latest, dwell_s, confidence, signals,"
        " closed_by, 0, forced, model_version from zone_visit where device = %s and zone_no = 2",
        [UUID(bytes=SHOPPER)],
    )
    assert "1 withdrawn" in command(store)
    assert listed(connection, store) == names, "a withdrawn visit counts nowhere"
    gone = connection.execute("select visit_id, revision from zone_visit where withdrawn").fetchall()
    assert [revision for _, revision in gone] == [1]
    told = history(connection, store.no, gone[0][0])
    assert told is not None
    assert told.withdrawn
    # and one that was withdrawn by mistake
    (real,) = [name for name, row in names.items() if row.zone_no == 2]
    connection.execute("update zone_visit set withdrawn = true where visit_id = %s", [real])
    assert "1 restored" in command(store)
    back = listed(connection, store)[real]
    assert back.revision == names[real].revision + 1
    assert back.entered_at == datetime.fromtimestamp(BEGIN // S + 120, UTC)
