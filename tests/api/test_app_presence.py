"""Apps: a token for each installation, consent before anything is written, the phone's clock, and a visit."""

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import pytest
from paho.mqtt import publish

from api.app_presence.forward import run
from core import wire
from core.app_presence import MOST_AGE_S, Told, app_batch, pieces, received_time
from core.errors import InputError
from core.limits import NS_PER_S
from core.records import APP_ENTER
from edge.broker import Broker
from storage.profiles.profiles import create_profile, withdraw_consent
from tests.api.inputting import send
from tests.api.serving import free_port
from tests.edge.stand_ins import await_that
from tests.fix_api import SeededStore
from tests.ingest.conftest import ingesting
from tests.telemetry.scraping import read_exposition, value

pytestmark = pytest.mark.servers
NOW = 1_790_000_000 * NS_PER_S


@pytest.mark.parametrize(("off_s", "age_s"), [(0, 30), (-86_400 * 365, 30), (7200, 0)])
def test_a_phones_clock_says_only_how_old_an_event_is(off_s: int, age_s: int) -> None:
    sent = NOW + off_s * NS_PER_S
    assert received_time(sent - age_s * NS_PER_S, sent, NOW) == NOW - age_s * NS_PER_S
    assert received_time(sent + 5 * NS_PER_S, sent, NOW) == NOW, "nothing is of the future"
    received_time(sent - MOST_AGE_S * NS_PER_S, sent, NOW)
    with pytest.raises(InputError, match="older than a day"):
        received_time(sent - MOST_AGE_S * NS_PER_S - 1, sent, NOW)


def test_what_is_told_late_is_cut_into_batches_that_the_wire_can_hold() -> None:
    told = [Told(at_ns=NOW - hour * 3600 * NS_PER_S, anchor=f"a{hour % 2}", level=-60) for hour in range(24)]
    cut = pieces(told)
    assert sorted(one.at_ns for piece in cut for one in piece) == sorted(one.at_ns for one in told)
    for piece in cut:
        batch = wire.decode(wire.encode(app_batch(bytes(16), 1, bytes(range(16)), piece)))
        assert len(batch) == len(piece)


def profile(store: SeededStore, at: datetime | None = None) -> Any:
    return create_profile(
        store.connection,
        display_name="Amara Okafor",
        devices=[],
        granted_at=at if at is not None else datetime.now(UTC) - timedelta(days=1),
    )


def issued(client: httpx.Client, who: Any) -> tuple[str, dict[str, str]]:
    """Issue an installation; return its id and the header with its token."""
    made = client.post("/v1/app/installations", json={"profile_id": str(who)})
    assert made.status_code == 201, made.text
    return made.json()["installation_id"], {"Authorization": f"Bearer {made.json()['token']}"}


def tell(
    client: httpx.Client, token: dict[str, str], body: Any, key: str | None = None, **more: str
) -> httpx.Response:
    """Send presence."""
    headers = {"Idempotency-Key": key if key is not None else str(uuid4())} | token | more
    return client.post("/v1/app/presence", json=body, headers=headers)


def ranging(anchor: str, at: datetime, seconds: int) -> list[dict[str, Any]]:
    """Events of a phone that entered a region and heard its beacon for so long."""
    heard = [
        {"kind": "ranging", "anchor": anchor, "rssi_dbm": -58, "at": (at + timedelta(seconds=second)).isoformat()}
        for second in range(seconds)
    ]
    return [{"kind": "enter", "anchor": anchor, "at": at.isoformat()}, *heard]


def counts(store: SeededStore) -> tuple[int, ...]:
    row = store.connection.execute(
        "select (select count(*) from app_outbox), (select coalesce(sum(sequence), 0) from app_edge),"
        " (select count(*) from customer_event)"
    ).fetchone()
    assert row is not None
    return tuple(map(int, row))


