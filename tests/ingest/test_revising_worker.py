"""Revisions by a running ingest, and one whose process is killed while it writes."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from storage.connect import connect
from storage.log.ingest_status import load_status
from storage.log.late import late_open
from tests.ingest.conftest import QUICK, Store, ingesting
from tests.ingest.late_store import LateStore
from tests.ingest.test_revising import command, rows, shoppers

pytestmark = pytest.mark.servers

_DIES_WRITING = """
import os, signal, sys, threading
import ingest.revising as revising
from ingest.late_revision import revise_late
from storage.connect import connect

def die(connection, *rest):
    assert connection.execute("select count(*) from visit_revision").fetchone()[0] > 0, "changes are written by now"
    print("written", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

revising.close_late = die
with connect(sys.argv[1]) as connection:
    revise_late(connection, int(sys.argv[2]), threading.Event())
"""


def test_a_running_ingest_revises_by_itself_and_says_so(store: Store, mqtt_url: str) -> None:
    with connect(store.url) as connection:
        late = LateStore(connection, store.no)
        late.hour()
        late.backlog()
        assert late_open(connection) == 1
        with ingesting(store.url, mqtt_url, replace(QUICK, revise_settle_s=0.1)):
            until = time.monotonic() + 60
            while (status := load_status(connection)) is None or not status.visits_revised or status.late_open:
                assert time.monotonic() < until, "ingest revised nothing"
                time.sleep(0.02)
        assert shoppers(connection, store) == [(0, 0, 119), (2, 120, 239), (0, 240, 359)]
        assert "Nothing changed" in command(store)


def test_an_ingest_that_is_told_not_to_revises_nothing(store: Store, mqtt_url: str) -> None:
    with connect(store.url) as connection:
        late = LateStore(connection, store.no)
        late.hour()
        late.backlog()
        untouched = rows(connection)
        with ingesting(store.url, mqtt_url, replace(QUICK, revise_settle_s=None)):
            while (status := load_status(connection)) is None or status.late_open != 1:
                time.sleep(0.02)
        assert rows(connection) == untouched


def test_a_process_that_is_killed_while_it_writes_leaves_nothing_behind(store: Store) -> None:
    with connect(store.url) as connection:
        late = LateStore(connection, store.no)
        late.hour()
        late.backlog()
        untouched = rows(connection)
        died = subprocess.run(
            [sys.executable, "-c", _DIES_WRITING, store.url, str(store.no)],
            capture_output=True, text=True, check=False, timeout=120, env=dict(os.environ),
        )  # fmt: skip
        assert (died.stdout.strip(), died.returncode) == ("written", -signal.SIGKILL), died.stderr
        assert rows(connection) == untouched
        assert late_open(connection) == 1
        until = time.monotonic() + 30
        # the server notices that its client is gone and lets go of the store's lock
        while connection.execute("select 1 from pg_locks where locktype = 'advisory' and objid = %s::oid and"
                                 " classid = %s::oid", [store.no, 0x72657669]).fetchone():  # fmt: skip
            assert time.monotonic() < until
            time.sleep(0.01)
        assert "were revised" in command(store)
