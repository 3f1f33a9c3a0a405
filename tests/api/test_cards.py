"""What other systems take away or show: exports, and the card of a profile in a frame."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from api.app import create_app
from api.cards.routes import framed_policy
from api.settings import Settings, read_origins
from core.errors import ConfigurationError
from storage.profiles import exports
from storage.profiles.profiles import create_profile
from tests.api.inputting import customer, event, send
from tests.api.seeding import add_customers, device, walk
from tests.api.serving import answering
from tests.fix_api import SeededStore

ORIGIN = "https://acme.lightning.force.com"


@pytest.fixture
def client(store: SeededStore) -> Iterator[httpx.Client]:
    with answering(create_app(store.database_url, Settings(card_origins=(ORIGIN,)))) as client:
        yield client


@pytest.mark.servers
def test_a_card_as_json_and_in_a_frame_for_minutes_with_consent_only(
    store: SeededStore, client: httpx.Client
) -> None:
    amara = add_customers(store.connection, store.plan, store.store_no, now=store.now)["Amara Okafor"]
    card = client.get(f"/v1/profiles/{amara}/card").json()
    assert [card["display_name"], card["visits_count"], card["page"]] == ["Amara Okafor", 2, f"/profiles/{amara}"]
    assert card["visit_in_progress"]["zone"] == "shoes"
    assert card["cue"]["cue"] == "leave_alone"
    assert [stage["state"] for stage in card["stages"]][2:4] == ["reached", "reached"]

    made = send(client, f"/v1/profiles/{amara}/card-tickets", None)
    assert [made.status_code, made.json()["frame_ancestors"]] == [201, [ORIGIN]]
    page, ticket = made.json()["path"].split("#")
    opening = client.get(page)
    assert [opening.status_code, ticket in opening.text] == [200, False]
    assert f"frame-ancestors {ORIGIN}" in opening.headers["Content-Security-Policy"]

    def open_with(ticket: str) -> httpx.Response:
        return client.post("/card", data={"ticket": ticket}, headers={"Sec-Fetch-Site": "same-origin"})

    kept = store.connection.execute("select ticket_sha256 from card_ticket").fetchone()
    assert kept is not None
    assert ticket.encode() not in bytes(kept[0])
    shown = open_with(ticket)
    assert shown.status_code == 200
    assert "Amara Okafor" in shown.text
    policy = shown.headers["Content-Security-Policy"]
    assert f"frame-ancestors {ORIGIN}" in policy
    assert "'none'" not in policy.split("frame-ancestors")[1].split(";")[0]
    assert shown.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in client.get(f"/profiles/{amara}").headers["Content-Security-Policy"]

    def fresh_ticket() -> str:
        path: str = send(client, f"/v1/profiles/{amara}/card-tickets", None).json()["path"]
        return path.split("#")[1]

    nobody, again = open_with("nothing"), open_with(ticket)
    late = fresh_ticket()
    store.connection.execute("update card_ticket set expires_at = now()")
    over = open_with(late)
    fresh = fresh_ticket()
    store.connection.execute(
        "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
        " values (%s, 'in_store_journey', 'withdrawn', 'app', '1', now())",
        [amara],
    )
    withdrawn = open_with(fresh)
    for answer in (nobody, again, over, withdrawn):
        assert [answer.status_code, answer.text] == [404, nobody.text]
    problems = [client.get(f"/v1/profiles/{one}/card").json() | {"instance": ""} for one in (amara, uuid4())]
    assert problems[0] == problems[1]
    assert send(client, f"/v1/profiles/{amara}/card-tickets", None).status_code == 404


def test_origins_and_the_policy_of_frames() -> None:
    assert read_origins("https://crm.example, http://localhost:3000") == (
        "https://crm.example",
        "http://localhost:3000",
    )
    assert "frame-ancestors https://a.test https://b.test;" in framed_policy(("https://a.test", "https://b.test"))
    assert "frame-ancestors 'none'" in framed_policy(())
    for wrong in (
        "http://crm.example",
        "https://*.example",
        "https://crm.example/",
        "https://a;script-src",
        "*",
        "'self'",
    ):
        with pytest.raises(ConfigurationError):
            read_origins(wrong)


@pytest.mark.servers
def test_exports_hold_everything_of_those_who_consent(
    store: SeededStore, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/v1/exports/visits?format=json").json() == []
    at = store.now - timedelta(days=20)
    for number in range(1, 6):
        given = customer(number, at=at, devices=[device(number)]) | {"display_name": f"=Customer {number}"}
        assert send(client, "/v1/profiles", given).status_code == 201
        walk(
            store.connection, store.plan, store.store_no, pseudonym=device(number),
            arrived_at=at + timedelta(days=number), stays=[("shoes", 300.0)],
        )  # fmt: skip
        looked = event(str(number), "searched", at + timedelta(days=1), number=number, query="a, b")
        send(client, "/v1/inputs/online", {"source": "web", "events": [looked]})
    gone = create_profile(store.connection, display_name="Gone", devices=[], granted_at=at)
    store.connection.execute(
        "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
        " values (%s, 'in_store_journey', 'withdrawn', 'app', '1', now())",
        [gone],
    )
    monkeypatch.setattr(exports, "PROFILES_AT_ONCE", 2)
    for what, count in (("profiles", 5), ("visits", 5), ("events", 5), ("consents", 5), ("cues", 0)):
        rows = client.get(f"/v1/exports/{what}?format=json").json()
        answer = client.get(f"/v1/exports/{what}")
        lines = list(csv.DictReader(io.StringIO(answer.text)))
        assert [len(rows), len(lines)] == [count, count], what
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{what}.csv"'
        assert str(gone) not in answer.text
        if rows:
            assert list(rows[0]) == list(lines[0]) == list(exports.COLUMNS[what])
            assert [row["profile_id"] for row in rows] == sorted(row["profile_id"] for row in rows)
        if what == "profiles":
            assert {line["display_name"][:2] for line in lines} == {"'="}, "no formula for a spreadsheet"
        if what == "events":
            assert rows[0]["detail"] == {"query": "a, b"}
    assert client.get("/v1/exports/secrets").status_code == 422