def test_only_a_token_of_a_customer_who_consents_is_heard(store: SeededStore, client: httpx.Client) -> None:
    anchor, who = store.plan.anchors[0].id, profile(store)
    installation, token = issued(client, who)
    now = datetime.now(UTC)
    events = ranging(anchor, now - timedelta(seconds=20), 20)
    body: dict[str, Any] = {"store": "marktplatz", "events": events}
    events += [
        {"kind": "screen", "screen": "Product Viewed", "product": "boots", "at": now.isoformat()},
        {"kind": "heartbeat", "battery_percent": 71, "at": now.isoformat()},
    ]
    # the phone is a year ahead and says so
    first = tell(client, token, body, "one", **{"Sent-At": (now + timedelta(days=365)).isoformat()})
    assert first.status_code == 422, "an event a year before it was sent"
    first = tell(client, token, body, "two", **{"Sent-At": now.isoformat()})
    assert (first.status_code, first.json()) == (
        200,
        {"signals_count": 21, "screens_count": 1, "heartbeats_count": 1},
    )
    again = tell(client, token, body, "two")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert counts(store) == (1, 1, 1), "sent twice, taken once"
    batch = wire.decode(store.connection.execute("select payload from app_outbox").fetchone()[0])  # type: ignore[index]
    assert batch.rssi_dbm.tolist() == [APP_ENTER] + [-58] * 20
    assert abs(batch.ts.max() / 1e9 - now.timestamp()) < 30

    secret = token["Authorization"].removeprefix("Bearer ")
    kept = store.connection.execute("select row_to_json(app_installation)::text from app_installation").fetchall()
    kept += store.connection.execute("select answer::text from idempotency_key").fetchall()
    assert secret not in str(kept)
    assert sha256(secret.encode()).hexdigest() in str(kept)
    listed = client.get("/v1/app/installations", params={"profile_id": str(who)}).json()["installations"]
    assert [(one["battery_percent"], one["revoked_at"]) for one in listed] == [(71, None)]

    for wrong, status in (({}, 401), ({"Authorization": "Bearer x"}, 401), ({"Authorization": secret}, 401)):
        assert tell(client, wrong, body).status_code == status
    bad = {"store": "marktplatz", "events": [{"kind": "enter", "anchor": "nowhere", "at": now.isoformat()}]}
    assert tell(client, token, bad).status_code == 422
    assert tell(client, token, body | {"store": "nowhere"}).status_code == 404
    no_level = {"store": "marktplatz", "events": [{"kind": "ranging", "anchor": anchor, "at": now.isoformat()}]}
    assert "rssi_dbm" in tell(client, token, no_level).text

    withdraw_consent(store.connection, who, source="app", wording="1", at=datetime.now(UTC))
    store.connection.commit()
    assert tell(client, token, body).json()["type"].endswith("consent-missing")
    assert tell(client, token, body, "two").status_code == 403, "what was answered before neither"
    assert client.post("/v1/app/installations", json={"profile_id": str(who)}).status_code == 404
    assert client.get("/v1/app/installations").json() == {"installations": []}
    other, token = issued(client, profile(store))
    assert send(client, f"/v1/app/installations/{other}/revoke", {}).status_code == 200
    assert tell(client, token, body).status_code == 401
    assert send(client, f"/v1/app/installations/{uuid4()}/revoke", {}).status_code == 404
    assert counts(store) == (1, 1, 1), "nothing of what was refused is kept"
    assert installation != other


def test_a_key_stands_for_one_message_of_one_installation(store: SeededStore, client: httpx.Client) -> None:
    anchor, now = store.plan.anchors[0].id, datetime.now(UTC)
    _, token = issued(client, profile(store))
    body = {"store": "marktplatz", "events": ranging(anchor, now - timedelta(seconds=5), 5)}
    assert tell(client, token, body, "key").status_code == 200
    for other in (body | {"events": body["events"][:3]}, body | {"store": "quay"}):
        refused = tell(client, token, other, "key")
        assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (422, "idempotency-key-reused")
    _, stranger = issued(client, profile(store))
    assert tell(client, stranger, body, "key").status_code == 422, "nor is it told what somebody else was answered"
    assert counts(store) == (1, 1, 0)


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_phone_whose_clock_stands_at_the_end_of_time_is_heard_now(
    store: SeededStore, client: httpx.Client, at: str
) -> None:
    _, token = issued(client, profile(store))
    events = [{"kind": "enter", "anchor": store.plan.anchors[0].id, "at": at}]
    for place, more in enumerate(({}, {"Sent-At": at})):
        told = tell(client, token, {"store": "marktplatz", "events": events}, **more)
        assert told.status_code == 200, told.text
        batches = store.connection.execute("select payload from app_outbox order by sequence").fetchall()
        batch = wire.decode(batches[place][0])
        assert abs(batch.ts.max() / 1e9 - datetime.now(UTC).timestamp()) < 30


