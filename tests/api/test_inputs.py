"""What other systems say: once, with row errors, corrected by key, and taken back."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from storage.profiles.events import customer_events
from tests.api.inputting import customer, event, send, send_csv
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers
HEADER = "key,kind,occurred_at,store,customer_id,total,currency\n"


@pytest.fixture
def ada(store: SeededStore, client: httpx.Client) -> str:
    given = customer(1, at=store.now - timedelta(days=60))
    answer = send(client, "/v1/profiles", given)
    assert answer.status_code == 201, answer.text
    profile: str = answer.json()["profile_id"]
    return profile


def orders(store: SeededStore, profile: str) -> list[tuple[str, str, Any, int]]:
    found = customer_events(store.connection, UUID(profile))
    return [(row.kind, row.store, row.detail.get("total"), row.revision) for row in found]


def test_an_order_is_taken_once_corrected_by_its_key_and_cited(
    store: SeededStore, client: httpx.Client, ada: str
) -> None:
    at = store.now - timedelta(hours=3)
    order = event("R-1", "Order Completed", at, store="marktplatz", total="59.90", currency="eur", card="4111")
    body = {"source": "till", "events": [order]}
    first = send(client, "/v1/inputs/orders", body, key="one")
    again = send(client, "/v1/inputs/orders", body, key="one")
    assert first.json() == again.json() == {"taken_count": 1, "unchanged_count": 0, "refused_count": 0, "errors": []}
    assert ("Idempotency-Replayed" in first.headers, again.headers["Idempotency-Replayed"]) == (False, "true")
    assert send(client, "/v1/inputs/orders", body).json()["unchanged_count"] == 1, "another key, the same order"
    assert (
        send(client, "/v1/inputs/orders", {"source": "till", "events": [order | {"total": 49.9}]}).json()[
            "taken_count"
        ]
        == 1
    )
    assert orders(store, ada) == [("ordered", "marktplatz", 49.9, 1)]
    before = customer_events(store.connection, UUID(ada), known_at=store.now - timedelta(days=1))
    assert before == [], "then nothing was known of it"
    row = customer_events(store.connection, UUID(ada))[0]
    assert "card" not in row.detail, "what nobody asked for is not kept"


def test_a_key_is_needed_and_never_stands_for_two_requests(
    store: SeededStore, client: httpx.Client, ada: str
) -> None:
    body = {"source": "till", "events": [event("R-1", "ordered", store.now, total=1, currency="EUR")]}
    assert client.post("/v1/inputs/orders", json=body).status_code == 400
    assert send(client, "/v1/inputs/orders", body, key="k").status_code == 200
    other = {"source": "till", "events": [event("R-2", "ordered", store.now, total=1, currency="EUR")]}
    problem = send(client, "/v1/inputs/orders", other, key="k")
    assert (problem.status_code, problem.json()["type"]) == (422, "urn:sojourn:problem:idempotency-key-reused")
    assert len(orders(store, ada)) == 1


def test_the_same_request_at_the_same_time_counts_once(store: SeededStore, client: httpx.Client, ada: str) -> None:
    body = {"source": "till", "events": [event("R-1", "ordered", store.now, total=1, currency="EUR")]}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: send(client, "/v1/inputs/orders", body, key="k"), range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 3
    assert store.connection.execute("select count(*) from customer_event").fetchone() == (1,)


def test_a_bad_row_stops_no_other(store: SeededStore, client: httpx.Client, ada: str) -> None:
    at = store.now
    rows = [
        event("1", "Product Viewed", at),
        event("2", "Cartwheel Turned", at),
        event("3", "searched", at + timedelta(hours=1)),
        event("4", "searched", at) | {"occurred_at": "2026-11-21T14:00:00"},
        event("5", "searched", at, store="nowhere"),
        event("6", "searched", at, number=99),
        event("", "searched", at),
        {"key": "8", "kind": "searched", "occurred_at": at.isoformat()},
        event("9", "searched", at, query="x" * 201),
        event("10", "searched", at, query="boots"),
        {"event": "Product Viewed", "messageId": "s-1", "timestamp": at.isoformat(), "userId": "c-1",
         "properties": {"product_id": "boot-42", "rating": 5}, "type": "track"},
    ]  # fmt: skip
    found = send(client, "/v1/inputs/online", {"source": "web", "events": rows}).json()
    assert (found["taken_count"], found["refused_count"]) == (3, 8)
    assert [(error["line"], error["field"]) for error in found["errors"]] == [
        (2, "kind"), (3, "occurred_at"), (4, "occurred_at"), (5, "store"), (6, "identifier"), (7, "key"),
        (8, "identifier"), (9, "query"),
    ]  # fmt: skip
    assert "c-99" not in str(found), "an answer repeats no identifier"


ODD: dict[str, list[Any]] = {
    "total": [10**400, True, "1_000", "\uff159", "nan", float("inf")], "score": [10**400, False],
    "query": ["\ud800"], "key": ["\ud800"], "customer_id": ["\ud800"], "currency": ["äää", "EU1"],
    "occurred_at": ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
}  # fmt: skip
"""What JSON can say and no row can mean: any number of digits, half of an emoji, a time beyond the calendar."""


def test_what_only_json_can_say_is_an_error_of_its_row_and_a_good_one_beside_it_is_taken(
    store: SeededStore, client: httpx.Client, ada: str
) -> None:
    odd = [{field: value} for field, values in ODD.items() for value in values] + [
        {"properties": {"total": 10**400}},
        {"kind": "appointment_booked", "starts_at": "0001-01-01T00:00:00+14:00"},
    ]
    rows = [event(f"odd {line}", "searched", store.now) | row for line, row in enumerate(odd)]
    body = {"source": "web", "events": [*rows, event("good", "searched", store.now, query="boots")]}
    headers = {"Idempotency-Key": "odd", "Content-Type": "application/json"}
    for _ in range(2):  # the second time as the answer that was kept
        answer = client.post("/v1/inputs/events", content=json.dumps(body), headers=headers)
        assert (answer.status_code, answer.json()["taken_count"]) == (200, 1), answer.text
        fields = [list(row)[-1].replace("properties", "total") for row in odd]
        assert [error["field"] for error in answer.json()["errors"]] == fields


def test_a_name_that_no_text_can_hold_is_told_of_and_is_no_fault_of_ours(
    store: SeededStore, client: httpx.Client
) -> None:
    given = customer(1, at=store.now - timedelta(days=60))
    headers = {"Idempotency-Key": "odd", "Content-Type": "application/json"}
    consent = given["consent"]
    for odd in (
        {"\ud800": 1}, {"display_name": "\ud800"}, {"display_name": "\u200b"}, {"loyalty_tier": "\u200b"},
        {"consent": consent | {"\ud800": 1}}, {"consent": consent | {"occurred_at": "0001-01-01T00:00:00+14:00"}},
        {"consent": consent | {"expires_at": "9999-12-31T23:59:59-14:00"}},
    ):  # fmt: skip
        answer = client.post("/v1/profiles", content=json.dumps(given | odd), headers=headers)
        assert answer.status_code == 422, (odd, answer.text)
    told = {"source": "crm", "wording": "", "identifier": {"kind": "customer_id", "value": "c-1"}}
    told |= {"occurred_at": "0001-01-01T00:00:00+14:00"}
    assert send(client, "/v1/withdrawals", told).status_code == 422, "kept, it could never be read"


SEGMENT = (
    "Products Searched", "Product List Viewed", "Product List Filtered", "Promotion Viewed", "Promotion Clicked",
    "Product Clicked", "Product Viewed", "Product Added", "Product Removed", "Cart Viewed", "Checkout Started",
    "Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered", "Order Updated", "Order Completed",
    "Order Refunded", "Order Cancelled", "Coupon Entered", "Coupon Applied", "Coupon Denied", "Coupon Removed",
    "Product Added to Wishlist", "Product Removed from Wishlist", "Wishlist Product Added to Cart", "Product Shared",
    "Cart Shared", "Product Reviewed",
)  # fmt: skip
"""https://segment.com/docs/connections/spec/ecommerce/v2, all of it."""


