"""The emotional memory over the API: from notes, edits and consents as they stand."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api.wording import day
from storage.access.accounts import add_account, disable_account
from storage.memory.messages import messages_of
from storage.migrate import migrations
from storage.profiles.profiles import create_profile, withdraw_consent
from tests.access import employ
from tests.api.seeding import device, walk
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers

AMARA = UUID(int=0xA0000000000040008000000000000001)
INES = {"Sojourn-Operator": "Ines"}


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
    assert (felt["engage"]["feeling_score"], felt["reflect"]["feeling_score"]) == (1, -1)
    assert (felt["arrive"]["feeling_score"], felt["arrive"]["evidence_count"]) == (None, 0)
    assert [row["topic"] for row in memory["frustrations"]] == ["waiting"]
    assert [row["text"] for row in memory["preferences"]] == ["Prefers size 38"]
    assert [(row["state"], row["text"]) for row in memory["promises"]] == [("overdue", "Call her")]
    cited = {one["id"] for sentence in memory["summary"] for one in sentence["evidence"]}
    tasks = client.get("/v1/follow-ups").json()["follow_ups"]
    assert cited == {loved["note_id"], wrote["note_id"], tasks[0]["follow_up_id"]}
    around = client.get(f"/v1/profiles/{AMARA}/journey/feelings").json()
    assert [(row["stage"], row["feeling"]["feeling_score"]) for row in around["stages"]] == [("engage", 1)]
    visits = client.get(f"/v1/profiles/{AMARA}/visits").json()["visits"]
    last = visits[0]["visit"]["visit_id"]
    around = client.get(f"/v1/profiles/{AMARA}/journey/feelings", params={"visit": last}).json()
    assert [(row["stage"], row["feeling"]["feeling_score"]) for row in around["stages"]] == [("reflect", -1)]
    page = client.get(f"/profiles/{AMARA}").text
    assert page.count('class="stage-felt"') == 1
    wrong = client.get(f"/v1/profiles/{AMARA}/journey/feelings", params={"visit": str(AMARA)})
    assert wrong.json()["type"] == "urn:sojourn:problem:visit-unknown"
    edit = {"purpose": "observation", "subject": "Loved the queue", "revision": 0}
    client.put(f"/v1/notes/{wrote['note_id']}", json=edit, headers=INES)
    assert client.get(path).json()["frustrations"] == []
    withdraw_consent(store.connection, AMARA, source="app", wording="1", at=store.now)
    assert client.get(path).status_code == 404


def test_who_promises_to_pay_is_not_delighted(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    write(client, purpose="credit_control", subject="Loved to pay the invoice, great, and promised the rest")
    write(client, purpose="credit_control", subject="We will send a reminder", feeling="negative")
    memory = client.get(f"/v1/profiles/{AMARA}/memory").json()
    assert (memory["delights"], memory["promises"]) == ([], [])


def test_what_is_to_be_done_about_a_debt_is_no_promise(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    dunning = {
        "due_at": (store.now - timedelta(days=2)).isoformat(),
        "instructions": "Send the second dunning letter",
    }
    debt = write(client, purpose="credit_control", subject="Invoice unpaid for 60 days", follow_up=dunning)
    assert client.get(f"/v1/profiles/{AMARA}/memory").json()["promises"] == []
    template = {"purpose": "personal_messages", "subject": "Hello", "body": "We have not forgotten {promise}."}
    client.put("/v1/message-templates/promised", json=template, headers=INES)
    preview = client.post(f"/v1/profiles/{AMARA}/messages/preview", json={"template": "promised"}).json()
    assert "missing" in [one["word"] for one in preview["obstacles"]]
    assert look(client) == 0
    edit = {"purpose": "service", "subject": "Wants boots", "revision": 0}
    client.put(f"/v1/notes/{debt['note_id']}", json=edit, headers=INES)
    assert [one["state"] for one in client.get(f"/v1/profiles/{AMARA}/memory").json()["promises"]] == ["overdue"]


def test_a_note_of_which_nobody_is_sure_is_told_as_such(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    written = write(client, subject="Loved the shoes")
    write(client, subject="Lovely advice, great")

    def suggest(feeling: str) -> list[dict[str, Any]]:
        """Let the last note read so, though it may be otherwise."""
        store.connection.execute(
            "update note set feeling_read = feeling_read || jsonb_build_object('feeling', %s::text, 'doubted', true)"
            " where subject = 'Size 42, wide fit'",
            [feeling],
        )
        preview = client.post(f"/v1/profiles/{AMARA}/messages/preview", json={"template": "thanks"}).json()
        return [one for one in preview["obstacles"] if one["word"] == "bad_experience"]

    unsure = write(client, subject="Size 42, wide fit")
    for fine in ("neutral", "positive"):
        assert suggest(fine) == []
    for bad in ("negative", "mixed"):
        (found,) = suggest(bad)
        assert found["says"].startswith("Whether a note less than a day ago is of a bad experience is not sure: ")
        assert [one["id"] for one in found["evidence"]] == [unsure["note_id"]]
    assert look(client) == 0
    suggest("neutral")
    assert look(client) == 1
    mixed = {"purpose": "observation", "subject": "Loved the shoes", "feeling": "mixed", "revision": 0}
    client.put(f"/v1/notes/{written['note_id']}", json=mixed, headers=INES)
    assert suggest("neutral")[0]["says"] == "A bad experience less than a day ago: quiet for 14 days."


def look(client: httpx.Client) -> int:
    answer = client.post("/v1/alerts/look", headers=INES)
    assert answer.status_code == 200, answer.text
    count: int = answer.json()["alert_count"]
    return count


def test_an_alert_goes_to_a_task_list_and_is_judged_there(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    employ(store.connection, "Ada")
    write(client, subject="Hated the queue")
    assert look(client) == 0
    second = write(client, subject="Terrible advice again")
    assert look(client) == 1
    assert look(client) == 0, "once for the same evidence"
    (alert,) = client.get("/v1/alerts", params={"profile": str(AMARA)}).json()["alerts"]
    assert (alert["rule"], alert["open"], alert["profile_name"]) == ("mood_low", True, "Amara Okafor")
    on = day(datetime.fromisoformat(second["noted_at"]), "Europe/Berlin")
    assert alert["because"] == f"The mood was low 2 times within 30 days, the last time on {on}."
    assert alert["evidence"][0]["id"] == second["note_id"]
    (task,) = client.get("/v1/follow-ups?when=open&operator=ines").json()["follow_ups"]
    assert (task["alert_id"], task["note_id"], task["subject"]) == (alert["alert_id"], None, alert["because"])
    assert task["timezone"] == "Europe/Berlin"
    assert task["instructions"].startswith("Frustration is building: ")
    write(client, subject="Awful again")
    assert look(client) == 0, "the task of the rule is still open"
    done = client.post(
        f"/v1/follow-ups/{task['follow_up_id']}/done", headers=INES,
        json={"result": "Called", "alert_right": True,
              "next": {"due_at": (store.now + timedelta(days=3)).isoformat(), "instructions": "Call again"}},
    ).json()  # fmt: skip
    assert done["next"]["alert_id"] == alert["alert_id"]
    assert client.get(f"/v1/alerts/{alert['alert_id']}").json()["judged_by"] == "Ines"
    rules = {row["rule"]: row for row in client.get("/v1/alert-rules").json()["rules"]}
    assert (rules["mood_low"]["right_count"], rules["mood_low"]["hit_share"]) == (1, 1)
    assert rules["delight"]["hit_share"] is None
    verdict = f"/v1/alerts/{alert['alert_id']}/verdict"
    assert client.put(verdict, json={"was_right": False}, headers=INES).json()["was_right"] is False
    client.post(f"/v1/follow-ups/{done['next']['follow_up_id']}/done", headers=INES, json={"result": "Fine"})
    assert client.put("/v1/alert-rules/mood_low", json={"operator": "Ada"}, headers=INES).status_code == 200
    assert look(client) == 1, "the third note is new evidence, and no task of the rule is open"
    assert [row["operator"] for row in client.get("/v1/follow-ups?when=open").json()["follow_ups"]] == ["Ada"]
    withdraw_consent(store.connection, AMARA, source="app", wording="1", at=store.now)
    assert client.get("/v1/alerts").json()["alerts"] == []
    counted = {row["rule"]: row for row in client.get("/v1/alert-rules").json()["rules"]}
    assert (counted["mood_low"]["alert_count"], counted["mood_low"]["judged_count"]) == (0, 0), "it counts no more"
    assert client.get(f"/v1/alerts/{alert['alert_id']}").status_code == 404
    assert client.get("/v1/follow-ups?when=done").json()["follow_ups"] == []


def test_a_rule_goes_where_somebody_sends_it_or_is_off(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    employ(store.connection, "Ada", "Tom")
    nobody = client.put("/v1/alert-rules/promise_overdue", json={"operator": "Nobody"}, headers=INES)
    assert (nobody.status_code, "Nobody who can be given this is called 'Nobody'." in nobody.text) == (422, True)
    client.put("/v1/alert-rules/promise_overdue", json={"operator": "ada"}, headers=INES)
    client.put("/v1/alert-rules/mood_low", json={"enabled": False}, headers=INES)
    assert client.put("/v1/alert-rules/gossip", json={}, headers=INES).status_code == 422
    overdue = {"due_at": (store.now - timedelta(days=2)).isoformat(), "instructions": "Call"}
    write(client, subject="Hated the queue", follow_up=overdue)
    write(client, subject="Terrible advice again", follow_up=overdue)
    for one in client.get("/v1/follow-ups?when=open").json()["follow_ups"]:
        given = client.post(f"/v1/follow-ups/{one['follow_up_id']}/reassign", json={"operator": "Tom"}, headers=INES)
        assert given.json()["operator"] == "Tom"
    assert look(client) == 1
    (task,) = client.get("/v1/follow-ups?when=open&operator=Ada").json()["follow_ups"]
    assert "Ines promised something" in task["subject"], "whoever does it now"
    store.connection.execute("update follow_up set made_by = null")
    promises = client.get(f"/v1/profiles/{AMARA}/memory").json()["promises"]
    assert [one["operator"] for one in promises] == ["Ines", "Ines"], (
        "of one made before that was kept, who had it first"
    )
    promised = client.get("/v1/alerts?rule=promise_overdue").json()["alerts"][0]["evidence"]
    assert [one["kind"] for one in promised] == ["follow_up", "follow_up"]
    for left, one in ((1, promised[1]), (0, promised[0])):
        client.post(f"/v1/follow-ups/{one['id']}/done", json={"result": "Called her"}, headers=INES)
        still_open = client.get("/v1/follow-ups?when=open&operator=Ada").json()["follow_ups"]
        assert len(still_open) == left, "the alert ends with the last of its promises"
    ended = client.get(f"/v1/follow-ups/{task['follow_up_id']}").json()
    assert "done meanwhile" in ended["result"]


def test_an_alert_ends_once_what_it_rests_on_was_put_right(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    notes = [write(client, subject=subject) for subject in ("Terrible, rude staff", "The queue was awful")]
    assert look(client) == 1
    right = {"purpose": "observation", "subject": "It was somebody else", "feeling": "neutral", "revision": 0}
    client.put(f"/v1/notes/{notes[0]['note_id']}", json=right | {"feeling": "negative"}, headers=INES)
    assert (look(client), client.get("/v1/alerts").json()["alerts"][0]["open"]) == (0, True), "it still was so"
    client.put(f"/v1/notes/{notes[1]['note_id']}", json=right, headers=INES)
    assert (look(client), client.get("/v1/alerts").json()["alerts"][0]["open"]) == (0, False)
    (task,) = client.get("/v1/follow-ups?when=done").json()["follow_ups"]
    assert (task["done_by"], task["result"]) == ("Sojourn", "What this rests on was put right since: it was not so.")


def test_a_promise_that_is_broken_again_alerts_again(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    overdue = {"due_at": (store.now - timedelta(days=2)).isoformat(), "instructions": "Call"}
    note = write(client, subject="Wants boots", follow_up=overdue)
    (promised,) = client.get(f"/v1/notes/{note['note_id']}/follow-ups").json()["follow_ups"]
    assert look(client) == 1
    tomorrow = (store.now + timedelta(days=1)).isoformat()
    path = f"/v1/follow-ups/{promised['follow_up_id']}/snooze"
    assert client.post(path, json={"due_at": tomorrow}, headers=INES).status_code == 200
    assert look(client) == 0
    (task,) = [row for row in client.get("/v1/follow-ups?when=open").json()["follow_ups"] if row["alert_id"]]
    client.post(f"/v1/follow-ups/{task['follow_up_id']}/done", json={"result": "Told her"}, headers=INES)
    assert look(client) == 0
    again = store.now - timedelta(days=1.5)
    store.connection.execute("update follow_up set due_at = %s where note_id is not null", [again])
    assert (look(client), look(client)) == (1, 0)
    assert len(client.get("/v1/alerts?rule=promise_overdue").json()["alerts"]) == 2
    edit = {"purpose": "credit_control", "subject": "Invoice unpaid", "revision": 0}
    client.put(f"/v1/notes/{note['note_id']}", json=edit, headers=INES)
    assert (look(client), client.get("/v1/alerts").json()["alerts"][0]["open"]) == (0, False), "it was no promise"


def test_an_alert_goes_to_nobody_who_has_left(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    left = employ(store.connection, "Ada", "Tom")
    for name in ("Tom", "Ada"):
        answer = client.post(
            "/v1/notes", headers={"Sojourn-Operator": name},
            json={"purpose": "service", "subject": "Hated the queue", "profile_id": str(AMARA)},
        )  # fmt: skip
        assert answer.status_code == 201
    client.put("/v1/alert-rules/mood_low", json={"operator": "Ada"}, headers=INES)
    disable_account(store.connection, left["Ada"], disabled=True)
    assert look(client) == 1
    (task,) = client.get("/v1/follow-ups?when=open").json()["follow_ups"]
    assert (task["operator"], task["nobodys"]) == ("Tom", False), "the rule's person and the newest writer have left"


def test_an_alert_goes_to_nobody_who_does_not_know_the_customer(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    add_account(store.connection, name="quinn", display_name="Quinn", roles=["crm"], stores=["quay"], made_by="tests")
    assert client.put("/v1/alert-rules/mood_low", json={"operator": "Quinn"}, headers=INES).status_code == 200
    for _ in range(2):
        write(client, subject="Hated the queue")
    assert look(client) == 1
    (task,) = client.get("/v1/follow-ups?when=open").json()["follow_ups"]
    assert (task["operator"], task["nobodys"]) == ("Ines", False), "Quinn would not see it"
    path = f"/v1/follow-ups/{task['follow_up_id']}"
    assert client.post(f"{path}/reassign", json={"operator": "Quinn"}, headers=INES).status_code == 422
    following = {"due_at": store.now.isoformat(), "instructions": "Call again", "operator": "Quinn"}
    done = client.post(f"{path}/done", json={"result": "x", "next": following}, headers=INES)
    assert done.status_code == 422
    write(client, subject="Bought a bag", store="quay")
    assert client.post(f"{path}/reassign", json={"operator": "Quinn"}, headers=INES).json()["operator"] == "Quinn"


def test_nobody_is_thanked_for_a_visit_of_which_nothing_is_known(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    never_came = create_profile(store.connection, display_name="Nele Neu", devices=[], granted_at=store.now)
    preview = client.post(f"/v1/profiles/{never_came}/messages/preview", json={"template": "thanks"}).json()
    missing = {one["word"]: one["says"] for one in preview["obstacles"]}["missing"]
    assert missing == "Not known of this customer: store of the newest visit, what delighted most."
    sorry = client.post(f"/v1/profiles/{never_came}/messages/preview", json={"template": "sorry"}).json()
    assert "we are sorry about what went wrong. We have not forgotten it." in sorry["body"]
    assert "call you" not in sorry["body"], "nobody has to"


def order(store: SeededStore, *, kind: str = "ordered", **columns: int | None) -> None:
    """Let something of Jonas' neighbour come in, twenty days ago."""
    store.connection.execute(
        "insert into customer_event (event_id, revision, profile_id, kind, source, source_key, occurred_at, store_no,"
        " detail) values (gen_random_uuid(), 0, %(profile)s, %(kind)s, 'till', gen_random_uuid(), %(at)s,"
        " %(store_no)s, '{}')",
        {"profile": AMARA, "kind": kind, "at": store.now - timedelta(days=20), "store_no": store.store_no} | columns,
    )