def test_a_visit_comes_of_what_an_app_tells_over_http_and_mqtt(
    store: SeededStore, client: httpx.Client, mqtt_url: str
) -> None:
    who, stop, broker = profile(store), threading.Event(), Broker.from_url(mqtt_url)
    _, token = issued(client, who)
    store.connection.commit()
    anchor = store.plan.anchors[0].id
    begin = datetime.now(UTC) - timedelta(minutes=40)
    early: dict[str, Any] = {"store": "marktplatz", "events": ranging(anchor, begin, 120)}
    late = ranging(anchor, begin + timedelta(seconds=120), 60)
    late.append({"kind": "exit", "anchor": anchor, "at": (begin + timedelta(seconds=200)).isoformat()})
    message = {"store": "marktplatz", "events": late, "idempotency_key": "m1"}
    message["token"] = token["Authorization"].removeprefix("Bearer ")
    # time in a store goes on with whoever is heard next
    later: dict[str, Any] = {"store": "marktplatz", "events": ranging(anchor, begin + timedelta(minutes=20), 30)}
    _, next_token = issued(client, profile(store))

    login: Any = {"username": broker.username, "password": broker.password}

    def say() -> None:
        sent = message | {"sent_at": datetime.now(UTC).isoformat()}
        topic = "sojourn/1/marktplatz/app/presence"
        publish.single(topic, json.dumps(sent), qos=1, hostname=broker.host, port=broker.port, auth=login)

    metrics = f"127.0.0.1:{free_port()}"
    forwarding = threading.Thread(target=run, args=(store.database_url, mqtt_url, stop), kwargs={"metrics": metrics})
    with ingesting(store.database_url, mqtt_url):
        forwarding.start()
        try:
            now = datetime.now(UTC).isoformat()
            assert tell(client, token, early, **{"Sent-At": now}).status_code == 200
            until = time.monotonic() + 30
            while counts(store)[1] < 2:  # until it has subscribed; the same message as often as needed
                assert time.monotonic() < until
                say()
                time.sleep(0.2)
            say()
            now = datetime.now(UTC).isoformat()
            assert tell(client, next_token, later, **{"Sent-At": now}).status_code == 200
            await_that(lambda: counts(store)[0] == 0, 60)
            await_that(lambda: len(visits(store)) == 1, 60)
            counted = read_exposition(httpx.get(f"http://{metrics}/metrics").text)
            assert value(counted, "sojourn_app_presence_connected") == 1
            assert value(counted, "sojourn_app_presence_taken_messages_total") >= 1
            assert value(counted, "sojourn_app_presence_published_batches_total") >= 2
        finally:
            stop.set()
            forwarding.join(30)
    assert counts(store)[:2] == (0, 3), "taken once each, and gone from the outbox"
    ((word, dwell_s, entered_at),) = visits(store)
    assert word == "app_exit"
    assert 170 <= dwell_s <= 200
    assert abs(entered_at - begin) < timedelta(seconds=10)
    logged = store.connection.execute("select sum(signals) from signal_log").fetchone()
    assert logged == (len(early["events"]) + len(late) + len(later["events"]),)
    found = client.get(f"/v1/profiles/{who}/visits").json()
    assert len(found["visits"]) == 0, "the device was linked when it was issued, and the visit was before"


def visits(store: SeededStore) -> list[tuple[Any, ...]]:
    """Return the store visits that are decided."""
    return store.connection.execute(
        "select closed_by.word, dwell_s, entered_at from store_visit join closed_by on code = closed_by"
    ).fetchall()
