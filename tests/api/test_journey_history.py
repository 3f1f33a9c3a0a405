"""Late evidence revises a journey, and what it was before can be read."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from storage.profiles.events import EVENTS_OF_A_PROFILE
from tests.api.inputting import customer, event, send, send_csv
from tests.api.seeding import device, walk
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


@pytest.fixture
def ada(store: SeededStore, client: httpx.Client) -> str:
    told = send(client, "/v1/profiles", customer(1, at=store.now - timedelta(days=60), devices=[device(1)]))
    walk(
        store.connection, store.plan, store.store_no, pseudonym=device(1), arrived_at=store.now - timedelta(days=2),
        stays=[("entrance", 20), ("shoes", 300), ("checkout", 60)],
    )  # fmt: skip
    profile: str = told.json()["profile_id"]
    return profile


def complete(journey: dict[str, Any]) -> tuple[str, str]:
    (stage,) = (stage for stage in journey["stages"] if stage["stage"] == "complete")
    return stage["because"], stage["evidence"][0]["kind"]


def test_an_order_that_comes_days_later_revises_the_journey_with_history(
    store: SeededStore, client: httpx.Client, ada: str
) -> None:
    journey = client.get(f"/v1/profiles/{ada}/journey").json()
    assert complete(journey) == ("left_empty_handed", "store_visit")
    at = store.now - timedelta(days=2) + timedelta(seconds=350)
    text = (
        f"key,kind,occurred_at,store,customer_id,total,currency\n1,ordered,{at.isoformat()},marktplatz,c-1,10,EUR\n"
    )
    imported = send_csv(client, "/v1/imports/orders?source=till", text).json()
    viewed = {"source": "web", "events": [event("1", "Product Viewed", store.now - timedelta(days=3))]}
    assert send(client, "/v1/inputs/online", viewed).json()["taken_count"] == 1
    after = client.get(f"/v1/profiles/{ada}/journey").json()
    assert complete(after) == ("bought", "ordered")
    where = f"/v1/profiles/{ada}/journey/history"
    revisions = client.get(where, params={"visit": journey["visit_id"]}).json()["revisions"]
    # the consent was heard of after the visit, as it happens in this test
    changes = [revision["changed"] for revision in revisions]
    assert len(changes[0]) == 6
    assert changes[1:] == [["plan_enroll"], ["complete"], ["discover"]]
    assert [complete(revision)[0] for revision in revisions[1:]] == ["left_empty_handed", "bought", "bought"]
    assert revisions[-1]["stages"] == after["stages"]
    send(client, f"/v1/imports/{imported['import_no']}/revert", None)
    revisions = client.get(where, params={"visit": journey["visit_id"]}).json()["revisions"]
    assert [complete(revision)[0] for revision in revisions[-2:]] == ["bought", "left_empty_handed"]


def test_an_order_online_has_a_history_from_when_it_was_heard_of(
    store: SeededStore, client: httpx.Client, ada: str
) -> None:
    bought = event("w1", "ordered", store.now - timedelta(days=1), total=9, currency="EUR")
    assert send(client, "/v1/inputs/orders", {"source": "web", "events": [bought]}).json()["taken_count"] == 1
    seen = event("1", "Product Viewed", store.now - timedelta(days=1, hours=1))
    assert send(client, "/v1/inputs/online", {"source": "web", "events": [seen]}).json()["taken_count"] == 1
    (line,) = (row for row in client.get("/v1/exports/events?format=json").json() if row["kind"] == "ordered")
    where = f"/v1/profiles/{ada}/journey"
    history = client.get(f"{where}/history", params={"order": line["event_id"]}).json()
    assert (history["order_id"], history["visit_id"], history["store"]) == (line["event_id"], None, None)
    assert [revision["changed"] for revision in history["revisions"]][1:] == [["discover"]]
    now = client.get(where, params={"order": line["event_id"]}).json()
    assert history["revisions"][-1]["stages"] == now["stages"]
    for wrong, status in (({"order": ada}, 404), ({}, 422)):
        assert client.get(f"{where}/history", params=wrong).status_code == status


def test_the_history_of_an_unknown_visit_is_unknown(client: httpx.Client, ada: str) -> None:
    for visit in (ada, "x"):
        answer = client.get(f"/v1/profiles/{ada}/journey/history", params={"visit": visit})
        assert answer.status_code in {404, 422}


def test_who_never_came_to_a_store_has_a_journey_of_orders(store: SeededStore, client: httpx.Client) -> None:
    told = send(client, "/v1/profiles", customer(2, at=store.now - timedelta(days=60))).json()
    web = [
        ("online", event("1", "searched", store.now - timedelta(days=3), number=2)),
        ("orders", event("2", "ordered", store.now - timedelta(days=2), number=2, total=5, currency="EUR")),
        ("online", event("3", "reviewed", store.now - timedelta(days=1), number=2)),
    ]
    sent = [send(client, f"/v1/inputs/{name}", {"source": "web", "events": [one]}) for name, one in web]
    assert {answer.json()["taken_count"] for answer in sent} == {1}
    journey = client.get(f"/v1/profiles/{told['profile_id']}/journey").json()
    states = {stage["stage"]: stage["state"] for stage in journey["stages"]}
    assert states == {
        "discover": "reached", "plan_enroll": "reached", "arrive": "not_yet", "engage": "not_yet",
        "complete": "reached", "reflect": "reached",
    }  # fmt: skip


def test_thousands_of_events_since_take_nothing_from_an_old_journey(
    store: SeededStore, client: httpx.Client, ada: str
) -> None:
    around = {
        "online": (("Product Viewed", 52), ("Product Added to Wishlist", 51), ("Product Reviewed", 48)),
        "orders": (("Order Completed", 50),),
    }
    for given, rows in around.items():
        events = [
            event(kind, kind, store.now - timedelta(days=day), order_id="o1", total=9, currency="EUR")
            for kind, day in rows
        ]
        sent = send(client, f"/v1/inputs/{given}", {"source": "web", "events": events}).json()
        assert sent["taken_count"] == len(rows), sent
    (order,) = (
        str(row[0]) for row in store.connection.execute("select event_id from customer_event where kind = 'ordered'")
    )
    where = f"/v1/profiles/{ada}/journey"
    before = client.get(where, params={"order": order}).json()
    told = client.get(f"{where}/history", params={"order": order}).json()
    reached = {stage["stage"] for stage in before["stages"] if stage["state"] == "reached"}
    assert reached >= {"discover", "plan_enroll", "complete", "reflect"}
    store.connection.execute(
        "insert into customer_event (event_id, revision, profile_id, kind, source, source_key, occurred_at, detail,"
        "  recorded_at)"
        " select gen_random_uuid(), 0, %s, 'product_viewed', 'web', 'later ' || n, %s - n * interval '10 min', '{}',"
        "  clock_timestamp() + n * interval '1 second' from generate_series(1, %s) n",
        [ada, store.now, EVENTS_OF_A_PROFILE + 200],
    )
    assert client.get(where, params={"order": order}).json()["stages"] == before["stages"]
    assert client.get(f"{where}/history", params={"order": order}).json()["revisions"] == told["revisions"]
    assert "Reviewed" in client.get(f"/profiles/{ada}", params={"order": order}).text