def test_nobody_gets_more_tasks_of_a_day_than_fit_but_for_what_is_urgent(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    for subject in ("Loved the shoes", "Lovely advice, great"):
        write(client, subject=subject)
    store.connection.execute(
        "with made as (insert into alert (profile_id, rule, rule_version, because, evidence, evidence_key, made_at)"
        "  select profile_id, 'slipping', 2, 'x', '[]', 'x', %(now)s from profile where profile_id <> %(amara)s"
        "  limit 1 returning alert_id)"
        " insert into follow_up (follow_up_id, alert_id, operator, due_at, timezone, instructions, made_at)"
        " select gen_random_uuid(), alert_id, 'ines', %(now)s, 'UTC', 'x', %(now)s - interval '23 h'"
        " from made, generate_series(1, 10)",
        {"now": store.now, "amara": AMARA},
    )
    assert look(client) == 0, "Ines has ten since yesterday"
    store.connection.execute("update follow_up set made_at = made_at - interval '2 h' where follow_up_id = (select"
                             " follow_up_id from follow_up limit 1)")  # fmt: skip
    assert look(client) == 1, "what was passed over comes later"
    assert [row["rule"] for row in client.get(f"/v1/alerts?profile={AMARA}").json()["alerts"]] == ["delight"]
    for subject in ("Hated the queue", "Terrible advice again"):
        write(client, subject=subject)
    assert look(client) == 1, "what is due within a day never waits"


def test_visits_and_stays_alert_through_the_database(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    """Jonas stood at the checkout two days ago; the till of this store tells its orders."""
    arrived = store.now - timedelta(days=2, hours=3)
    walk(
        store.connection, store.plan, store.store_no, pseudonym=device(2), arrived_at=arrived,
        stays=[("entrance", 9), ("shoes", 1000), ("checkout", 90)],
    )  # fmt: skip
    order(store, store_no=None)
    order(store, kind="complained")
    assert look(client) == 0, "no order of this store is known at all"
    order(store)
    jonas = UUID(int=AMARA.int + 1)
    answer = client.post(f"/v1/alerts/look?profile={jonas}", headers=INES)
    assert answer.json() == {"alert_count": 2}
    found = client.get("/v1/alerts", params={"profile": str(jonas)}).json()["alerts"]
    on = day(arrived, "Europe/Berlin")
    assert {alert["because"] for alert in found} == {
        f"Stayed 16 min at Shoe wall on {on} and had bought nothing a day later.",
        f"Stood at Checkout for 2 min on {on} and had bought nothing a day later.",
    }
    tasks = client.get("/v1/follow-ups?when=open").json()["follow_ups"]
    assert {(task["operator"], task["nobodys"]) for task in tasks} == {("Customer care", True)}


def test_a_message_needs_its_consent_keeps_quiet_and_is_capped(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    path = f"/v1/profiles/{AMARA}/messages"
    asked = {"template": "thanks"}
    write(client, subject="Loved the shoes")
    preview = client.post(f"{path}/preview", json=asked).json()
    assert (preview["subject"], preview["may_be_sent"]) == ("Thank you, Amara", False)
    assert "Marktplatz. We were glad that you liked the products." in preview["body"]
    assert [one["word"] for one in preview["obstacles"]] == ["consent"]
    word = {"purpose": "personal_messages", "status": "granted", "source": "till", "wording": "2026-03"}
    assert client.post(f"/v1/profiles/{AMARA}/consents", json=word, headers=INES).status_code == 200
    journey = word | {"purpose": "in_store_journey"}
    assert client.post(f"/v1/profiles/{AMARA}/consents", json=journey, headers=INES).status_code == 422
    key = INES | {"Idempotency-Key": str(uuid4())}
    first = client.post(path, json=asked, headers=key)
    again = client.post(path, json=asked, headers=key)
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    assert client.post(path, json={"template": "sorry"}, headers=key).status_code == 422
    assert client.post(path, json=asked, headers=INES).status_code == 201
    capped = client.post(path, json=asked, headers=INES)
    assert (capped.status_code, capped.json()["type"]) == (409, "urn:sojourn:problem:message-suppressed")
    assert [fault["where"] for fault in capped.json()["faults"]] == ["frequency"]
    hated = write(client, subject="Hated the queue")
    bad = client.post(f"{path}/preview", json=asked).json()["obstacles"]
    assert [(one["word"], [cited["id"] for cited in one["evidence"]]) for one in bad] == [
        ("bad_experience", [hated["note_id"]]), ("frequency", []),
    ]  # fmt: skip
    client.post(f"/v1/profiles/{AMARA}/consents", json=word | {"status": "withdrawn"}, headers=INES)
    assert client.post(f"{path}/preview", json=asked).json()["obstacles"][0]["word"] == "consent"
    assert len(client.get(path).json()["messages"]) == 2
    assert client.post(path, json={"template": "gossip"}, headers=INES).status_code == 404
    template = {"purpose": "personal_messages", "subject": "Hello", "body": "{delight}", "cap_count": 9}
    made = client.put("/v1/message-templates/hello", json=template, headers=INES)
    assert (made.status_code, made.json()["quiet_days"]) == (200, 14)
    headed = client.put("/v1/message-templates/hello", json=template | {"subject": "Hi\r\nBcc: x"}, headers=INES)
    assert headed.status_code == 422
    wrong = client.put("/v1/message-templates/hello", json=template | {"body": "{birthday}"}, headers=INES)
    assert "{birthday}" in wrong.json()["detail"]
    assert len(client.get("/v1/message-templates").json()["templates"]) == 3
    withdraw_consent(store.connection, AMARA, source="app", wording="1", at=store.now)
    assert client.get(path).status_code == 404
    assert client.post(path, json=asked, headers=INES).status_code == 404
    assert messages_of(store.connection, AMARA) == []


def test_a_promise_of_before_alerts_once_for_its_date(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    overdue = {"due_at": (store.now - timedelta(days=2)).isoformat(), "instructions": "Call"}
    write(client, subject="Wants boots", follow_up=overdue)
    assert look(client) == 1
    store.connection.execute(
        "update follow_up set done_at = now(), done_by = 'x', result = 'x' where note_id is null"
    )
    store.connection.execute("update alert set evidence_key = evidence -> 0 ->> 'id'")  # as it was kept before
    (text,) = [migration.text for migration in migrations() if migration.name.startswith("0440")]
    store.connection.execute(text.encode())
    assert look(client) == 0


def test_a_consent_ends_at_a_time_that_everybody_reads_alike(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    word = {"purpose": "personal_messages", "status": "granted", "source": "till", "wording": "2026-03"}
    path = f"/v1/profiles/{AMARA}/consents"
    for wrong, says in (
        ("2099-12-01T10:00:00", "offset"), (4_100_000_000, "not as a number"),
        ("9999-12-31T23:59:59-23:00", "beyond the calendar"), ("0001-01-01T00:00:00+23:00", "beyond the calendar"),
    ):  # fmt: skip
        refused = client.post(path, json=word | {"expires_at": wrong}, headers=INES)
        assert refused.status_code == 422, wrong
        assert says in refused.text, wrong
    kept = client.post(path, json=word | {"expires_at": "2099-12-01T10:00:00+02:00"}, headers=INES)
    assert kept.status_code == 200
    assert kept.json()["words"][0]["expires_at"] == "2099-12-01T08:00:00Z"
    assert client.post(path, json=word | {"expires_at": None}, headers=INES).status_code == 200


def test_a_subject_is_one_line_whatever_is_filled_in(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    template = {"purpose": "personal_messages", "subject": "You said: {preference}", "body": "{preference}"}
    path = "/v1/message-templates/said"
    for broken in ("x\u2028y", "x\x0by", "x\u0085y", "x\x00", "   ", "x\nBcc: y"):
        assert client.put(path, json=template | {"subject": broken}, headers=INES).status_code == 422, repr(broken)
    for unseen in ("x\x00", "   "):
        assert client.put(path, json=template | {"body": unseen}, headers=INES).status_code == 422
    assert client.put(path, json=template, headers=INES).status_code == 200
    mail = {
        "channel": "email", "key": "1", "text": "I prefer wide\u2028shoes,\x0b size 38\x1c", "profile_id": str(AMARA),
        "at": store.now.isoformat(),
    }  # fmt: skip
    assert client.post("/v1/interactions", json=mail, headers=INES).status_code == 201
    preview = client.post(f"/v1/profiles/{AMARA}/messages/preview", json={"template": "said"}).json()
    assert preview["subject"] == "You said: I prefer wide shoes, size 38"
    assert preview["body"] == "I prefer wide shoes, size 38"


def test_a_sentence_of_before_says_on_which_day_it_was_so(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    store.connection.execute(
        "insert into alert (profile_id, rule, rule_version, because, evidence, evidence_key, made_at)"
        " values (%s, 'mood_low', 1, 'The mood was low 2 times within 30 days, the last time 3 days ago.', '[]', 'x',"
        " '2026-03-05T12:00Z')",
        [AMARA],
    )
    (text,) = [migration.text for migration in migrations() if migration.name.startswith("0230")]
    for _ in range(2):  # twice says it once
        store.connection.execute(text.encode())
    (alert,) = client.get("/v1/alerts").json()["alerts"]
    assert alert["because"].endswith("the last time 3 days ago, as seen on Thu 5 Mar 2026.")
