"""Chunks are there before the first row of their time."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.connect import connect
from storage.log.chunks import AHEAD, make_chunks
from storage.rollups.keeping import waiting

pytestmark = pytest.mark.servers
NOON = datetime(2027, 3, 14, 12, tzinfo=UTC)
TABLES = ["signal_log", "zone_visit", "store_visit"]


def test_each_table_has_the_chunk_that_it_needs_soon_and_no_row(database_url: str) -> None:
    with connect(database_url) as connection:
        covering = (
            "select hypertable_name from timescaledb_information.chunks where range_start <= %s and range_end > %s"
        )
        assert make_chunks(connection, NOON) == TABLES
        for name in TABLES:
            assert connection.execute(f"select count(*) from {name}").fetchone() == (0,)
        assert not waiting(connection), "nothing is left to be counted"
        assert {row[0] for row in connection.execute(covering, [NOON + AHEAD] * 2)} == set(TABLES)
        assert make_chunks(connection, NOON) == [], "they are there"
        evening = NOON + timedelta(hours=7)
        assert make_chunks(connection, evening) == ["signal_log"], "tomorrow's log; a week's visits stay together"


def test_every_hypertable_is_made_ahead(database_url: str) -> None:
    with connect(database_url) as connection:
        found = connection.execute("select hypertable_name from timescaledb_information.hypertables").fetchall()
    assert {name for (name,) in found} == set(TABLES), "a new hypertable has to be made ahead too"
