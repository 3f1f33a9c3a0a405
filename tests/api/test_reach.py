"""Nobody gives, keeps or takes over what reaches further than they do."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import httpx
import pytest

from api.access.asking import FORM_FIELD, FORM_HEADER, PLAIN_COOKIE, form_token
from api.access.principal import Role
from api.access.reach import Reach
from storage.access.keys import add_key
from storage.access.secrets import digest
from tests.access import log_in
from tests.fix_api import SeededStore

servers = pytest.mark.servers


@dataclass(frozen=True)
class Admin:
    """An admin's browser; `post` sends a form as its pages do."""

    client: httpx.Client
    token: str

    def post(self, path: str, **fields: str) -> httpx.Response:
        told = {name.replace("_is_", ":"): value for name, value in fields.items()}
        return self.client.post(path, data=told | {FORM_FIELD: self.token})


@pytest.fixture
def of_quay(store: SeededStore, client: httpx.Client) -> Iterator[Admin]:
    log_in(store.connection, "Quay", "q" * 43, "admin", stores=["quay"])
    token = form_token("q" * 43)
    headers = {"Cookie": f"{PLAIN_COOKIE}={'q' * 43}", FORM_HEADER: token, "Sec-Fetch-Site": "same-origin"}
    with httpx.Client(base_url=client.base_url, headers=headers, timeout=client.timeout) as browser:
        yield Admin(browser, token)


def account(store: SeededStore, name: str) -> tuple[str, list[str], list[str] | None]:
    row = store.connection.execute(
        "select account_id::text, roles, stores from account where name = %s", [name]
    ).fetchone()
    assert row is not None
    return row


