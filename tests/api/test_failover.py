"""The database moves: a standby takes over, a primary is told to write no more, a server restarts. API and ingest say
so, lose nothing, and go on by themselves; figures are read from the server that follows."""

from collections.abc import Iterator
from dataclasses import dataclass
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

AT_REST = {"sojourn api"}
"""A reader that nobody uses stays in its pool until it is asked for, and is looked at then."""
OPERATOR = HEADERS | {"Sojourn-Operator": "Mara"}


def run(server: Postgres, *statements: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        return [row for said in statements for row in _rows(connection.execute(said))]


def tell(server: Postgres, setting: str) -> None:
    """Change a setting of a server that runs, whether or not it takes writes."""
    run(server, "set default_transaction_read_only = off", setting, "select pg_reload_conf()")


def _rows(cursor: "psycopg.Cursor[tuple[object, ...]]") -> list[tuple[object, ...]]:
    return cursor.fetchall() if cursor.description is not None else []


@dataclass(frozen=True)
class Pair:
    """A primary, a standby that commits wait for, and the URL that names both, the primary first."""

    one: Postgres
    two: Postgres
    url: str


@pytest.fixture
def pair(installed: Installed, own_database: Postgres, tmp_path: Path) -> Iterator[Pair]:
    one = own_database
    run(one, "create database sojourn template template0")
    migrate(one.dsn("sojourn"))
    two = standby_of(one, installed, tmp_path / "two")
    parts = urlsplit(one.dsn("sojourn"))
    hosts = f"127.0.0.1:{one.port},127.0.0.1:{two.port}"
    try:
        yield Pair(one, two, f"postgresql://{parts.username}:{parts.password}@{hosts}/sojourn")
    finally:
        two.stop()


def test_api_and_ingest_follow_the_database_wherever_it_goes(pair: Pair, mqtt_url: str) -> None:
    one, two, url = pair.one, pair.two, pair.url
    store = add_store(url)
    let_in(url)
    settings = Settings(databases=Databases(analytics_url=two.dsn("sojourn"), readers=3, writers=2))
    edge = EdgeDouble(mqtt_url, store.id)
    sent = list(walks(5, bytes(16), batches=30))
    pieces = [sent[:10], sent[10:20], sent[20:]]
    with answering(create_app(url, settings)) as client, ingesting(url, mqtt_url):

        def write(label: str) -> int:
            return client.post("/v1/note-choices/tag", json={"label": label}, headers=OPERATOR).status_code

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


def test_a_demoted_primary_that_still_answers_is_left(pair: Pair, mqtt_url: str) -> None:
    """Everybody goes to the new one, whose word is newer, and nobody to the old one while the new one is away."""
    one, two, url = pair.one, pair.two, pair.url
    store = add_store(url)
    let_in(url)
    edge = EdgeDouble(mqtt_url, store.id)
    sent = list(walks(6, bytes(16), batches=30))
    with answering(create_app(url, Settings(databases=Databases(readers=3, writers=2)))) as client:

        def write(label: str) -> int:
            return client.post("/v1/note-choices/tag", json={"label": label}, headers=OPERATOR).status_code

        def labels() -> set[str]:
            answer = client.get("/v1/note-choices")
            return {tag["label"] for tag in answer.json()["tag"]} if answer.status_code == 200 else set()

        with ingesting(url, mqtt_url):
            edge.send(*sent[:10])
            edge.drain()
            assert write("before") == 201
            tell(one, "alter system set default_transaction_read_only = on")
            wait_for(lambda: write("nowhere") == 503, "a primary that takes no more writes")
            run(two, "select pg_promote()")
            wait_for(lambda: write("after") == 201, "writing to the other one")
            # nobody has cut the sessions that read at the old one, and it answers still
            wait_for(lambda: "after" in labels(), "readings of the new one")
            edge.send(*sent[10:20])
            edge.drain()
            # else sessions that end wait for a standby that is no more: they remove their temporary tables
            tell(one, "alter system reset synchronous_standby_names")
            wait_for(lambda: sessions(one) <= AT_REST, "an old primary that everybody has left")
            assert {"sojourn api", "sojourn api writing"} <= sessions(two)
            # the new one is away: what the old one would tell is not the truth any more
            two.kill()
            assert client.get(f"/v1/stores/{store.id}").status_code == 503
            assert write("meanwhile") == 503
            edge.send(*sent[20:])
            edge.pause(1.0)
            assert edge.waiting > 0
            assert sessions(one) <= AT_REST
            two.start()
            wait_for(lambda: read(client, store.id) == (200, 200), "the API after the restart")
            edge.drain()
        assert labels() >= {"before", "after"}
        assert labels().isdisjoint({"nowhere", "meanwhile"})
    edge.close()
    with connect(two.dsn("sojourn")) as connection:
        counted = tally(connection, store.id)
    assert (counted.batches, counted.missing_batches, counted.duplicate_batches) == (len(sent), 0, 0)


def sessions(server: Postgres) -> set[str]:
    """Who of ours is connected to a server."""
    asked = (
        "select application_name from pg_stat_activity where datname = 'sojourn' and application_name like 'sojourn%'"
    )
    return {str(name) for (name,) in run(server, asked)}


def read(client: httpx.Client, store: str) -> tuple[int, int]:
    """What a live answer and one of figures give."""
    return (
        client.get(f"/v1/stores/{store}").status_code,
        client.get(f"/v1/stores/{store}/metrics/footfall").status_code,
    )
