"""The database is away, comes back, or is not ready: the service starts, says so, and goes on by itself."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.status_routes import LOOKS_S
from core.errors import ConfigurationError, UnavailableError
from storage.migrate import migrate
from tests.access import let_in
from tests.api.seeding import database_now
from tests.api.serving import Served, answering, events, free_port, wait_for
from tests.fix_api import SeededStore
from tests.fix_proxy import TcpProxy

pytestmark = pytest.mark.servers


def check(client: httpx.Client, name: str) -> dict[str, object]:
    checks: list[dict[str, object]] = client.get("/v1/ready").json()["checks"]
    return next(found for found in checks if found["name"] == name)


def test_it_cannot_serve_where_a_migration_stopped_short_of_rights(store: SeededStore, client: httpx.Client) -> None:
    assert client.get("/v1/ready").status_code == 200
    store.connection.execute("revoke select on note from sojourn_crm")
    assert client.get("/v1/ready").status_code == 503
    assert "run `sojourn migrate`" in str(check(client, "migrations")["says"])


def test_it_starts_without_a_database_and_serves_when_it_comes(
    store: SeededStore, proxy_to: Callable[[str], TcpProxy]
) -> None:
    proxy = proxy_to(store.database_url)
    proxy.cut()
    with answering(create_app(proxy.url)) as client:
        assert client.get("/v1/health").json() == {"status": "up"}
        answer = client.get("/v1/stores")
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "5"
        problem = answer.json()
        assert problem["type"] == "urn:sojourn:problem:unavailable"
        assert "127.0.0.1" not in answer.text, "what libpq says stays in the log"
        ready = client.get("/v1/ready")
        assert ready.status_code == 503
        assert check(client, "database")["state"] == "away"
        page = client.get("/stores/marktplatz")
        assert page.status_code == 503
        assert page.headers["refresh"] == "5"
        assert "asks again by itself" in page.text
        proxy.mend()
        answers = [client.get("/v1/stores").status_code for _ in range(2)]
        assert 200 in answers, "who asks does not wait for a retry that was put off"
        wait_for(lambda: check(client, "live")["state"] == "ok", "listening")


def test_a_cut_in_the_middle_is_healed_and_live_goes_on(
    store: SeededStore, proxy_to: Callable[[str], TcpProxy]
) -> None:
    proxy = proxy_to(store.database_url)
    with answering(create_app(proxy.url)) as client:
        wait_for(lambda: check(client, "live")["state"] == "ok", "listening")
        with client.stream("GET", "/v1/stores/marktplatz/live") as answer:
            stream = events(answer)
            assert next(data for name, data in stream if name == "state")["total"] == 0
            proxy.reset(refuse=True)
            assert next(data for name, data in stream if name == "heartbeat" and not data["listening"])
            assert client.get("/v1/stores").status_code == 503
            store.connection.execute(
                "insert into presence values (%s, gen_random_uuid(), 1, %s, %s, %s, 1)",
                [store.store_no, *[database_now(store.connection)] * 3],
            )
            proxy.mend()
            assert next(data for name, data in stream if name == "state")["total"] == 1
        wait_for(lambda: client.get("/v1/stores").status_code == 200, "the database")


def test_a_database_that_hangs_is_not_ready_and_says_so_at_once(
    store: SeededStore, proxy_to: Callable[[str], TcpProxy]
) -> None:
    proxy = proxy_to(store.database_url)
    with answering(create_app(proxy.url)) as client:
        assert client.get("/v1/ready").status_code == 200
        proxy.stall()
        with ThreadPoolExecutor(50) as many:
            answers = list(many.map(lambda _: client.get("/v1/ready", timeout=LOOKS_S + 10), range(50)))
        assert {answer.status_code for answer in answers} == {503}
        assert max(answer.elapsed.total_seconds() for answer in answers) < LOOKS_S + 3
        assert client.get("/v1/health").status_code == 200, "so many who ask leave threads to others"
        proxy.mend()
        wait_for(lambda: client.get("/v1/ready").status_code == 200, "the database")


def test_a_database_without_tables_is_not_ready_and_says_what_to_run(empty_database_url: str) -> None:
    with answering(create_app(empty_database_url)) as client:
        answer = client.get("/v1/stores")
        assert answer.status_code == 503
        assert "sojourn migrate" in answer.json()["hint"]
        assert client.get("/v1/ready").status_code == 503
        assert "sojourn migrate" in str(check(client, "migrations")["says"])
        migrate(empty_database_url)
        let_in(empty_database_url)
        assert client.get("/v1/stores").json() == {"stores": [], "next_cursor": None}
        assert client.get("/v1/ready").status_code == 200


def test_ready_says_how_ingest_fares(store: SeededStore, client: httpx.Client) -> None:
    assert check(client, "ingest")["state"] == "away"
    store.connection.execute(
        "insert into ingest_status (started_at, changed_at, broker, queued, parked, batches, signals, repeated,"
        " dead_letters, newest_signal_at) values (now(), clock_timestamp(), 'connected', 3, 0, 1, 1, 0, 0, now())"
    )
    said = check(client, "ingest")
    assert said["state"] == "ok"
    assert "3 messages are queued" in str(said["says"])
    assert check(client, "broker")["state"] == "ok"
    store.connection.execute("update ingest_status set broker_dropped = 7, broker_dropped_at = now()")
    assert check(client, "broker")["state"] == "behind"
    assert "max_queued_messages" in str(check(client, "broker")["says"])
    store.connection.execute("update ingest_status set broker_dropped_at = now() - interval '61 minutes'")
    assert check(client, "broker")["state"] == "ok", "an hour later it is no news"
    store.connection.execute("update ingest_status set broker = 'away'")
    assert check(client, "ingest")["state"] == "behind"
    assert "lost the broker" in str(check(client, "ingest")["says"])
    store.connection.execute("update ingest_status set starting = true")
    assert "Ingest starts" in str(check(client, "ingest")["says"])
    store.connection.execute("update ingest_status set changed_at = now() - interval '31 seconds'")
    assert check(client, "ingest")["state"] == "away"
    assert client.get("/v1/ready").status_code == 200, "what is stored can still be read"


def test_a_statement_that_takes_too_long_is_a_503_and_not_a_hang(
    store: SeededStore, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a lock that is held makes any reader wait
    with store.connection.transaction():
        store.connection.execute("lock table profile in access exclusive mode")
        answer = client.get("/v1/profiles")
    assert answer.status_code == 503
    assert "more than 5 s" in answer.json()["detail"]


def test_an_occupied_port_and_a_wrong_url_are_one_sentence(store: SeededStore, tmp_path: Path) -> None:
    from api import run  # noqa: PLC0415 - named here, where it is called

    with Served(store.database_url, tmp_path / "log") as served, pytest.raises(UnavailableError, match="--port"):
        run(store.database_url, port=served.port)
    with pytest.raises(ConfigurationError, match="postgresql://"):
        run("no url at all", port=free_port())
