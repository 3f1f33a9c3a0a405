"""CSV files of customers: row errors, dry run, and taking one back."""

from datetime import timedelta

import httpx
import pytest

from tests.api.inputting import customer, event, send, send_csv
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers
HEADER = "customer_id,email,display_name,loyalty_tier,consent_source,consent_wording,consent_at,shoe_size\n"
PATH = "/v1/imports/profiles?source=crm"


def names(client: httpx.Client) -> list[str]:
    return [line["display_name"] for line in client.get("/v1/profiles").json()["profiles"]]


def test_customers_are_imported_row_by_row_and_a_dry_run_says_the_same(
    store: SeededStore, client: httpx.Client
) -> None:
    at = (store.now - timedelta(days=9)).isoformat()
    text = HEADER + (
        f"c-1,ada@shop.test,Ada,Gold,web,2026-03,{at},39\n"
        f"0000,,Nobody,,web,2026-03,{at},\n"
        f"c-2,,Ben,,web,2026-03,yesterday,\n"
        f"c-3,,,,web,2026-03,{at},\n"
        f"c-4,ben@shop.test,Ben,,web,2026-03,{at},\n"
        f"c-4,ada@shop.test,Ben,,web,2026-03,{at},\n"
    )
    dry = send_csv(client, PATH + "&dry_run=true", text).json()
    assert names(client) == []
    found = send_csv(client, PATH, text).json()
    assert (dry["import_no"], found["input"], found["left_out"]) == (None, "profiles", ["shoe_size"])
    for answer in (dry, found):
        assert (answer["taken_count"], answer["refused_count"]) == (2, 4)
        assert [(error["line"], error["field"]) for error in answer["errors"]] == [
            (3, "customer_id"), (4, "consent_at"), (5, "display_name"), (7, "email"),
        ]  # fmt: skip
    assert names(client) == ["Ada", "Ben"]
    assert len(client.get("/v1/identity/cases").json()["cases"]) == 1
    assert send_csv(client, PATH, HEADER + text.splitlines()[1] + "\n").json()["unchanged_count"] == 1


def test_an_import_of_customers_is_taken_back(store: SeededStore, client: httpx.Client) -> None:
    at = (store.now - timedelta(days=9)).isoformat()
    send_csv(client, PATH, HEADER + f"c-1,,Ada,Gold,web,2026-03,{at},\n")
    second = send_csv(
        client, PATH, HEADER + f"c-1,,Ada L.,Silver,web,2026-03,{at},\nc-2,,Ben,,web,2026-03,{at},\n"
    ).json()
    assert (second["taken_count"], names(client)) == (2, ["Ada L.", "Ben"])
    revert = f"/v1/imports/{second['import_no']}/revert"
    sent = {"source": "web", "events": [event("1", "searched", store.now, number=2)]}
    assert send(client, "/v1/inputs/online", sent).status_code == 200
    conflict = send(client, revert, None)
    assert conflict.status_code == 409
    assert "1 that it made have events" in conflict.json()["detail"]
    store.connection.execute("delete from customer_event")
    assert send(client, revert, None).status_code == 200
    assert names(client) == ["Ada"]
    assert client.get("/v1/profiles").json()["profiles"][0]["loyalty_tier"] == "Gold"
    assert send(client, "/v1/inputs/online", sent).status_code == 404, "removed is unknown"
    again = send_csv(client, PATH, HEADER + f"c-2,,Ben,,web,2026-03,{at},\n").json()
    assert (again["taken_count"], names(client)) == (1, ["Ada", "Ben"])


def test_an_import_is_not_taken_back_over_what_came_later(store: SeededStore, client: httpx.Client) -> None:
    at = store.now - timedelta(days=9)
    row = f",web,2026-03,{at.isoformat()},\n"
    ada = send(client, "/v1/profiles", customer(1, at=at, email="ada@shop.test")).json()["profile_id"]
    renamed = send_csv(client, PATH, HEADER + f"c-1,,Ada L.,Silver{row}").json()
    made = send_csv(client, PATH, HEADER + f"c-2,,Ben,{row}").json()
    revert, revert_made = (f"/v1/imports/{one['import_no']}/revert" for one in (renamed, made))
    sent = {"source": "loyalty", "events": [event("1", "tier_changed", store.now, tier="Platinum")]}
    assert send(client, "/v1/inputs/loyalty", sent).status_code == 200
    conflict = send(client, revert, None)
    assert (conflict.status_code, names(client)) == (409, ["Ada L.", "Ben"])
    assert "1 profiles of this import were changed since" in conflict.json()["detail"]

    send(client, "/v1/profiles", customer(2, at=at, email="ada@shop.test"))
    (case,) = client.get("/v1/identity/cases").json()["cases"]
    ben = next(one["profile_id"] for one in case["profiles"] if one["profile_id"] != ada)
    path = f"/v1/identity/cases/{case['case_no']}"
    assert send(client, path, {"keep": ben, "by": "N. Weber"}).status_code == 200
    conflict = send(client, revert_made, None)
    assert (conflict.status_code, names(client)) == (409, ["Ben"])
    assert "1 that it made stand for another" in conflict.json()["detail"]
    assert send(client, f"{path}/undo", None).status_code == 200
    assert send(client, revert_made, None).status_code == 200
    assert names(client) == ["Ada L."]


def test_a_file_of_withdrawals_ends_consents_row_by_row(store: SeededStore, client: httpx.Client) -> None:
    at = (store.now - timedelta(days=9)).isoformat()
    send_csv(client, PATH, HEADER + "".join(f"c-{number},,C{number},,web,2026-03,{at},\n" for number in (1, 2, 3)))
    now, before = store.now.isoformat(), (store.now - timedelta(days=10)).isoformat()
    text = (
        f"customer_id,email,occurred_at,shoe_size\nc-1,,{now},39\nc-2,,yesterday,\nc-3,,{before},\n,x@y.at,{now},\n"
    )
    path = "/v1/imports/withdrawals?source=crm"
    dry = send_csv(client, path + "&dry_run=true", text).json()
    assert names(client) == ["C1", "C2", "C3"]
    found = send_csv(client, path, text).json()
    assert names(client) == ["C2", "C3"]
    for answer in (dry, found):
        assert (answer["taken_count"], answer["refused_count"], answer["left_out"]) == (1, 3, ["shoe_size"])
        assert [(error["line"], error["field"]) for error in answer["errors"]] == [
            (3, "occurred_at"), (4, "occurred_at"), (5, "identifier"),
        ]  # fmt: skip
    assert send_csv(client, path, "customer_id,wording\nc-2,1\n").status_code == 422
    assert send(client, f"/v1/imports/{found['import_no']}/revert", None).status_code == 409
    assert names(client) == ["C2", "C3"]
