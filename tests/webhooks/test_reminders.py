"""A follow-up that falls due is told once: to other systems by a signed request, and on every page."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.app import create_app
from api.settings import Settings
from core.webhooks import read_networks
from storage.notes.reminders import remind
from storage.profiles.profiles import withdraw_consent
from tests.access import employ
from tests.api.inputting import send
from tests.api.seeding import add_customers
from tests.api.serving import answering
from tests.fix_api import SeededStore
from tests.webhooks.receiving import Receiver, delivering, receiving, soon

pytestmark = pytest.mark.servers

INES = {"Sojourn-Operator": "Ines"}


def write(client: httpx.Client, due_in: timedelta, seeded: SeededStore, **fields: Any) -> str:
    due = {"due_at": (seeded.now + due_in).isoformat(), "instructions": "Call her", "operator": "Ada"}
    asked = {"purpose": "service", "subject": "Wants size 38", "follow_up": due} | fields
    answer = client.post("/v1/notes", json=asked, headers=INES)
    assert answer.status_code == 201, answer.text
    (task,) = client.get(f"/v1/notes/{answer.json()['note_id']}/follow-ups").json()["follow_ups"]
    name: str = task["follow_up_id"]
    return name


def subscribe(client: httpx.Client, receiver: Receiver) -> str:
    asked = {"url": receiver.url, "event_types": ["follow_up.due", "alert.made"], "description": "Phones"}
    secret: str = send(client, "/v1/webhooks/subscriptions", asked).json()["secret"]
    return secret


def test_a_reminder_arrives_once_and_again_when_it_is_due_again(store: SeededStore) -> None:
    employ(store.connection, "Ada")
    amara = add_customers(store.connection, store.plan, store.store_no, now=store.now)["Amara Okafor"]
    settings = Settings(webhook_allow=read_networks("127.0.0.1"))
    with receiving() as receiver, answering(create_app(store.database_url, settings)) as client:
        secret = subscribe(client, receiver)
        task = write(client, timedelta(minutes=-5), store, store="marktplatz")
        later = write(client, timedelta(minutes=5), store)
        assert remind(store.connection, store.now) == 1
        assert remind(store.connection, store.now) == 0
        with delivering(store.database_url):
            soon(lambda: receiver.heard, "the reminder")
            told = receiver.verified(secret)
            assert told["type"] == "follow_up.due"
            assert told["data"] == {
                "follow_up_id": task, "note_id": told["data"]["note_id"], "alert_id": None, "profile_id": None,
                "operator": "Ada", "due_at": (store.now - timedelta(minutes=5)).isoformat(),
                "timezone": "Europe/Berlin", "instructions": "Call her",
            }  # fmt: skip
            assert remind(store.connection, store.now + timedelta(minutes=5)) == 1
            soon(lambda: len(receiver.heard) == 2, "the second")
            assert receiver.verified(secret)["data"]["follow_up_id"] == later
        tomorrow = (store.now + timedelta(days=1)).isoformat()
        client.post(f"/v1/follow-ups/{task}/snooze", json={"due_at": tomorrow}, headers=INES)
        client.post(f"/v1/follow-ups/{later}/done", json={"result": "Reached her"}, headers=INES)
        assert remind(store.connection, store.now + timedelta(hours=23)) == 0
        assert remind(store.connection, store.now + timedelta(days=1)) == 1
        write(client, timedelta(minutes=-5), store, profile_id=str(amara))
        withdraw_consent(store.connection, amara, source="app", wording="1", at=store.now)
        assert remind(store.connection, store.now) == 0, "her consent is gone, and nobody is told of her"
        store.connection.execute(
            "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
            " values (%s, 'in_store_journey', 'granted', 'app', '2', now())",
            [amara],
        )
        # noted in the week before her withdrawal, and so in the list again
        store.connection.execute(
            "update note set noted_at = noted_at - interval '1 h' where profile_id = %s", [amara]
        )
        assert remind(store.connection, store.now) == 1, "she is back, and so is what was promised to her"
        assert remind(store.connection, store.now) == 0


def test_what_is_due_is_counted_for_whoever_asks(store: SeededStore, client: httpx.Client) -> None:
    employ(store.connection, "Ada")
    for due_in in (timedelta(days=-2), timedelta(days=9)):
        write(client, due_in, store)
    ada = {"Sojourn-Operator": "ada"}
    assert client.get("/v1/follow-ups/due-count", headers=ada).json() == {
        "due_count": 1, "overdue_count": 1, "nobodys_count": 0,
    }  # fmt: skip
    assert client.get("/v1/follow-ups/due-count", headers=INES).json()["due_count"] == 0
    assert client.get("/v1/follow-ups/due-count").json()["due_count"] == 0, "of the key itself"


def test_an_alert_and_a_message_are_told_to_other_systems(store: SeededStore, client: httpx.Client) -> None:
    amara: UUID = add_customers(store.connection, store.plan, store.store_no, now=store.now)["Amara Okafor"]
    asked = {"url": "https://crm.example/hooks", "event_types": [], "description": "CRM"}
    send(client, "/v1/webhooks/subscriptions", asked)
    for subject in ("Hated the queue", "Terrible advice"):
        note = {"purpose": "service", "subject": subject, "profile_id": str(amara)}
        assert client.post("/v1/notes", json=note, headers=INES).status_code == 201
    assert client.post("/v1/alerts/look", headers=INES).json() == {"alert_count": 1}
    word = {"purpose": "service_messages", "status": "granted", "source": "till", "wording": "1"}
    client.post(f"/v1/profiles/{amara}/consents", json=word, headers=INES)
    made = client.post(f"/v1/profiles/{amara}/messages", json={"template": "sorry"}, headers=INES)
    assert "sorry about our staff and advice. We have not forgotten it." in made.json()["body"]
    kinds = [row["event_type"] for row in client.get("/v1/webhooks/deliveries").json()["deliveries"]]
    assert sorted(kinds) == ["alert.made", "message.made"]
