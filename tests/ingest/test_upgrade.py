"""An upgrade while everything runs: an older and a newer ingest side by side, and the way back."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from core.errors import ConfigurationError
from ingest import worker
from storage import migrate as migrating
from storage.connect import Connection, connect
from storage.log.signals import Tally, tally
from storage.migrate import NEEDS_NEWER, migrate, migrations, pending
from tests.ingest.conftest import Store, ingesting
from tests.ingest.edge_double import EdgeDouble
from tests.ingest.world import cold_replay, stored_visits, walks

pytestmark = pytest.mark.servers
OURS = Path(migrating.__file__).parent / "migrations"
BOOT = b"\x09" * 16
ADDS = """
alter table zone_visit add column weather text;
alter table ingest_status add column release text not null default 'unknown';
create table weather (store_no integer primary key, word text not null);
"""


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The migrations of a program of next month: one more, which adds."""
    folder = tmp_path / "newer"
    shutil.copytree(OURS, folder)
    (folder / "9000_weather.sql").write_text(ADDS)
    return folder


@contextmanager
def of_a_program(folder: Path) -> Iterator[None]:
    """An ingest that is started in the block is of a program with these migrations."""

    def its_pending(connection: Connection) -> list[str]:
        return [migration.name for migration in migrating._left(connection, migrations(folder))]

    with patch.object(worker, "pending", its_pending):
        yield


def test_an_older_and_a_newer_ingest_side_by_side(store: Store, mqtt_url: str, edge: EdgeDouble, newer: Path) -> None:
    sent = list(walks(5, BOOT, batches=40))
    with ExitStack() as older:
        older.enter_context(ingesting(store.url, mqtt_url))
        edge.send(*sent[:10])
        edge.drain()
        assert migrate(store.url, folder=newer) == ["9000_weather.sql"]
        edge.send(*sent[10:20])  # the older one runs on over the migration
        edge.drain()
        with ExitStack() as standing_by:
            with of_a_program(newer):
                standing_by.enter_context(ingesting(store.url, mqtt_url, subscribed=False))
                _await_standby(store.url)
            older.close()  # stopped as systemd or Kubernetes do it; the newer one takes over
            edge.send(*sent[20:30])
            edge.drain()
    with ingesting(store.url, mqtt_url):  # back again: the older program on the newer database
        edge.send(*sent[30:])
        edge.drain()
    with connect(store.url) as connection:
        assert pending(connection) == []
        assert tally(connection, store.id) == Tally(40, 40 * 60, 0, 0, 0)
        assert stored_visits(connection, store.no) == cold_replay(connection, store.no)


def test_a_migration_that_older_programs_cannot_live_with_keeps_them_out(
    store: Store, mqtt_url: str, newer: Path
) -> None:
    (newer / "9001_gone.sql").write_text(
        f"{NEEDS_NEWER}: presence has another key\nalter table weather drop column word"
    )
    assert migrate(store.url, folder=newer) == ["9000_weather.sql", "9001_gone.sql"]
    with (
        pytest.raises(ConfigurationError, match=r"9000_weather\.sql, which this program .* start the newer program"),
        ingesting(store.url, mqtt_url),
    ):
        pass
    with of_a_program(newer), ingesting(store.url, mqtt_url):
        pass


def _await_standby(database_url: str) -> None:
    """Wait until a second ingest has a connection: it asks for the place and does not get it."""
    with connect(database_url) as connection:
        while True:
            row = connection.execute(
                "select count(*) from pg_stat_activity where datname = current_database()"
                " and application_name like 'sojourn ingest ________'"
            ).fetchone()
            if row is not None and row[0] >= 2:
                return
            time.sleep(0.02)
