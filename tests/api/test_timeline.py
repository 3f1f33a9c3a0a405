"""The timeline of everything: each thing once, page by page, with what came of it, and nothing without consent."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.inputting import customer, event, send
from tests.api.seeding import device, walk
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers
WHO = {"Sojourn-Operator": "N. Weber"}


def made(store: SeededStore, client: httpx.Client) -> str:
    """A customer with a walk that two devices made, events at one time, a note, a cue, an alert and a message."""
    given = customer(1, at=store.now - timedelta(days=90), devices=[device(1), device(2)])
    profile: str = send(client, "/v1/profiles", given).json()["profile_id"]
    at = store.now - timedelta(days=10)
    for pseudonym in (device(1), device(2)):
        walk(
            store.connection, store.plan, store.store_no, pseudonym=pseudonym, arrived_at=at,
            stays=[("entrance", 10.0), ("shoes", 90.0)],
        )  # fmt: skip
    viewed = [event(f"v{number}", "product_viewed", store.now - timedelta(hours=number // 4)) for number in range(60)]
    bought = event("o", "ordered", at, store="marktplatz", total=59.9, currency="EUR", order_id="R-7")
    assert (
        send(client, "/v1/inputs/events", {"source": "web", "events": [*viewed, bought]}).json()["taken_count"] == 61
    )
    note = {"profile_id": profile, "purpose": "observation", "subject": "Size 38 missing"}
    assert client.post("/v1/notes", json=note, headers=WHO | {"Idempotency-Key": str(uuid4())}).status_code == 201
    told = {"profile": profile, "at": at, "store": store.store_no, "id": uuid4(), "now": store.now}
    store.connection.execute(
        "insert into cue_log (visit_id, store_no, profile_id, arrived_at, told_at, cue, because, policy_version,"
        " outcome, outcome_by) values (%(id)s, %(store)s, %(profile)s, %(at)s, %(at)s, 'greet', 'Often here.', 0,"
        " 'declined', 'N. Weber')",
        told,
    )
    store.connection.execute(
        "insert into alert (alert_id, profile_id, rule, rule_version, because, evidence, evidence_key, made_at)"
        " values (%(id)s, %(profile)s, 'r', 1, 'Complained twice.', '[]', 'k', %(now)s)",
        told,
    )
    store.connection.execute(
        "insert into message (message_id, profile_id, template, subject, body, operator, made_at)"
        " values (%(id)s, %(profile)s, 'thanks', 'We have size 38', 'Hello', 'N. Weber', %(now)s)",
        told,
    )
    return profile


def pages(client: httpx.Client, profile: str, limit: int) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.get(f"/v1/profiles/{profile}/timeline", params={"limit": str(limit)} | cursor)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["lines"]) <= limit
        lines += page["lines"]
        if page["next_cursor"] is None:
            return lines
        cursor = {"cursor": page["next_cursor"]}


def test_everything_is_in_it_once_however_it_is_paged(store: SeededStore, client: httpx.Client) -> None:
    profile = made(store, client)
    whole = pages(client, profile, 200)
    assert [line["at"] for line in whole] == sorted((line["at"] for line in whole), reverse=True)
    kinds = [line["kind"] for line in whole]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "product_viewed": 60, "ordered": 1, "store_visit": 1, "consent_granted": 1, "noted": 1, "cue_told": 1,
        "alerted": 1, "message_made": 1,
    }  # fmt: skip
    for limit in (1, 7):
        assert pages(client, profile, limit) == whole, "four share each hour: the page ends between them"
    says = {line["kind"]: line["says"] for line in whole}
    assert says["cue_told"] == "Greet by name. Often here. Not wanted (N. Weber)."
    assert (says["noted"], says["ordered"]) == ("Size 38 missing", "59.90 EUR, R-7")
    path = f"/v1/profiles/{profile}/timeline"
    for wrong in ({"limit": "0"}, {"cursor": "x"}):
        assert client.get(path, params=wrong).status_code == 422
    withdrawn = {"source": "web", "identifier": {"kind": "customer_id", "value": "c-1"}}
    assert send(client, "/v1/withdrawals", withdrawn | {"occurred_at": store.now.isoformat()}).status_code == 200
    assert client.get(path).status_code == 404


def test_the_page_leads_to_what_is_older_and_keeps_what_was_asked(store: SeededStore, client: httpx.Client) -> None:
    profile = made(store, client)
    visit = client.get(f"/v1/profiles/{profile}/visits").json()["visits"][0]["visit"]["visit_id"]
    page = client.get(f"/profiles/{profile}?visit={visit}").text
    (link,) = [part.split('"')[0] for part in page.split('href="') if part.split("<")[0].endswith(">Older")]
    older = client.get(f"/profiles/{profile}{link.replace('&amp;', '&').split('#')[0]}")
    assert older.status_code == 200, older.text
    assert f"?visit={visit}&amp;before=" in page
    assert page.count('class="timeline-what"') == 40
    assert older.text.count('class="timeline-what"') == 27
    assert "Not wanted (N. Weber)" in older.text
    assert "Older</a>" not in older.text
    assert f'href="?visit={visit}#timeline">Newest' in older.text


def test_an_order_in_a_store_without_a_visit_that_was_seen_is_said_to_be_just_that(
    store: SeededStore, client: httpx.Client
) -> None:
    profile = send(client, "/v1/profiles", customer(1, at=store.now - timedelta(days=90))).json()["profile_id"]
    assert "No store visit yet" in client.get(f"/profiles/{profile}").text
    row = event("o", "ordered", store.now - timedelta(days=1), store="marktplatz", total=9, currency="EUR")
    assert send(client, "/v1/inputs/orders", {"source": "till", "events": [row]}).json()["taken_count"] == 1
    page = client.get(f"/profiles/{profile}").text
    assert "No store visit yet" not in page
    assert "No store visit was seen" in page
    assert "Times in UTC" in page