def test_one_stream_of_segments_events_is_taken_and_a_removed_wish_plans_nothing(
    store: SeededStore, client: httpx.Client, ada: str
) -> None:
    properties = {"product_id": "boot-42", "revenue": 9, "currency": "EUR", "order_id": "o"}
    rows: list[dict[str, Any]] = [
        {"event": name, "messageId": f"s-{number}", "userId": "c-1", "properties": properties,
         "timestamp": (store.now - timedelta(minutes=40 - number)).isoformat()}
        for number, name in enumerate(SEGMENT)
    ]  # fmt: skip
    found = send(client, "/v1/inputs/events", {"source": "segment", "events": rows}).json()
    assert (found["taken_count"], found["errors"]) == (len(SEGMENT), [])
    page = (Path(__file__).resolve().parents[2] / "docs" / "profiles.md").read_text()
    assert [name for name in SEGMENT if name not in page] == []

    def planned() -> set[str]:
        stages = client.get(f"/v1/profiles/{ada}/journey").json()["stages"]
        return {one["kind"] for stage in stages if stage["stage"] == "plan_enroll" for one in stage["evidence"]}

    assert "wished" not in planned()
    again = event("w", "wished", store.now - timedelta(minutes=1), product="boot-42")
    send(client, "/v1/inputs/online", {"source": "web", "events": [again]})
    assert "wished" in planned()


