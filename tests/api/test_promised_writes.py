"""Every write that the table promises a role works for it alone, with a body that is valid: grants forget nothing.

`test_every_route_with_every_role` asks with empty bodies, which are refused before anything is written.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from api.access.principal import Role
from api.access.table import TABLE
from storage.access.keys import add_key
from storage.access.secrets import digest, new_key
from tests.api.seeding import SMALL_PLAN, add_customers, database_now, device
from tests.fix_api import SeededStore

Body = dict[str, Any] | bytes
_CSV: Final = {"Content-Type": "text/csv"}
_FLOOR: Final = "/v1/stores/marktplatz"


class Made:
    """What is there to be changed; each is new, so that one role's change takes nothing from another's."""

    def __init__(self, store: SeededStore, client: httpx.Client) -> None:
        self._client, self._execute, self._store_no = client, store.connection.execute, store.store_no
        self._numbers = count(100)
        self.amara = str(add_customers(store.connection, store.plan, store.store_no, now=store.now)["Amara Okafor"])
        self.now = database_now(store.connection)

    def ask(self, path: str, body: Body | None = None) -> Any:
        """Do something as somebody who may all of it, and return the answer."""
        answer = self._client.post(path, json=body, headers={"Idempotency-Key": str(uuid4())})
        assert answer.status_code < 300 or answer.status_code == 409, f"{path}: {answer.text}"
        return answer.json()

    def get(self, path: str) -> Any:
        return self._client.get(path).json()

    def no(self) -> int:
        return next(self._numbers)

    def at(self) -> str:
        return datetime.now(UTC).isoformat()

    def due(self, days: int = 3) -> dict[str, str]:
        day = datetime.now(UTC).date() + timedelta(days=days)
        return {"due_at": f"{day}T10:00", "instructions": "Call her.", "operator": "Ines"}

    def customer(self, *identifiers: tuple[str, str], devices: tuple[str, ...] = ()) -> dict[str, Any]:
        named = identifiers or (("customer_id", f"c{self.no()}"),)
        return {
            "source": "crm", "display_name": "Somebody", "devices": list(devices),
            "identifiers": [{"kind": kind, "value": value} for kind, value in named],
            "consent": {"source": "app", "wording": "1", "occurred_at": (self.now - timedelta(days=9)).isoformat()},
        }  # fmt: skip

    def profile(self, **said: Any) -> str:
        return str(self.ask("/v1/profiles", self.customer(**said))["profile_id"])

    def known(self) -> str:
        """A new customer's number."""
        number = f"c{self.no()}"
        self.ask("/v1/profiles", self.customer(("customer_id", number)))
        return number

    def event(self) -> dict[str, Any]:
        order = {"key": f"R{self.no()}", "kind": "ordered", "occurred_at": self.at(), "store": "marktplatz"}
        return order | {"customer_id": self.known(), "total": 5, "currency": "EUR"}

    def note(self) -> str:
        asked = {"purpose": "observation", "subject": "Liked it", "profile_id": self.amara}
        return str(self.ask("/v1/notes", asked)["note_id"])

    def follow_up(self) -> str:
        return str(self.ask(f"/v1/notes/{self.note()}/follow-ups", self.due())["follow_up_id"])

    def alert(self) -> str:
        (made,) = self._execute(
            "insert into alert (profile_id, rule, rule_version, because, evidence, evidence_key, made_at)"
            " values (%s, 'mood_low', 1, 'Low.', '[]', %s, now()) returning alert_id",
            [self.amara, str(self.no())],
        ).fetchone()  # type: ignore[misc]  # it has a row
        return str(made)

    def cue(self) -> str:
        (made,) = self._execute(
            "insert into cue_log (visit_id, store_no, profile_id, arrived_at, told_at, cue, because, policy_version)"
            " values (gen_random_uuid(), %s, %s, now(), now(), 'greet', 'x', 0) returning cue_no",
            [self._store_no, self.amara],
        ).fetchone()  # type: ignore[misc]
        return str(made)

    def link(self) -> tuple[str, int]:
        profile = self.profile(devices=(device(self.no()).hex(),))
        return profile, self.get(f"/v1/profiles/{profile}/links")["links"][0]["link_no"]

    def block(self) -> int:
        profile, link = self.link()
        self.ask(f"/v1/profiles/{profile}/links/{link}", {"change": "block_kiosk", "because": "x"})
        newest: int = max(one["block_no"] for one in self.get("/v1/identity/blocked-devices")["devices"])
        return newest

    def case(self) -> int:
        one, other = ("customer_id", f"c{self.no()}"), ("email", f"e{self.no()}@mail.example")
        for named in ((one,), (other,), (one, other)):
            self.ask("/v1/profiles", self.customer(*named))
        newest: int = max(one["case_no"] for one in self.get("/v1/identity/cases")["cases"])
        return newest

    def decided(self) -> int:
        case = self.case()
        self.ask(f"/v1/identity/cases/{case}", {"keep": None, "by": "N. Weber"})
        return case

    def installation(self) -> str:
        return str(self.ask("/v1/app/installations", {"profile_id": self.amara})["installation_id"])

    def import_(self) -> int:
        body = f"customer_id,key,kind,occurred_at\n{self.known()},K{self.no()},ordered,{self.at()}\n"
        headers = {"Idempotency-Key": str(uuid4())} | _CSV
        answer = self._client.post("/v1/imports/orders?source=till", content=body, headers=headers)
        number: int = answer.json()["import_no"]
        return number

    def agreed(self) -> str:
        """A customer who agreed to messages, and a template `plain` for her."""
        profile = self.profile()
        self._client.put("/v1/message-templates/plain", json={**_TEMPLATE, "body": "Come again."})
        word = {"purpose": "personal_messages", "status": "granted", "source": "till", "wording": "1"}
        self.ask(f"/v1/profiles/{profile}/consents", word)
        return profile

    def trial(self) -> int:
        number: int = self.ask("/v1/stores/quay/cue-trials", _TRIAL)["trial_no"]
        return number

    def exclusions(self) -> dict[str, Any]:
        rules = self.get(f"{_FLOOR}/exclusions")["rules"]
        return {"rules": rules | {"passer_by_s": 60 * (1 + self.no() % 2)}, "reason": "as agreed"}

    def excluded(self) -> int:
        answer = self._client.put(f"{_FLOOR}/exclusions", json=self.exclusions())
        assert answer.status_code == 200, answer.text
        number: int = max(row["change_no"] for row in answer.json()["changes"])
        return number

    def watched(self) -> int:
        return int(self.ask(f"{_FLOOR}/alert-rules", _WATCH)["rule_no"])

    def segment(self) -> int:
        return int(self.ask("/v1/segments", {"name": f"S{self.no()}", "rule": {"days": 90}})["segment_no"])

    def subscription(self) -> str:
        return str(self.ask("/v1/webhooks/subscriptions", _SUBSCRIPTION)["subscription_id"])

    def delivery(self) -> int:
        self.ask(f"/v1/webhooks/subscriptions/{self.subscription()}/test", {})
        newest: int = self.get("/v1/webhooks/deliveries")["deliveries"][0]["delivery_no"]
        self._execute("update webhook_delivery set status = 'dead' where delivery_id = %s", [newest])
        return newest

    def sender(self) -> str:
        return str(self.ask("/v1/webhooks/senders", {"source": f"shop{self.no()}"})["source"])


