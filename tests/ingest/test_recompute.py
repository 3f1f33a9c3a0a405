"""Days of several stores decoded again at once: as `sojourn revise` and as a live engine would, whoever is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

import sojourn
from core.dwell.model import Model, prior_model
from ingest import revising
from ingest.recompute import recompute, task
from ingest.revising import Outcome
from storage.connect import Connection, connect, in_transaction
from storage.models import adopt_model, save_model, want_model, wishes
from storage.privacy.erasing import begin_job, work_all
from storage.privacy.keys import PrivacyFolder
from storage.recompute.runs import Asked, open_run, standing, waiting
from storage.stores import load_plans
from tests.api.serving import free_port, wait_for
from tests.ingest.conftest import Store, add_store
from tests.ingest.late_store import BEGIN, HERE, OTHER, SHOPPER, Heard, LateStore, S, batches, in_pieces

pytestmark = pytest.mark.servers

DAY = 24 * 3600 * S
MONDAY = BEGIN // DAY * DAY
ASKED = Asked(MONDAY, MONDAY + 3 * DAY, "latest", (), None)
WORDS = ("recompute", "--from", "2026-03-02", "--to", "2026-03-04", "--model", "latest", "--quiet")
_NIGHT_S = 14 * 3600  # from BEGIN to midnight


def told() -> list[Heard]:
    """Three days: two shoppers are in the store at a midnight, others before and after, a clerk every six hours.

    Pseudonyms are those of a day. A tag that keeps its own brings what is known of its level into the next day, 36
    hours of it live and 12 here (docs/scale-database.md).
    """
    other, late, clerks = bytes([4]) * 16, bytes([5]) * 16, [bytes([100 + hour]) * 16 for hour in range(0, 60, 6)]
    stays = [
        Heard(OTHER, "a1", 100, 400),
        Heard(SHOPPER, "a0", _NIGHT_S - 600, _NIGHT_S - 60),
        Heard(SHOPPER, "a1", _NIGHT_S - 60, _NIGHT_S + 300),
        Heard(SHOPPER, "a0", _NIGHT_S + 300, _NIGHT_S + 500),
        Heard(other, "a0", _NIGHT_S + 36_000, _NIGHT_S + 36_400),
        Heard(late, "a1", _NIGHT_S + 86_000, _NIGHT_S + 86_900),  # over the second midnight
    ]
    stays += [Heard(clerk, "a1", 6 * turn * 3600, 6 * turn * 3600 + 120) for turn, clerk in enumerate(clerks)]
    return stays


def otherwise(connection: Connection, store: Store) -> int:
    """Keep a model under which a0 and a1 sound the other way round; return its version."""
    plan = load_plans(connection, [store.id])[0].plan
    model: Model = prior_model(plan)
    swapped = replace(model, level_dbm=model.level_dbm[:, [1, 0, 2, 3]], detection=model.detection[:, [1, 0, 2, 3]])
    return in_transaction(connection, lambda connection: save_model(connection, store.no, swapped, span=None))


def bring(connection: Connection, store: Store) -> None:
    """Let the live engine of a store take in the three days."""
    late = LateStore(connection, store.no)
    late.bring("e1", batches(bytes([store.no]) * 16, in_pieces(told()), HERE))


@pytest.fixture
def connection(store: Store) -> Iterator[Connection]:
    with connect(store.url) as connection:
        yield connection


def command(store: Store, *words: str) -> str:
    result = CliRunner().invoke(sojourn.app, list(words), env={"SOJOURN_DATABASE_URL": store.url})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def visits(connection: Connection, store: Store) -> list[tuple[Any, ...]]:
    """All that visits in force say, but for whose revision they are."""
    found: list[tuple[Any, ...]] = []
    for table, zone in (("zone_visit", "zone_no"), ("store_visit", "-1")):
        found += connection.execute(
            f"select {zone}, device, entered_at, left_at, entered_earliest, entered_latest, left_earliest,"
            f" left_latest, dwell_s, confidence, signals, closed_by, forced from {table}"
            " where store_no = %s and not withdrawn order by 2, 3, 1",
            [store.no],
        ).fetchall()
    return found


def revised(connection: Connection) -> list[tuple[Any, ...]]:
    """What stands and what stood, withdrawn ones too."""
    found: list[tuple[Any, ...]] = []
    for table in ("zone_visit", "store_visit"):
        found += connection.execute(f"select * from {table} order by visit_id, revision").fetchall()
    return [
        *found,
        *connection.execute("select visit_id, revision, change from visit_revision order by 1, 2").fetchall(),
    ]


def test_it_finds_what_revise_finds_and_what_a_live_engine_would_have_under_that_model(
    store: Store, connection: Connection
) -> None:
    live = add_store(store.url)
    want_model(connection, live.no, otherwise(connection, live))
    in_transaction(connection, lambda connection: adopt_model(connection, live.no, wishes(connection)[live.no]))
    bring(connection, live)
    bring(connection, store)
    otherwise(connection, store)
    untouched = revised(connection)
    assert "would stay" in command(store, *WORDS, "--store", store.id, "--dry-run")
    assert revised(connection) == untouched, "nothing is seen before the switch"
    staged = connection.execute("select visit_id, revision, change from recompute_change order by 1, 2").fetchall()
    assert len(staged) > 6
    # the same by `revise`, while the run waits: its tasks are of yesterday then, and are done again
    command(store, "revise", "--store", store.id, "--model", "latest", "--quiet")
    by_revise = connection.execute("select visit_id, revision, change from visit_revision order by 1, 2").fetchall()
    words = {"added": 0, "corrected": 1, "withdrawn": 2, "restored": 3}
    assert [(name, revision, words[change]) for name, revision, change in by_revise] == staged
    once = revised(connection)
    assert "Nothing changed" in command(store, *WORDS, "--store", store.id)
    assert revised(connection) == once
    now = visits(connection, store)
    assert now == visits(connection, live)
    midnight = [row for row in now if row[2].day < row[3].day]
    assert [row[0] for row in midnight] == [0, 0, -1, -1], "two people are there at a midnight, each is there once"


def test_one_that_was_cut_off_goes_on_and_nothing_is_seen_before_its_end(
    store: Store, connection: Connection
) -> None:
    bring(connection, store)
    otherwise(connection, store)
    untouched = revised(connection)

    class CutError(Exception):
        pass

    def cut(share: float) -> None:
        if share > 0.3:
            raise CutError

    with connect(store.url) as first, pytest.raises(CutError):
        recompute(first, store.url, ASKED, progress=cut)
    run = open_run(connection)
    assert run is not None
    assert revised(connection) == untouched
    before = standing(connection, run.run_no)
    assert 0 < before.done < before.tasks
    left = waiting(connection, run.run_no)
    done = "select day, done_at from recompute_task where run_no = %s and done_at is not null"
    once: dict[Any, Any] = dict(connection.execute(done, [run.run_no]).fetchall())
    with pytest.raises(Exception, match="is not over: --from 2026-03-02 --to 2026-03-04 --model latest"):
        command(store, *WORDS[:-2], "0")
    assert "were revised" in command(store, *WORDS)
    after: dict[Any, Any] = dict(connection.execute(done, [run.run_no]).fetchall())
    assert {day: at for day, at in after.items() if day in once} == once, "what was done is not done again"
    assert len(after) == before.tasks
    assert len(left) == before.tasks - before.done
    assert "Nothing changed" in command(store, *WORDS)
    assert connection.execute("select count(*) from recompute_change").fetchone() == (0,)


def test_what_was_read_before_an_erasure_ended_is_not_kept(
    store: Store, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(connection, store)
    otherwise(connection, store)
    whole, folder = revising.find, PrivacyFolder(tmp_path / "privacy")
    erased: list[UUID] = []

    def find(*given: Any, **named: Any) -> Outcome | None:
        """Decode, and let a person be erased before it is kept."""
        found = whole(*given, **named)
        if not erased:
            with connect(store.url) as other:
                subject = [("device", UUID(bytes=SHOPPER))]
                erased.append(
                    in_transaction(other, lambda lent: begin_job(lent, subject, asked_by="Ada", source="request"))
                )
                assert work_all(other, folder, lambda: datetime.now(UTC), stopped=lambda: False) == "idle"
        return found

    monkeypatch.setattr(task, "find", find)
    said = recompute(connection, store.url, ASKED, dry_run=True)
    assert "made visible at once" in said
    run = open_run(connection)
    assert run is not None
    assert not waiting(connection, run.run_no), "the day was done once more"
    hers = "select count(*) from recompute_change where device = %s"
    assert connection.execute(hers, [UUID(bytes=SHOPPER)]).fetchone() == (0,)
    assert "were revised" in recompute(connection, store.url, ASKED)
    assert SHOPPER not in {row[1].bytes for row in visits(connection, store)}


@contextmanager
def started(log: Path, *words: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=Path(__file__).parents[2],
            env=os.environ | environment,
            stdout=file,
            stderr=file,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_worker_that_is_killed_changes_nothing(store: Store, connection: Connection, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra sojourn[dask]")
    stores = [store, add_store(store.url)]
    for each in stores:
        bring(connection, each)
        otherwise(connection, each)
    untouched = revised(connection)
    port = free_port()
    scheduler, url, log = f"tcp://127.0.0.1:{port}", {"SOJOURN_DATABASE_URL": store.url}, tmp_path / "driver"
    begin = ("-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    worker = ("-m", "distributed.cli.dask_worker", scheduler, "--nthreads", "1", "--no-nanny", "--no-dashboard")
    held = (
        "select count(*) from pg_stat_activity where application_name = 'sojourn recompute'"
        " and wait_event_type = 'Lock' and datname = current_database()"
    )
    with ExitStack() as processes, connect(store.url) as blocker:
        start = processes.enter_context
        start(started(tmp_path / "scheduler", *begin))
        workers = [start(started(tmp_path / f"worker{number}", *worker, **url)) for number in range(2)]
        for number in range(2):
            wait_for(lambda: b"Registered to" in (tmp_path / f"worker{number}").read_bytes(), "a worker", seconds=60)  # noqa: B023
        blocker.execute("set idle_in_transaction_session_timeout = 0")
        with blocker.transaction():
            blocker.execute("lock table recompute_change in exclusive mode")
            driver = start(started(log, "sojourn.py", *WORDS, "--scheduler", scheduler, **url))
            wait_for(
                lambda: driver.poll() is not None or connection.execute(held).fetchone() == (2,),
                "both workers at the end of a task",
                seconds=60,
            )
            assert driver.poll() is None, log.read_text()
            workers[0].send_signal(signal.SIGKILL)
            workers[0].wait(10)
            assert revised(connection) == untouched
        assert driver.wait(60) == 0, log.read_text()
    assert "were revised" in log.read_text()
    once = revised(connection)
    assert once != untouched
    for each in stores:
        assert "Nothing changed" in command(store, "revise", "--store", each.id, "--model", "latest", "--quiet")
    assert visits(connection, stores[0])[0][2:] == visits(connection, stores[1])[0][2:]