def test_a_changed_tier_is_that_of_the_profile(store: SeededStore, client: httpx.Client, ada: str) -> None:
    def tier() -> str | None:
        found: str | None = client.get(f"/v1/profiles/{ada}").json()["loyalty_tier"]
        return found

    for key, days, word, then in (
        ("1", 5, "Gold", "Gold"), ("2", 9, "Silver", "Gold"), ("3", 1, "Platinum", "Platinum"),
    ):  # fmt: skip
        changed = event(key, "Tier Changed", store.now - timedelta(days=days), tier=word)
        assert send(client, "/v1/inputs/loyalty", {"source": "crm", "events": [changed]}).json()["taken_count"] == 1
        assert tier() == then, "the newest says it, whatever comes late"
    given = customer(1, at=store.now - timedelta(days=99)) | {"loyalty_tier": "Gold"}
    send(client, "/v1/profiles", given)
    send(client, "/v1/inputs/loyalty", {"source": "crm", "events": [changed]})
    assert tier() == "Gold", "what was known before changes nothing again"
    text = f"key,kind,occurred_at,customer_id,tier\n5,tier_changed,{store.now.isoformat()},c-1,Bronze\n"
    brought = send_csv(client, "/v1/imports/loyalty?source=crm", text).json()
    assert tier() == "Bronze"
    assert send(client, f"/v1/imports/{brought['import_no']}/revert", None).status_code == 200
    assert tier() == "Platinum", "what events still tell"
    nothing = event("4", "tier_changed", store.now)
    assert send(client, "/v1/inputs/loyalty", {"source": "crm", "events": [nothing]}).json()["refused_count"] == 1


def test_amounts_and_currencies_are_checked(store: SeededStore, client: httpx.Client, ada: str) -> None:
    given: list[dict[str, Any]] = [
        {"total": "NaN"},
        {"total": "1e12"},
        {"total": "12,50"},
        {},
        {"currency": "euros", "total": 1},
    ]
    rows = [event(str(number), "ordered", store.now, currency="EUR") | one for number, one in enumerate(given)]
    found = send(client, "/v1/inputs/orders", {"source": "till", "events": rows}).json()
    assert [error["field"] for error in found["errors"]] == ["total"] * 4 + ["currency"]


def test_unknown_and_withdrawn_are_the_same_404(store: SeededStore, client: httpx.Client, ada: str) -> None:
    withdrawal = {
        "identifier": {"kind": "customer_id", "value": "c-1"}, "source": "app", "wording": "2026-03",
        "occurred_at": store.now.isoformat(),
    }  # fmt: skip
    assert send(client, "/v1/withdrawals", withdrawal).status_code == 200
    store.connection.execute("insert into profile (profile_id, display_name) values (gen_random_uuid(), 'Never')")
    store.connection.execute(
        "insert into profile_identifier (profile_id, kind, value, source)"
        " select profile_id, 'customer_id', 'c-2', 'crm' from profile where display_name = 'Never'"
    )
    answers = set()
    for number in (1, 2, 3):
        body = {"source": "web", "events": [event("1", "searched", store.now, number=number)]}
        answer = send(client, "/v1/inputs/online", body)
        assert answer.status_code == 404
        answers.add(answer.text)
        named = {"kind": "customer_id", "value": f"c-{number}"}
        refused = send(client, "/v1/withdrawals", withdrawal | {"identifier": named})
        assert refused.status_code == 404
        answers.add(refused.text.replace("/v1/withdrawals", "/v1/inputs/online"))
    assert len(answers) == 1
    assert store.connection.execute("select count(*) from customer_event").fetchone() == (0,)
    assert store.connection.execute("select count(*) from idempotency_key").fetchone() == (2,), (
        "what failed is not kept"
    )


