"""A person with two profiles is one: for what she consented to, what she gets, and what is told of her."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from storage.access.keys import add_key
from storage.access.secrets import digest
from storage.cues.log import NewCue, tell
from storage.identity.desk import decide_case, undo_case
from storage.memory.looking import looked_at_next, mark_looked
from storage.profiles.profiles import create_profile, withdraw_consent
from tests.api.seeding import device
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers

INES = {"Sojourn-Operator": "Ines"}
PURPOSE = "personal_messages"


@pytest.fixture
def two(store: SeededStore) -> tuple[str, str]:
    """Two profiles, a week old, of which nobody has said yet that they are one person."""
    at = store.now - timedelta(days=7)
    kept, merged = (
        str(create_profile(store.connection, display_name=name, devices=[device(number)], granted_at=at))
        for name, number in (("Ada Kept", 71), ("Ada Merged", 72))
    )
    return kept, merged


def merge(store: SeededStore, kept: str, *others: str) -> int:
    """Let somebody at the desk say that these are one person; return the case."""
    profiles = sorted(UUID(one) for one in (kept, *others))
    row = store.connection.execute(
        "insert into identity_case (profiles, source, identifiers) values (%s, 'crm', '[]') returning case_no",
        [profiles],
    ).fetchone()
    assert row is not None
    assert decide_case(store.connection, row[0], keep=UUID(kept), by="N. Weber")
    return int(row[0])


def post(client: httpx.Client, path: str, expected: int, **asked: Any) -> dict[str, Any]:
    answer = client.post(path, json=asked, headers=INES)
    assert answer.status_code == expected, answer.text
    found: dict[str, Any] = answer.json()
    return found


def say(client: httpx.Client, profile: str, status: str) -> dict[str, Any]:
    path = f"/v1/profiles/{profile}/consents"
    return post(client, path, 200, purpose=PURPOSE, status=status, source="till", wording="1")


def note(client: httpx.Client, profile: str, subject: str, **more: Any) -> str:
    asked = {"purpose": "service", "subject": subject, "profile_id": profile} | more
    return str(post(client, "/v1/notes", 201, **asked)["note_id"])


@pytest.fixture
def greeting(client: httpx.Client) -> str:
    """A template that needs nothing to be known."""
    asked = {"purpose": PURPOSE, "subject": "Hello", "body": "Hello", "cap_count": 2}
    assert client.put("/v1/message-templates/hello", json=asked, headers=INES).status_code == 200
    return "hello"


def obstacles(client: httpx.Client, profile: str, template: str) -> list[str]:
    found = post(client, f"/v1/profiles/{profile}/messages/preview", 200, template=template)["obstacles"]
    return [one["word"] for one in found]


def held(client: httpx.Client, profile: str) -> list[tuple[str, str, bool]]:
    words = client.get(f"/v1/profiles/{profile}/consents").json()["words"]
    return [(one["profile_id"], one["status"], one["holds"]) for one in words if one["purpose"] == PURPOSE]


def test_the_newest_word_of_a_person_counts_whichever_profile_she_said_it_on(
    store: SeededStore, client: httpx.Client, two: tuple[str, str], greeting: str
) -> None:
    kept, merged = two
    for profile in two:
        say(client, profile, "granted")
    say(client, merged, "withdrawn")
    assert obstacles(client, kept, greeting) == []
    case = merge(store, kept, merged)
    assert obstacles(client, kept, greeting) == ["consent"], "she withdrew, on the one that was merged"
    assert client.post(f"/v1/profiles/{kept}/messages", json={"template": greeting}, headers=INES).status_code == 409
    assert held(client, kept) == [
        (merged, "withdrawn", False), (merged, "granted", False), (kept, "granted", False),
    ]  # fmt: skip
    say(client, kept, "granted")
    assert obstacles(client, kept, greeting) == [], "and has granted it since"
    assert held(client, kept)[0] == (kept, "granted", True)
    say(client, kept, "withdrawn")
    assert {profile for profile, status, _ in held(client, kept)[:2] if status == "withdrawn"} == set(two)
    assert undo_case(store.connection, case)
    assert [obstacles(client, profile, greeting) for profile in two] == [["consent"], ["consent"]], "on both"


def test_a_grant_that_has_expired_on_either_profile_holds_no_more(
    store: SeededStore, client: httpx.Client, two: tuple[str, str], greeting: str
) -> None:
    kept, merged = two
    say(client, kept, "granted")
    store.connection.execute(
        "insert into consent_event (profile_id, purpose, status, source, wording, occurred_at, expires_at)"
        " values (%s, %s, 'granted', 'till', '2', now(), now() + interval '1 millisecond')",
        [merged, PURPOSE],
    )
    merge(store, kept, merged)
    assert obstacles(client, kept, greeting) == ["consent"]


def test_a_person_gets_no_more_messages_for_having_two_profiles(
    store: SeededStore, client: httpx.Client, two: tuple[str, str], greeting: str
) -> None:
    kept, merged = two
    for profile in two:
        say(client, profile, "granted")
    for _ in range(2):
        post(client, f"/v1/profiles/{merged}/messages", 201, template=greeting)
    assert obstacles(client, kept, greeting) == []
    merge(store, kept, merged)
    assert obstacles(client, kept, greeting) == ["frequency"]
    messages = client.get(f"/v1/profiles/{kept}/messages").json()["messages"]
    assert len(messages) == 2
    lines = client.get(f"/v1/profiles/{kept}/timeline").json()["lines"]
    assert [line["kind"] for line in lines].count("message_made") == 2


def test_what_stands_against_a_message_does_so_for_somebody_bound_to_a_store_too(
    store: SeededStore, client: httpx.Client, two: tuple[str, str], greeting: str
) -> None:
    kept, merged = two
    note(client, kept, "Wants size 38", store="quay")
    for profile in two:
        say(client, profile, "granted")
    for _ in range(2):
        post(client, f"/v1/profiles/{merged}/messages", 201, template=greeting)
    note(client, merged, "Hated the queue", store="marktplatz")
    say(client, merged, "withdrawn")
    merge(store, kept, merged)
    add_key(
        store.connection, digest("sjk_quay"), prefix="sjk_quay", name="quay", roles=["crm"], stores=["quay"],
        made_by="tests", holds_for=timedelta(days=1),
    )  # fmt: skip
    bound = {"Authorization": "Bearer sjk_quay", "Sojourn-Operator": "Quentin"}
    (noted,) = client.get("/v1/notes", params={"profile": kept}, headers=bound).json()["notes"]
    assert noted["subject"] == "Wants size 38", "of the other profile nothing is seen at the quay"
    found = client.post(f"/v1/profiles/{kept}/messages/preview", json={"template": greeting}, headers=bound).json()
    against = {one["word"]: one["evidence"] for one in found["obstacles"]}
    assert against == {"consent": [], "bad_experience": [], "frequency": []}


def test_what_was_noted_on_a_merged_profile_is_told_of_the_one_that_stands_for_it(
    store: SeededStore, client: httpx.Client, two: tuple[str, str], greeting: str
) -> None:
    kept, merged = two
    say(client, kept, "granted")
    first = note(client, merged, "Hated the queue")
    note(client, merged, "Terrible advice")
    assert post(client, f"/v1/alerts/look?profile={merged}", 200) == {"alert_count": 1}
    due = {"due_at": (store.now + timedelta(hours=1)).isoformat(), "instructions": "Call her"}
    promised = note(client, merged, "Wants size 38", follow_up=due)
    merge(store, kept, merged)
    found = client.get("/v1/notes", params={"profile": kept}).json()["notes"]
    assert {(one["profile_id"], one["profile_name"]) for one in found} == {(kept, "Ada Kept")}
    assert len(found) == 3
    counts = client.get("/v1/notes/counts", params={"by": "profile"}).json()["counts"]
    assert [(one["word"], one["profile_id"], one["note_count"]) for one in counts] == [("Ada Kept", kept, 3)]
    tasks = client.get("/v1/follow-ups?when=open").json()["follow_ups"]
    assert {(one["note_id"], one["profile_id"]) for one in tasks} == {(promised, kept), (None, kept)}
    (alert,) = client.get("/v1/alerts", params={"profile": kept}).json()["alerts"]
    assert (alert["profile_id"], alert["profile_name"], alert["open"]) == (kept, "Ada Kept", True)
    assert "bad_experience" in obstacles(client, kept, greeting)
    lines = client.get(f"/v1/profiles/{kept}/timeline").json()["lines"]
    kinds = [line["kind"] for line in lines]
    assert (kinds.count("noted"), kinds.count("alerted")) == (3, 1)
    assert f'href="/profiles/{kept}' in client.get(f"/notes/{first}").text
    withdraw_consent(store.connection, UUID(kept), source="app", wording="1", at=store.now)
    assert client.get("/v1/notes").json()["notes"] == [], "the consent of both is needed"
    assert client.get("/v1/alerts").json()["alerts"] == []


def test_a_person_is_alerted_of_once_and_looked_at_where_there_is_news(
    store: SeededStore, client: httpx.Client, two: tuple[str, str]
) -> None:
    kept, merged = two
    for subject in ("Hated the queue", "Terrible advice"):
        note(client, merged, subject)
    assert post(client, f"/v1/alerts/look?profile={merged}", 200) == {"alert_count": 1}
    merge(store, kept, merged)
    assert post(client, f"/v1/alerts/look?profile={kept}", 200) == {"alert_count": 0}, "its task is open"
    (task,) = client.get("/v1/follow-ups?when=open").json()["follow_ups"]
    post(client, f"/v1/follow-ups/{task['follow_up_id']}/done", 200, result="Called")
    assert post(client, f"/v1/alerts/look?profile={kept}", 200) == {"alert_count": 0}, "of the same evidence"
    for profile in two:
        mark_looked(store.connection, UUID(profile), store.now + timedelta(days=1))
    store.connection.execute("update note set received_at = now() + interval '2 days'")
    assert looked_at_next(store.connection, limit=1) == [UUID(kept)], "news of one is news of the other"
    store.connection.execute("update alert set made_at = made_at - interval '30 days'")
    post(client, f"/v1/alerts/look?profile={kept}", 200)
    told = client.get("/v1/alerts", params={"profile": kept}).json()["alerts"][0]
    assert told["followed"] is True, "two bad words came since, and it is known of the person"


def test_two_who_look_alike_are_counted_apart(client: httpx.Client, store: SeededStore) -> None:
    people = [
        str(create_profile(store.connection, display_name="Maria Schmidt", devices=[], granted_at=store.now))
        for _ in range(2)
    ]
    for profile, count in zip(people, (2, 1), strict=True):
        for _ in range(count):
            note(client, profile, "Wants size 38")
    expected = [("Maria Schmidt", people[0], 2), ("Maria Schmidt", people[1], 1)]
    counts = client.get("/v1/notes/counts", params={"by": "profile"}).json()["counts"]
    assert [(one["word"], one["profile_id"], one["note_count"]) for one in counts] == expected
    over = client.get("/v1/notes/over-time", params={"by": "profile", "over": "month"}).json()["counts"]
    assert {(one["word"], one["profile_id"], one["note_count"]) for one in over} == set(expected)
    for path in ("/notes/reports.csv", "/notes-counts.csv"):
        head, *lines = client.get(path, params={"by": "profile"}).text.splitlines()
        assert head.endswith(",profile_id")
        assert [line.split(",")[-1] for line in lines] == people
    for path in ("/notes/reports", "/notes"):
        page = client.get(path, params={"by": "profile"}).text
        assert all(f'href="/profiles/{profile}"' in page for profile in people), path


def test_a_cue_is_told_once_of_a_person(store: SeededStore, two: tuple[str, str]) -> None:
    kept, merged = two

    def told(profile: str) -> bool:
        cue = NewCue(
            visit_id=uuid4(), store="marktplatz", store_no=store.store_no, profile_id=UUID(profile),
            arrived_at=store.now, cue="greet", because="x", rule_no=None, policy_version=0, trial_no=None, tried=None,
        )  # fmt: skip
        return tell(store.connection, cue) is not None

    assert told(merged)
    merge(store, kept, merged)
    assert not told(kept)


def test_what_knows_a_customer_by_a_merged_profile_writes_of_and_finds_whom_it_stands_for(
    store: SeededStore, client: httpx.Client, two: tuple[str, str]
) -> None:
    kept, merged = two
    case = merge(store, kept, merged)
    written = note(client, merged, "Wants to be called when size 38 is in", store="marktplatz")  # by a phone, say
    mail = {"channel": "email", "key": "<m1@mail.example>", "text": "Thank you.", "at": store.now.isoformat()}
    sent = post(client, "/v1/interactions", 201, profile_id=merged, **mail)
    found = client.get("/v1/notes", params={"profile": merged}).json()["notes"]
    assert {one["note_id"] for one in found} == {written, sent["note_id"]}
    assert {one["profile_id"] for one in found} == {kept}
    for path in (
        f"/v1/profiles/{merged}/journey?visit={uuid4()}",
        f"/profiles/{merged}",
        f"/profiles/{merged}/memory",
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (307, path.replace(merged, kept)), path
    assert client.get(f"/profiles/{merged}", follow_redirects=True).status_code == 200
    withdraw_consent(store.connection, UUID(merged), source="app", wording="1", at=store.now)
    refused = client.post(
        "/v1/notes", json={"purpose": "service", "subject": "x", "profile_id": merged}, headers=INES
    )
    assert refused.json()["type"] == "urn:sojourn:problem:profile-unknown", "the consent of both is needed"
    assert (
        client.get(f"/profiles/{merged}").status_code == client.get(f"/v1/notes?profile={merged}").status_code == 404
    )
    assert undo_case(store.connection, case)
    (first, *_) = client.get("/v1/notes", params={"profile": kept}).json()["notes"]
    assert first["profile_id"] == kept, "it was written on whom it stood for"


def test_what_is_sent_again_after_a_merge_is_the_same(
    store: SeededStore, client: httpx.Client, two: tuple[str, str]
) -> None:
    kept, merged = two
    mail = {"channel": "email", "key": "<m1@mail.example>", "text": "Thank you.", "at": store.now.isoformat()}
    by_address = mail | {"kind": "email", "value": "ada@mail.example"}
    store.connection.execute(
        "insert into profile_identifier (profile_id, kind, value, source) values (%s, 'email', %s, 'till')",
        [merged, by_address["value"]],
    )
    first = post(client, "/v1/interactions", 201, **by_address)
    key = {"Idempotency-Key": str(uuid4())} | INES
    asked = {"purpose": "service", "subject": "Wants size 38", "profile_id": merged}
    assert client.post("/v1/notes", json=asked, headers=key).status_code == 201
    case = merge(store, kept, merged)
    for profile in (merged, kept):
        assert client.post("/v1/notes", json=asked | {"profile_id": profile}, headers=key).status_code == 200
    again = post(client, "/v1/interactions", 200, **by_address)
    assert again == first | {"profile_id": kept, "profile_name": "Ada Kept"}
    assert client.post("/v1/notes", json=asked | {"subject": "Wants size 39"}, headers=key).status_code == 422
    assert undo_case(store.connection, case)
    post(client, "/v1/interactions", 200, **by_address)
    other = client.post("/v1/notes", json=asked | {"profile_id": kept}, headers=key)
    assert other.status_code == 422, "of two people it is another note"
