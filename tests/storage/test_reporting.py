"""The views that tools may read, and the dashboard that does: every panel's SQL runs as the role that reads alone."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from storage.rollups.keeping import refresh
from tests.fix_api import SeededStore
from tests.metrics.visiting import insert, shoppers

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