def test_what_happened_while_consent_was_withdrawn_stays_out(
    store: SeededStore, client: httpx.Client, ada: str
) -> None:
    for status, days in (("withdrawn", 20), ("granted", 10)):
        store.connection.execute(
            "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
            " values (%s, 'in_store_journey', %s, 'app', '1', %s)",
            [ada, status, store.now - timedelta(days=days)],
        )
    for days, expires_days in ((4, 3), (1, None)):  # and one that expired by itself
        store.connection.execute(
            "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at, expires_at)"
            " values (%s, 'in_store_journey', 'granted', 'app', '1', %s, %s)",
            [
                ada, store.now - timedelta(days=days),
                store.now - timedelta(days=expires_days) if expires_days is not None else None,
            ],
        )  # fmt: skip
    rows = [event(str(days), "searched", store.now - timedelta(days=days)) for days in (90, 30, 15, 5, 2, 0)]
    found = send(client, "/v1/inputs/online", {"source": "web", "events": rows}).json()
    assert [(error["line"], error["field"]) for error in found["errors"]] == [(3, "occurred_at"), (5, "occurred_at")]


def test_what_came_before_a_late_withdrawal_shows_no_more(store: SeededStore, client: httpx.Client, ada: str) -> None:
    """Not even after a new grant; and what is hidden is what would have been refused at the door."""
    days = (90, 30, 15, 5, 2, 0)
    rows = [event(str(day), "searched", store.now - timedelta(days=day)) for day in days]
    assert send(client, "/v1/inputs/online", {"source": "web", "events": rows}).json()["taken_count"] == len(days)
    for day in (30, 5):  # kept from then, as if written on those days
        note = {"purpose": "observation", "subject": f"Of day {day}", "profile_id": ada}
        written = client.post("/v1/notes", json=note, headers={"Sojourn-Operator": "Ines"})
        assert written.status_code == 201, written.text
        store.connection.execute(
            "update note set noted_at = %s where note_id = %s",
            [store.now - timedelta(days=day), written.json()["note_id"]],
        )
        store.connection.execute(
            "insert into alert (profile_id, rule, rule_version, because, evidence, evidence_key, made_at)"
            " values (%(ada)s, 'slipping', 1, 'x', '[]', %(day)s, %(at)s)",
            {"at": store.now - timedelta(days=day), "day": str(day), "ada": ada},
        )
    withdrawal = {
        "identifier": {"kind": "customer_id", "value": "c-1"}, "source": "web", "wording": "1",
        "occurred_at": (store.now - timedelta(days=7)).isoformat(),
    }  # fmt: skip
    assert send(client, "/v1/withdrawals", withdrawal).status_code == 200
    assert client.get(f"/v1/profiles/{ada}").status_code == 404
    assert send(client, "/v1/profiles", customer(1, at=store.now - timedelta(days=3))).status_code in {200, 201}
    seen = [row.source_key for row in customer_events(store.connection, UUID(ada))]
    exported = client.get("/v1/exports/events").text
    assert seen == ["90", "30", "15", "2", "0"]
    assert exported.count("searched") == len(seen)
    again = [event(f"again {day}", "searched", store.now - timedelta(days=day)) for day in days]
    refused = send(client, "/v1/inputs/online", {"source": "web", "events": again}).json()["errors"]
    assert [days[error["line"] - 1] for error in refused] == [5]
    notes = client.get(f"/v1/notes?profile={ada}").json()
    assert [note["subject"] for note in notes["notes"]] == ["Of day 30"]
    alerts = client.get(f"/v1/alerts?profile={ada}").json()["alerts"]
    assert [alert["made_at"][:10] for alert in alerts] == [str((store.now - timedelta(days=30)).date())]