def key(store: SeededStore, name: str, *roles: str, stores: list[str] | None) -> int:
    return add_key(
        store.connection, digest(f"sjk_{name}"), prefix="sjk_t", name=name, roles=roles, stores=stores,
        made_by="tests", holds_for=timedelta(days=1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reach", "roles", "stores", "covered"),
    [
        (Reach(["admin"], None), ["privacy"], None, True),
        (Reach(["admin"], ["quay"]), ["crm", "admin"], ["quay"], True),
        (Reach(["admin"], ["quay"]), ["crm"], ["quay", "marktplatz"], False),
        (Reach(["admin"], ["quay"]), ["crm"], None, False),
        (Reach(["admin"], ["quay"]), ["privacy"], ["quay"], False),
        (Reach(["admin", "privacy"], ["quay"]), ["privacy"], ["quay"], True),
        (Reach([], []), ["crm"], ["quay"], False),
    ],
)
def test_what_a_reach_covers(reach: Reach, roles: list[str], stores: list[str] | None, *, covered: bool) -> None:
    assert reach.covers(roles, stores) is covered


@servers
def test_an_admin_of_a_store_lets_nobody_into_another(store: SeededStore, of_quay: Admin) -> None:
    for number, fields in enumerate(
        (
            {"stores": ""},
            {"stores": "marktplatz"},
            {"stores": "quay marktplatz"},
            {"stores": "quay", "role_is_privacy": "1"},
        )
    ):
        answer = of_quay.post("/people", name=f"ghost{number}", display_name="Ghost", role_is_crm="1", **fields)
        assert (answer.status_code, "reaches further than you" in answer.text) == (422, True), fields
        answer = of_quay.post("/api-keys", name="all", role_is_crm="1", days="9", owner="", **fields)
        assert (answer.status_code, "reaches further than you" in answer.text) == (422, True), fields
    assert of_quay.post("/people", name="bea", display_name="Bea", role_is_crm="1", stores="quay").status_code == 200
    assert account(store, "bea")[1:] == (["crm"], ["quay"])
    answer = of_quay.post("/api-keys", name="till", role_is_edge="1", days="9", owner="", stores="quay")
    assert (answer.status_code, "sjk_" in answer.text) == (200, True)


@servers
def test_an_admin_of_a_store_frees_nobody_and_takes_no_wider_account_over(store: SeededStore, of_quay: Admin) -> None:
    log_in(store.connection, "Wide", "w" * 43, "crm")
    log_in(store.connection, "Desk", "d" * 43, "privacy", stores=["quay"])
    log_in(store.connection, "Bea", "b" * 43, "crm", stores=["quay"])
    for name in ("quay", "bea"):
        one = account(store, name)
        said = {"change": "save", "display_name": name, "role_is_admin": "1", "stores": ""}
        assert of_quay.post(f"/people/{one[0]}", **said).status_code == 422
        assert account(store, name) == one
    for name in ("wide", "desk"):
        one = account(store, name)
        assert of_quay.client.get(f"/people/{one[0]}").status_code == 404
        for change in ("save", "secret", "second-step", "disable"):
            said = {"change": change, "display_name": name, "role_is_crm": "1", "stores": "quay"}
            assert of_quay.post(f"/people/{one[0]}", **said).status_code == 404, (name, change)
        assert account(store, name) == one
        answer = of_quay.post("/api-keys", name="k", role_is_crm="1", days="9", owner=one[0], stores="quay")
        assert answer.status_code == 422, "nor does a key of hers work for them"
    page = of_quay.client.get("/people").text
    assert [word in page for word in ("Bea", "Wide", "Desk", "marktplatz")] == [True, False, False, False]
    assert of_quay.post(f"/people/{account(store, 'bea')[0]}", change="secret").status_code == 200


@servers
def test_an_admin_of_a_store_turns_no_wider_key_into_her_own(store: SeededStore, of_quay: Admin) -> None:
    log_in(store.connection, "Bea", "b" * 43, "crm", stores=["quay"])
    kept = [
        key(store, "everywhere", "crm", stores=None),
        key(store, "desk", "privacy", stores=["quay"]),
        key(store, "other", "crm", stores=["marktplatz"]),
        add_key(
            store.connection, digest("sjk_bea"), prefix="sjk_t", name="wider than bea is now", roles=["crm"],
            stores=None, made_by="tests", holds_for=timedelta(days=1), owner=UUID(account(store, "bea")[0]),
        ),
    ]  # fmt: skip
    own = key(store, "own", "crm", stores=["quay"])
    for one in kept:
        for change in ("rotate", "revoke"):
            assert of_quay.post(f"/api-keys/{one}", change=change).status_code == 404, (one, change)
    page = of_quay.client.get("/api-keys").text
    shown = re.findall(r'/api-keys/(\d+)"', page)
    assert shown == [str(own)], "and is shown none"
    assert "marktplatz" not in page
    answer = of_quay.post(f"/api-keys/{own}", change="rotate")
    assert (answer.status_code, "sjk_" in answer.text) == (200, True)


@servers
def test_an_admin_of_a_store_lets_no_system_hear_of_every_store(of_quay: Admin, client: httpx.Client) -> None:
    for method, path in (
        ("GET", "/v1/webhooks/subscriptions"), ("POST", "/v1/webhooks/subscriptions"),
        ("GET", "/v1/webhooks/deliveries"), ("POST", "/v1/webhooks/senders"),
        ("GET", "/webhooks"), ("POST", "/webhooks"), ("POST", "/webhooks/senders"),
    ):  # fmt: skip
        answer = of_quay.client.request(method, path, json={} if method == "POST" else None)
        assert (answer.status_code, "every store" in answer.text) == (403, True), path
    assert 'href="/webhooks"' not in of_quay.client.get("/people").text, "nor is it offered"
    assert client.get("/v1/webhooks/subscriptions").status_code == 200


@servers
def test_somebody_stays_who_may_let_people_into_every_store(store: SeededStore, client: httpx.Client) -> None:
    log_in(store.connection, "Boss", "o" * 43, Role.ADMIN)
    store.connection.execute("update account set disabled_at = now() where name = 'ines'")
    log_in(store.connection, "Quay", "q" * 43, "admin", stores=["quay"])
    headers = {"Cookie": f"{PLAIN_COOKIE}={'o' * 43}", "Sec-Fetch-Site": "same-origin"}
    with httpx.Client(base_url=client.base_url, headers=headers, timeout=client.timeout) as browser:
        boss = Admin(browser, form_token("o" * 43))
        said = {"change": "save", "display_name": "Boss", "role_is_admin": "1", "stores": "quay"}
        answer = boss.post(f"/people/{account(store, 'boss')[0]}", **said)
    assert (answer.status_code, "manage people of every store" in answer.text) == (422, True)
