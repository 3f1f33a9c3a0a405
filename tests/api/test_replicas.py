"""Two API processes on one database: what one writes the other reads, and both hear what is new."""

import threading
from contextlib import closing
from datetime import timedelta
from typing import Any

import httpx
import pytest
from psycopg.errors import ReadOnlySqlTransaction

from api.app import create_app
from api.inputs.models import ProfileIn
from api.settings import Databases, Settings
from storage.reading import Reader
from tests.access import HEADERS
from tests.api.seeding import announce, database_now, set_people
from tests.api.serving import PATIENCE_S, Served, answering, events, wait_for
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def listening(site: str) -> bool:
    checks = httpx.get(f"{site}/v1/ready").json()["checks"]
    return bool(next(check["state"] == "ok" for check in checks if check["name"] == "live"))


def test_what_one_writes_the_other_reads_and_both_hear_what_is_new(
    store: SeededStore, served: Served, site: str
) -> None:
    wait_for(lambda: listening(served.url) and listening(site), "both listening")
    mara = HEADERS | {"Sojourn-Operator": "Mara"}
    with httpx.Client(timeout=PATIENCE_S, headers=mara) as client:
        made = client.post(f"{site}/v1/note-choices/tag", json={"label": "Rainy day"})
        assert made.status_code == 201
        choices = client.get(f"{served.url}/v1/note-choices").json()["tag"]
        assert made.json() in choices
        # a customer who is told of again, to the other process, is told of once
        told = ProfileIn.model_json_schema()["examples"][0]
        given = [
            client.post(f"{url}/v1/profiles", json=told, headers={"Idempotency-Key": "replicas-1"})
            for url in (site, served.url)
        ]
        assert given[0].status_code in {200, 201}
        assert given[0].json() == given[1].json()
        assert store.connection.execute("select count(*) from profile").fetchone() == (1,)
        # a plan that both keep in mind is looked up by its version
        for name in ("Marktplatz", "Hafen"):
            store.connection.execute(
                "update store set name = %s, plan = jsonb_set(plan, '{name}', to_jsonb(%s::text)),"
                " plan_version = plan_version + 1 where store_no = %s",
                [name, name, store.store_no],
            )
            for url in (site, served.url):
                assert client.get(f"{url}/v1/stores/marktplatz").json()["name"] == name
    heard: dict[str, Any] = {}

    def watch(url: str) -> None:
        with httpx.stream("GET", f"{url}/v1/stores/marktplatz/live", timeout=PATIENCE_S, headers=HEADERS) as answer:
            for name, data in events(answer):
                if name == "state" and data["total"] == 0:
                    ready.release()
                elif name == "state":
                    heard[url] = data["total"]
                    return

    ready = threading.Semaphore(0)
    pages = [threading.Thread(target=watch, args=(url,)) for url in (site, served.url)]
    for page in pages:
        page.start()
    for _ in pages:
        assert ready.acquire(timeout=PATIENCE_S)
    at = database_now(store.connection) - timedelta(seconds=1)
    set_people(store.connection, store.plan, store.store_no, {"shoes": 3}, at=at)
    announce(store.connection, "marktplatz", at=at)
    for page in pages:
        page.join(PATIENCE_S)
    assert heard == {site: 3, served.url: 3}


def test_behind_a_pooler_each_use_is_one_transaction_that_keeps_nothing_of_a_session(store: SeededStore) -> None:
    databases = Databases(listen_url=store.database_url, readers=2, writers=1)
    with answering(create_app(store.database_url, Settings(databases=databases))) as client:
        wait_for(lambda: listening(str(client.base_url).rstrip("/")), "listening")
        for path in (
            "/v1/stores/marktplatz",
            "/v1/stores/marktplatz/metrics/footfall",
            "/v1/stores/marktplatz/metrics/occupancy_now",
            "/stores/marktplatz",
            "/stores/marktplatz/traffic",
        ):
            for _ in range(7):  # a statement is prepared at its sixth use, where that is not switched off
                assert client.get(path).status_code == 200, path
        mara = HEADERS | {"Sojourn-Operator": "Mara"}
        assert client.post("/v1/note-choices/tag", json={"label": "Windy"}, headers=mara).status_code == 201
    with closing(Reader(store.database_url, connections=1, pooled=True)) as reader:
        for _ in range(7):
            with reader.connection() as connection:
                assert connection.execute("select count(*) from store where store_no > %s", [0]).fetchone() == (2,)
                assert connection.execute("show transaction_isolation").fetchone() == ("repeatable read",)
                assert connection.execute("show timezone").fetchone() == ("UTC",)
                with pytest.raises(ReadOnlySqlTransaction), connection.transaction():
                    connection.execute("delete from store")
        with reader.connection() as connection:
            assert connection.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)
            # what was set ends with the transaction
            changed = "select name from pg_settings where source = 'session'"
            held = {row[0] for row in connection.execute(changed).fetchall()}
            assert held <= {"statement_timeout", "TimeZone", "transaction_isolation", "transaction_read_only"}
