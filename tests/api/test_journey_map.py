"""The journey map over real rows: segments with live counts, a map, and the journeys as a log."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from api.journey_map.building import Found
from api.journey_map.models import CountOut
from core.journey.segments import Facts
from storage.journey_map.people import look_at, read_people, sample_people
from storage.profiles.profiles import create_profile
from tests.api.inputting import customer, event, send
from tests.api.seeding import device, walk
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers
WHO = {"Sojourn-Operator": "N. Weber"}


def test_segments_map_and_log(store: SeededStore, client: httpx.Client) -> None:
    at = store.now - timedelta(days=30)
    for number in range(1, 33):
        given = customer(number, at=at - timedelta(days=1), devices=[device(number)])
        assert send(client, "/v1/profiles", given).status_code == 201
        if number > 30:  # two never come: one orders online
            continue
        walk(
            store.connection, store.plan, store.store_no, pseudonym=device(number), arrived_at=at,
            stays=[("entrance", 10.0), ("shoes", 90.0 if number % 2 else 300.0)],
        )  # fmt: skip
    till = {"store": "marktplatz", "total": 9, "currency": "EUR"}
    orders = [
        event(f"o{number}", "ordered", at + timedelta(seconds=60), number=number, **till) for number in range(1, 16)
    ]
    online = [
        event(f"w{number}-{days}", "ordered", at + timedelta(days=days), number=number, total=9, currency="EUR")
        for number, days in ((31, 0), (31, 1), (5, 5))  # 31 never comes, 5 came five days before
    ]
    assert send(client, "/v1/inputs/orders", {"source": "till", "events": [*orders, *online]}).status_code == 200
    create_profile(store.connection, display_name="No consent", devices=[], granted_at=store.now + timedelta(days=1))

    def count(rule: Mapping[str, object]) -> int | None:
        answer = client.post("/v1/segments/count", json={"rule": dict(rule)})
        assert answer.status_code == 200, answer.text
        return answer.json()["people_count"]  # type: ignore[no-any-return]

    assert [count(rule) for rule in ({}, {"visits_at_least": 1}, {"orders_at_least": 1}, {"visits_at_most": 0})] == [
        30, None, 15, None,
    ]  # fmt: skip
    assert count({"dwell_at_least_s": 200, "store": "marktplatz"}) == 15
    assert count({"days": 10, "visits_at_least": 1}) == 0
    assert count({"reached": "engage", "skipped": "discover"}) is None, "two are missing to all: few by subtraction"
    assert count({"reached": "engage", "orders_at_most": 0}) == 15
    assert [count({"completed": how}) for how in ("bought", "left_empty_handed", "returned")] == [15, 15, 0]
    for wrong in ({"sing": 1}, {"days": 0}, {"reached": "x"}, {"completed": "sang"}):
        assert client.post("/v1/segments/count", json={"rule": wrong}).status_code == 422
    body = {"name": "Bought", "rule": {"orders_at_least": 1}}
    kept = client.post("/v1/segments", json=body, headers=WHO | {"Idempotency-Key": "1"})
    assert kept.json() == {"segment_no": 1}
    (segment,) = client.get("/v1/segments").json()["segments"]
    assert [segment["name"], segment["count"]["people_count"], segment["made_by"]] == ["Bought", 15, "N. Weber"]

    everybody = client.get("/v1/journey-map?store=marktplatz&compare=true").json()
    shares = {one["stage"]: one["reached_share"] for one in everybody["stages"]}
    assert [shares["arrive"], shares["engage"], shares["discover"], shares["reflect"]] == [1, 1, 0, 0]
    drops = {one["stage"]: one["drop_off_share"] for one in everybody["stages"]}
    assert drops["complete"] == 1
    assert everybody["changes"][0] == {"stage": "discover", "effect": None}, "nobody came before"
    assert everybody["links"]
    assert [everybody["completed"][how] for how in ("bought", "left_empty_handed")] == [0.5, 0.5]
    assert client.get("/v1/journey-map?segment=1").json()["count"]["people_count"] == 15
    for wrong_path in ("segment=9", "store=nowhere"):
        assert client.get(f"/v1/journey-map?{wrong_path}").status_code == 404

    rows = client.get("/v1/exports/journeys?format=json").json()
    visited = {row["profile_id"] for row in rows if not row["case"].startswith("online")}
    cases = defaultdict(list)
    for row in rows:
        cases[row["case"]].append(row)
    assert len(cases) == 33, "30 visits, and three orders online, one of a customer who came"
    for case, log in cases.items():
        assert [row["time"] for row in log] == sorted(row["time"] for row in log)
        reached = [row["activity"] for row in log if row["kind"] == "stage"]
        if case.startswith("online"):
            assert "complete" in reached
            assert "arrive" not in reached
        else:
            assert reached.index("arrive") < reached.index("engage") < reached.index("complete")
            assert any(row["activity"] == "zone_visit shoes" and row["evidence_id"] for row in log)
    came = next(row for row in rows if row["case"].startswith("online") and row["profile_id"] in visited)
    order = came["case"].removeprefix("online ")
    path = f"/v1/profiles/{came['profile_id']}/journey"
    around = client.get(path, params={"order": order}).json()
    assert (around["order_id"], around["visit_id"]) == (order, None)
    assert {one["stage"]: one["because"] for one in around["stages"]}["complete"] == "ordered_online"
    in_store = next(row["evidence_id"] for row in rows if row["activity"] == "ordered" and row["store"])
    for wrong_order in (str(UUID(int=7)), in_store):
        assert client.get(path, params={"order": wrong_order}).status_code == 404
    assert client.get("/v1/exports/journeys").text.startswith("case,activity,time,kind,")
    assert send(client, "/v1/segments/1/remove", None).status_code == 200
    assert send(client, "/v1/segments/1/remove", None).status_code == 404


def test_orders_of_a_customer_who_looks_at_thousands_of_products_are_all_in_log_and_segments(
    store: SeededStore, client: httpx.Client
) -> None:
    send(client, "/v1/profiles", customer(1, at=store.now - timedelta(days=300)))
    at = store.now - timedelta(days=200)
    orders = [
        event(f"o{number}", "ordered", at + timedelta(hours=number), total=9, currency="EUR") for number in range(120)
    ]
    said = [event("e", "enrolled", store.now - timedelta(days=290)), event("v", "searched", at - timedelta(days=1))]
    gone = event("gone", "cancelled", store.now, order_id="x")
    orders.append(event("x", "ordered", at, total=9, currency="EUR", order_id="x"))
    body = {"source": "web", "events": [*said, *orders, gone]}
    assert send(client, "/v1/inputs/events", body).json()["taken_count"] == 124
    store.connection.execute(
        "insert into customer_event (event_id, revision, profile_id, kind, source, source_key, occurred_at, detail)"
        " select gen_random_uuid(), 0, profile_id, 'product_viewed', 'web', n::text,"
        "       now() - make_interval(mins => n), '{}' from profile, generate_series(1, 3000) n"
    )
    rows = client.get("/v1/exports/journeys?format=json").json()
    cases = defaultdict(list)
    for row in rows:
        cases[row["case"]].append(row)
    assert len(cases) == 120, "each order, but for the one that was cancelled"
    first = min(cases.values(), key=lambda log: max(row["time"] for row in log))
    assert {"enrolled", "searched", "discover"} <= {row["activity"] for row in first}
    (one,) = read_people(store.connection, _everybody(store), begin=at, end=store.now, browsing=False)
    viewed = [row for row in one.events if row[2] == "product_viewed"]
    assert (one.events_read, 100 <= len(viewed) <= 102) == (3123, True), "two an hour, for fifty hours"


def _everybody(store: SeededStore) -> list[UUID]:
    return sample_people(store.connection).profiles


def test_when_what_may_be_read_is_spent_fewer_customers_are_looked_at_and_the_answer_says_so(
    store: SeededStore, client: httpx.Client
) -> None:
    for number in range(60):
        send(client, "/v1/profiles", customer(number, at=store.now - timedelta(days=60)))
    at = store.now - timedelta(days=1)
    rows = [event(f"{n}", "ordered", at, number=n % 60, total=9, currency="EUR") for n in range(300)]
    assert send(client, "/v1/inputs/events", {"source": "web", "events": rows}).json()["taken_count"] == 300
    sample = sample_people(store.connection)
    begin = store.now - timedelta(days=30)
    looked, people = look_at(store.connection, sample, begin=begin, end=store.now, rows_most=100)
    assert (looked.whole, looked.total, len(looked.profiles), len(people)) == (False, 60, 50, 50)
    assert {len(one.events) for one in people} == {5}, "of those who are looked at nothing is left out"
    found = Found(sample=looked, facts=[Facts(dwells_s=(), orders=5, felt=(), journeys=())] * 50)
    told = CountOut.of(found)
    assert (told.people_count, told.exact, told.looked_at_count) == (60, False, 50)
    whole, _ = look_at(store.connection, sample, begin=begin, end=store.now)
    assert (whole.whole, len(whole.profiles)) == (True, 60)


def test_nonsense_in_the_form_of_a_segment_is_told(client: httpx.Client) -> None:
    headers = WHO | {"Sec-Fetch-Site": "same-origin"}
    for number in ("nan", "1e999", "9" * 400, "some", "1.5"):
        form = {"act": "count", "name": "x", "visits_at_least": number}
        answer = client.post("/journey-map", data=form, headers=headers)
        assert (answer.status_code, "A fault of ours" in answer.text) == (422, False), number
