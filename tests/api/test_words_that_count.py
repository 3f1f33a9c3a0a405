"""What other systems say takes effect, or they are told that it does not: withdrawals, cancellations, preferences."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from storage.journey_map.people import read_people
from tests.api.inputting import customer, event, send
from tests.api.seeding import add_presence, device, walk
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def tell(client: httpx.Client, store: SeededStore, **consent: Any) -> httpx.Response:
    """A customer with a device who consented three hours ago, or as said."""
    body = customer(1, at=store.now - timedelta(hours=3), devices=[device(1)])
    return send(client, "/v1/profiles", body | {"consent": body["consent"] | consent})


def withdraw(client: httpx.Client, at: Any, **more: Any) -> httpx.Response:
    body = {
        "identifier": {"kind": "customer_id", "value": "c-1"}, "source": "app", "wording": "2026-03",
        "occurred_at": at,
    }  # fmt: skip
    return send(client, "/v1/withdrawals", body | more)


def test_a_withdrawal_takes_effect_whatever_its_key_and_its_clock(store: SeededStore, client: httpx.Client) -> None:
    path = f"/v1/profiles/{tell(client, store, key='c-1').json()['profile_id']}"
    assert client.get(path).status_code == 200
    hour_ago = (store.now - timedelta(hours=1)).isoformat()
    assert withdraw(client, hour_ago, key="c-1").json() == {"done": True}, "the key of the grant, too"
    assert client.get(path).status_code == 404
    for number, minutes in enumerate((50, 30)):
        again = (store.now - timedelta(minutes=minutes)).isoformat()
        assert tell(client, store, occurred_at=again, key=f"grant {number}").status_code == 200
        assert client.get(path).status_code == 200
        ahead = (store.now + timedelta(hours=2)).isoformat()
        at = (store.now - timedelta(minutes=minutes - 10)).isoformat() if number == 0 else ahead
        assert withdraw(client, at, key="c-1").json() == {"done": True}, "a key that was used, a clock that is ahead"
        assert client.get(path).status_code == 404
    assert withdraw(client, "2026-01-01T00:00:00").status_code == 422, "a time without an offset is none"


def test_a_withdrawal_that_a_later_grant_outweighs_is_not_said_to_be_done(
    store: SeededStore, client: httpx.Client
) -> None:
    path = f"/v1/profiles/{tell(client, store).json()['profile_id']}"
    answer = withdraw(client, (store.now - timedelta(hours=4)).isoformat())
    assert (answer.status_code, answer.json()["faults"][0]["where"]) == (409, "occurred_at")
    assert client.get(path).status_code == 200
    ahead = (store.now + timedelta(hours=2)).isoformat()
    assert tell(client, store, occurred_at=ahead).status_code == 422
    for bound in ({"expires_at": "2036-01-01T00:00:00"}, {"expires_at": store.now.isoformat()}, {"expire_at": ahead}):
        assert tell(client, store, **bound).status_code == 422, "no offset, over already, and a slip of the pen"
    asked = send(client, "/v1/segments/count", {"rule": {"store": "nowhere"}})
    assert (asked.status_code, "nowhere" in asked.text) == (404, True), "nobody would ever fit"
    other = customer(2, at=store.now) | {"display_name": "Somebody else"}
    other["consent"]["key"] = "mine"
    assert send(client, "/v1/profiles", other).status_code == 201
    stolen = tell(client, store, key="mine")
    assert (stolen.status_code, "names another word" in stolen.json()["detail"]) == (422, True)


def test_an_old_grant_writes_nothing_of_who_has_withdrawn(store: SeededStore, client: httpx.Client) -> None:
    assert tell(client, store).status_code == 201
    assert withdraw(client, (store.now - timedelta(hours=1)).isoformat()).status_code == 200
    body = customer(1, at=store.now - timedelta(hours=3), devices=[device(2)], email="new@post.at")
    answer = send(client, "/v1/profiles", body | {"display_name": "New Name", "loyalty_tier": "Gold"})
    assert answer.status_code == 409, answer.text
    assert answer.json()["faults"][0]["where"] == "consent"
    rows = store.connection.execute(
        "select display_name, loyalty_tier, (select count(*) from profile_identifier),"
        " (select count(*) from device_link)"
        " from profile"
    ).fetchall()
    assert rows == [("Customer 1", None, 1, 1)]
    body["consent"]["occurred_at"] = (store.now - timedelta(minutes=5)).isoformat()
    assert send(client, "/v1/profiles", body).status_code == 200, "a grant that was given since"

    # what she says once it has expired counts as well, and is answered as for somebody unknown
    store.connection.execute(
        "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at, expires_at)"
        " select profile_id, 'in_store_journey', 'granted', 'app', '1', now() - interval '4 min', now() from profile"
    )
    by = {"kind": "email", "value": "new@post.at"}
    said = withdraw(client, datetime.now(UTC).isoformat(), identifier=by)
    unknown = withdraw(client, store.now.isoformat(), identifier={"kind": "email", "value": "nobody@post.at"})
    assert (said.status_code, said.json()) == (404, unknown.json())
    assert send(client, "/v1/profiles", body).status_code == 409, "the grant is from before she withdrew"
    body["consent"] |= {"occurred_at": datetime.now(UTC).isoformat()}
    assert send(client, "/v1/profiles", body).status_code == 200
    for number, told in (("0171 1234599", True), ("+49 171 1234599", False)):
        missing = withdraw(client, store.now.isoformat(), identifier={"kind": "phone", "value": number}).json()
        assert ("country code" in missing["hint"]) is told


def orders(store: SeededStore, client: httpx.Client, profile: UUID) -> tuple[int, int]:
    """How many orders in the store and online stand, on the profile as well as in what the map reads."""
    understood = client.get(f"/v1/profiles/{profile}/understanding").json()
    (person,) = read_people(store.connection, [profile], begin=store.now - timedelta(days=9), end=store.now)
    places = [place for _, _, kind, _, place, _ in person.events if kind == "ordered"]
    told: tuple[int, int] = (understood["orders_in_store_count"], understood["orders_online_count"])
    assert told == (sum(place != "" for place in places), sum(place == "" for place in places))
    return told


def test_what_was_cancelled_was_not_bought_and_nobody_is_expected(store: SeededStore, client: httpx.Client) -> None:
    profile = UUID(tell(client, store, occurred_at=(store.now - timedelta(days=9)).isoformat()).json()["profile_id"])
    begin = store.now - timedelta(days=2)
    walk(
        store.connection, store.plan, store.store_no, pseudonym=device(1), arrived_at=begin,
        stays=[("entrance", 20), ("shoes", 300), ("checkout", 90)],
    )  # fmt: skip
    bought = event("R1", "ordered", begin + timedelta(minutes=6), store="marktplatz", total=99, currency="EUR")
    today: dict[str, Any] = {"starts_at": store.now.isoformat(), "store": "marktplatz"}

    def say(given_input: str, *rows: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = send(client, f"/v1/inputs/{given_input}", {"source": "till", "events": rows}).json()
        return found

    def complete() -> str:
        stages = client.get(f"/v1/profiles/{profile}/journey").json()["stages"]
        return next(str(stage["because"]) for stage in stages if stage["stage"] == "complete")

    say("orders", bought | {"order_id": "R1"})
    assert complete() == "bought"
    say("orders", event("C1", "cancelled", begin + timedelta(minutes=9), store="marktplatz", order_id="R1"))
    assert complete() == "left_empty_handed"
    understood = client.get(f"/v1/profiles/{profile}/understanding").json()
    assert (understood["in_store"]["orders_count"], understood["orders_in_store_count"]) == (0, 0)

    # the till's R5 and the shop's R5 are two orders; who orders R5 again at the till has ordered it
    at = begin + timedelta(minutes=7)
    many: dict[str, Any] = {"total": 9, "currency": "EUR", "order_id": "R5"}
    for source, row in (
        ("till", event("R5", "ordered", at, store="marktplatz", **many)),
        ("shop", event("w5", "ordered", at, **many)),
        ("shop", event("c5", "cancelled", at + timedelta(minutes=1), order_id="R5")),
    ):
        send(client, "/v1/inputs/orders", {"source": source, "events": [row]})
        counts = orders(store, client, profile)
    assert counts == (1, 0), "in the store, online"
    for minutes, kind, wanted in ((2, "cancelled", 0), (3, "ordered", 1), (4, "cancelled", 0)):
        more: dict[str, Any] = {"order_id": "R5"} if kind == "cancelled" else many
        say("orders", event(f"R5 {minutes}", kind, at + timedelta(minutes=minutes), store="marktplatz", **more))
        assert orders(store, client, profile) == (wanted, 0), minutes
    add_presence(
        store.connection, store.plan, store.store_no, pseudonym=device(1), zone="shoes",
        arrived_at=store.now - timedelta(minutes=2), in_zone_since=store.now, last_signal_at=store.now,
    )  # fmt: skip

    def cue() -> tuple[str, str]:
        found = client.get(f"/v1/profiles/{profile}/cue").json()
        return found["cue"], found["because"]

    assert say("appointments", event("A9", "appointment_booked", begin, starts_at="noon"))["refused_count"] == 1
    say("appointments", event("A0", "appointment_booked", begin, **today | {"store": "quay"}))
    assert cue()[0] == "leave_alone", "somebody expects her elsewhere"
    say("appointments", event("A1", "appointment_booked", begin, **today))
    assert cue() == ("greet", "Has an appointment today.")
    say("appointments", event("A1", "appointment_cancelled", begin + timedelta(hours=1), store="marktplatz"))
    assert cue()[0] == "leave_alone"
    say("appointments", event("A2", "appointment_booked", begin, **today))
    say("app", event("P1", "service_preferred", begin, service="leave_alone"))
    found = say("app", event("P2", "service_preferred", begin + timedelta(hours=1), service="in peace"))
    assert (found["refused_count"], found["errors"][0]["field"]) == (1, "service")
    assert cue() == ("leave_alone", "The customer asked for it.")
    say("app", event("P3", "service_preferred", begin + timedelta(hours=2), service="Greet"))
    assert cue() == ("greet", "The customer asked for it.")
    for key, service in (("P0", "leave_alone"), ("P4", "greet")):  # P0 to P4 at one time: the quiet one
        say("app", event(key, "service_preferred", begin + timedelta(hours=2), service=service))
        assert cue() == ("leave_alone", "The customer asked for it.")
    rows = [
        event("D1", "searched", begin, query="boots"), event("D1", "searched", begin, store="nowhere"),
        event("D2", "searched", begin, query="hats"), event("D2", "searched", begin, query="caps"),
    ]  # fmt: skip
    twice = say("online", *rows)
    assert (twice["taken_count"], [error["line"] for error in twice["errors"]]) == (2, [2, 3])
