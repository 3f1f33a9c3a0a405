"""An erasure while ingest runs: engines, snapshots and presence forget her, and what comes late is refused."""

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner

from core.errors import ConfigurationError
from core.wire import decode
from edge.pseudonyms import KeyRing, read_consented, write_consented
from ingest.worker import run
from sojourn import app
from storage.connect import Connection, connect, in_transaction
from storage.log.snapshots import good_snapshots
from storage.privacy.erasing import ask, waiting
from storage.privacy.receipts import newest_receipts
from storage.profiles.profiles import PURPOSE, create_profile, withdraw_consent
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


def logged_since(connection: Connection, log_no: int, device: bytes) -> bool:
    """Whether a batch that was logged since names a device."""
    rows = connection.execute("select batch from signal_log where log_no > %s and signals > 0", [log_no])
    return any(device in decode(bytes(batch)).devices.tobytes() for (batch,) in rows)


def newest(connection: Connection) -> int:
    row = connection.execute("select coalesce(max(log_no), 0) from signal_log").fetchone()
    return int(row[0]) if row is not None else 0


def test_whoever_withdrew_is_kept_out_until_she_consents_again(
    store: Store, mqtt_url: str, edge: EdgeDouble, tmp_path: Path
) -> None:
    """Her edge still has her on its list: ingest does not write what it says of her."""
    sent = iter(walks(1, BOOT, batches=200))
    first = [next(sent) for _ in range(10)]
    hers = decode(first[0]).devices[3].tobytes()
    with connect(store.url) as connection, ingesting(store.url, mqtt_url, replace(QUICK, snapshot_s=0.2)):
        ago = datetime.now(UTC) - timedelta(days=9)
        profile = create_profile(connection, display_name="Her", devices=[hers], granted_at=ago)
        edge.send(*first)
        edge.drain()
        assert logged_since(connection, 0, hers)
        withdraw_consent(connection, profile, source="app", wording="1", at=datetime.now(UTC))
        for payload in sent:
            before = newest(connection)
            edge.send(payload)
            edge.drain()
            if connection.execute("select sum(redacted) > 0 from signal_log").fetchone() == (True,):
                break
        else:
            pytest.fail("she was never kept out")
        kept = [next(sent) for _ in range(20)]
        edge.send(*kept)
        edge.drain()
        assert any(hers in decode(payload).devices.tobytes() for payload in kept)
        assert not logged_since(connection, before, hers)
        end_s = time.monotonic() + WITHIN_S
        while any(hers in one.state for one in good_snapshots(connection, store.no)):
            assert time.monotonic() < end_s, "the engine's memory still holds her"
            edge.send(next(sent))
            edge.drain()
        assert connection.execute("select from presence where device = %s", [UUID(bytes=hers)]).fetchone() is None
        connection.execute(
            "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
            " values (%s, %s, 'granted', 'app', '2', clock_timestamp())",
            [profile, PURPOSE],
        )
        for payload in sent:
            before = newest(connection)
            edge.send(payload)
            edge.drain()
            if logged_since(connection, before, hers):
                return
        pytest.fail("she consented again and is still kept out")


def test_the_list_of_an_edge_holds_whose_consent_holds(store: Store, tmp_path: Path) -> None:
    own, gone = b"\1" * 16, b"\2" * 16
    ago = datetime.now(UTC) - timedelta(days=9)
    with connect(store.url) as connection:
        create_profile(connection, display_name="A", devices=[own], granted_at=ago)
        left = create_profile(connection, display_name="B", devices=[gone], granted_at=ago)
        ring = KeyRing(tmp_path / "keys")
        write_consented(ring.folder, [gone, b"\3" * 16])
        withdraw_consent(connection, left, source="app", wording="1", at=datetime.now(UTC))
        told = CliRunner().invoke(
            app, ["keys", "consented", str(ring.folder)], env={"SOJOURN_DATABASE_URL": store.url}
        )
    assert told.output == "1 devices on the list: 1 new, 2 taken off.\n", told.exception
    assert read_consented(ring.folder) == {own}
