"""From an event that is written to a signed request that arrives, on real sockets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from standardwebhooks import WebhookVerificationError

from api.app import create_app
from api.settings import Settings
from core.errors import InputError, UnavailableError
from core.privacy.suppression import subject_hash
from core.webhooks import read_networks
from storage.privacy.keys import Entry, PrivacyFolder
from storage.privacy.restored import Restored
from storage.privacy.restoring import reapply
from storage.profiles.profiles import create_profile, withdraw_consent
from storage.webhooks import enqueue, queue
from tests.api.inputting import send
from tests.api.serving import answering, free_port
from tests.fix_api import SeededStore
from tests.telemetry.scraping import Series, read_exposition, value
from tests.webhooks.receiving import Receiver, delivering, receiving, soon

pytestmark = pytest.mark.servers
SUBSCRIPTIONS = "/v1/webhooks/subscriptions"


@pytest.fixture
def client(store: SeededStore) -> Iterator[httpx.Client]:
    settings = Settings(webhook_allow=read_networks("127.0.0.1"))
    with answering(create_app(store.database_url, settings)) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def subscribe(client: httpx.Client, url: str, *types: str) -> tuple[str, str]:
    answer = send(client, SUBSCRIPTIONS, {"url": url, "event_types": types, "description": "CRM"})
    assert answer.status_code == 201, answer.text
    return answer.json()["subscription_id"], answer.json()["secret"]


def newest(client: httpx.Client) -> dict[str, Any]:
    (first, *_) = client.get("/v1/webhooks/deliveries").json()["deliveries"]
    found: dict[str, Any] = client.get(f"/v1/webhooks/deliveries/{first['delivery_no']}").json()
    return found


def tried(client: httpx.Client, times: int) -> bool:
    return len(newest(client)["attempts"]) == times


def in_state(client: httpx.Client, status: str) -> dict[str, Any]:
    soon(lambda: newest(client)["status"] == status, status)
    return newest(client)


def test_what_is_committed_arrives_signed_and_what_is_not_never_was(
    store: SeededStore, client: httpx.Client, receiver: Receiver
) -> None:
    one, secret = subscribe(client, receiver.url, "alert.opened")
    subscribe(client, receiver.url, "alert.closed")
    metrics = f"127.0.0.1:{free_port()}"
    with delivering(store.database_url, metrics=metrics):
        with store.connection.transaction(force_rollback=True):
            enqueue(store.connection, "alert.opened", {"n": 0})
        with store.connection.transaction():
            assert enqueue(store.connection, "alert.opened", {"n": 1, "odd": "\0\ud800"}) == 1
        delivered = in_state(client, "delivered")
        body = receiver.verified(secret)
        assert body["type"] == "alert.opened"
        assert body["data"]["n"] == 1
        assert [len(receiver.heard), delivered["attempts_count"], delivered["said"]] == [1, 1, "Answered 204."]
        headers, raw = receiver.heard[0]
        assert headers["webhook-id"] == delivered["message_id"]
        receiver.heard.append((headers, raw.replace(b"1", b"2")))
        with pytest.raises(WebhookVerificationError):
            receiver.verified(secret)

        renewed = send(client, f"{SUBSCRIPTIONS}/{one}/secret", None).json()["secret"]
        assert send(client, f"{SUBSCRIPTIONS}/{one}/test", None).json() == {"queued_count": 1}
        soon(lambda: len(receiver.heard) == 3, "the test event")
        for known in (renewed, secret):
            assert receiver.verified(known)["type"] == "webhook.test"
        store.connection.execute("update webhook_subscription set previous_until = now()")
        send(client, f"{SUBSCRIPTIONS}/{one}/test", None)
        soon(lambda: len(receiver.heard) == 4, "another")
        with pytest.raises(WebhookVerificationError):
            receiver.verified(secret)

        def counted() -> Series:
            return read_exposition(httpx.get(f"http://{metrics}/metrics").text)

        attempts = "sojourn_webhooks_attempts_total"
        soon(lambda: value(counted(), attempts, outcome="delivered") == 3, "three deliveries to be counted")
        assert value(counted(), attempts, outcome="dead") == 0
        assert value(counted(), "sojourn_webhooks_attempt_seconds_count") == 3
        assert queue.waiting(store.connection) == queue.Waiting(deliveries=0, overdue_s=0.0)
    told = client.get(SUBSCRIPTIONS).json()["subscriptions"]
    assert [row["waiting_count"] for row in told] == [0, 0]
    assert secret not in client.get(SUBSCRIPTIONS).text


def test_nothing_is_sent_from_a_database_that_knows_who_was_erased(
    store: SeededStore,
    client: httpx.Client,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = PrivacyFolder(tmp_path / "privacy")
    long_ago_us = int((datetime.now(UTC) - timedelta(minutes=10)).timestamp() * 1e6)
    folder.append([Entry("profile", subject_hash(folder.key, "profile", b"p" * 16), None, None, long_ago_us)])
    subscribe(client, receiver.url, "alert.opened")
    enqueue(store.connection, "alert.opened", {})
    rested: list[bool] = []
    check = Restored.check

    def checked(restored: Restored) -> None:
        try:
            check(restored)
        except UnavailableError:
            rested.append(True)
            raise

    monkeypatch.setattr(Restored, "check", checked)
    with delivering(store.database_url, privacy=folder.folder):
        soon(lambda: len(rested) > 1, "that it rests")
        assert [receiver.heard, newest(client)["attempts_count"]] == [[], 0]
        reapply(store.connection, folder)
        soon(lambda: receiver.heard, "what waited")


def test_what_fails_is_tried_again_then_a_dead_letter_and_sent_again_by_hand(
    store: SeededStore, client: httpx.Client, receiver: Receiver
) -> None:
    subscribe(client, receiver.url)
    receiver.status = 302
    receiver.headers = {"Location": receiver.url + "/elsewhere", "Retry-After": "600"}
    with delivering(store.database_url):
        enqueue(store.connection, "alert.opened", {})
        soon(lambda: newest(client)["said"], "the first attempt")
        waiting = newest(client)
        assert [waiting["status"], waiting["said"], waiting["attempts_count"]] == ["waiting", "Answered 302.", 1]
        assert len(receiver.heard) == 1, "a redirect is not followed"
        row = store.connection.execute("select next_at - now() from webhook_delivery").fetchone()
        assert row is not None
        assert timedelta(minutes=9) < row[0] <= timedelta(minutes=10), "as Retry-After asked"
        for attempt in range(2, 11):
            store.connection.execute("update webhook_delivery set next_at = now()")
            store.connection.execute("notify sojourn_webhooks")
            soon(partial(tried, client, attempt), f"attempt {attempt}")
        dead = in_state(client, "dead")
        assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1
        assert (
            client.get("/v1/webhooks/deliveries?status=dead").json()["deliveries"][0]["delivery_no"]
            == dead["delivery_no"]
        )
        receiver.status, receiver.headers = 200, {}
        path = f"/v1/webhooks/deliveries/{dead['delivery_no']}/again"
        assert send(client, path, None).status_code == 200
        in_state(client, "delivered")
        receiver.status = 410
        assert send(client, path, None).status_code == 200
        in_state(client, "dead")
    (gone,) = client.get(SUBSCRIPTIONS).json()["subscriptions"]
    assert "410" in gone["paused_because"]
    assert enqueue(store.connection, "alert.opened", {}) == 0, "nobody wants it"


def test_nothing_is_sent_to_a_private_address_or_about_somebody_without_consent(
    store: SeededStore, client: httpx.Client, receiver: Receiver
) -> None:
    subscribe(client, receiver.url)
    subscribe(client, receiver.url.replace("127.0.0.1", "localhost"))
    profile = create_profile(
        store.connection,
        display_name="Ada",
        devices=[],
        granted_at=store.now - timedelta(days=1),
        profile_id=UUID(int=7),
    )
    with delivering(store.database_url, allow="10.0.0.0/8"):
        enqueue(store.connection, "alert.opened", {})
        deliveries = soon(
            lambda: (
                [
                    row
                    for row in client.get("/v1/webhooks/deliveries").json()["deliveries"]
                    if row["said"] is not None
                ][1:]
                and client.get("/v1/webhooks/deliveries").json()["deliveries"]
            ),
            "two attempts",
        )
        assert {row["said"].partition(".")[0] for row in deliveries} == {"The address is private"}
        assert receiver.heard == []
    enqueue(store.connection, "alert.opened", {"who": str(profile)}, profile=profile)
    withdraw_consent(store.connection, profile, source="app", wording="1", at=store.now)
    with delivering(store.database_url):
        soon(
            lambda: (
                store.connection.execute("select count(*) from webhook_delivery where status = 'withheld'").fetchone()
                == (2,)
            ),
            "both withheld",
        )
        assert receiver.heard == []
    shown = client.get("/v1/webhooks/deliveries").json()["deliveries"]
    assert len(shown) == 2, "what tells of her is not shown either"


def test_a_slow_receiver_holds_up_nobody_else_and_a_kill_loses_nothing(
    store: SeededStore, client: httpx.Client, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(client, receiver.url, "alert.opened")
    receiver.may_answer.clear()
    with receiving() as other, delivering(store.database_url):
        subscribe(client, other.url, "alert.closed")
        for number in range(10):
            enqueue(store.connection, "alert.opened", {"n": number})
        soon(lambda: len(receiver.heard) == 4, "as many as one may have")
        enqueue(store.connection, "alert.closed", {})
        soon(lambda: other.heard, "the quick one")
        assert len(receiver.heard) == 4
        receiver.may_answer.set()
        soon(lambda: len(receiver.heard) == 10, "the rest")
    # taken out by somebody who was killed: due again after the lease
    enqueue(store.connection, "alert.opened", {})
    with store.connection.transaction():
        assert len(queue.take_due(store.connection, most=9, each=4, busy={})) == 1
        assert queue.take_due(store.connection, most=9, each=4, busy={}) == []
    store.connection.execute("update webhook_delivery set next_at = now() where status = 'waiting'")
    with delivering(store.database_url):
        soon(lambda: len(receiver.heard) == 11, "what the other one had taken")
    monkeypatch.setattr(queue, "WAITING_AT_MOST", 1)
    assert [enqueue(store.connection, "alert.opened", {}) for _ in range(3)] == [1, 0, 0]
    assert client.get(SUBSCRIPTIONS).json()["subscriptions"][0]["dropped_count"] == 2


def test_what_cannot_be(store: SeededStore, client: httpx.Client) -> None:
    for wrong in ("http://10.0.0.1/", "https://[::1]/", "nothing", "https://a:b@c.test/"):
        assert send(client, SUBSCRIPTIONS, {"url": wrong}).status_code == 422
    assert send(client, SUBSCRIPTIONS, {"url": "https://a.test/", "event_types": ["X"]}).status_code == 422
    nobody = f"{SUBSCRIPTIONS}/{UUID(int=1)}"
    for path, body in ((nobody, {"change": "pause"}), (f"{nobody}/secret", None), (f"{nobody}/test", None)):
        assert send(client, path, body).status_code == 404
    assert send(client, f"{nobody}/remove", None).status_code == 404
    assert send(client, "/v1/webhooks/deliveries/1/again", None).status_code == 404
    assert client.get("/v1/webhooks/deliveries/1").status_code == 404
    with pytest.raises(InputError, match="65536"):
        enqueue(store.connection, "alert.opened", {"long": "x" * 70_000})