_TRIAL: Final = {"name": "Greet everybody", "rules": [{"cue": "greet", "says": "On trial."}]}
_WATCH: Final = {"kind": "occupancy", "opens_at": 120, "clears_at": 100, "for_s": 30}
_SUBSCRIPTION: Final = {"url": "https://crm.example/hooks", "event_types": ["alert.made"], "description": "d"}
_TEMPLATE: Final = {"purpose": "personal_messages", "subject": "Hello", "body": "{delight}", "cap_count": 9}
_OBSERVED: Final = {"purpose": "observation", "subject": "Asked for boots"}

Case = Callable[[Made], tuple[str, Body | None]]
CASES: Final[dict[str, Case]] = {
    "PUT /v1/alert-rules/{rule}": lambda _: ("mood_low", {"enabled": True}),
    "POST /v1/alerts/look": lambda _: ("", {}),
    "PUT /v1/alerts/{alert}/verdict": lambda made: (made.alert(), {"was_right": True}),
    "POST /v1/app/installations": lambda made: ("", {"profile_id": made.amara}),
    "POST /v1/app/installations/{installation}/revoke": lambda made: (made.installation(), {}),
    "POST /v1/cues/{cue_no}/outcome": lambda made: (made.cue(), {"outcome": "done"}),
    "POST /v1/follow-ups/{follow_up}/done": lambda made: (
        made.follow_up(), {"result": "Bought them.", "next": made.due()},
    ),
    "POST /v1/follow-ups/{follow_up}/reassign": lambda made: (made.follow_up(), {"operator": "Ines"}),
    "POST /v1/follow-ups/{follow_up}/snooze": lambda made: (made.follow_up(), {"due_at": made.due(days=4)["due_at"]}),
    "POST /v1/identity/blocked-devices/{block_no}/lift": lambda made: (f"{made.block()}", {}),
    "POST /v1/identity/cases/{case_no}": lambda made: (f"{made.case()}", {"keep": None, "by": "N. Weber"}),
    "POST /v1/identity/cases/{case_no}/undo": lambda made: (f"{made.decided()}", {}),
    "POST /v1/imports/profiles": lambda made: (
        "?source=crm", b"display_name,customer_id,consent_source,consent_wording,consent_at\n"
        + f"Filed,c{made.no()},app,1,2026-11-21T13:02:00Z\n".encode(),
    ),
    "POST /v1/imports/withdrawals": lambda made: (
        "?source=crm", f"customer_id,occurred_at\n{made.known()},{made.at()}\n".encode()
    ),
    "POST /v1/imports/{given_input}": lambda made: (
        "orders ?source=till", f"customer_id,key,kind,occurred_at\n{made.known()},K,ordered,{made.at()}\n".encode()
    ),
    "POST /v1/imports/{import_no}/revert": lambda made: (f"{made.import_()}", {}),
    "POST /v1/inputs/{given_input}": lambda made: ("orders", {"source": "till", "events": [made.event()]}),
    "POST /v1/interactions": lambda made: (
        "", {"channel": "email", "key": f"M{made.no()}", "text": "The queue was terrible.", "at": made.at(),
             "profile_id": made.amara, "follow_up": made.due()},
    ),
    "PUT /v1/message-templates/{template}": lambda made: (f"hello{made.no()}", _TEMPLATE),
    "POST /v1/note-choices/{list}": lambda made: ("tag", {"label": f"Label {made.no()}"}),
    "PUT /v1/note-choices/{list}/{word}": lambda _: ("tag hesitated", {"label": "Hesitated"}),
    "POST /v1/notes": lambda made: (
        "", {**_OBSERVED, "profile_id": made.amara, "store": "marktplatz", "follow_up": made.due()}
    ),
    "POST /v1/notes/reading": lambda _: ("", {"text": "Loved it."}),
    "PUT /v1/notes/{note}": lambda made: (made.note(), {**_OBSERVED, "revision": 0}),
    "POST /v1/notes/{note}/follow-ups": lambda made: (made.note(), made.due()),
    "POST /v1/plans/check": lambda _: ("", SMALL_PLAN.encode()),
    "POST /v1/profiles": lambda made: ("", made.customer(devices=(device(made.no()).hex(),))),
    "POST /v1/profiles/{profile}/card-tickets": lambda made: (made.amara, {}),
    "POST /v1/profiles/{profile}/consents": lambda made: (
        made.amara, {"purpose": "personal_messages", "status": "granted", "source": "till", "wording": "1"}
    ),
    "POST /v1/profiles/{profile}/links/{link_no}": lambda made: (
        "{} {}".format(*made.link()), {"change": "block_staff", "because": "x"}
    ),
    "POST /v1/profiles/{profile}/messages": lambda made: (made.agreed(), {"template": "plain"}),
    "POST /v1/profiles/{profile}/messages/preview": lambda made: (made.amara, {"template": "thanks"}),
    "POST /v1/segments": lambda made: ("", {"name": f"S{made.no()}", "rule": {"days": 90}}),
    "POST /v1/segments/count": lambda _: ("", {"rule": {"days": 90}}),
    "POST /v1/segments/{segment_no}/remove": lambda made: (f"{made.segment()}", {}),
    "POST /v1/stores/{store}/alert-rules": lambda _: ("marktplatz", _WATCH),
    "DELETE /v1/stores/{store}/alert-rules/{rule_no}": lambda made: (f"marktplatz {made.watched()}", None),
    "PUT /v1/stores/{store}/cue-policy": lambda made: (
        "marktplatz", {"made_by": "N. Weber", "rules": [{"cue": "greet", "says": f"No {made.no()}."}]}
    ),
    "POST /v1/stores/{store}/cue-trials": lambda _: ("marktplatz", _TRIAL),
    "POST /v1/stores/{store}/cue-trials/{trial_no}/end": lambda made: (f"quay {made.trial()}", {}),
    "PUT /v1/stores/{store}/exclusions": lambda made: ("marktplatz", made.exclusions()),
    "POST /v1/stores/{store}/exclusions/{change_no}/restore": lambda made: (
        f"marktplatz {made.excluded()}", {"reason": "wrong store"}
    ),
    "PUT /v1/stores/{store}/plan": lambda _: ("quay", SMALL_PLAN.replace("Quay", "Quay 2").encode()),
    "PUT /v1/stores/{store}/shelf-items": lambda _: ("marktplatz", {"items": {"boot": "shoes"}}),
    "POST /v1/webhooks/deliveries/{delivery_no}/again": lambda made: (f"{made.delivery()}", {}),
    "POST /v1/webhooks/senders": lambda made: ("", {"source": f"shop{made.no()}"}),
    "POST /v1/webhooks/senders/{source}/remove": lambda made: (made.sender(), {}),
    "POST /v1/webhooks/senders/{source}/secret": lambda made: (made.sender(), {}),
    "POST /v1/webhooks/subscriptions": lambda _: ("", _SUBSCRIPTION),
    "POST /v1/webhooks/subscriptions/{subscription}": lambda made: (made.subscription(), {"change": "pause"}),
    "POST /v1/webhooks/subscriptions/{subscription}/remove": lambda made: (made.subscription(), {}),
    "POST /v1/webhooks/subscriptions/{subscription}/secret": lambda made: (made.subscription(), {}),
    "POST /v1/webhooks/subscriptions/{subscription}/test": lambda made: (made.subscription(), {}),
    "POST /v1/withdrawals": lambda made: (
        "", {"source": "till", "occurred_at": made.at(), "identifier": {"kind": "customer_id", "value": made.known()}}
    ),
}  # fmt: skip
"""What stands for the parameters of each address, with its query, and a body that is valid."""
WRITES: Final = {
    route: entry
    for route, entry in TABLE.items()
    if not route.startswith("GET ") and " /v1/" in route and entry.roles and not entry.own_right
}
"""What a role's own rights write; forms of pages do the same by the same functions."""


