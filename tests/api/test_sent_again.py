"""A request that is sent again: to whoever sent it, and never with a secret a second time."""

from typing import Any

import httpx
import psycopg
import pytest

from storage.access.acting import ROLES
from tests.api.inputting import send
from tests.api.seeding import add_customers
from tests.api.test_access import people
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def kept(store: SeededStore) -> str:
    return str(
        store.connection.execute("select string_agg(idempotency_key::text, ' ') from idempotency_key").fetchone()
    )


def test_a_secret_is_told_once_and_kept_nowhere(store: SeededStore, client: httpx.Client) -> None:
    amara = add_customers(store.connection, store.plan, store.store_no, now=store.now)["Amara Okafor"]
    subscription: dict[str, Any] = {"url": "https://93.184.215.14/in", "event_types": ["alert.made"]}
    asked: list[tuple[str, Any]] = [
        ("/v1/webhooks/senders", {"source": "shop"}),
        ("/v1/webhooks/senders/shop/secret", None),
        ("/v1/webhooks/subscriptions", subscription),
        (f"/v1/profiles/{amara}/card-tickets", None),
    ]
    for number, (path, body) in enumerate(asked):
        made = send(client, path, body, key=f"k{number}")
        assert made.status_code in {200, 201}, made.text
        if path.endswith("subscriptions"):
            asked.append((f"{path}/{made.json()['subscription_id']}/secret", None))
        secret = made.json().get("secret") or made.json()["path"].split("#")[1]
        again = send(client, path, body, key=f"k{number}")
        assert [again.status_code, "shown once" in again.json()["detail"]] == [409, True], path
        assert secret not in again.text
        assert secret not in kept(store), path
    counts = store.connection.execute(
        "select (select count(*) from webhook_subscription), (select count(*) from card_ticket)"
    ).fetchone()
    assert counts == (1, 1), "nothing is made twice"


def test_answers_are_nobodys_to_read(store: SeededStore, client: httpx.Client) -> None:
    send(client, "/v1/webhooks/senders", {"source": "shop"})
    for role in ROLES:
        for of in ("everywhere", "own"):
            store.connection.execute(f"set role sojourn_{role}_{of}".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                store.connection.execute("select from idempotency_key")
            store.connection.execute("reset role")


def test_a_key_is_that_of_whoever_sends_it(store: SeededStore, client: httpx.Client) -> None:
    made = add_customers(store.connection, store.plan, store.store_no, now=store.now)
    path = f"/v1/profiles/{made['Amara Okafor']}/card-tickets"
    headers = people(store.connection)["crm"]
    url = str(client.base_url).rstrip("/") + path
    assert send(client, path, None, key="7").status_code == 201
    for status in (201, 409):  # hers is another request than the program's, and then her own sent again
        request = httpx.Request("POST", url, headers={"Idempotency-Key": "7"} | headers)
        answer = client.send(request)
        assert answer.status_code == status, answer.text
    makers = store.connection.execute("select count(distinct made_by), count(*) from card_ticket").fetchone()
    assert makers == (2, 2)
