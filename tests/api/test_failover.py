"""The database moves: a standby takes over, a primary is told to write no more, a server restarts. API and ingest say
so, lose nothing, and go on by themselves; figures are read from the server that follows."""

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from api.app import create_app
from api.settings import Databases, Settings
from servers.postgres import Postgres
from servers.provide import Installed
from storage.connect import connect
from storage.log.signals import tally
from storage.migrate import migrate
from tests.access import HEADERS, let_in
from tests.api.serving import answering, wait_for
from tests.fix_database import standby_of
from tests.ingest.conftest import add_store, ingesting
from tests.ingest.edge_double import EdgeDouble
from tests.ingest.world import walks

pytestmark = pytest.mark.servers


def run(server: Postgres, *statements: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        return [row for said in statements for row in _rows(connection.execute(said))]


def tell(server: Postgres, setting: str) -> None:
    """Change a setting of a server that runs, whether or not it takes writes."""
    run(server, "set default_transaction_read_only = off", setting, "select pg_reload_conf()")


def _rows(cursor: "psycopg.Cursor[tuple[object, ...]]") -> list[tuple[object, ...]]:
    return cursor.fetchall() if cursor.description is not None else []


def test_api_and_ingest_follow_the_database_wherever_it_goes(
    installed: Installed, own_database: Postgres, mqtt_url: str, tmp_path: Path
) -> None:
    one = own_database
    run(one, "create database sojourn template template0")
    migrate(one.dsn("sojourn"))
    two = standby_of(one, installed, tmp_path / "two")
    try:
        _story(one, two, mqtt_url)
    finally:
        two.stop()


def _story(one: Postgres, two: Postgres, mqtt_url: str) -> None:
    parts = urlsplit(one.dsn("sojourn"))
    url = f"postgresql://{parts.username}:{parts.password}@127.0.0.1:{one.port},127.0.0.1:{two.port}/sojourn"
    store = add_store(url)
    let_in(url)
    settings = Settings(databases=Databases(analytics_url=two.dsn("sojourn"), readers=3, writers=2))
    edge = EdgeDouble(mqtt_url, store.id)
    sent = list(walks(5, bytes(16), batches=30))
    pieces = [sent[:10], sent[10:20], sent[20:]]
    with answering(create_app(url, settings)) as client, ingesting(url, mqtt_url):

        def write(label: str) -> int:
            mara = HEADERS | {"Sojourn-Operator": "Mara"}
            return client.post("/v1/note-choices/tag", json={"label": label}, headers=mara).status_code

        assert write("before") == 201
        edge.send(*pieces[0])
        edge.drain()
        assert read(client, store.id) == (200, 200)
        now = client.get(f"/v1/stores/{store.id}/metrics/occupancy_now").json()
        assert [row["value"] for row in now["rows"]] > [0.0], "who is there now is asked of the primary"
        on_two = run(two, "select distinct application_name from pg_stat_activity where datname = 'sojourn'")
        assert ("sojourn api analytics",) in on_two
        # the primary dies
        one.kill()
        edge.send(*pieces[1])
        away = client.get("/v1/stores")
        assert (away.status_code, away.headers["retry-after"]) == (503, "5")
        assert write("away") == client.get("/v1/ready").status_code == 503
        run(two, "select pg_promote()")
        wait_for(lambda: read(client, store.id) == (200, 200), "the API on the other server")
        wait_for(lambda: write("after") == 201, "writing there")
        edge.drain()
        # the new one is told to write no more, and may again
        tell(two, "alter system set default_transaction_read_only = on")
        wait_for(lambda: write("told") == 503, "an answer that says so")
        edge.send(*pieces[2])
        edge.pause(1.0)
        assert edge.waiting > 0
        tell(two, "alter system reset default_transaction_read_only")
        wait_for(lambda: write("again") == 201, "writing again")
        edge.drain()
        # and it restarts
        two.stop()
        assert client.get("/v1/stores").status_code == 503
        two.start()
        wait_for(lambda: read(client, store.id) == (200, 200), "the API after the restart")
        labels = {tag["label"] for tag in client.get("/v1/note-choices").json()["tag"]}
        assert {"before", "after", "again"} <= labels
    edge.close()
    with connect(url) as connection:
        counted = tally(connection, store.id)
    assert (counted.batches, counted.missing_batches, counted.duplicate_batches) == (len(sent), 0, 0)


def read(client: httpx.Client, store: str) -> tuple[int, int]:
    """What a live answer and one of figures give."""
    return (
        client.get(f"/v1/stores/{store}").status_code,
        client.get(f"/v1/stores/{store}/metrics/footfall").status_code,
    )
