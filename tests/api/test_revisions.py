"""What changed of a visit, and why: on the API and beside the visit."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest

from core.limits import NS_PER_S
from storage.connect import in_transaction
from storage.instants import to_ns
from storage.revisions import CORRECTED, WITHDRAWN, Changes, save_changes, stored_visits
from tests.api.seeding import add_visit, device
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def add(store: SeededStore, minutes_ago: float, dwell_s: float) -> UUID:
    return add_visit(
        store.connection, store.plan, store.store_no, pseudonym=device(1), zone="shoes",
        entered_at=store.now - timedelta(minutes=minutes_ago), dwell_s=dwell_s,
    )  # fmt: skip


def change(store: SeededStore, what: int, longer_s: int = 0) -> None:
    """Let the only visit of the last two hours become longer, or be withdrawn."""
    now_ns = to_ns(store.now)
    stands = stored_visits(store.connection, store.store_no, now_ns - 7200 * NS_PER_S, now_ns)
    visits = stands.visits.copy()
    visits["left_at"] += longer_s * NS_PER_S
    visits["revision"] += 1
    changes = Changes(
        visits=visits, ids=stands.ids, devices=stands.devices, model_versions=np.full(1, 4, np.int32),
        change=np.full(1, what, np.int16), before_entered_at=stands.visits["entered_at"],
    )  # fmt: skip
    in_transaction(
        store.connection, lambda connection: save_changes(connection, store.store_no, changes, "late_signals")
    )


def told(client: httpx.Client, name: UUID) -> httpx.Response:
    return client.get(f"/v1/stores/marktplatz/visits/{name}/revisions")


def test_every_change_is_told_with_what_stood_before(store: SeededStore, client: httpx.Client) -> None:
    name = add(store, 30, 60.0)
    assert told(client, name).json()["revisions"] == []
    change(store, CORRECTED, longer_s=30)
    change(store, CORRECTED, longer_s=10)
    found = told(client, name).json()
    assert (found["visit"]["dwell_s"], found["visit"]["revision"], found["withdrawn"]) == (100.0, 2, False)
    assert [(row["revision"], row["change"], row["reason"], row["model_version"]) for row in found["revisions"]] == [
        (1, "corrected", "late_signals", 4), (2, "corrected", "late_signals", 4)
    ]  # fmt: skip
    assert [row["before"]["dwell_s"] for row in found["revisions"]] == [60.0, 90.0]
    assert datetime.fromisoformat(found["revisions"][0]["revised_at"]).tzinfo is not None
    assert "device" not in told(client, name).text
    (listed,) = client.get("/v1/stores/marktplatz/visits").json()["visits"]
    assert (listed["visit_id"], listed["dwell_s"], listed["revision"]) == (str(name), 100.0, 2)


def test_a_withdrawn_visit_counts_nowhere_and_is_still_told(store: SeededStore, client: httpx.Client) -> None:
    name = add(store, 30, 60.0)
    change(store, WITHDRAWN)
    assert client.get("/v1/stores/marktplatz/visits").json()["visits"] == []
    found = told(client, name).json()
    assert (found["withdrawn"], [row["change"] for row in found["revisions"]]) == (True, ["withdrawn"])


def test_the_page_says_that_a_visit_was_corrected(store: SeededStore, client: httpx.Client) -> None:
    add(store, 30, 60.0)
    assert "· corrected" not in client.get("/stores/marktplatz").text
    change(store, CORRECTED, longer_s=30)
    assert "Moved on · corrected" in client.get("/stores/marktplatz").text


def test_a_visit_of_another_store_or_none_is_unknown(store: SeededStore, client: httpx.Client) -> None:
    name = add(store, 30, 60.0)
    for answer in (
        told(client, uuid4()),
        client.get(f"/v1/stores/quay/visits/{name}/revisions"),
    ):
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:sojourn:problem:visit-unknown"
        assert "/visits lists its visits" in answer.json()["hint"]
    assert client.get("/v1/stores/marktplatz/visits/no-uuid/revisions").status_code == 422
