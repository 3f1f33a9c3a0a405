"""Cues are told as customers arrive, once, with consent only; and a trial divides them."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from api.app import create_app
from storage.profiles.profiles import create_profile
from tests.api.inputting import customer, event, send
from tests.api.seeding import add_presence, add_visit, announce, device, walk
from tests.api.serving import answering, events, wait_for
from tests.fix_api import SeededStore
from tests.webhooks.receiving import Receiver, delivering, receiving

pytestmark = pytest.mark.servers
CUES = "/v1/stores/marktplatz/cues"
TRIALS = "/v1/stores/marktplatz/cue-trials"
WHO = {"Sojourn-Operator": "N. Weber"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def arrive(store: SeededStore, number: int, *, ago_s: float = 0.0) -> None:
    """As ingest does: presence and notice in one transaction."""
    at = store.connection.execute("select clock_timestamp()").fetchone()
    assert at is not None
    begin = at[0] - timedelta(seconds=ago_s)
    with store.connection.transaction():
        add_presence(
            store.connection, store.plan, store.store_no, pseudonym=device(number), zone="entrance",
            arrived_at=begin, in_zone_since=begin, last_signal_at=begin,
        )  # fmt: skip
        announce(store.connection, "marktplatz", at=begin)


def told(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(CUES).json()["cues"]
    return found


def test_a_cue_is_on_the_staff_page_and_at_the_webhook_within_two_seconds_of_arrival(
    store: SeededStore, client: httpx.Client, receiver: Receiver
) -> None:
    given = customer(1, at=store.now - timedelta(days=200), devices=[device(1)]) | {"loyalty_tier": "Gold"}
    profile = send(client, "/v1/profiles", given).json()["profile_id"]
    walk(
        store.connection, store.plan, store.store_no, pseudonym=device(1),
        arrived_at=store.now - timedelta(days=70), stays=[("shoes", 300.0)],
    )  # fmt: skip
    subscription = send(
        client, "/v1/webhooks/subscriptions", {"url": "https://crm.test/", "event_types": ["service_cue.shown"]}
    )
    store.connection.execute("update webhook_subscription set url = %s", [receiver.url])
    heard: list[tuple[float, dict[str, Any]]] = []
    following = threading.Event()

    def follow() -> None:
        with client.stream("GET", f"{CUES}/live") as stream:
            following.set()
            for name, data in events(stream):
                if name == "cue":
                    heard.append((time.monotonic(), data))
                    return

    with delivering(store.database_url):
        page = threading.Thread(target=follow, daemon=True)
        page.start()
        assert following.wait(10)
        arrived = time.monotonic()
        arrive(store, 1)
        page.join(10)
        wait_for(lambda: receiver.heard, "the webhook")
        webhook_s = time.monotonic() - arrived
    ((at, shown),) = heard
    assert at - arrived < 2.0
    assert webhook_s < 2.0
    assert [shown["cue"], shown["because"], shown["profile_id"], shown["outcome"]] == [
        "recognise", "Gold, and has been away for 60 days.", profile, None,
    ]  # fmt: skip
    sent = receiver.verified(subscription.json()["secret"])
    assert sent["type"] == "service_cue.shown"
    assert sent["data"]["cue_no"] == shown["cue_no"]
    assert sent["data"]["profile_id"] == profile
    assert "display_name" not in sent["data"], "who it is stays here"

    path = f"/v1/cues/{shown['cue_no']}/outcome"
    headers = WHO | {"Idempotency-Key": "1"}
    assert client.post(path, json={"outcome": "done"}, headers=headers).status_code == 200
    (row,) = told(client)
    assert [row["outcome"], row["outcome_by"]] == ["done", "N. Weber"]

    consented = {"source": "app", "wording": "1", "occurred_at": store.now.isoformat(), "key": "w"}
    who = {"identifier": {"kind": "customer_id", "value": "c-1"}}
    assert send(client, "/v1/withdrawals", consented | who).status_code == 200
    assert told(client) == []
    headers = WHO | {"Idempotency-Key": "2"}
    assert client.post(path, json={"outcome": "done"}, headers=headers).status_code == 404


def test_a_cue_is_told_once_and_only_with_consent(store: SeededStore, client: httpx.Client) -> None:
    for number in (1, 2):
        given = customer(number, at=store.now - timedelta(days=9), devices=[device(number), device(10 + number)])
        assert send(client, "/v1/profiles", given).status_code == 201
    rules = [{"cue": "offer", "says": "Ordered lately.", "order_within_days": 30}]
    policy = {"made_by": "N. Weber", "rules": rules}
    path, headers = "/v1/stores/marktplatz/cue-policy", {"Idempotency-Key": "policy"}
    assert client.put(path, json=policy, headers=headers).status_code == 200
    orders = [
        event(key, "ordered", store.now - timedelta(days=days), total=49, currency="EUR", order_id=key, store=where)
        for key, days, where in (("W-6", 5, "marktplatz"), ("W-7", 3, ""))
    ]
    send(client, "/v1/inputs/orders", {"source": "till", "events": orders})
    withdrawn = {"source": "app", "wording": "1", "occurred_at": store.now.isoformat(), "key": "w"}
    send(client, "/v1/withdrawals", withdrawn | {"identifier": {"kind": "customer_id", "value": "c-2"}})
    for number in (2, 12, 99):  # withdrawn, and somebody nobody knows
        arrive(store, number)
    arrive(store, 1)
    wait_for(lambda: len(told(client)) == 1, "the cue")
    with answering(create_app(store.database_url)) as other:  # a second service looks as well, at once
        arrive(store, 11)
        announce(store.connection, "marktplatz", at=store.now)
        create_profile(
            store.connection, display_name="B", devices=[device(3)], granted_at=store.now - timedelta(days=1)
        )
        arrive(store, 3)
        wait_for(lambda: len(told(other)) == 2, "the next customer")
    found = {row["display_name"]: row for row in told(client)}
    assert found.keys() == {"Customer 1", "B"}
    ada, other_row = found["Customer 1"], found["B"]
    assert (ada["cue"], ada["order"]["says"], ada["order"]["store"]) == ("offer", "49.00 EUR, W-7", None)
    assert client.get(f"/v1/profiles/{ada['profile_id']}/cue").json()["order"] == ada["order"]
    assert (other_row["cue"], other_row["order"]) == ("leave_alone", None)
    exported = {row["cue_no"]: row["order_event_id"] for row in client.get("/v1/exports/cues?format=json").json()}
    assert exported == {ada["cue_no"]: ada["order"]["event_id"], other_row["cue_no"]: None}
    assert store.connection.execute("select count(*) from cue_log").fetchone() == (2,)


def test_a_trial_divides_customers_and_says_what_it_changed(store: SeededStore, client: httpx.Client) -> None:
    rules = [{"cue": "greet", "says": "On trial: everybody."}]
    body = {"name": "Greet everybody", "rules": rules}
    begun = client.post(TRIALS, json=body, headers=WHO | {"Idempotency-Key": "1"})
    assert begun.json() == {"trial_no": 1}
    again = client.post(TRIALS, json=body, headers=WHO | {"Idempotency-Key": "2"})
    assert [again.status_code, again.json()["faults"]] == [
        409,
        [{"where": "cue-trials", "what": "Trial 1 is running."}],
    ]
    for number in range(1, 13):
        create_profile(
            store.connection, display_name=f"C {number}", devices=[device(number)],
            granted_at=store.now - timedelta(days=90),
        )  # fmt: skip
        arrive(store, number)
    wait_for(lambda: len(told(client)) == 12, "all cues")
    for row in told(client):
        assert row["trial_no"] == 1
        assert (row["cue"] == "greet") is row["tried"], "the other half keeps the store's policy"
        assert client.get(f"/v1/profiles/{row['profile_id']}/cue").json()["cue"] == row["cue"]
    # 60 more as they were 40 days ago: who was greeted stays twice as long, buys, and comes back
    store.connection.execute("delete from presence")
    at = store.now - timedelta(days=40)
    for number in range(100, 160):
        tried = number % 2 == 0
        given = customer(number, at=at - timedelta(days=1), devices=[device(number)])
        profile = send(client, "/v1/profiles", given).json()["profile_id"]
        store.connection.execute(
            "insert into cue_log (visit_id, store_no, profile_id, arrived_at, cue, because, policy_version, trial_no,"
            " tried) values (gen_random_uuid(), %s, %s, %s, 'greet', 'x', 0, 1, %s)",
            [store.store_no, profile, at, tried],
        )
        for entered_at, dwell_s in (
            (at + timedelta(seconds=3), (1200 if tried else 600) + number),
            (at + timedelta(days=9), 60),
        ):
            if entered_at < at + timedelta(days=1) or tried:
                add_visit(
                    store.connection, store.plan, store.store_no, pseudonym=device(number), entered_at=entered_at,
                    dwell_s=dwell_s,
                )  # fmt: skip
        if tried:
            bought = event(
                f"o{number}",
                "ordered",
                at + timedelta(minutes=9),
                number=number,
                store="marktplatz",
                total=1,
                currency="EUR",
            )
            sent = send(client, "/v1/inputs/orders", {"source": "till", "events": [bought]})
            assert sent.json()["taken_count"] == 1, sent.text
    # of the other half one came ten days ago, and is back already: her month is not over
    newer = store.now - timedelta(days=10)
    given = customer(160, at=at, devices=[device(160)])
    profile = send(client, "/v1/profiles", given).json()["profile_id"]
    store.connection.execute(
        "insert into cue_log (visit_id, store_no, profile_id, arrived_at, cue, because, policy_version, trial_no,"
        " tried) values (gen_random_uuid(), %s, %s, %s, 'greet', 'x', 0, 1, false)",
        [store.store_no, profile, newer],
    )
    for days, dwell_s in ((0, 700), (4, 60)):
        add_visit(
            store.connection, store.plan, store.store_no, pseudonym=device(160),
            entered_at=newer + timedelta(days=days), dwell_s=dwell_s,
        )  # fmt: skip
    (trial,) = client.get(TRIALS).json()["trials"]
    assert trial["customers_count"] == 61, "the twelve are still in the store"
    assert trial["returned"]["kept_count"] == 30, "who is counted is decided by time alone"
    assert trial["rules"] == rules
    assert 1.8 < trial["dwell"]["low"] < trial["dwell"]["change"] < trial["dwell"]["high"] < 2.0
    for name in ("bought", "returned"):
        assert [trial[name]["tried"], trial[name]["kept"], trial[name]["change"]] == [1, 0, 1]
        assert 0.8 < trial[name]["low"] <= 1 <= trial[name]["high"]
    assert send(client, f"{TRIALS}/1/end", None).status_code == 200
    assert send(client, f"{TRIALS}/1/end", None).status_code == 404
    assert client.get(TRIALS).json()["trials"][0]["ended_at"] is not None


def test_the_policy_that_a_trial_compares_with_stays_until_the_trial_is_ended(
    store: SeededStore, client: httpx.Client
) -> None:
    body = {"name": "Quiet", "rules": []}
    assert client.post(TRIALS, json=body, headers=WHO | {"Idempotency-Key": "1"}).status_code == 201
    path = "/v1/stores/marktplatz/cue-policy"
    other = {"rules": [{"cue": "greet", "says": "Everybody."}], "made_by": "N. Weber"}
    refused = client.put(path, json=other, headers={"Idempotency-Key": "2"})
    assert [refused.status_code, refused.json()["faults"]] == [
        409,
        [{"where": "cue-trials", "what": "Trial 1 is running."}],
    ]
    form = {"draft": json.dumps({"rules": other["rules"]}), "version": "0"}
    page = client.post(path.removeprefix("/v1"), data=form, headers=WHO | {"Sec-Fetch-Site": "same-origin"})
    assert (page.status_code, client.get(path).json()["version"]) == (409, 0), page.text
    assert "Trial 1 compares with the policy" in client.get(path.removeprefix("/v1")).text
    assert send(client, f"{TRIALS}/1/end", None).status_code == 200
    assert client.put(path, json=other, headers={"Idempotency-Key": "3"}).json()["version"] == 1


def test_who_has_left_is_said_to_have_left(store: SeededStore, client: httpx.Client) -> None:
    send(client, "/v1/profiles", customer(1, at=store.now - timedelta(days=9), devices=[device(1)]))
    arrive(store, 1)
    wait_for(lambda: told(client), "the cue")
    (cue,) = told(client)
    assert cue["left_at"] is None
    assert "has left" not in client.get("/stores/marktplatz/cues").text
    store.connection.execute("delete from presence")
    arrived_at = datetime.fromisoformat(cue["arrived_at"])
    walk(
        store.connection, store.plan, store.store_no, pseudonym=device(1), arrived_at=arrived_at,
        stays=[("shoes", 300.0)],
    )  # fmt: skip
    left_at = datetime.fromisoformat(told(client)[0]["left_at"])
    assert left_at - arrived_at == timedelta(seconds=300)
    assert "has left" in client.get("/stores/marktplatz/cues").text


def test_nonsense_in_the_form_of_a_rule_is_told_and_changes_nothing(client: httpx.Client) -> None:
    """What is no finite number must not become a rule without its bound."""
    page, number = "/stores/marktplatz/cue-policy/draft", "days_away_at_least"
    rule = {"draft": json.dumps({"rules": []}), "version": "0", "cue": "greet", "says": "Everybody."}
    headers = WHO | {"Sec-Fetch-Site": "same-origin"}
    for form in ({"act": "add", number: "nan"}, {"act": "add", number: "1e999"}, {"act": "remove " + "9" * 5000}):
        answer = client.post(page, data=rule | form, headers=headers)
        assert (answer.status_code, "A fault of ours" in answer.text) == (422, False), form
