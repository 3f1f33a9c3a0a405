"""The journey map over real rows: segments with live counts, a map, and the journeys as a log."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

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
