"""What requests leave in the audit log: who, what for, of whom; and what the privacy desk sees of it."""

import re
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api.access.asking import FORM_FIELD, FORM_HEADER, PLAIN_COOKIE, form_token
from api.access.limits import Rates
from api.access.people_pages import ROLE_FIELD
from api.app import create_app
from api.settings import Settings
from core.audit.hints import AGAIN_DAYS, LISTED_A_DAY, MANY_AN_HOUR
from storage.access.accounts import disable_account
from storage.access.keys import add_key, key_of, rotate_key
from storage.access.reads import open_profile
from storage.access.secrets import digest
from storage.audit.acting import Acting
from storage.audit.entries import enter
from storage.audit.sealing import seal
from storage.audit.verifying import verify
from storage.connect import connect, in_transaction
from storage.cues.log import CHANNEL
from tests.access import log_in
from tests.api.inputting import customer, event, send
from tests.api.serving import answering, wait_for
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers
ANNA = {"Sojourn-Operator": "Anna"}


@pytest.fixture
def ada(store: SeededStore, client: httpx.Client) -> UUID:
    told = send(client, "/v1/profiles", customer(1, at=store.now - timedelta(days=9), email="ada@shop.test"))
    return UUID(told.json()["profile_id"])


def entered(client: httpx.Client, **filters: Any) -> list[dict[str, Any]]:
    answer = client.get("/v1/audit", params=filters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


def test_every_look_is_entered_before_the_answer(store: SeededStore, client: httpx.Client, ada: UUID) -> None:
    note = {
        "profile_id": str(ada),
        "purpose": "service",
        "subject": "Boots",
        "detail": "liked the brown ones",
        "tags": [],
    }
    written = client.post("/v1/notes", json=note, headers=ANNA)
    assert written.status_code == 201, written.text
    looks = {
        f"/v1/profiles/{ada}": ("read", ["profile", "consent", "whereabouts"]),
        f"/v1/profiles/{ada}/memory": ("read", ["memory"]),
        f"/v1/profiles/{ada}/journey": ("read", ["journey"]),
        f"/v1/profiles/{ada}/card": ("read", ["profile", "journey", "cue", "whereabouts"]),
        f"/profiles/{ada}/consent": ("read", ["profile", "consent", "devices"]),
        f"/v1/notes/{written.json()['note_id']}": ("read", ["notes"]),
        "/v1/profiles?q=Customer": ("list", ["profiles"]),
        "/profiles": ("list", ["profiles"]),
        "/v1/notes": ("list", ["notes"]),
        "/notes.csv": ("export", ["notes.csv"]),
    }
    for path, (kind, fields) in looks.items():
        assert client.get(path, headers=ANNA).status_code == 200, path
        newest = entered(client)[0]
        assert (newest["kind"], newest["fields"], newest["people"]) == (kind, fields, [str(ada)]), path
        assert (newest["actor"], newest["actor_kind"], newest["purpose"]) == ("tests", "key", "integration")
    before = len(entered(client, limit=200))
    for path in ("/v1/stores", "/v1/health", f"/v1/profiles/{UUID(int=9)}", "/v1/profiles?q=nobody"):
        client.get(path, headers=ANNA)
    assert len(entered(client, limit=200)) == before
    change = entered(client, kind="change", actor="tests")[0]
    assert (change["fields"], change["people"], change["route"]) == (["note"], [str(ada)], "POST /v1/notes")
    assert "brown" not in client.get("/v1/audit").text


def test_an_export_of_everybody_is_entered_as_such(client: httpx.Client, ada: UUID) -> None:
    assert client.get("/v1/exports/profiles", headers=ANNA).status_code == 200
    newest = entered(client, kind="export")[0]
    assert (newest["detail"], newest["fields"], newest["actor"]) == ({"everybody": True}, ["profiles"], "tests")
    assert any(one["detail"] == {"everybody": True} for one in entered(client, profile=ada))  # it was of her, too


def test_an_entry_with_words_of_another_version_hides_no_other(
    store: SeededStore, client: httpx.Client, ada: UUID
) -> None:
    store.connection.execute(
        "select audit_enter(%s::jsonb)",
        ['{"kind": "told", "purpose": "later", "outcome": "part", "actor_kind": "x"}'],
    )
    assert {entry["kind"] for entry in entered(client)} >= {"told", "change"}
    page = client.get("/audit").text
    assert "told" in page
    assert "later" in page


def test_a_purpose_is_one_of_the_list(client: httpx.Client, ada: UUID) -> None:
    asked = client.get(f"/v1/profiles/{ada}", headers=ANNA | {"Sojourn-Purpose": "incident"})
    assert asked.status_code == 200
    assert entered(client)[0]["purpose"] == "incident"
    refused = client.get(f"/v1/profiles/{ada}", headers={"Sojourn-Purpose": "curiosity"})
    assert refused.status_code == 422
    assert "service" in refused.json()["hint"]


def test_what_cannot_be_entered_is_not_shown(store: SeededStore, client: httpx.Client, ada: UUID) -> None:
    store.connection.execute("alter table audit_entry rename to gone")
    try:
        answer = client.get(f"/v1/profiles/{ada}", headers=ANNA)
        assert answer.status_code == 503
        assert "Customer" not in answer.text
    finally:
        store.connection.execute("alter table gone rename to audit_entry")
    assert client.get(f"/v1/profiles/{ada}", headers=ANNA).status_code == 200


def test_the_service_seals_by_itself(store: SeededStore, client: httpx.Client, ada: UUID) -> None:
    client.get(f"/v1/profiles/{ada}", headers=ANNA)
    wait_for(lambda: verify(store.connection).waiting == 0 and verify(store.connection).links >= 2, "the seal")
    found = verify(store.connection)
    assert found.broken is None
    assert client.get("/v1/audit/heads").json()["heads"][0]["hash"] == found.head.hex()


def look(store: SeededStore, actor: str, at: datetime, profile: UUID, **more: Any) -> None:
    who = Acting(
        actor=actor, actor_kind="person", route="GET /v1/profiles/{profile}", purpose="service", at=at, **more
    )
    enter(store.connection, who, "read", people=[profile], fields=["profile"])


def test_what_is_unusual_is_told_with_its_formula(store: SeededStore, client: httpx.Client, ada: UUID) -> None:
    noon = store.now.astimezone(UTC).replace(hour=11, minute=0, second=0, microsecond=0) - timedelta(days=1)
    for number in range(MANY_AN_HOUR + 1):
        look(store, "Many", noon + timedelta(minutes=2 * number), UUID(int=number))
        look(store, "Busy", noon + timedelta(minutes=2 * number), UUID(int=number))
        look(store, "Busy", noon - timedelta(days=7) + timedelta(minutes=2 * number), UUID(int=number))
        if number < MANY_AN_HOUR:
            look(store, "Fewer", noon + timedelta(minutes=2 * number), UUID(int=number))
    night = noon.replace(hour=0, minute=30)  # 1:30 in Berlin, 19:30 in New York
    look(store, "Owl", night, ada, stores=("marktplatz",))
    look(store, "Late", night, ada, stores=("quay",))
    for days in range(AGAIN_DAYS):
        look(store, "Again", noon - timedelta(days=days), ada)
        if days:
            look(store, "Thrice", noon - timedelta(days=days), ada)
    enter(store.connection, Acting(actor="Ex", actor_kind="key", route="x", purpose="analysis", at=noon), "export",
          detail={"people_count": 7})  # fmt: skip
    for actor, most in (("Lists", LISTED_A_DAY + 1), ("Serves", LISTED_A_DAY)):
        who = Acting(actor=actor, actor_kind="person", route="GET /v1/profiles", purpose="service", at=noon)
        for begin in range(0, most, 600):
            page = [UUID(int=number) for number in range(begin, min(begin + 600, most))]
            enter(store.connection, who, "list", people=page, fields=["profiles"])
    told = client.get("/v1/audit/hints").json()
    found = {(one["hint"], one["actor"]): one for one in told["found"]}
    assert set(found) == {
        ("many", "Many"), ("listed", "Lists"), ("night", "Owl"), ("again", "Again"), ("export", "Ex"),
        ("elsewhere", "Owl"), ("elsewhere", "Late"),
    }  # fmt: skip
    assert found["many", "Many"]["found_count"] == MANY_AN_HOUR + 1
    assert found["again", "Again"]["profile_id"] == str(ada)
    assert found["listed", "Lists"]["found_count"] == LISTED_A_DAY + 1
    assert {hint["hint"] for hint in told["hints"]} == {
        "many",
        "listed",
        "night",
        "again",
        "elsewhere",
        "export",
        "budget",
    }


def test_the_desk_filters_and_the_profile_says_who_looked(
    store: SeededStore, client: httpx.Client, ada: UUID
) -> None:
    assert client.get(f"/profiles/{ada}", headers=ANNA).status_code == 200
    page = client.get(f"/profiles/{ada}", headers={"Sojourn-Operator": "Bert"}).text
    section = page[page.index('id="looked"') :]
    assert ">tests</a>" in section
    in_transaction(store.connection, seal)
    whole = client.get("/audit").text
    for said in ("Worth asking about", "Same profile".lower(), "Heads of the last days"):
        assert said.lower() in whole.lower()
    only = client.get("/audit", params={"actor": "tests", "kind": "read", "profile": str(ada), "day": ""}).text
    assert re.findall(r'class="plain audit-who" href="[^"]+">(\w+)</a>', only) == ["tests", "tests"]
    assert "No entry fits" in client.get("/audit", params={"actor": "Nobody at all"}).text
    assert client.get("/audit", params={"day": "yesterday"}).status_code == 422


def tell_cue(store: SeededStore, profile: UUID) -> None:
    store.connection.execute(
        "insert into cue_log (visit_id, store_no, profile_id, arrived_at, cue, because, policy_version)"
        " values (gen_random_uuid(), %s, %s, now(), 'greet', 'x', 0)",
        [store.store_no, profile],
    )
    store.connection.execute("select pg_notify(%s, 'marktplatz')", [CHANNEL])


def test_a_stream_of_cues_enters_each_that_it_sends(store: SeededStore, client: httpx.Client, ada: UUID) -> None:
    send(client, "/v1/inputs/online", {"source": "web", "events": [event("1", "Product Viewed", store.now)]})
    with client.stream("GET", "/v1/stores/marktplatz/cues/live", headers=ANNA) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()
        tell_cue(store, ada)
        assert any(line == "event: cue" for line in lines)
    newest = entered(client, kind="list")[0]
    assert (newest["fields"], newest["people"], newest["actor"]) == (["cues"], [str(ada)], "tests")


def test_a_stream_of_cues_that_a_day_has_no_room_for_says_so_and_ends(store: SeededStore, ada: UUID) -> None:
    app = create_app(store.database_url, Settings(rates=Rates(people_a_day_key=0)))
    live = "/v1/stores/marktplatz/cues/live"
    with answering(app) as asked:
        with asked.stream("GET", live) as answer:
            lines = answer.iter_lines()
            tell_cue(store, ada)
            said = "\n".join(lines)  # to its end
        assert ("event: refused" in said, "until midnight" in said, "event: cue" in said) == (True, True, False)
        assert asked.get(live).status_code == 429, "and whoever asks anew is told before it begins"


def test_what_people_write_stays_text(store: SeededStore, client: httpx.Client, ada: UUID) -> None:
    wild = '<img src=x onerror="alert(1)">\'"&'
    store.connection.execute("update profile set display_name = %s where profile_id = %s", [wild, ada])
    store.connection.execute("update api_key set name = '<script>alert(2)</script>'")
    for path in ("/profiles", f"/profiles/{ada}", f"/profiles/{ada}", "/audit", f"/audit?profile={ada}"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "<img src=x" not in answer.text, path
        assert "<script>alert" not in answer.text, path
    assert "&lt;script&gt;alert(2)" in client.get("/audit").text


def test_whatever_a_key_does_names_the_person_it_works_for(
    store: SeededStore, client: httpx.Client, ada: UUID
) -> None:
    (ines,) = store.connection.execute("select account_id from account where name = 'ines'").fetchone() or ("",)
    key = "sjk_owned"
    add_key(
        store.connection, digest(key), prefix=key, name="Reports", roles=["crm"], stores=None, made_by="tests",
        holds_for=timedelta(days=1), owner=ines,
    )  # fmt: skip
    held = {"Authorization": f"Bearer {key}", "Sojourn-Operator": "Somebody%20Else"}
    assert client.get(f"/v1/profiles/{ada}", headers=held).status_code == 200
    note = {"profile_id": str(ada), "purpose": "service", "subject": "Boots", "detail": "brown", "tags": []}
    assert client.post("/v1/notes", json=note, headers=held).status_code == 201
    change, read = entered(client, actor="Reports")[:2]
    for one in (change, read):
        assert (one["works_for"], one["says_for"], one["actor_kind"]) == ("Ines", "Somebody Else", "key")
    assert (change["fields"], read["fields"][0]) == (["note"], "profile")
    assert {one["actor"] for one in entered(client, actor="Ines")} == {"Reports"}, "and she is found by her name"
    assert {one["actor"] for one in entered(client, actor="Somebody Else")} == {"Reports"}
    assert "for <a" in client.get("/audit", params={"actor": "Ines"}).text
    in_transaction(store.connection, seal)
    assert verify(store.connection).broken is None
    rotated = rotate_key(store.connection, key_of_name(store, "Reports"), digest("sjk_next"), prefix="n", made_by="x")
    assert rotated is not None
    assert (key_of(store.connection, rotated) or pytest.fail("no such key")).owner == "Ines"


def test_a_key_holds_only_while_its_owner_may_log_in(store: SeededStore, client: httpx.Client, ada: UUID) -> None:
    (ines,) = store.connection.execute("select account_id from account where name = 'ines'").fetchone() or ("",)
    for key, owner in (("sjk_hers", ines), ("sjk_of_the_house", None)):
        add_key(
            store.connection, digest(key), prefix=key, name=key, roles=["crm"], stores=None, made_by="tests",
            holds_for=timedelta(days=1), owner=owner,
        )  # fmt: skip

    def asked(key: str) -> httpx.Response:
        return client.get(f"/v1/profiles/{ada}", headers={"Authorization": f"Bearer {key}"})

    assert asked("sjk_hers").status_code == 200
    log_in(store.connection, "Root", "r" * 43, "admin")  # somebody has to stay
    disable_account(store.connection, ines, disabled=True)
    refused = asked("sjk_hers")
    assert (refused.status_code, refused.json()["type"]) == (401, "urn:sojourn:problem:key-owner")
    assert "somebody who may not log in any more" in refused.json()["detail"]
    assert asked("sjk_of_the_house").status_code == 200
    assert entered(client, kind="key")[0]["detail"]["why"] == "key-owner"
    assert "(shut out, so it does not hold)" in client.get("/api-keys").text
    disable_account(store.connection, ines, disabled=False)
    assert asked("sjk_hers").status_code == 200, "whoever is let in again has what was hers"


def test_profiles_opened_side_by_side_do_not_find_the_same_room_in_a_day(
    store: SeededStore, client: httpx.Client, ada: UUID
) -> None:
    bert = UUID(send(client, "/v1/profiles", customer(2, at=store.now, email="b@shop.test")).json()["profile_id"])
    with connect(store.database_url) as one, connect(store.database_url) as other, ThreadPoolExecutor(1) as pool:
        with one.transaction():
            assert open_profile(one, "nosy", ada, most=1)
            assert open_profile(one, "anna", bert, most=1), "each has a day of their own"
            meanwhile = pool.submit(open_profile, other, "nosy", bert, most=1)
            wait([meanwhile], timeout=0.3)
            assert not meanwhile.done(), "what is not committed yet may still be taken back: it waits"
        assert meanwhile.result(20) is False
        assert open_profile(other, "nosy", ada, most=1), "what is open stays open"
        assert open_profile(other, "nosy", uuid4(), most=1), "nobody: whoever reads it says so"


def key_of_name(store: SeededStore, name: str) -> int:
    row = store.connection.execute("select key_no from api_key where name = %s", [name]).fetchone()
    assert row is not None
    return int(row[0])


def test_more_profiles_than_a_day_holds_are_refused_entered_and_worth_asking_about(
    store: SeededStore, client: httpx.Client
) -> None:
    people = []
    for number in range(4):
        given = customer(number, at=store.now - timedelta(days=9), email=f"{number}@shop.test")
        people.append(send(client, "/v1/profiles", given).json()["profile_id"])
    log_in(store.connection, "Nosy", "n" * 43, "crm")
    session = {"Cookie": f"{PLAIN_COOKIE}={'n' * 43}"}
    for turn in range(2):  # another process of the API knows the same budget
        app = create_app(store.database_url, Settings(rates=Rates(profiles_a_day=2, profiles_a_day_key=3)))
        with answering(app) as asked, httpx.Client(base_url=asked.base_url, headers=session, timeout=20) as nosy:
            told = [nosy.get(f"/v1/profiles/{one}").status_code for one in people]
            assert told == [200, 200, 429, 429], f"turn {turn}: what was opened stays open"
            refused = nosy.get(f"/profiles/{people[3]}")
            assert (refused.status_code, "as many as one person may" in refused.text) == (429, True)
            assert [asked.get(f"/v1/profiles/{one}").status_code for one in people] == [200, 200, 200, 429], "a key"
    hints = {(one["hint"], one["actor"]): one for one in client.get("/v1/audit/hints").json()["found"]}
    assert hints["budget", "Nosy"]["found_count"] >= 2
    assert ("budget", "tests") in hints
    entries = [one for one in entered(client, actor="Nosy") if one["outcome"] == "refused"]
    assert {one["detail"]["status"] for one in entries} == {429}
    assert {one["route"] for one in entries} <= {"GET /v1/profiles/{profile}", "GET /profiles/{profile}"}, (
        "an entry's route never names whom it was about"
    )


def test_a_key_loses_what_its_owner_loses(store: SeededStore, client: httpx.Client, ada: UUID) -> None:
    log_in(store.connection, "Olga", "o" * 43, "crm", "privacy")
    (olga,) = store.connection.execute("select account_id from account where name = 'olga'").fetchone() or ("",)
    add_key(
        store.connection, digest("sjk_hers"), prefix="sjk_hers", name="Hers", roles=["crm", "privacy", "edge"],
        stores=["quay", "marktplatz"], made_by="tests", holds_for=timedelta(days=1), owner=olga,
    )  # fmt: skip

    def asked(path: str) -> int:
        return client.get(path, headers={"Authorization": "Bearer sjk_hers"}).status_code

    def owner(**changed: Any) -> None:
        store.connection.execute(
            "update account set roles = %(roles)s, stores = %(stores)s where account_id = %(olga)s",
            {"olga": olga, **changed},
        )

    audit, exports, zones = "/v1/audit", "/v1/exports/notes", "/v1/stores/marktplatz/zones"
    assert [asked(audit), asked(zones)] == [200, 200]
    owner(roles=["crm"], stores=None)
    assert [asked(audit), asked(exports), asked(zones)] == [403, 403, 200], "the role privacy is gone"
    assert "Without privacy: the owner has lost that." in client.get("/api-keys").text
    owner(roles=["crm"], stores=["quay"])
    assert [asked("/v1/stores/quay/zones"), asked(zones)] == [200, 404], "and stores as hers"
    owner(roles=["operations"], stores=[])
    assert [asked("/v1/profiles"), asked("/v1/stores/quay/zones")] == [403, 404], "edge is left, of no store"
    owner(roles=["crm", "privacy"], stores=None)
    assert [asked(audit), asked(zones)] == [200, 200], "what she has again, it has again"


def test_lists_that_show_more_people_than_a_day_holds_are_refused_as_a_whole(
    store: SeededStore, client: httpx.Client
) -> None:
    people = []
    for number in range(9):
        given = customer(number, at=store.now - timedelta(days=9), email=f"{number}@shop.test")
        people.append(send(client, "/v1/profiles", given).json()["profile_id"])
    log_in(store.connection, "Nosy", "n" * 43, "crm")
    session = {"Cookie": f"{PLAIN_COOKIE}={'n' * 43}"}
    app = create_app(store.database_url, Settings(rates=Rates(people_a_day=5)))
    with answering(app) as asked, httpx.Client(base_url=asked.base_url, headers=session, timeout=20) as nosy:
        first = nosy.get("/v1/profiles", params={"limit": 3})
        assert (first.status_code, len(first.json()["profiles"])) == (200, 3)
        # side by side: each of the six others by herself, and two are left of the day
        shown = {one["profile_id"] for one in first.json()["profiles"]}
        others = [number for number, one in enumerate(people) if one not in shown]
        with ThreadPoolExecutor(6) as pool:
            told = list(pool.map(lambda n: nosy.get("/v1/profiles", params={"q": f"Customer {n}"}), others))
        assert sorted(one.status_code for one in told) == [200, 200, 429, 429, 429, 429]
        # from the first refusal on each list is refused alike, whomever it would find: a refusal tells of nobody
        texts = set()
        for path, params in (
            ("/v1/profiles", {"limit": 3}), ("/v1/profiles", {"q": f"Customer {others[0]}"}), ("/v1/profiles", {}),
            ("/v1/profiles", {"q": "Nobody at all"}), ("/v1/notes", {"q": "nothing"}), ("/v1/alerts", {}),
        ):  # fmt: skip
            refused = nosy.get(path, params=params)
            assert refused.status_code == 429, f"{path} {params}"
            texts.add(refused.json()["detail"])
        assert (len(texts), "different people today" in texts.pop()) == (1, True)
        page = nosy.get("/profiles")
        assert (page.status_code, "Customer" in page.text) == (429, False)
        assert refused.json()["type"] == "urn:sojourn:problem:budget"
        assert int(refused.headers["Retry-After"]) > 60
        assert nosy.get("/v1/stores/marktplatz/zones").status_code == 200, "what finds nobody stays open"
        assert all(nosy.get(f"/v1/profiles/{one}").status_code == 200 for one in people), "opening has its own budget"
        assert asked.get("/v1/profiles").status_code == 200, "and everybody has theirs"
    looked = entered(client, kind="list", actor="Nosy", limit=200)
    assert len({one for entry in looked for one in entry["people"]}) == 5, "what was refused was shown to nobody"
    app = create_app(store.database_url, Settings(rates=Rates(people_a_day=5)))
    with answering(app) as asked, httpx.Client(base_url=asked.base_url, headers=session, timeout=20) as nosy:
        nobody = nosy.get("/v1/profiles", params={"q": "Nobody at all"})
        assert nobody.status_code == 429, "another process of the API knows the same budget"
    hints = {(one["hint"], one["actor"]): one for one in client.get("/v1/audit/hints").json()["found"]}
    # several routes, and the other process; what one route refused within a second comes with its next refusal
    assert hints["budget", "Nosy"]["found_count"] >= 3


def test_notes_and_their_files_cost_the_budget_of_people(store: SeededStore, client: httpx.Client) -> None:
    notes = []
    for number in range(3):
        given = customer(number, at=store.now - timedelta(days=9), email=f"{number}@shop.test")
        profile = send(client, "/v1/profiles", given).json()["profile_id"]
        note = {"profile_id": profile, "purpose": "service", "subject": "Boots", "detail": "brown", "tags": []}
        notes.append(client.post("/v1/notes", json=note).json()["note_id"])
    app = create_app(store.database_url, Settings(rates=Rates(people_a_day_key=2)))
    with answering(app) as asked:
        for path in ("/v1/notes", "/notes", "/notes.csv"):
            assert asked.get(path).status_code == 429, path
        assert [asked.get(f"/v1/notes/{one}").status_code for one in notes] == [200, 200, 429], "nor one by one"
        assert asked.get("/v1/exports/profiles").status_code == 200, "the privacy desk's, entered as of everybody"


def test_a_card_in_a_frame_costs_the_budget_and_is_a_look_of_whoever_made_its_ticket(
    store: SeededStore, client: httpx.Client
) -> None:
    people = []
    for number in range(3):
        given = customer(number, at=store.now - timedelta(days=9), email=f"{number}@shop.test")
        people.append(send(client, "/v1/profiles", given).json()["profile_id"])
    log_in(store.connection, "Nosy", "n" * 43, "crm")
    session = {
        "Cookie": f"{PLAIN_COOKIE}={'n' * 43}", FORM_HEADER: form_token("n" * 43), "Sec-Fetch-Site": "same-origin",
    }  # fmt: skip
    app = create_app(store.database_url, Settings(rates=Rates(profiles_a_day=2)))
    with answering(app) as asked, httpx.Client(base_url=asked.base_url, headers=session, timeout=20) as nosy:
        made = [send(nosy, f"/v1/profiles/{one}/card-tickets", None) for one in people]
        assert [one.status_code for one in made] == [201, 201, 429]
        preview = nosy.post(f"/v1/profiles/{people[2]}/messages/preview", json={"template": "thanks"})
        assert preview.status_code == 429, "a message filled with her name is no way around it"
        message = nosy.post(f"/v1/profiles/{people[2]}/messages", json={"template": "thanks"})
        assert message.status_code == 429, "nor is one that would be refused with what is known of her"
        refused = nosy.post(f"/v1/profiles/{people[1]}/messages", json={"template": "thanks"})
        assert (refused.status_code, "consent" in refused.json()["detail"]) == (409, True)
    told = entered(client, kind="read", actor="Nosy")[0]
    assert (told["route"], told["people"]) == ("POST /v1/profiles/{profile}/messages", [people[1]])
    assert told["fields"] == ["messages"]
    ticket = made[0].json()["path"].split("#")[1]
    with httpx.Client(base_url=client.base_url, timeout=20) as frame:  # nobody is logged in there
        answer = frame.post("/card", data={"ticket": ticket}, headers={"Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, "Customer 0" in answer.text) == (200, True)
    look = entered(client, kind="read", actor="Nosy")[0]
    assert (look["route"], look["people"], look["actor_kind"]) == ("POST /card", [people[0]], "person")
    assert (look["role"], look["purpose"]) == ("crm", "service")
    assert entered(client, kind="read", actor="nobody") == []


def test_an_admin_who_gives_rights_is_in_the_audit_with_what_she_gave(
    store: SeededStore, client: httpx.Client
) -> None:
    log_in(store.connection, "Root", "n" * 43, "admin")
    held = {"Cookie": f"{PLAIN_COOKIE}={'n' * 43}", "Sec-Fetch-Site": "same-origin"}
    rights = {FORM_FIELD: form_token("n" * 43), f"{ROLE_FIELD}privacy": "on", f"{ROLE_FIELD}crm": "on"}
    with httpx.Client(base_url=client.base_url, headers=held, timeout=20) as root:
        made = root.post("/api-keys", data=rights | {"name": "grab", "days": "90", "owner": ""})
        assert (made.status_code, "sjk_" in made.text) == (200, True), made.text
        assert root.post("/people", data=rights | {"name": "mal", "display_name": "Mal"}).status_code in {200, 303}
    given = {one["fields"][0]: one for one in entered(client, kind="change", actor="Root")}
    for table, route in (("api_key", "POST /api-keys"), ("account", "POST /people")):
        assert (given[table]["route"], given[table]["purpose"]) == (route, "administration")
        assert sorted(given[table]["detail"]["row"]["roles"]) == ["crm", "privacy"]
    page = client.get("/audit", params={"actor": "Root"}).text
    assert "api key: added grab, roles crm, privacy" in page
    assert "account: added mal, roles crm, privacy" in page


def test_what_was_refused_is_entered_and_a_flood_is_counted(client: httpx.Client, ada: UUID) -> None:
    for _ in range(5):
        assert client.post("/v1/hooks/nobody/orders", content=b"{}").status_code == 401
    found = [one for one in entered(client, kind="key") if one["outcome"] == "refused"]
    assert 1 <= len(found) < 5
    assert found[-1]["route"] == "POST /v1/hooks/{source}/{what}"
    assert found[-1]["detail"] == {"status": 401, "more": 0, "why": "signature"}
    assert found[-1]["actor_kind"] == "nobody"
