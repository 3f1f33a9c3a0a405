"""What is understood of a customer: said where the data support it, and why not where they do not."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest

from core.errors import InputError
from core.journey.cues import Cue, CuePolicy, CueRule
from core.journey.returning import ReturnKind
from storage.journey_map.people import read_people
from storage.profiles.understanding import clientele, current_model, fit_returns, save_policy
from tests.api.inputting import customer, event, send
from tests.api.seeding import add_presence, add_visit, device
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def tell(store: SeededStore, client: httpx.Client, number: int = 1) -> str:
    given = customer(number, at=store.now - timedelta(days=400), devices=[device(number)])
    profile: str = send(client, "/v1/profiles", given | {"loyalty_tier": "Gold"}).json()["profile_id"]
    return profile


def come(store: SeededStore, days_ago: float, dwell_s: float, number: int = 1) -> None:
    add_visit(
        store.connection, store.plan, store.store_no, pseudonym=device(number),
        entered_at=store.now - timedelta(days=days_ago), dwell_s=dwell_s,
    )  # fmt: skip


def arrive(store: SeededStore, number: int = 1) -> None:
    at = store.now - timedelta(seconds=20)
    add_presence(
        store.connection, store.plan, store.store_no, pseudonym=device(number), zone="entrance",
        arrived_at=at, in_zone_since=at, last_signal_at=store.now,
    )  # fmt: skip


def test_nothing_is_said_of_somebody_who_never_came(store: SeededStore, client: httpx.Client) -> None:
    found = client.get(f"/v1/profiles/{tell(store, client)}/understanding").json()
    assert (found["visits_count"], found["rhythm"], found["returning"], found["own"]) == (0, None, None, None)
    assert "A rhythm needs five visits." in found["gaps"]


def test_usually_weekly_not_seen_for_five_weeks(store: SeededStore, client: httpx.Client) -> None:
    profile = tell(store, client)
    for week, dwell_s in enumerate((600.0, 700.0, 800.0, 900.0, 1_000.0, 3_000.0)):
        come(store, 70 - 7 * week, dwell_s)
    found = client.get(f"/v1/profiles/{profile}/understanding").json()
    assert (found["rhythm"]["usual_days"], found["rhythm"]["unusual"]) == (7.0, True)
    assert found["own"] == {"among_count": 5, "middle_s": 800.0, "share": 1.0}
    assert found["weekdays"]["visits_count"] + found["weekends"]["visits_count"] == 6
    newest = client.get(f"/v1/profiles/{profile}/visits").json()["visits"]
    first = newest[-1]["visit"]["visit_id"]

    # her watch, put on at the door and seen for longer: the same visits, and it stands for them
    send(client, "/v1/profiles", customer(1, at=store.now - timedelta(days=400), devices=[device(1), device(2)]))
    for week, dwell_s in enumerate((590.0, 690.0)):
        come(store, 70 - 7 * week - 7 / 86_400, dwell_s, number=2)
    come(store, 35 - 7 / 86_400, 3_100.0, number=2)
    twice = client.get(f"/v1/profiles/{profile}/understanding").json()
    assert (twice["visits_count"], twice["weekdays"]["visits_count"] + twice["weekends"]["visits_count"]) == (6, 6)
    shown = client.get(f"/v1/profiles/{profile}/visits").json()["visits"]
    assert [one["visit"]["visit_id"] for one in shown][1:] == [one["visit"]["visit_id"] for one in newest][1:]
    assert (shown[0]["visit"]["dwell_s"], len(shown)) == (3_100.0, 6)
    pages: list[Any] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = client.get(f"/v1/profiles/{profile}/visits", params={"limit": "2"} | cursor).json()
        pages += page["visits"]
        cursor = {"cursor": page["next_cursor"]}
    assert (pages, page["next_cursor"]) == (shown, None)
    for one in (shown[0], newest[0]):
        journey = client.get(f"/v1/profiles/{profile}/journey", params={"visit": one["visit"]["visit_id"]}).json()
        assert journey["visit_id"] == shown[0]["visit"]["visit_id"]
    (person,) = read_people(store.connection, [UUID(profile)], begin=store.now - timedelta(days=99), end=store.now)
    assert [str(visit.visit_id) for visit in person.visits] == [one["visit"]["visit_id"] for one in reversed(shown)]
    assert len(client.get("/v1/exports/visits", params={"format": "csv"}).text.splitlines()) == 7
    other = client.get(f"/v1/profiles/{profile}/understanding", params={"visit": first}).json()
    assert (other["visit_id"], other["own"]["share"]) == (first, 0.0)
    assert client.get(f"/v1/profiles/{profile}/understanding", params={"visit": profile}).status_code == 404

    rules = (CueRule(cue=Cue.RECOGNISE, says="Away for long.", days_away_at_least=30),)
    save_policy(store.connection, store.store_no, CuePolicy(rules=rules), made_by="test")
    arrive(store)
    come(store, 15 / 86_400, 10.0, number=2)  # the watch fell silent, the phone is still heard
    path = f"/v1/profiles/{profile}/cue"
    assert client.get(path).json()["cue"] == "recognise"
    assert len(client.get(f"/v1/profiles/{profile}/visits").json()["visits"]) == 6
    withdrawal: dict[str, Any] = {
        "identifier": {"kind": "customer_id", "value": "c-1"}, "source": "web", "wording": "1",
        "occurred_at": (store.now - timedelta(days=34)).isoformat(),
    }  # fmt: skip
    assert send(client, "/v1/withdrawals", withdrawal).status_code == 200
    send(client, "/v1/profiles", customer(1, at=store.now - timedelta(hours=1), devices=[device(1)]))
    anew = client.get(f"/v1/profiles/{profile}/understanding").json()
    assert (anew["visits_count"], anew["rhythm"]) == (6, None), "whether she came meanwhile nobody knows"
    assert client.get(path).json()["cue"] == "leave_alone"


def test_a_browser_is_told_where_the_store_has_two_kinds(store: SeededStore, client: httpx.Client) -> None:
    profile = tell(store, client)
    chance = np.random.default_rng(4)
    dwells = [*chance.lognormal(np.log(240), 0.4, 240), *chance.lognormal(np.log(2_400), 0.4, 160)]
    for number, dwell_s in enumerate(dwells):
        come(store, 20 + number / 100, float(dwell_s), number=1_000 + number)
    for day in range(5):
        come(store, 10 - day, 2_300.0)
    found = client.get(f"/v1/profiles/{profile}/understanding").json()
    assert found["browser_share"] > 0.9, "where the default policy acts; five visits are not a hundred"
    assert found["store"]["among_count"] == 405


def test_a_return_probability_once_a_model_is_fitted(store: SeededStore, client: httpx.Client) -> None:
    profile = tell(store, client)
    come(store, 30, 600.0)
    with pytest.raises(InputError, match="100 customers"):
        fit_returns(store.connection, through=store.now)
    assert client.get(f"/v1/profiles/{profile}/understanding").json()["returning"] is None
    chance = np.random.default_rng(5)
    for number in range(2, 122):
        with store.connection.transaction():
            store.connection.execute(
                "with made as (insert into profile (display_name) values ('x') returning profile_id), said as ("
                " insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
                " select profile_id, 'in_store_journey', 'granted', 'app', '1', now() - interval '1 year' from made)"
                " insert into device_link (device, profile_id, valid_from)"
                " select %s, profile_id, now() - interval '1 year' from made",
                [device(number).hex()],
            )
            for days in {min(99, int(days)) for days in np.cumsum(chance.exponential(20, chance.integers(1, 6)))}:
                come(store, 100 - days, 600.0, number=number)
    models = fit_returns(store.connection, through=store.now)
    assert {model.kind for model in models} == set(ReturnKind)
    held = current_model(store.connection)
    assert held is not None
    assert held.model == models[0]
    found = client.get(f"/v1/profiles/{profile}/understanding").json()["returning"]
    assert 0 < found["within_share"] <= found["alive_share"] <= 1
    assert found["customers_count"] == 121
    before = Counter(clientele(store.connection, through=store.now))
    for status, days_ago in (("withdrawn", 29), ("granted", 20), ("granted", 5)):
        store.connection.execute(
            "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
            " values (%s, 'in_store_journey', %s, 'app', '2', now() - make_interval(days => %s))",
            [profile, status, days_ago],
        )
    come(store, 10, 600.0)
    after = Counter(clientele(store.connection, through=store.now))
    lost, gained = before - after, after - before
    assert [(one.repeats, round(one.age)) for one in lost] == [(0, 30)], "what was before the break"
    assert [(one.repeats, round(one.age)) for one in gained] == [(0, 10)], "she did not stay away meanwhile"


def test_the_cue_of_an_arrival_follows_policy_preference_and_consent(
    store: SeededStore, client: httpx.Client
) -> None:
    profile = tell(store, client)
    come(store, 90, 600.0)
    path = f"/v1/profiles/{profile}/cue"
    assert client.get(path).json() is None, "not in a store"
    arrive(store)
    assert client.get(path).json() == {
        "store": "marktplatz", "cue": "recognise", "because": "Gold, and has been away for 60 days.",
        "rule_no": 4, "policy_version": 0, "order": None,
    }  # fmt: skip
    policy = {"made_by": "N. Weber", "rules": [{"cue": "greet", "says": "Everybody is greeted."}]}
    put = client.put("/v1/stores/marktplatz/cue-policy", json=policy, headers={"Idempotency-Key": "p"})
    assert put.json()["version"] == 1
    assert client.get("/v1/stores/marktplatz/cue-policy").json()["rules"] == policy["rules"]
    assert (client.get(path).json()["cue"], client.get(path).json()["policy_version"]) == ("greet", 1)
    wish = event("1", "service_preferred", store.now, service="leave_alone")
    send(client, "/v1/inputs/app", {"source": "app", "events": [wish]})
    assert client.get(path).json()["because"] == "The customer asked for it."
    store.connection.execute(
        "insert into customer_event (event_id, revision, profile_id, kind, source, source_key, occurred_at, detail)"
        " select gen_random_uuid(), 0, %s, 'product_viewed', 'web', no::text, %s + no * interval '1 second', '{}'"
        "   from generate_series(1, 2000) no",
        [profile, store.now],
    )
    assert client.get(path).json()["because"] == "The customer asked for it.", "however much she looked at since"
    withdrawal: dict[str, Any] = {
        "identifier": {"kind": "customer_id", "value": "c-1"}, "source": "web", "wording": "1",
        "occurred_at": store.now.isoformat(),
    }  # fmt: skip
    send(client, "/v1/withdrawals", withdrawal)
    assert client.get(path).status_code == 404


def test_an_appointment_counts_on_its_day_and_not_when_cancelled(store: SeededStore, client: httpx.Client) -> None:
    profile = tell(store, client)
    arrive(store)
    rules = (CueRule(cue=Cue.GREET, says="Has an appointment.", appointment_today=True),)
    save_policy(store.connection, store.store_no, CuePolicy(rules=rules), made_by="test")
    for key, kind, days, expected in (
        ("1", "appointment_booked", 1, "leave_alone"), ("2", "appointment_booked", 0, "greet"),
        ("2", "appointment_cancelled", 0, "leave_alone"),
    ):  # fmt: skip
        starts = (store.now + timedelta(days=days)).isoformat()
        given = event(key, kind, store.now - timedelta(days=1), order_id=key, starts_at=starts)
        assert (
            send(client, "/v1/inputs/appointments", {"source": "desk", "events": [given]}).json()["taken_count"] == 1
        )
        assert client.get(f"/v1/profiles/{profile}/cue").json()["cue"] == expected


def test_a_policy_that_cannot_be_is_refused(client: httpx.Client) -> None:
    for rules in ([{"cue": "sing", "says": "x"}], [{"cue": "greet", "says": "x", "shoe": 1}]):
        given = {"made_by": "x", "rules": rules}
        answer = client.put("/v1/stores/marktplatz/cue-policy", json=given, headers={"Idempotency-Key": "p"})
        assert answer.status_code == 422


def test_what_matters_is_said_with_evidence_and_both_sides_stand_beside_each_other(
    store: SeededStore, client: httpx.Client
) -> None:
    at = store.now - timedelta(days=20)
    profile = send(client, "/v1/profiles", customer(1, at=at)).json()["profile_id"]
    seen = [event(f"p{n}", "promotion_viewed", at + timedelta(hours=n)) for n in range(3)]
    wanted = [event("s", "service_preferred", at, service="greet")]
    till: dict[str, Any] = {"store": "marktplatz", "currency": "EUR"}
    orders = [
        event(f"o{n}", "ordered", at + timedelta(days=n), total=10 * n, order_id=f"o{n}", **till) for n in (1, 2, 3)
    ]
    orders.append(event("o9", "ordered", at + timedelta(days=5), total=99, currency="EUR", order_id="o9"))
    for given, rows in (("online", seen), ("app", wanted), ("orders", orders)):
        sent = send(client, f"/v1/inputs/{given}", {"source": "crm", "events": rows})
        assert sent.json()["refused_count"] == 0, sent.text
    found = client.get(f"/v1/profiles/{profile}/understanding").json()
    assert [[one["matter"], one["clear"]] for one in found["matters"]] == [["price", True], ["recognition", True]]
    (first, second) = found["matters"][0]["signs"]
    assert [first["rule"], first["things_count"], len(first["evidence"])] == ["price.promotions", 3, 3]
    assert second["evidence"][0]["kind"] == "ordered"
    assert [found["in_store"]["orders_count"], found["in_store"]["middle_amount"]] == [3, "20.00 EUR"]
    for key, back in (("b1", 20), ("b2", 10)):  # a part, then the rest of what the third cost
        row = event(key, "refunded", at + timedelta(days=6), order_id="o3", total=back, currency="EUR")
        send(client, "/v1/inputs/orders", {"source": "crm", "events": [row]})
        after = client.get(f"/v1/profiles/{profile}/understanding").json()
        assert after["in_store"]["orders_count"] == (3 if key == "b1" else 2)
    assert [found["online"]["orders_count"], found["online"]["middle_amount"]] == [1, "99.00 EUR"]
    page = client.get(f"/profiles/{profile}").text
    assert "What matters" in page
    assert "price.orders_after_promotions" in page

    def people() -> dict[str, bool]:
        (person,) = read_people(store.connection, [UUID(profile)], begin=at, end=store.now)
        return {str(name): back for name, _, kind, _, _, back in person.events if kind == "ordered"}

    def how() -> str:
        path = f"/v1/profiles/{profile}/journey"
        stages = client.get(path, params={"order": online}).json()["stages"]
        return next(str(stage["because"]) for stage in stages if stage["stage"] == "complete")

    asked = "select event_id::text from customer_event where source_key = 'o9'"
    ((online,),) = store.connection.execute(asked).fetchall()
    assert (sum(people().values()), people()[online], how()) == (1, False, "ordered_online")
    row = event("b3", "refunded", at + timedelta(days=6), order_id="o9", total=99, currency="EUR")
    send(client, "/v1/inputs/orders", {"source": "crm", "events": [row]})
    assert (sum(people().values()), people()[online], how()) == (2, True, "paid_back")
