"""What there is to ask for while the API is fuzzed: a customer with everything, in a store with people."""

from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import httpx

from storage.profiles.profiles import PURPOSE
from tests.access import employ
from tests.api.inputting import customer, event, send
from tests.api.seeding import add_presence, device, walk
from tests.fix_api import SeededStore

ANNA = {"Sojourn-Operator": "Anna"}
ROLES = ("operations", "crm", "privacy", "admin", "edge")


def askers(store: SeededStore, client: httpx.Client) -> dict[str, dict[str, str]]:
    """Return headers by who asks: first whoever the tests are, then a key of each role, if there are any; nobody."""
    held = {"Authorization": client.headers["authorization"]} if "authorization" in client.headers else {}
    found = {"every": ANNA | held}
    if find_spec("storage.access") is None:
        return found
    keys, secrets = import_module("storage.access.keys"), import_module("storage.access.secrets")
    for role in ROLES:
        key = "sjk_" + f"{role:f<43}"
        keys.add_key(
            store.connection, secrets.digest(key), prefix=key[:10], name=role, roles=[role], stores=None,
            made_by="tests", holds_for=timedelta(days=1),
        )  # fmt: skip
        found[role] = {"Authorization": f"Bearer {key}"}
    return found | {"nobody": {}}


def fill(store: SeededStore, client: httpx.Client) -> dict[str, list[str]]:
    """Make a customer with visits, events, notes and tasks; returns ids by the names of parameters."""
    given = customer(1, at=store.now - timedelta(days=90), devices=[device(1)], email="ada@shop.test")
    profile = _made(send(client, "/v1/profiles", given))["profile_id"]
    walk(
        store.connection, store.plan, store.store_no, pseudonym=device(1), arrived_at=store.now - timedelta(days=3),
        stays=[("entrance", 20), ("shoes", 300), ("checkout", 80)],
    )  # fmt: skip
    visits = [str(row[0]) for row in store.connection.execute("select visit_id from store_visit")]
    begin = store.now - timedelta(minutes=2)
    add_presence(
        store.connection, store.plan, store.store_no, pseudonym=device(1), zone="shoes", arrived_at=begin,
        in_zone_since=begin, last_signal_at=store.now,
    )  # fmt: skip
    order = event("R-1", "ordered", store.now - timedelta(days=3), store="marktplatz", total=10, currency="EUR")
    _made(send(client, "/v1/inputs/orders", {"source": "till", "events": [order]}))
    note = {
        "profile_id": profile, "purpose": "service", "subject": "Boots", "detail": "liked the brown ones", "tags": [],
        "follow_up": {"due_at": (store.now + timedelta(days=1)).isoformat(), "instructions": "call"},
    }  # fmt: skip
    employ(store.connection, "Anna")
    written = client.post("/v1/notes", json=note, headers=ANNA)
    tasks = client.get(f"/v1/notes/{_made(written)['note_id']}/follow-ups").json()["follow_ups"]
    return {
        "store": ["marktplatz", "quay"], "profile": [profile], "note": [written.json()["note_id"]],
        "follow_up": [one["follow_up_id"] for one in tasks], "visit": visits, "given_input": ["orders", "online"],
        "formula": ["visits", "dwell"], "list": ["tag", "mood"], "what": ["profiles", "visits", "orders"],
    }  # fmt: skip


def keep_her(store: SeededStore, profile: str) -> None:
    """Let her consent hold again where a request has withdrawn it: else all that follow would ask for nobody."""
    store.connection.execute(
        "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at)"
        " select profile_id, %(purpose)s, 'granted', 'crm', '1', clock_timestamp() from profile"
        " where profile_id = %(profile)s and not consent_holds(profile_id, %(purpose)s)",
        {"profile": profile, "purpose": PURPOSE},
    )


def _made(answer: httpx.Response) -> Any:
    assert answer.status_code < 300, answer.text
    return answer.json()
