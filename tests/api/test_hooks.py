"""Signed webhooks of other systems come in like requests; without a good signature nothing does."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from storage.writing import WRITERS
from tests.api.inputting import customer, event, send
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def signed(secret: str, body: Any, *, key: str, at: datetime | None = None) -> dict[str, str]:
    at = at if at is not None else datetime.now(UTC)
    text = json.dumps(body)
    return {
        "webhook-id": key,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(key, at, text),
    }


def hook(
    client: httpx.Client, secret: str, what: str, body: Any, *, key: str, source: str = "shop"
) -> httpx.Response:
    headers = signed(secret, body, key=key)
    return client.post(f"/v1/hooks/{source}/{what}", content=json.dumps(body), headers=headers)


def test_customers_events_and_withdrawals_come_in_signed(store: SeededStore, client: httpx.Client) -> None:
    made = send(client, "/v1/webhooks/senders", {"source": "shop"})
    secret = made.json()["secret"]
    assert send(client, "/v1/webhooks/senders", {"source": "shop"}).status_code == 409
    at = (store.now - timedelta(days=1)).isoformat()
    given = customer(1, at=store.now - timedelta(days=9))
    told = hook(client, secret, "profiles", {"type": "customer.created", "data": given}, key="m1")
    assert told.status_code == 201, told.text
    profile = told.json()["profile_id"]
    row = {"customer_id": "c-1", "total": 49, "currency": "EUR"}
    body = {"type": "Order Completed", "timestamp": at, "data": row}
    first = hook(client, secret, "orders", body, key="m2")
    assert first.json()["taken_count"] == 1, first.text
    again = hook(client, secret, "orders", body, key="m2")
    assert [again.json(), again.headers["Idempotency-Replayed"]] == [first.json(), "true"]
    rows = [event("7", "searched", store.now - timedelta(hours=1), query="boots"), {"customer_id": "c-1"}]
    both = hook(client, secret, "online", {"type": "sing", "timestamp": at, "data": rows}, key="m3").json()
    assert [both["taken_count"], both["refused_count"], both["errors"][0]["line"]] == [1, 1, 2]
    found = client.get(f"/v1/profiles/{profile}/understanding").json()
    assert [found["orders_online_count"], found["looked_online_count"]] == [1, 1]
    assert client.get("/v1/webhooks/senders").json()["senders"][0]["heard_at"] is not None

    digits = [event("8", "searched", store.now, score=10**400), event("9", "searched", store.now, query="\ud800")]
    odd = hook(client, secret, "online", {"data": [*digits, event("10", "searched", store.now)]}, key="m4").json()
    assert [odd["taken_count"], [error["field"] for error in odd["errors"]]] == [1, ["score", "query"]]

    for headers in (
        {}, signed(secret, body, key="m9") | {"webhook-id": "m8"}, signed("whsec_" + "A" * 43, body, key="m9"),
        signed(secret, body | {"type": "x"}, key="m9"),
        signed(secret, body, key="m9", at=datetime.now(UTC) - timedelta(minutes=6)),
        signed(secret, body, key="m9") | {"webhook-signature": "v1,§"},
        signed(secret, body, key="m9") | {"webhook-signature": "nothing"},
    ):  # fmt: skip
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        refused = client.post("/v1/hooks/shop/orders", content=json.dumps(body), headers=encoded)
        assert refused.status_code == 401, headers
    stranger = hook(client, secret, "orders", body, key="m9", source="nobody")
    assert stranger.status_code == 401
    assert {**stranger.json(), "instance": ""} == {**refused.json(), "instance": ""}, "nobody learns who there is"

    for wrong in ("text", {"data": 7}, {"type": "x"}):
        assert hook(client, secret, "orders", wrong, key=f"w{wrong}").status_code == 422
    withdrawal: dict[str, Any] = {"identifier": {"kind": "customer_id", "value": "c-1"}}
    renewed = send(client, "/v1/webhooks/senders/shop/secret", None).json()["secret"]
    body_of = {"type": "consent.withdrawn", "timestamp": at}
    answer = hook(client, secret, "withdrawals", body_of | {"data": withdrawal}, key="m5")
    assert answer.status_code == 200, "the old secret holds for a day"
    assert client.get(f"/v1/profiles/{profile}").status_code == 404
    words = store.connection.execute("select status, wording from consent_event order by consent_no").fetchall()
    assert words == [("granted", "2026-03"), ("withdrawn", "2026-03")], "of what she had agreed to"

    other = hook(
        client, renewed, "profiles", {"data": customer(2, at=store.now - timedelta(days=9))}, key="m10"
    ).json()
    several = [7, {"identifier": {"kind": "shoe_size", "value": "39"}}, withdrawal,
               {"identifier": {"kind": "customer_id", "value": "c-2"}}]  # fmt: skip
    ended = hook(client, renewed, "withdrawals", body_of | {"data": several}, key="m11").json()
    assert (ended["taken_count"], [error["line"] for error in ended["errors"]]) == (1, [1, 2, 3]), ended
    assert client.get(f"/v1/profiles/{other['profile_id']}").status_code == 404
    for data, status in (([], 422), ([withdrawal], 404), (7, 422)):
        refused = hook(client, renewed, "withdrawals", body_of | {"data": data}, key=f"v{data}")
        assert refused.status_code == status
    assert hook(client, renewed, "orders", body, key="m6").status_code == 404
    assert send(client, "/v1/webhooks/senders/shop/remove", None).status_code == 200
    assert hook(client, renewed, "orders", body, key="m7").status_code == 401


def test_who_sends_after_somebody_of_another_role_on_the_same_connection_is_heard(
    store: SeededStore, client: httpx.Client
) -> None:
    secret = send(client, "/v1/webhooks/senders", {"source": "shop"}).json()["secret"]
    send(client, "/v1/profiles", customer(1, at=store.now - timedelta(days=9)))
    for number in range(WRITERS):  # until every connection has served the customer system
        row = event(f"a{number}", "searched", store.now)
        assert send(client, "/v1/inputs/online", {"source": "crm", "events": [row]}).status_code == 200
    told = hook(client, secret, "online", {"data": event("b", "searched", store.now)}, key="m1")
    assert (told.status_code, told.json().get("taken_count")) == (200, 1), told.text


def test_a_withdrawal_names_its_customer_by_a_column_as_every_other_row_does(
    store: SeededStore, client: httpx.Client
) -> None:
    secret = send(client, "/v1/webhooks/senders", {"source": "shop"}).json()["secret"]
    for number in (1, 2, 3):
        send(client, "/v1/profiles", customer(number, at=store.now - timedelta(days=9)))
    at = {"occurred_at": store.now.isoformat()}
    one = hook(client, secret, "withdrawals", {"data": {"customer_id": "c-1"} | at}, key="m1")
    assert one.json() == {"done": True}, one.text
    rows = [{"customer_id": "c-2"} | at, {"wording": "x"} | at]
    both = hook(client, secret, "withdrawals", {"data": rows}, key="m2").json()
    assert [both["taken_count"], both["errors"][0]["field"]] == [1, "identifier"]
    assert [row["display_name"] for row in client.get("/v1/profiles").json()["profiles"]] == ["Customer 3"]
