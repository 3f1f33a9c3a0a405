from dataclasses import replace

import pytest

from storage.connect import Connection, connect
from storage.log.ingest_status import IngestStatus, load_status, save_status

STATUS = IngestStatus(
    started_at=1_000,
    changed_at=1_700_000_000_123_456_000,
    broker_connected=True,
    queued=1,
    parked=2,
    batches=3,
    signals=4,
    repeated=5,
    dead_letters=6,
    newest_signal_at=None,
    committed_at=7_000,
)


@pytest.mark.servers
def test_the_status_is_one_row_that_is_replaced(database_url: str) -> None:
    with connect(database_url) as connection:
        assert load_status(connection) is None
        starting = replace(STATUS, broker_connected=False, committed_at=None, starting=True)
        save_status(connection, starting)
        assert load_status(connection) == starting
        save_status(connection, STATUS)
        assert load_status(connection) == STATUS


@pytest.mark.servers
def test_when_the_brokers_drops_grew_is_kept(database_url: str) -> None:
    def told(connection: Connection, at: int, dropped: int | None) -> tuple[int | None, int | None]:
        save_status(connection, replace(STATUS, changed_at=at * 1_000, broker_dropped=dropped))
        found = load_status(connection)
        assert found is not None
        return found.broker_dropped, found.broker_dropped_at

    with connect(database_url) as connection:
        assert told(connection, 1, None) == (None, None)
        assert told(connection, 2, 0) == (0, None)
        assert told(connection, 3, 5) == (5, 3_000)
        assert told(connection, 4, 5) == (5, 3_000)
        assert told(connection, 5, None) == (5, 3_000), "ingest started anew and has not heard yet"
        assert told(connection, 6, 6) == (6, 6_000)
        assert told(connection, 7, 0) == (0, 6_000), "the broker started anew"
        assert told(connection, 8, 1) == (1, 8_000)
