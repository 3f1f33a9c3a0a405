"""Customers whom a store does not know yet: what is told there by somebody bound to it works, and tells of nobody."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from storage.access.keys import add_key
from storage.access.secrets import digest, new_key
from storage.connect import Connection
from tests.api.seeding import device
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers
_CONSENT: Final = {"source": "app", "wording": "1", "occurred_at": "2026-11-21T13:02:00Z"}
HERE, ELSEWHERE, NOBODY = "here", "elsewhere", "nobody"
_NAMES: Final = {HERE: "Bo Here", ELSEWHERE: "Ada Elsewhere"}


@dataclass(frozen=True)
class Program:
    """A program with a key, and what it tells: each call is a request of its own."""

    client: httpx.Client
    connection: Connection

    def signs_up(self, *customers: str, name: str = "New", **said: Any) -> httpx.Response:
        named = [{"kind": "customer_id" if no == 0 else "email", "value": who} for no, who in enumerate(customers)]
        body = {"source": "crm", "display_name": name, "identifiers": named, "consent": _CONSENT} | said
        return self._post("/v1/profiles", json=body)

    def signs_up_by_file(self, customer: str) -> httpx.Response:
        rows = "display_name,customer_id,consent_source,consent_wording,consent_at\n"
        body = f"{rows}New,{customer},app,1,2026-11-21T13:02:00Z\n"
        return self._post("/v1/imports/profiles?source=crm", content=body, headers={"Content-Type": "text/csv"})

    def sells(self, customer: str, *, store: str = "quay", key: str = "R1", **said: Any) -> httpx.Response:
        at = said.pop("at", datetime.now(UTC).isoformat())
        event = {
            "key": key,
            "kind": "ordered",
            "occurred_at": at,
            "store": store,
            "customer_id": customer,
            "total": 5,
        }
        return self._post("/v1/inputs/orders", json={"source": "till", "events": [event | {"currency": "EUR"}]})

    def sells_by_file(self, customer: str) -> httpx.Response:
        rows = "key,kind,occurred_at,store,customer_id,total,currency\n"
        body = f"{rows}F,ordered,2026-11-28T10:00:00Z,quay,{customer},5,EUR\n"
        return self._post("/v1/imports/orders?source=till", content=body, headers={"Content-Type": "text/csv"})

    def withdraws(self, customer: str) -> httpx.Response:
        who = {"kind": "customer_id", "value": customer}
        return self._post("/v1/withdrawals", json={**_CONSENT, "occurred_at": _now(), "identifier": who})

    def withdraws_by_file(self, customer: str) -> httpx.Response:
        body = f"customer_id,occurred_at\n{customer},{_now()}\n"
        return self._post("/v1/imports/withdrawals?source=crm", content=body, headers={"Content-Type": "text/csv"})

    def passes_on(self, customer: str, **said: Any) -> httpx.Response:
        body = {
            "channel": "email",
            "key": "M1",
            "text": "The queue was terrible.",
            "at": _now(),
            "kind": "customer_id",
        }
        return self._post("/v1/interactions", json=body | {"value": customer} | said)

    def finds(self) -> list[str]:
        return sorted(one["display_name"] for one in self.client.get("/v1/profiles").json()["profiles"])

    def _post(self, path: str, **said: Any) -> httpx.Response:
        said["headers"] = {"Idempotency-Key": str(uuid4())} | said.get("headers", {})
        return self.client.post(path, **said)


Lend = Callable[..., Program]


def _now() -> str:
    return datetime.now(UTC).isoformat()


@pytest.fixture
def lend(store: SeededStore, client: httpx.Client) -> Iterator[Lend]:
    held = ExitStack()

    def lend(*roles: str, stores: tuple[str, ...] | None = ("quay",)) -> Program:
        key, prefix = new_key()
        add_key(
            store.connection, digest(key), prefix=prefix, name="program", roles=roles, made_by="tests",
            stores=list(stores) if stores is not None else None, holds_for=timedelta(days=1),
        )  # fmt: skip
        headers = {"Authorization": f"Bearer {key}"}
        own = held.enter_context(httpx.Client(base_url=client.base_url, headers=headers, timeout=30))
        return Program(own, store.connection)

    with held:
        yield lend


@pytest.fixture
def customers(lend: Lend) -> None:
    """Bo, whom the quay knows by an order; Ada, whom the other store knows."""
    house = lend("edge", stores=None)
    for who, store in ((HERE, "quay"), (ELSEWHERE, "marktplatz")):
        assert house.signs_up(who, name=_NAMES[who]).status_code == 201
        assert house.sells(who, store=store, key=f"first {who}").status_code == 200


def orders(connection: Connection) -> list[tuple[str, str]]:
    """Who has which orders of the quay."""
    return connection.execute(
        "select display_name, source_key from customer_event join profile using (profile_id)"
        " join store using (store_no) where store.id = 'quay' and newest order by 1, 2"
    ).fetchall()


def holds(connection: Connection, name: str) -> bool:
    row = connection.execute(
        "select holds from consent_current join profile using (profile_id) where display_name = %s", [name]
    ).fetchone()
    return row == (True,)


def told(answer: httpx.Response) -> tuple[int, Any]:
    """What an answer tells but for what is new each time."""
    body = answer.json()
    own = {"profile_id", "imported_at", "import_no", "note_id"}
    return answer.status_code, {name: value for name, value in body.items() if name not in own}


@pytest.mark.usefixtures("customers")
def test_a_stores_till_takes_customers_in_and_its_people_find_them(lend: Lend) -> None:
    till, people = lend("edge"), lend("crm")
    answer = till.signs_up("new", name="Cy New")
    assert (answer.status_code, people.finds()) == (200, ["Bo Here", "Cy New"])
    assert people.client.get(f"/v1/profiles/{answer.json()['profile_id']}").status_code == 200
    assert till.signs_up("new", name="Cy New").json()["profile_id"] == answer.json()["profile_id"]
    assert till.sells("new").json()["taken_count"] == 1
    assert till.sells(ELSEWHERE, key="R2").json()["taken_count"] == 1, "her first purchase here is not lost"
    assert orders(till.connection) == [("Ada Elsewhere", "R2"), ("Bo Here", "first here"), ("Cy New", "R1")]
    assert people.finds() == ["Ada Elsewhere", "Bo Here", "Cy New"], "by it the store comes to know her"
    assert till.signs_up_by_file("filed").json()["taken_count"] == 1
    assert "New" in people.finds()
    assert till.sells("new", store="marktplatz", key="R3").json()["refused_count"] == 1, "of own stores alone"
    assert till.sells(ELSEWHERE, key="first elsewhere", store="quay").status_code == 200
    assert ("Ada Elsewhere", "first elsewhere") not in orders(till.connection), "nor is another store's order moved"


@pytest.mark.usefixtures("customers")
@pytest.mark.parametrize("role", ["edge", "crm"])
def test_a_store_is_told_the_same_of_a_customer_elsewhere_and_of_nobody(lend: Lend, role: str) -> None:
    program = lend(role)
    old = "1990-01-01T10:00:00+00:00"
    for time in ("once", "once more"):  # what the first one left must not tell either
        answers = {
            who: [
                told(program.sells(who, key=f"of {who}")),
                told(program.sells(who, key="of anybody")),
                told(program.sells(who, at=old, key=f"old {who}")),
                told(program.sells(who, store="marktplatz", key="x")),
                told(program.sells(who, store="nowhere", key="y")),
                told(program.sells_by_file(who)),
                told(program.passes_on(who)),
                told(program.passes_on(who, purpose="no such purpose")),
            ]
            for who in (ELSEWHERE, NOBODY)
        }
        assert answers[ELSEWHERE] == answers[NOBODY], time
    if role == "crm":
        assert program.finds() == ["Bo Here"], "who reads customers makes nobody known to herself"
        assert told(program.sells(HERE, key="of anybody"))[1]["taken_count"] == 1, "nor does a key tell"
        assert ("Bo Here", "of anybody") in orders(program.connection)
    answers = {who: [told(program.signs_up(who)), told(program.signs_up(HERE, f"{who}@mail.example")),
                     told(program.withdraws(who)), told(program.withdraws_by_file(who))]
               for who in (ELSEWHERE, NOBODY)}  # fmt: skip
    assert answers[ELSEWHERE] == answers[NOBODY]


@pytest.mark.usefixtures("customers")
def test_who_reads_customers_of_a_store_takes_others_in_and_sees_none_of_them(lend: Lend) -> None:
    crm = lend("crm")
    told_of = crm.signs_up("new", name="Cy New", devices=[device(77).hex()])
    assert told(told_of) == (202, {"heard": True})
    assert crm.connection.execute("select from device_link").fetchall() == [], "whose visit would let her be known"
    assert told(crm.signs_up(ELSEWHERE, name="Renamed")) == (202, {"heard": True})
    assert crm.signs_up_by_file("filed").json()["taken_count"] == 1
    assert told(crm.sells("new"))[1]["taken_count"] == told(crm.sells(ELSEWHERE))[1]["taken_count"] == 1
    assert crm.finds() == ["Bo Here"]
    assert [name for name, _ in orders(crm.connection)] == ["Ada Elsewhere", "Bo Here", "Cy New"], "all is kept"
    assert [holds(crm.connection, name) for name in ("Cy New", "New")] == [True, True]
    words = crm.connection.execute(
        "select count(*) from consent_event join profile using (profile_id) where display_name = 'Ada Elsewhere'"
    ).fetchone()
    assert words == (1,), "the same word once, and her name stays"
    answer = crm.signs_up(HERE, "her@mail.example", name="Bo Here")
    assert (answer.status_code, answer.json()["left_out"][0]["where"]) == (200, "email")
    assert crm.sells(HERE).json()["taken_count"] == 1
    assert crm.sells("new", store="marktplatz").json()["refused_count"] == 1


@pytest.mark.usefixtures("customers")
@pytest.mark.parametrize("role", ["edge", "crm", "privacy"])
@pytest.mark.parametrize("by", ["withdraws", "withdraws_by_file"])
def test_a_withdrawal_reaches_its_person_in_whichever_store_it_is_told(lend: Lend, role: str, by: str) -> None:
    program = lend(role)
    assert holds(program.connection, "Ada Elsewhere")
    answer = getattr(program, by)(ELSEWHERE)
    assert answer.status_code == (200 if by == "withdraws_by_file" or role == "privacy" else 202), answer.text
    assert not holds(program.connection, "Ada Elsewhere")
    assert holds(program.connection, "Bo Here")
    assert getattr(program, by)(HERE).status_code == (202 if by == "withdraws" and role == "edge" else 200)
    assert not holds(program.connection, "Bo Here")


@pytest.mark.usefixtures("customers")
def test_a_withdrawal_that_told_nothing_is_heard_again(lend: Lend) -> None:
    """Its sender may send it again under the same key once she is a customer; the first answer is not repeated."""
    till, house = lend("edge"), lend("edge", stores=None)
    said = {**_CONSENT, "occurred_at": _now(), "identifier": {"kind": "customer_id", "value": "late"}}
    for _ in range(2):
        answer = till.client.post("/v1/withdrawals", json=said, headers={"Idempotency-Key": "same"})
        assert told(answer) == (202, {"heard": True})
        house.signs_up("late", name="Late")
    assert not holds(till.connection, "Late")


@pytest.mark.usefixtures("customers")
def test_what_a_customer_writes_is_kept_for_the_program_that_passes_it_on(lend: Lend) -> None:
    house, till = lend("edge", stores=None), lend("edge")
    due = f"{datetime.now(UTC).date() + timedelta(days=3)}T10:00"
    followed = {"due_at": due, "instructions": "Call her.", "operator": "Ines"}
    answer = house.passes_on(HERE, key="M7", follow_up=followed)
    assert answer.status_code == 201, answer.text
    assert house.passes_on(NOBODY).status_code == 404
    assert told(till.passes_on(ELSEWHERE, key="M8")) == (202, {"heard": True})
    noted = "select display_name, count(*) from note join profile using (profile_id) group by 1 order by 1"
    assert house.connection.execute(noted).fetchall() == [("Ada Elsewhere", 1), ("Bo Here", 1)]
    assert house.client.get("/v1/notes").status_code == 403, "and reads none"
