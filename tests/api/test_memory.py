"""The emotional memory over the API: from notes, edits and consents as they stand."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from storage.profiles import withdraw_consent
from tests.api.seeding import add_customers
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers

AMARA = UUID(int=0xA0000000000040008000000000000001)
INES = {"Sojourn-Operator": "Ines"}


@pytest.fixture
def customers(store: SeededStore) -> dict[str, UUID]:
    return add_customers(store.connection, store.plan, store.store_no, now=store.now)


def write(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    asked = {"purpose": "observation", "profile_id": str(AMARA)} | fields
    answer = client.post("/v1/notes", json=asked, headers=INES)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_memory_stands_on_notes_as_they_are_now(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    path = f"/v1/profiles/{AMARA}/memory"
    assert client.get(path).json()["summary"] == []
    overdue = (store.now - timedelta(days=2)).isoformat()
    days_ago = (store.now - timedelta(days=4)).isoformat()
    loved = write(
        client, subject="Loved the shoes", detail="Prefers size 38.", mood="delighted",
        follow_up={"due_at": overdue, "instructions": "Call her"},
    )  # fmt: skip
    wrote = write(client, subject="The queue was terrible", source="email", noted_at=days_ago)
    memory = client.get(path).json()
    felt = {row["stage"]: row["feeling"] for row in memory["stages"]}
    assert [one["id"] for one in felt["engage"]["evidence"]] == [loved["note_id"]]
    assert [one["id"] for one in felt["reflect"]["evidence"]] == [wrote["note_id"]]
    assert (felt["engage"]["feeling_share"], felt["reflect"]["feeling_share"]) == (1, -1)
    assert (felt["arrive"]["feeling_share"], felt["arrive"]["evidence_count"]) == (None, 0)
    assert [row["topic"] for row in memory["frustrations"]] == ["waiting"]
    assert [row["text"] for row in memory["preferences"]] == ["Prefers size 38"]
    assert [(row["state"], row["text"]) for row in memory["promises"]] == [("overdue", "Call her")]
    cited = {one["id"] for sentence in memory["summary"] for one in sentence["evidence"]}
    tasks = client.get("/v1/follow-ups").json()["follow_ups"]
    assert cited == {loved["note_id"], wrote["note_id"], tasks[0]["follow_up_id"]}
    edit = {"purpose": "observation", "subject": "Loved the queue", "revision": 0}
    client.put(f"/v1/notes/{wrote['note_id']}", json=edit, headers=INES)
    assert client.get(path).json()["frustrations"] == []
    withdraw_consent(store.connection, AMARA, source="app", wording="1", at=store.now)
    assert client.get(path).status_code == 404
