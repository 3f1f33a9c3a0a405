"""Who may do what: every route with every role, a table that no route escapes, and what PostgreSQL itself refuses."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest
from fastapi import APIRouter

from api.access.asking import FORM_FIELD, FORM_HEADER, PLAIN_COOKIE, form_token
from api.access.gate import read_places
from api.access.principal import Role
from api.access.table import TABLE, as_markdown
from api.routing import PAGES, ROUTES
from core.errors import ConfigurationError
from storage.access.acting import ROLES
from storage.access.keys import add_key
from storage.access.secrets import digest
from storage.access.tables import (
    AROUND_PROFILE,
    BY_PROFILE,
    BY_STORE,
    FOR_PEOPLE,
    NOBODY,
    OF_HOUSE,
    PLAIN,
    PSEUDONYMOUS,
    WRITES,
)
from storage.connect import Connection
from storage.profiles.profiles import create_profile
from tests.access import log_in
from tests.api.seeding import add_customers, add_visit, database_now, device, floor_plan
from tests.fix_api import SeededStore

servers = pytest.mark.servers


def test_a_route_without_an_entry_keeps_the_application_from_starting() -> None:
    forgotten = APIRouter()
    forgotten.add_api_route("/v1/forgotten", lambda: None, methods=["POST"])
    with pytest.raises(ConfigurationError, match="POST /v1/forgotten"):
        read_places((*ROUTES, *PAGES, forgotten))
    with pytest.raises(ConfigurationError, match="GET /v1/stores"):
        read_places([router for router in (*ROUTES, *PAGES) if router.prefix != "/v1/stores"])


def test_the_documented_table_is_the_one_that_holds() -> None:
    said = (Path(__file__).parents[2] / "docs" / "access.md").read_text()
    assert said.endswith(as_markdown()), "write it anew: python -m api.access"


@pytest.fixture
def values(store: SeededStore, client: httpx.Client) -> dict[str, str]:
    """What stands for the parameters of addresses: what is there, where it matters."""
    made = add_customers(store.connection, store.plan, store.store_no, now=database_now(store.connection))
    amara = str(made["Amara Okafor"])
    asked = {"purpose": "observation", "subject": "Liked it", "profile_id": amara}
    note = client.post("/v1/notes", json=asked).json()["note_id"]
    return {
        "{store}": "marktplatz", "{profile}": amara, "{note}": note, "{formula}": "footfall", "{what}": "profiles",
        "{list}": "tag", "{word}": "hesitated", "{template}": "thanks", "{rule}": "churn", "{given_input}": "orders",
        "{visit}": str(UUID(int=1)), "{alert}": str(UUID(int=1)), "{follow_up}": str(UUID(int=1)),
        "{account}": str(UUID(int=1)), "{subscription}": str(UUID(int=1)), "{installation}": str(UUID(int=1)),
        "{source}": "shop",
    }  # fmt: skip


def people(connection: Connection) -> dict[str, dict[str, str]]:
    """Headers of somebody with each role alone: people by their sessions, the program by its key."""
    found = {}
    for role in ROLES[:4]:
        session = role * 5
        log_in(connection, role, session, role)
        found[role] = {
            "Cookie": f"{PLAIN_COOKIE}={session}", FORM_HEADER: form_token(session), "Sec-Fetch-Site": "same-origin",
        }  # fmt: skip
    add_key(
        connection, digest("sjk_edge"), prefix="sjk_edge", name="edge", roles=["edge"], stores=None, made_by="tests",
        holds_for=timedelta(days=1),
    )  # fmt: skip
    return found | {"edge": {"Authorization": "Bearer sjk_edge"}, "nobody": {}}


@servers
def test_every_route_with_every_role(store: SeededStore, client: httpx.Client, values: dict[str, str]) -> None:
    wrong = []
    asked = people(store.connection)
    for route, entry in TABLE.items():
        if route == "POST /logout":
            continue  # it ends the session that the next ones ask with
        method, path = route.split(" ")
        for word, value in values.items():
            path = path.replace(word, value)
        path = path.replace("{", "").replace("}", "") if "_no}" not in path else path
        for word in ("case_no", "link_no", "block_no", "change_no", "rule_no", "trial_no", "segment_no", "cue_no",
                     "import_no", "delivery_no", "key_no"):  # fmt: skip
            path = path.replace("{" + word + "}", "1")
        for who, headers in asked.items():
            body: dict[str, str] | None = None if method in {"GET", "DELETE"} else {}
            url = str(client.base_url).rstrip("/") + path
            request = httpx.Request(method, url, headers={"Idempotency-Key": route} | headers, json=body)
            answer = client.send(request, stream=True)
            answer.close()
            allowed = not entry.roles or who in entry.roles
            page = not path.startswith("/v1/") and path != "/openapi.json"
            login = answer.status_code == 303 and answer.headers["location"].startswith("/login")
            refused = login if who == "nobody" and page else answer.status_code == (401 if who == "nobody" else 403)
            own_secret = answer.status_code in {401, 403} and not entry.roles  # a signature or token is missing
            let_in = answer.status_code not in {401, 403} and not (login and entry.roles)
            if answer.status_code >= 500 or not (refused if not allowed else let_in or own_secret):
                wrong.append(f"{route} as {who}: {answer.status_code}")
    assert wrong == []


@servers
def test_every_table_says_what_it_holds(store: SeededStore) -> None:
    tables = {
        name
        for (name,) in store.connection.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        )
    }
    known = PLAIN | OF_HOUSE | PSEUDONYMOUS | BY_PROFILE | AROUND_PROFILE.keys() | BY_STORE | NOBODY | FOR_PEOPLE
    assert tables == known, "put it into storage/access/tables.py"
    assert {table for tables in WRITES.values() for table in tables} <= known


@pytest.fixture
def two_stores(store: SeededStore) -> Connection:
    """Ada was at marktplatz, Bo at the quay, Cy nowhere; each has a device, a consent and a note."""
    quay = floor_plan().stores[0]
    quay_no = store.connection.execute("select store_no from store where id = 'quay'").fetchone()
    assert quay_no is not None
    for number, (name, store_no) in enumerate((("Ada", store.store_no), ("Bo", quay_no[0]), ("Cy", None)), 1):
        made = create_profile(
            store.connection, display_name=name, devices=[device(number)], granted_at=store.now - timedelta(days=9)
        )
        if store_no is not None:
            add_visit(
                store.connection, quay, store_no, pseudonym=device(number),
                entered_at=store.now - timedelta(days=1), dwell_s=60.0,
            )  # fmt: skip
        store.connection.execute(
            "insert into note (note_id, asked_sha256, profile_id, noted_at, operator, source, purpose, subject,"
            " detail, tags, feeling_read)"
            " values (gen_random_uuid(), '', %s, now(), 'x', 'staff', 'observation', %s, '', '{}',"
            ' \'{"feeling": "neutral", "score": 0, "clauses": []}\')',
            [made, name],
        )
    return store.connection


def seen(connection: Connection, role: str, stores: str, question: str) -> list[str]:
    with connection.transaction():
        connection.execute(f"set local role {role}; set local sojourn.stores = '{stores}'")
        return sorted(str(row[0]) for row in connection.execute(question).fetchall())


@servers
def test_the_database_gives_operations_nothing_of_a_person(two_stores: Connection) -> None:
    for role in ("sojourn_operations_everywhere", "sojourn_operations_own", "sojourn_admin_everywhere"):
        for table in sorted(BY_PROFILE | AROUND_PROFILE.keys() | NOBODY):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                seen(two_stores, role, "marktplatz", f"select 1 from {table}")
        for view in (
            "profile_device",
            "note_seen",
            "consent_current",
            "follow_up_seen",
            "alert_seen",
            "message_seen",
            "event_seen",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                seen(two_stores, role, "marktplatz", f"select 1 from {view}")
        for table in ("store_visit", "zone_visit", "presence", "visit_revision"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                seen(two_stores, role, "marktplatz", f"select device from {table}")
    assert seen(two_stores, "sojourn_operations_everywhere", "", "select dwell_s from store_visit") == [
        "60.0",
        "60.0",
    ]
    assert seen(two_stores, "sojourn_operations_own", "quay", "select store.id from store") == ["quay"]


@servers
def test_the_database_gives_crm_the_profiles_of_own_stores(two_stores: Connection) -> None:
    for question in ("select display_name from profile", "select subject from note",
                     "select display_name from profile join device_link using (profile_id)",
                     "select display_name from profile join consent_event using (profile_id)"):  # fmt: skip
        assert seen(two_stores, "sojourn_crm_everywhere", "", question) == ["Ada", "Bo", "Cy"], question
        assert seen(two_stores, "sojourn_crm_own", "quay", question) == ["Bo"], question
        assert seen(two_stores, "sojourn_crm_own", "quay,marktplatz", question) == ["Ada", "Bo"], question
        assert seen(two_stores, "sojourn_crm_own", "", question) == [], "nobody said which: nothing is own"
        assert seen(two_stores, "sojourn_crm", "quay", question) == [], "grants alone show no row"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        seen(two_stores, "sojourn_crm_own", "quay", "select know_profile(profile_id, 1)::text from profile")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        seen(two_stores, "sojourn_crm_everywhere", "", "select password_hash from account")


@servers
def test_the_database_shows_nobody_who_is_bound_to_stores_a_person_without_a_policy(two_stores: Connection) -> None:
    """Any table, also one that is new: what says whom or whose device it is about is read by row, or by nobody."""
    told = []
    for table, policies, columns in two_stores.execute(
        "select relname, relrowsecurity, array_agg(attname::text)"
        "  from pg_class join pg_attribute on attrelid = pg_class.oid"
        " where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and attnum > 0 and not attisdropped"
        " group by pg_class.oid, relname"
    ).fetchall():
        for role in ROLES:
            read = [
                column
                for column in columns
                if two_stores.execute(
                    "select has_column_privilege(%s, %s, %s, 'select')", [f"sojourn_{role}_own", table, column]
                ).fetchone()
                == (True,)
            ]
            told += [f"{table} to {role}"] if {"profile_id", "device"} & set(read) and not policies else []
            told += [f"{table}.{one} to {role}" for one in read if "secret" in one and role != "admin"]
    assert told == []
    for role in ROLES:
        for table in sorted(NOBODY - {"app_edge", "app_outbox"} | (OF_HOUSE if role != "admin" else set())):
            for question in (f"select 1 from {table}", f"delete from {table}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    seen(two_stores, f"sojourn_{role}_own", "quay", question)


@servers
def test_somebody_bound_to_a_store_compares_it_with_no_other(two_stores: Connection, client: httpx.Client) -> None:
    log_in(two_stores, "Olga", "o" * 43, Role.OPERATIONS, stores=["quay"])
    asked = {"Cookie": f"{PLAIN_COOKIE}={'o' * 43}"}
    with httpx.Client(base_url=client.base_url, headers=asked, timeout=client.timeout) as olga:
        assert olga.get("/v1/stores/quay/metrics/footfall").status_code == 200
        assert client.get("/v1/stores/marktplatz").status_code == 200, "its plan is kept for all"
        for path in ("/v1/stores/quay/metrics/footfall", "/v1/stores/quay/metrics/dwell_median"):
            answer = olga.get(path, params={"compare_store": "marktplatz"})
            assert (answer.status_code, answer.json()["type"]) == (404, "urn:sojourn:problem:store-unknown"), path
        assert olga.get("/stores/quay/compare?store=marktplatz").status_code == 404


@servers
def test_somebody_bound_to_a_store_finds_its_profiles_alone(two_stores: Connection, client: httpx.Client) -> None:
    log_in(two_stores, "Quinn", "q" * 43, Role.CRM, stores=["quay"])
    asked = {"Cookie": f"{PLAIN_COOKIE}={'q' * 43}"}
    with httpx.Client(base_url=client.base_url, headers=asked, timeout=client.timeout) as quinn:
        for words, wanted in (("", ["Bo"]), ("b", ["Bo"]), ("ada", []), ("a", [])):
            found = quinn.get("/v1/profiles", params={"q": words}).json()["profiles"]
            assert [one["display_name"] for one in found] == wanted, words
        assert [one["id"] for one in quinn.get("/v1/stores").json()["stores"]] == ["quay"]
        assert client.get("/v1/stores/marktplatz").status_code == 200, "it is read, so that its plan is kept for all"
        assert quinn.get("/v1/stores/marktplatz").status_code == 404
        for one in client.get("/v1/profiles").json()["profiles"]:
            status = 200 if one["display_name"] == "Bo" else 404
            assert quinn.get(f"/v1/profiles/{one['profile_id']}").status_code == status
            assert quinn.get(f"/profiles/{one['profile_id']}").status_code == status


@servers
def test_somebody_bound_to_a_store_sees_no_order_of_another_and_withdraws_for_the_whole_person(
    two_stores: Connection, client: httpx.Client
) -> None:
    names = {name: profile for profile, name in two_stores.execute("select profile_id, display_name from profile")}
    two_stores.execute(
        "insert into customer_event (event_id, revision, profile_id, kind, source, source_key, occurred_at, store_no,"
        " detail) select gen_random_uuid(), 0, %s, 'ordered', 'till', 'R' || coalesce(place.no, 0),"
        ' now() - interval \'1 hour\', place.no, \'{"total": 99, "currency": "EUR"}\''
        "   from (select store_no from store where id = 'marktplatz' union all select null) place (no)",
        [names["Bo"]],
    )
    two_stores.execute("update profile set merged_into = %s where profile_id = %s", [names["Bo"], names["Ada"]])
    log_in(two_stores, "Quentin", "r" * 43, Role.CRM, stores=["quay"])
    asked = {
        "Cookie": f"{PLAIN_COOKIE}={'r' * 43}", FORM_HEADER: form_token("r" * 43), "Sec-Fetch-Site": "same-origin",
    }  # fmt: skip
    path = f"/v1/profiles/{names['Bo']}/understanding"
    with httpx.Client(base_url=client.base_url, headers=asked, timeout=client.timeout) as quentin:
        counts = [[one[f"orders_{where}_count"] for where in ("in_store", "online")]
                  for one in (client.get(path).json(), quentin.get(path).json())]  # fmt: skip
        assert counts == [[1, 1], [0, 1]], "the order of the other store is not told as one online"
        page = quentin.get(f"/profiles/{names['Bo']}/consent").text
        shown = [word in page for word in ("What she withdraws", "Erase everything", "Copy of everything", "Link 1")]
        assert shown == [True, False, False, False], "what is refused to her role is not offered"
        said = {"purpose": "in_store_journey", "source": "store", "sure": "yes", FORM_FIELD: form_token("r" * 43)}
        answer = quentin.post(f"/profiles/{names['Bo']}/withdrawals", data=said)
        assert answer.status_code == 303, answer.text
    held = two_stores.execute("select profile_id from consent_current where holds").fetchall()
    assert held == [(names["Cy"],)], "hers of the other store is withdrawn with it"
