"""The views that tools may read, and the dashboard that does: every panel's SQL runs as the role that reads alone."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core.records import Role
from storage.rollups.keeping import refresh
from tests.api.seeding import add_presence, device
from tests.fix_api import SeededStore
from tests.metrics.visiting import Stay, insert, shoppers

pytestmark = pytest.mark.servers
DASHBOARDS = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "dashboards"
_MACROS = (
    (r"\$__timeFilter\((\w+)\)", r"\1 between '2026-10-20' and '2026-10-27'"),
    (r"\$__timeFrom\(\)", "'2026-10-20'"),
    (r"\$__timeTo\(\)", "'2026-10-27'"),
    (r"\$store", "marktplatz"),
)


def statements() -> list[tuple[str, str]]:
    found = []
    for path in sorted(DASHBOARDS.glob("*.json")):
        board = json.loads(path.read_text())
        found += [(one["name"], one["query"]) for one in board["templating"]["list"]]
        found += [(panel["title"], target["rawSql"]) for panel in board["panels"] for target in panel["targets"]]
    return found


def run(connection: Any, statement: str) -> list[Any]:
    for macro, value in _MACROS:
        statement = re.sub(macro, value, statement)
    assert "$" not in statement, statement
    rows: list[Any] = connection.execute(statement).fetchall()
    return rows


def test_every_panel_runs_as_the_reader_and_tells_nothing_of_a_few(store: SeededStore) -> None:
    insert(store.connection, store.store_no, shoppers(store.plan, date(2026, 10, 24), 90, seed=1))
    insert(store.connection, store.store_no, shoppers(store.plan, date(2026, 10, 25), 6, seed=2, first_number=9_000))
    refresh(store.connection, most_days=10)
    with psycopg.connect(store.database_url, autocommit=True) as reader:
        reader.execute("set role sojourn_reader")
        answers = {name: run(reader, statement) for name, statement in statements()}
        assert len(answers) >= 13
        assert [row[1] for row in answers["Visits by day"]] == [90], "the day of six people is not told"
        assert sum(row[1] for row in answers["Visits by hour"]) <= 90
        assert answers["Most at once, by hour"]
        assert answers["Moves from zone to zone"]
        few = reader.execute(
            "select count(*) from reporting.visit_hour where people < 10 or (not told and visits > 0)"
        )
        assert few.fetchone() == (0,)
        for forbidden in ("select * from zone_visit", "select * from profile", "select * from public.presence"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(forbidden)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("delete from reporting.store")


def test_an_hour_stands_there_once_nobody_of_it_is_under_way(store: SeededStore) -> None:
    """Counted crowds are of visits that are over: an hour that runs seemed to end in an empty store."""
    noon = datetime(2026, 10, 24, 12, tzinfo=UTC)
    hours = [noon + timedelta(hours=number) for number in range(4)]
    stays = [
        Stay(100 * number + who, 100 * number + who, None, at + timedelta(minutes=who), 600)
        for number, at in enumerate(hours)
        for who in range(20)
    ]
    insert(store.connection, store.store_no, stays)
    refresh(store.connection, most_days=10)
    now = noon + timedelta(hours=3, minutes=40)
    store.connection.execute(
        "insert into engine_progress (store_no, log_no, decoded, late, repeated, decided_through)"
        " values (%s, 1, 1, 0, 0, %s)",
        [store.store_no, now],
    )
    with psycopg.connect(store.database_url, autocommit=True) as reader:
        reader.execute("set role sojourn_reader")

        def told() -> list[datetime]:
            rows = reader.execute(
                "select begins_at, most from reporting.crowd_hour where store = 'marktplatz' order by 1"
            ).fetchall()
            return [at for at, most in rows if most]

        def be_there(who: int, since: datetime, role: Role = Role.VISITOR) -> None:
            add_presence(
                store.connection, store.plan, store.store_no, pseudonym=device(who), zone="men", arrived_at=since,
                in_zone_since=since, last_signal_at=now, role=role,
            )  # fmt: skip

        assert told() == hours
        be_there(900, noon, Role.STAFF)
        be_there(901, noon - timedelta(hours=9))
        be_there(902, noon)
        stock = next(place for place, zone in enumerate(store.plan.zones) if zone.kind == "staff_only")
        insert(store.connection, store.store_no, [Stay(7_000, 902, stock, noon, 700)])
        assert told() == hours, "staff, and who is here for nine hours, are in no crowd"
        be_there(903, now - timedelta(hours=1))
        assert told() == hours[:2]
        store.connection.execute("delete from presence where device = %s", [device(903).hex()])
        began = now - timedelta(hours=1)
        insert(store.connection, store.store_no, [Stay(7_001, 903, 1, began, 55 * 60)])
        assert told() == hours[:2], "who left five minutes ago is not counted yet"
        insert(store.connection, store.store_no, [Stay(7_002, 903, None, began, 55 * 60)])
        assert told() == hours


def test_whoever_reads_figures_acts_in_nobody_elses_right(store: SeededStore) -> None:
    """A function that acts for its owner would let a dashboard write, the audit log first of all."""
    rows = store.connection.execute(
        "select proname, has_function_privilege('sojourn_reader', oid, 'execute') from pg_proc"
        " where prosecdef and pronamespace = 'public'::regnamespace"
    ).fetchall()
    assert "audit_enter" in {name for name, _ in rows}
    assert [name for name, may in rows if may] == []
    with psycopg.connect(store.database_url, autocommit=True) as reader:
        reader.execute("set role sojourn_reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute('select public.audit_enter(\'{"actor": "ada", "kind": "profile.read"}\')')


def test_whoever_reads_figures_holds_up_no_work(store: SeededStore) -> None:
    """By an advisory lock one process at a time erases, chains the audit, ingests: whoever holds it stops that."""
    with psycopg.connect(store.database_url, autocommit=True) as other:
        other.execute("set role sojourn_reader")
        for take in ("pg_try_advisory_lock(1)", "pg_advisory_lock(1, 2)", "pg_try_advisory_xact_lock_shared(1)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                other.execute(f"select {take}")
        other.execute("reset role")
        for role in ("crm_own", "privacy_everywhere", "operations_everywhere", "edge_own", "admin_everywhere"):
            other.execute(f"set role sojourn_{role}")
            assert other.execute("select pg_try_advisory_xact_lock(1)").fetchone() == (True,), role
            other.execute("reset role")
