from dataclasses import replace

import pytest

from storage.connect import connect
from storage.ingest_status import IngestStatus, load_status, save_status


@pytest.mark.servers
def test_the_status_is_one_row_that_is_replaced(database_url: str) -> None:
    status = IngestStatus(
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
    with connect(database_url) as connection:
        assert load_status(connection) is None
        save_status(connection, replace(status, broker_connected=False, committed_at=None))
        save_status(connection, status)
        assert load_status(connection) == status
