"""The log of deliveries: what an event tells of a customer is shown to whom may read of her, and entered."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from storage.access.keys import add_key
from storage.access.secrets import digest
from storage.connect import in_transaction
from storage.webhooks import enqueue
from tests.api.inputting import send
from tests.api.seeding import add_customers
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def test_who_reads_deliveries_reads_of_nobody_unentered(store: SeededStore, client: httpx.Client) -> None:
    amara = add_customers(store.connection, store.plan, store.store_no, now=store.now)["Amara Okafor"]
    send(client, "/v1/webhooks/subscriptions", {"url": "https://crm.test/", "event_types": []})
    told = {"profile_id": amara, "because": "The mood was low."}
    in_transaction(store.connection, lambda lent: enqueue(lent, "alert.made", told, profile=amara))
    in_transaction(store.connection, lambda lent: enqueue(lent, "webhook.test", {"says": "It arrives."}))
    for name, roles, stores in (
        ("admin", ["admin"], None),
        ("both", ["admin", "crm"], None),
        ("bound", ["admin", "crm"], ["quay"]),
    ):
        add_key(
            store.connection, digest(f"sjk_{name}"), prefix=name, name=name, roles=roles, stores=stores,
            made_by="tests", holds_for=timedelta(days=1),
        )  # fmt: skip

    def asked(who: str, path: str) -> httpx.Response:
        return client.get(path, headers={"Authorization": f"Bearer sjk_{who}"})

    def looks(who: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get("/v1/audit", params={"actor": who}).json()["entries"]
        return found

    test, alert = asked("admin", "/v1/webhooks/deliveries").json()["deliveries"]
    paths = [f"{room}/webhooks/deliveries/{alert['delivery_no']}" for room in ("/v1", "")]
    for path in ("/v1/webhooks/deliveries", "/webhooks", *paths):
        # webhooks are the whole company's: whoever is bound to stores sees none
        for who, status in (("admin", 200), ("bound", 403)):
            answer = asked(who, path)
            assert (answer.status_code, str(amara) in answer.text, "mood" in answer.text) == (status, False, False)
    body = asked("admin", paths[0]).json()["body"]
    assert (body["type"], body["data"]) == ("alert.made", None)
    assert looks("admin") == [], "nothing was read of anybody"
    plain = asked("admin", f"/v1/webhooks/deliveries/{test['delivery_no']}").json()["body"]
    assert plain["data"] == {"says": "It arrives."}
    for path in paths:
        assert str(amara) in asked("both", path).text
    entered = looks("both")
    assert [one["people"] for one in entered] == [[str(amara)], [str(amara)]]
    assert {(one["kind"], one["route"]) for one in entered} == {
        ("read", "GET /v1/webhooks/deliveries/{delivery_no}"), ("read", "GET /webhooks/deliveries/{delivery_no}"),
    }  # fmt: skip
