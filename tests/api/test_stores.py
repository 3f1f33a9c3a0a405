"""Stores, zones, occupancy; and that operations never see a device."""

import json
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from core.records import Role
from tests.api.seeding import add_customers, add_presence, add_visit, device, fill, set_people
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def test_stores_come_in_the_order_of_their_ids_page_by_page(client: httpx.Client) -> None:
    first = client.get("/v1/stores", params={"limit": 1}).json()
    assert [store["id"] for store in first["stores"]] == ["marktplatz"]
    second = client.get("/v1/stores", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [store["id"] for store in second["stores"]] == ["quay"]
    assert second["next_cursor"] is None
    assert second["stores"][0] == {
        "id": "quay",
        "name": "quay",
        "timezone": "America/New_York",
        "zone_count": 3,
        "anchor_count": 2,
        "people_now": 0,
    }


def test_a_store_has_its_floor_plan(client: httpx.Client) -> None:
    found = client.get("/v1/stores/marktplatz").json()
    assert found["timezone"] == "Europe/Berlin"
    assert found["zones"][5] == {
        "id": "shoes",
        "name": "Shoe wall",
        "kind": "shelf",
        "parent": None,
        "outline_m": [[15, 0], [25, 0], [25, 9], [15, 9]],
    }
    assert found["anchors"][0] == {"id": "a1", "zone": "entrance", "x_m": 20, "y_m": 22, "floor": None}
    assert client.get("/v1/stores/marktplatz/zones").json()["zones"] == found["zones"]


def test_occupancy_counts_every_zone_and_says_how_fresh_it_is(store: SeededStore, client: httpx.Client) -> None:
    set_people(store.connection, store.plan, store.store_no, {"shoes": 9, "women": 4}, at=store.now)
    store.connection.execute(
        "insert into engine_progress (store_no, log_no, decoded, late, repeated, decided_through)"
        " values (%s, 1, 1000, 3, 2, %s)",
        [store.store_no, store.now - timedelta(seconds=30)],
    )
    found = client.get("/v1/stores/marktplatz/occupancy").json()
    assert found["total_people"] == 13
    assert {row["zone"]: row["people"] for row in found["zones"] if row["people"]} == {"shoes": 9, "women": 4}
    assert len(found["zones"]) == 12
    fresh = found["freshness"]
    assert fresh["as_of"] == store.now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert (fresh["signals_decoded"], fresh["signals_late"], fresh["signals_repeated"]) == (1000, 3, 2)


def test_staff_and_fixed_tags_are_no_people(store: SeededStore, client: httpx.Client) -> None:
    set_people(store.connection, store.plan, store.store_no, {"shoes": 9}, at=store.now)
    for number, role in enumerate((Role.STAFF, Role.FIXTURE, Role.STAFF)):
        add_presence(
            store.connection, store.plan, store.store_no, pseudonym=bytes([200 + number]) * 16, zone="women",
            arrived_at=store.now, in_zone_since=store.now, last_signal_at=store.now, role=role,
        )  # fmt: skip
    found = client.get("/v1/stores/marktplatz/occupancy").json()
    assert (found["total_people"], found["resident_count"]) == (9, 3)
    assert {row["zone"]: row["people"] for row in found["zones"] if row["people"]} == {"shoes": 9}
    listed = {store["id"]: store["people_now"] for store in client.get("/v1/stores").json()["stores"]}
    assert listed["marktplatz"] == 9


def test_a_store_where_nothing_happened_yet_is_empty_and_says_so(client: httpx.Client) -> None:
    found = client.get("/v1/stores/quay/occupancy").json()
    assert found["total_people"] == 0
    assert found["freshness"]["as_of"] is None
    assert found["freshness"]["written_at"] is None


def test_an_unknown_store_is_a_problem_that_says_what_to_do(client: httpx.Client) -> None:
    for what in ("", "/zones", "/occupancy", "/visits", "/live"):
        for name in ("a b", "%00", "x" * 300, "nowhere"):
            answer = client.get(f"/v1/stores/{name}{what}")
            assert answer.status_code == 404, (name, what)
            assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json() == {
            "type": "urn:sojourn:problem:store-unknown",
            "title": "Unknown store",
            "status": 404,
            "detail": "There is no store 'nowhere'.",
            "hint": "GET /v1/stores lists the stores there are.",
            "instance": f"/v1/stores/nowhere{what}",
        }


def test_a_changed_plan_shows_at_once(store: SeededStore, client: httpx.Client) -> None:
    assert client.get("/v1/stores/quay/zones").json()["plan_version"] == 1
    plan = json.loads(client.get("/v1/stores/quay").text)
    store.connection.execute(
        "update store set plan = jsonb_set(plan, '{zones,0,name}', '\"Door\"'), plan_version = plan_version + 1"
        " where id = 'quay'"
    )
    changed = client.get("/v1/stores/quay/zones").json()
    assert changed["plan_version"] == 2
    assert plan["zones"][0]["name"] == "door"
    assert changed["zones"][0]["name"] == "Door"


def test_operations_never_see_a_device(store: SeededStore, client: httpx.Client) -> None:
    fill(store.connection, store.plan, store.store_no, now=store.now)
    add_customers(store.connection, store.plan, store.store_no, now=store.now)
    secret = bytes.fromhex("c0ffee00c0ffee11c0ffee22c0ffee33")
    add_visit(
        store.connection, store.plan, store.store_no, pseudonym=secret, entered_at=store.now, dwell_s=5, zone="shoes"
    )
    add_presence(
        store.connection, store.plan, store.store_no, pseudonym=secret, zone="shoes",
        arrived_at=store.now, in_zone_since=store.now, last_signal_at=store.now,
    )  # fmt: skip
    spelt = {str(UUID(bytes=name)) for name in (secret, *map(device, range(1, 7)), *map(device, range(5_000, 5_040)))}
    spelt |= {name.replace("-", "") for name in spelt}
    for path in (
        "/v1/stores", "/v1/stores/marktplatz", "/v1/stores/marktplatz/zones", "/v1/stores/marktplatz/occupancy",
        "/v1/stores/marktplatz/visits?limit=500", "/v1/stores/marktplatz/visits?kind=store", "/v1/ready",
        "/stores/marktplatz", "/v1/profiles", "/profiles",
        "/profiles/a0000000-0000-4000-8000-000000000001", "/v1/profiles/a0000000-0000-4000-8000-000000000001",
        "/v1/profiles/a0000000-0000-4000-8000-000000000001/journey",
        "/v1/profiles/a0000000-0000-4000-8000-000000000001/visits",
    ):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert not [name for name in spelt if name in answer.text], path
        assert '"device"' not in answer.text
