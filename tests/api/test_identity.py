"""Whose record it is: consent as a ledger, links that can be taken back, and cases that a person decides."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from tests.api.inputting import customer, event, send
from tests.api.seeding import device, walk
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def tell(client: httpx.Client, given: dict[str, Any]) -> str:
    answer = send(client, "/v1/profiles", given)
    assert answer.status_code in {200, 201}, answer.text
    profile: str = answer.json()["profile_id"]
    return profile


def visits(client: httpx.Client, profile: str) -> int:
    return len(client.get(f"/v1/profiles/{profile}/visits").json()["visits"])


def come(store: SeededStore, number: int, days: float) -> None:
    walk(
        store.connection, store.plan, store.store_no, pseudonym=device(number),
        arrived_at=store.now - timedelta(days=days), stays=[("shoes", 90.0)],
    )  # fmt: skip


def test_the_ledger_is_append_only(store: SeededStore, client: httpx.Client) -> None:
    profile = tell(client, customer(1, at=store.now - timedelta(days=9)))
    for statement in (
        "update consent_event set status = 'granted'", "delete from consent_event", "truncate consent_event cascade"
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            store.connection.execute(statement)
    with store.connection.transaction():
        store.connection.execute("set local sojourn.erasing = 'on'")
        store.connection.execute("delete from consent_event")
    assert client.get(f"/v1/profiles/{profile}").status_code == 404


def test_a_customer_who_is_told_of_again_is_the_same_and_her_words_count_once(
    store: SeededStore, client: httpx.Client
) -> None:
    given = customer(1, at=store.now - timedelta(days=9), email="ada@shop.test")
    given["consent"]["key"] = "consent-1"
    profile = tell(client, given)
    again = send(client, "/v1/profiles", given | {"display_name": "Ada", "loyalty_tier": "Gold"})
    assert again.json() == {"profile_id": profile, "made": False, "left_out": []}
    assert client.get(f"/v1/profiles/{profile}").json()["display_name"] == "Ada"
    for said, found in (("C-1", []), ("c-1", [profile]), ("ADA@shop.test", [profile]), ("ada@", []), ("c-", [])):
        rows = client.get("/v1/profiles", params={"q": said}).json()["profiles"]
        assert [row["profile_id"] for row in rows] == found, f"whole numbers and addresses find somebody: {said}"
    words = client.get(f"/v1/profiles/{profile}/consents").json()["words"]
    assert [(word["status"], word["wording"], word["holds"]) for word in words] == [("granted", "2026-03", True)]


def test_without_a_usable_identifier_or_consent_nothing_is_kept(store: SeededStore, client: httpx.Client) -> None:
    at = store.now
    for wrong in (
        customer(1, at=at, customer_id="0000"), customer(1, at=at, email="x@example.com"),
        customer(1, at=at) | {"identifiers": []}, customer(1, at=at) | {"devices": ["abc"]},
        customer(1, at=at) | {"display_name": " "},
        customer(1, at=at) | {"consent": None},
    ):  # fmt: skip
        assert send(client, "/v1/profiles", wrong).status_code == 422
    assert store.connection.execute("select count(*) from profile").fetchone() == (0,)


def test_visits_while_consent_was_withdrawn_never_join(store: SeededStore, client: httpx.Client) -> None:
    profile = tell(client, customer(1, at=store.now - timedelta(days=30), devices=[device(1)]))
    for days in (25, 15, 5):
        come(store, 1, days)
    assert visits(client, profile) == 3
    store.connection.execute(
        "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
        " values (%s, 'in_store_journey', 'withdrawn', 'app', '1', %s)",
        [profile, store.now - timedelta(days=20)],
    )
    assert client.get(f"/v1/profiles/{profile}").status_code == 404
    assert tell(client, customer(1, at=store.now - timedelta(days=10))) == profile
    assert visits(client, profile) == 2, "the one in between happened without consent"


def test_a_link_is_ended_undone_and_restored(store: SeededStore, client: httpx.Client) -> None:
    profile = tell(client, customer(1, at=store.now - timedelta(days=30), devices=[device(1)]))
    come(store, 1, 5)
    (link,) = client.get(f"/v1/profiles/{profile}/links").json()["links"]
    path = f"/v1/profiles/{profile}/links/{link['link_no']}"

    def change(what: str) -> int:
        return send(client, path, {"change": what, "because": "Sold the phone"}).status_code

    assert change("undo") == 200
    assert visits(client, profile) == 0, "it never was hers"
    other = tell(client, customer(2, at=store.now - timedelta(days=30), devices=[device(1)]))
    assert visits(client, other) == 1
    assert change("redo") == 409, "by now it is somebody else's"
    (theirs,) = client.get(f"/v1/profiles/{other}/links").json()["links"]
    assert (
        send(
            client, f"/v1/profiles/{profile}/links/{theirs['link_no']}", {"change": "undo", "because": "x"}
        ).status_code
        == 404
    )
    send(client, f"/v1/profiles/{other}/links/{theirs['link_no']}", {"change": "undo", "because": "x"})
    assert change("redo") == 200
    assert change("redo") == 404
    assert visits(client, profile) == 1
    assert change("end") == 200
    assert visits(client, profile) == 1, "what was before the end stays"
    assert (other != profile, client.get(f"/v1/profiles/{profile}/links").json()["links"][0]["changed_because"]) == (
        True, "Sold the phone",
    )  # fmt: skip


def test_a_kiosk_is_joined_to_nobody(store: SeededStore, client: httpx.Client) -> None:
    profile = tell(client, customer(1, at=store.now - timedelta(days=30), devices=[device(1)]))
    come(store, 1, 5)
    (link,) = client.get(f"/v1/profiles/{profile}/links").json()["links"]
    path = f"/v1/profiles/{profile}/links/{link['link_no']}"
    assert send(client, path, {"change": "block_kiosk", "because": "The tablet at the door"}).status_code == 200
    assert visits(client, profile) == 0
    refused = send(client, "/v1/profiles", customer(2, at=store.now, devices=[device(1)]))
    assert refused.status_code == 409
    assert {fault["what"] for fault in refused.json()["faults"]} >= {"A device is blocked as kiosk."}
    (blocked,) = client.get("/v1/identity/blocked-devices").json()["devices"]
    lift = f"/v1/identity/blocked-devices/{blocked['block_no']}/lift"
    assert [send(client, lift, None).status_code for _ in range(2)] == [200, 404]
    assert visits(client, profile) == 1


def test_two_identified_profiles_wait_for_a_person_and_can_come_apart_again(
    store: SeededStore, client: httpx.Client
) -> None:
    at = store.now - timedelta(days=30)
    ada = tell(client, customer(1, at=at, devices=[device(1)]))
    mail = tell(client, customer(2, at=at, devices=[device(2)], customer_id="", email="ada@shop.test"))
    come(store, 1, 5)
    come(store, 2, 4)
    both = customer(1, at=at, email="ada@shop.test")
    conflict = send(client, "/v1/profiles", both)
    assert conflict.status_code == 409
    assert [fault["where"] for fault in conflict.json()["faults"]] == ["email"]
    assert send(client, "/v1/profiles", both).status_code == 409
    (case,) = client.get("/v1/identity/cases").json()["cases"]
    assert (case["status"], {one["profile_id"] for one in case["profiles"]}) == ("open", {ada, mail})
    assert (visits(client, ada), visits(client, mail)) == (1, 1), "nothing merges by itself"
    path = f"/v1/identity/cases/{case['case_no']}"
    assert send(client, path, {"keep": str(UUID(int=5)), "by": "N. Weber"}).status_code == 409
    assert send(client, path, {"keep": ada, "by": "N. Weber"}).status_code == 200
    assert send(client, path, {"keep": None, "by": "N. Weber"}).status_code == 409
    assert visits(client, ada) == 2
    led = client.get(f"/v1/profiles/{mail}")
    assert (led.status_code, led.headers["location"].endswith(f"/v1/profiles/{ada}")) == (307, True)
    sent = {"source": "web", "events": [{"key": "1", "kind": "searched", "occurred_at": store.now.isoformat(),
                                          "email": "ADA@shop.test"}]}  # fmt: skip
    assert send(client, "/v1/inputs/online", sent).json()["taken_count"] == 1
    assert tell(client, both) == ada
    assert send(client, f"{path}/undo", None).status_code == 200
    assert (visits(client, ada), visits(client, mail)) == (1, 1)
    assert send(client, "/v1/profiles", both).status_code == 409, "it is asked again"


def test_different_people_are_not_asked_about_again(store: SeededStore, client: httpx.Client) -> None:
    at = store.now - timedelta(days=30)
    ada = tell(client, customer(1, at=at))
    tell(client, customer(2, at=at, customer_id="", email="home@shop.test"))
    both = customer(1, at=at, email="home@shop.test")
    send(client, "/v1/profiles", both)
    (case,) = client.get("/v1/identity/cases").json()["cases"]
    send(client, f"/v1/identity/cases/{case['case_no']}", {"keep": None, "by": "N. Weber"})
    told = send(client, "/v1/profiles", both).json()
    assert (told["profile_id"], [one["where"] for one in told["left_out"]]) == (ada, ["email"])


def test_a_case_with_somebody_who_withdrew_is_not_shown(store: SeededStore, client: httpx.Client) -> None:
    at = store.now - timedelta(days=30)
    tell(client, customer(1, at=at))
    tell(client, customer(2, at=at, customer_id="", email="home@shop.test"))
    send(client, "/v1/profiles", customer(1, at=at, email="home@shop.test"))
    (case,) = client.get("/v1/identity/cases").json()["cases"]
    withdrawal = {"identifier": {"kind": "email", "value": "home@shop.test"}, "source": "web", "wording": "1",
                  "occurred_at": store.now.isoformat()}  # fmt: skip
    assert send(client, "/v1/withdrawals", withdrawal).status_code == 200
    assert client.get("/v1/identity/cases").json() == {"cases": []}
    assert send(client, f"/v1/identity/cases/{case['case_no']}", {"keep": None, "by": "x"}).status_code == 404


def test_who_withdrew_is_in_nobodys_way_and_is_asked_about_once_she_is_back(
    store: SeededStore, client: httpx.Client
) -> None:
    at = store.now - timedelta(days=30)
    ada = tell(client, customer(1, at=at))
    eve = tell(client, customer(2, at=at, email="home@shop.test", devices=[device(2)]))
    withdrawal = {"identifier": {"kind": "email", "value": "home@shop.test"}, "source": "web", "wording": "1",
                  "occurred_at": (store.now - timedelta(days=2)).isoformat()}  # fmt: skip
    assert send(client, "/v1/withdrawals", withdrawal).status_code == 200
    both = customer(1, at=at, email="home@shop.test", devices=[device(2)])
    unknown = customer(3, at=at, email="new@shop.test")
    tell(client, unknown)
    answer, first = send(client, "/v1/profiles", both), send(client, "/v1/profiles", unknown)
    assert answer.json() == {"profile_id": ada, "made": False, "left_out": []}
    assert answer.json().keys() == first.json().keys(), "nothing tells that somebody had it"
    assert len(client.get(f"/v1/profiles/{ada}/links").json()["links"]) == 1
    back = customer(2, at=store.now - timedelta(days=1), email="home@shop.test")
    told = send(client, "/v1/profiles", back).json()
    assert (told["profile_id"], [one["where"] for one in told["left_out"]]) == (eve, ["email"])
    (case,) = client.get("/v1/identity/cases").json()["cases"]
    assert send(client, "/v1/profiles", back).status_code == 409
    assert send(client, f"/v1/identity/cases/{case['case_no']}", {"keep": ada, "by": "N. Weber"}).status_code == 200


def test_a_person_withdraws_with_all_that_was_merged_into_her(store: SeededStore, client: httpx.Client) -> None:
    at = store.now - timedelta(days=30)
    newer = store.now - timedelta(days=2)
    ada = tell(client, customer(1, at=newer))
    mail = tell(client, customer(2, at=at, customer_id="", email="ada@shop.test"))
    send(client, "/v1/profiles", customer(1, at=newer, email="ada@shop.test"))
    (case,) = client.get("/v1/identity/cases").json()["cases"]
    send(client, f"/v1/identity/cases/{case['case_no']}", {"keep": ada, "by": "N. Weber"})
    told = [event("R1", "ordered", newer, total=9, currency="EUR")]
    for row in (told[0], told[0] | {"customer_id": "", "email": "ada@shop.test", "total": 8}, told[0]):
        taken = send(client, "/v1/inputs/orders", {"source": "till", "events": [row]}).json()
        assert taken["refused_count"] == 0, "an event of hers, by whichever of her numbers"
    store.connection.execute(
        "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
        " values (%s, 'messages', 'granted', 'web', '7', now() - interval '3 days')",
        [mail],
    )
    words = client.get(f"/v1/profiles/{ada}/consents").json()["words"]
    assert [(one["purpose"], one["profile_id"]) for one in words] == [
        ("in_store_journey", ada), ("messages", mail), ("in_store_journey", mail),
    ]  # fmt: skip
    assert '<option value="messages">' in client.get(f"/profiles/{ada}/consent").text
    early = {"identifier": {"kind": "email", "value": "ada@shop.test"}, "source": "web", "wording": "1",
             "occurred_at": (store.now - timedelta(days=9)).isoformat()}  # fmt: skip
    outweighed = send(client, "/v1/withdrawals", early)
    assert (outweighed.status_code, client.get(f"/v1/profiles/{ada}").status_code) == (409, 200), "ada's grant stands"
    mails = client.get("/v1/profiles", params={"q": "ada@shop.test"}).json()["profiles"]
    assert mails == [], "nobody is found by what belongs to a profile without consent"
    withdrawal = {"identifier": {"kind": "email", "value": "ada@shop.test"}, "source": "web", "wording": "1",
                  "occurred_at": store.now.isoformat(), "key": "w-1"}  # fmt: skip
    assert send(client, "/v1/withdrawals", withdrawal).status_code == 200
    for profile in (ada, mail):
        assert client.get(f"/v1/profiles/{profile}").status_code == 404
    held = store.connection.execute("select purpose from consent_current where holds").fetchall()
    assert held == [("messages",)]
    again = datetime.now(UTC)
    by_mail = {"source": "web", "events": [event("1", "searched", again, customer_id="", email="ada@shop.test")]}
    assert tell(client, customer(2, at=again, customer_id="", email="ada@shop.test")) == ada
    assert send(client, "/v1/inputs/online", by_mail).json()["taken_count"] == 1, (
        "she consented by her second address"
    )
    assert send(client, "/v1/withdrawals", withdrawal | {"occurred_at": again.isoformat()}).status_code == 200
    assert client.get(f"/v1/profiles/{ada}").status_code == 404


def test_the_next_event_after_a_withdrawal_is_refused(store: SeededStore, client: httpx.Client) -> None:
    tell(client, customer(1, at=store.now - timedelta(days=30)))
    body = {"source": "web", "events": [event("1", "searched", store.now)]}
    assert send(client, "/v1/inputs/online", body).status_code == 200
    withdrawal = {"identifier": {"kind": "customer_id", "value": "c-1"}, "source": "web", "wording": "1",
                  "occurred_at": store.now.isoformat()}  # fmt: skip
    assert send(client, "/v1/withdrawals", withdrawal).status_code == 200
    body = {"source": "web", "events": [event("2", "searched", store.now)]}
    assert send(client, "/v1/inputs/online", body).status_code == 404
