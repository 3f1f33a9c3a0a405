"""An erasure while ingest runs: engines, snapshots and presence forget her, and what comes late is refused."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from core.errors import ConfigurationError
from core.wire import decode
from ingest.worker import run
from storage.connect import Connection, connect, in_transaction
from storage.privacy.erasing import ask, waiting
from storage.privacy.receipts import newest_receipts
from storage.profiles.profiles import create_profile
from tests.ingest.conftest import QUICK, Store, ingesting
from tests.ingest.edge_double import EdgeDouble
from tests.ingest.world import stored_visits, walks
from tests.privacy.searching import found_in_database, needles

pytestmark = pytest.mark.servers
BOOT = b"\7" * 16
WITHIN_S = 30.0


def await_erased(connection: Connection) -> None:
    end_s = time.monotonic() + WITHIN_S
    while waiting(connection):
        assert time.monotonic() < end_s, newest_receipts(connection)
        time.sleep(0.02)


def await_visits(connection: Connection, device: bytes) -> list[tuple[UUID]]:
    end_s = time.monotonic() + WITHIN_S
    while True:
        found = connection.execute(
            "select visit_id from zone_visit where device = %s", [UUID(bytes=device)]
        ).fetchall()
        if found:
            return found
        assert time.monotonic() < end_s, "no visit of hers was decided"
        time.sleep(0.02)


def test_a_running_ingest_forgets_her_and_refuses_what_comes_late(
    store: Store, mqtt_url: str, edge: EdgeDouble, tmp_path: Path
) -> None:
    sent = list(walks(1, BOOT, batches=60))
    hers = decode(sent[0]).devices[3].tobytes()
    wanted = needles({"hers": hers})
    settings = replace(QUICK, privacy=tmp_path / "privacy", privacy_s=0.1, snapshot_s=0.2)
    with connect(store.url) as connection:
        profile = create_profile(
            connection, display_name="Her", devices=[hers], granted_at=datetime.now(UTC) - timedelta(days=9)
        )
        with ingesting(store.url, mqtt_url, settings):
            edge.send(*sent[:40])
            edge.drain()
            assert {"signal_log", "device_link"} <= found_in_database(connection, wanted).keys()
            own = await_visits(connection, hers)
            others = {row for row in stored_visits(connection, store.no) if (UUID(bytes=row[1]),) not in own}
            in_transaction(connection, lambda lent: ask(lent, profile, asked_by="Ada"))
            await_erased(connection)
            assert found_in_database(connection, wanted) == {}
            edge.send(*sent[40:])  # her edge has not heard of it
            edge.drain()
        assert found_in_database(connection, wanted) == {}
        found = stored_visits(connection, store.no)
        assert len(found) > 12
        assert others <= found, "nobody else's visits have changed"
        signals = connection.execute("select sum(signals), sum(redacted) from signal_log").fetchone()
        assert signals is not None
        assert signals[0] + signals[1] == 60 * 60, "what was never logged is counted as well"
        assert signals[1] > 0
        with ingesting(store.url, mqtt_url, settings):
            edge.publish("signals", sent[59])
        assert found_in_database(connection, wanted) == {}
        assert stored_visits(connection, store.no) == found
    with pytest.raises(ConfigurationError, match="key of their list"):
        run(store.url, mqtt_url, stop=threading.Event(), settings=QUICK)