def test_a_dry_run_says_what_the_import_then_does(store: SeededStore, client: httpx.Client, ada: str) -> None:
    at = (store.now - timedelta(days=1)).isoformat()
    text = HEADER + f"1,ordered,{at},marktplatz,c-1,10,EUR\n" + f'2,ordered,{at},marktplatz,"c-1,10,EUR\n' + (
        f"3,ordered,{at},marktplatz,c-1,30\n" + f"4,ordered,{at},,c-1,40,EUR\n" + f"4,ordered,{at},,c-1,41,EUR\n"
    )  # fmt: skip
    dry = send_csv(client, "/v1/imports/orders?source=till&dry_run=true", text).json()
    assert (dry["import_no"], dry["rows_count"], dry["taken_count"], dry["refused_count"]) == (None, 5, 2, 3)
    assert [(error["line"], error["field"]) for error in dry["errors"]] == [(3, ""), (4, ""), (5, "key")]
    assert orders(store, ada) == []
    assert client.get("/v1/imports").json() == {"imports": []}
    real = send_csv(client, "/v1/imports/orders?source=till", text).json()
    for name in ("rows_count", "taken_count", "refused_count", "errors"):
        assert real[name] == dry[name]
    assert sorted(total for _, _, total, _ in orders(store, ada)) == [10, 41]
    assert client.get(f"/v1/imports/{real['import_no']}").json()["errors"] == real["errors"]


def test_an_import_is_taken_back_and_what_was_before_counts_again(
    store: SeededStore, client: httpx.Client, ada: str
) -> None:
    at = (store.now - timedelta(days=1)).isoformat()
    first = send_csv(client, "/v1/imports/orders?source=till", HEADER + f"1,ordered,{at},,c-1,10,EUR\n").json()
    second = send_csv(
        client, "/v1/imports/orders?source=till",
        HEADER + f"1,ordered,{at},,c-1,11,EUR\n2,ordered,{at},,c-1,20,EUR\n",
    ).json()  # fmt: skip
    conflict = send(client, f"/v1/imports/{first['import_no']}/revert", None)
    assert conflict.status_code == 409
    assert "ordered 1" in conflict.json()["detail"]
    back = send(client, f"/v1/imports/{second['import_no']}/revert", None).json()
    assert back["reverted_at"] is not None
    assert [(total, revision) for _, _, total, revision in orders(store, ada)] == [(10, 2)]
    assert send(client, f"/v1/imports/{second['import_no']}/revert", None).json() == back
    again = send_csv(client, "/v1/imports/orders?source=till", HEADER + f"2,ordered,{at},,c-1,20,EUR\n").json()
    assert again["taken_count"] == 1, "what was removed may come again"
    assert send(client, "/v1/imports/999/revert", None).status_code == 404


def test_files_that_cannot_be_read_at_all_are_refused(client: httpx.Client, ada: str) -> None:
    for text in ("", "key,kind\n1,ordered\n", "key,key,kind,occurred_at,email\n", b"\xff\xfe\x00"):
        answer = send_csv(client, "/v1/imports/orders?source=till", text)
        assert answer.status_code == 422, text
    assert send_csv(client, "/v1/imports/shoes?source=till", HEADER).status_code == 422
    assert send_csv(client, "/v1/imports/orders", HEADER).status_code == 422
    assert send_csv(client, "/v1/imports/orders?source=till", b"x" * (16 * 1024 * 1024 + 1)).status_code == 413


def test_a_large_file_is_taken_in_seconds(store: SeededStore, client: httpx.Client, ada: str) -> None:
    at = (store.now - timedelta(days=1)).isoformat()
    rows = "".join(f"{number};ordered;{at};marktplatz;c-1;10;EUR\r\n" for number in range(5_000))
    found = send_csv(
        client, "/v1/imports/orders?source=till", b"\xef\xbb\xbf" + (HEADER.replace(",", ";") + rows).encode()
    )
    assert found.json()["taken_count"] == 5_000
    assert found.elapsed < timedelta(seconds=8)