def test_every_write_has_a_case() -> None:
    assert CASES.keys() == WRITES.keys()


@pytest.fixture
def by_role(store: SeededStore, client: httpx.Client) -> Iterator[dict[Role, httpx.Client]]:
    """A program with each role alone."""
    with ExitStack() as held:
        found = {}
        for role in Role:
            key, prefix = new_key()
            add_key(
                store.connection, digest(key), prefix=prefix, name=role, roles=[role], stores=None, made_by="tests",
                holds_for=timedelta(days=1),
            )  # fmt: skip
            headers = {"Authorization": f"Bearer {key}"}
            found[role] = held.enter_context(httpx.Client(base_url=client.base_url, headers=headers, timeout=60))
        yield found


@pytest.mark.servers
def test_every_write_that_is_promised_works(
    store: SeededStore, client: httpx.Client, by_role: dict[Role, httpx.Client]
) -> None:
    made, refused = Made(store, client), list[str]()
    for route, entry in WRITES.items():
        for role in sorted(entry.roles):
            said, body = CASES[route](made)
            method, path = route.split(" ")
            for value in said.split():
                begin, end = path.find("{"), path.find("}")
                path = path + value if begin < 0 else path[:begin] + value + path[end + 1 :]
            headers = {"Idempotency-Key": str(uuid4())} | (_CSV if isinstance(body, bytes) and "?" in path else {})
            content = body if isinstance(body, bytes) else None
            told = {"json": body} if content is None and body is not None else {"content": content}
            answer = by_role[role].request(method, path, headers=headers, **told)
            if answer.status_code >= 300:
                refused.append(f"{role}: {method} {path}: {answer.status_code} {answer.text[:300]}")
    assert refused == [], "\n".join(refused)
