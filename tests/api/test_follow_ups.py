"""Follow-ups over the API: on the right day in the right task list, changed, done and chained."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest

from api.notes.writing import due_instant
from core.errors import InputError
from storage.access.accounts import add_account, change_account, disable_account
from storage.connect import Connection
from storage.notes.follow_ups import FollowUpPage, WhenWord, follow_ups_page
from tests.access import employ
from tests.fix_api import SeededStore

AMARA = UUID(int=0xA0000000000040008000000000000001)
INES = {"Sojourn-Operator": "Ines"}


def note(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    asked = {"purpose": "service", "subject": "Wants size 38"} | fields
    answer = client.post("/v1/notes", json=asked, headers=INES)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def tasks(client: httpx.Client, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/follow-ups", params=query).json()["follow_ups"]
    return found


def act(client: httpx.Client, task: dict[str, Any], what: str, **asked: Any) -> httpx.Response:
    return client.post(
        f"/v1/follow-ups/{task['follow_up_id']}/{what}", json=asked, headers={"Sojourn-Operator": "Jo"}
    )


@pytest.mark.servers
def test_overdue_ones_come_first_and_each_has_its_state(store: SeededStore, client: httpx.Client) -> None:
    now = datetime.now(UTC)
    for instructions, due_at in (
        ("later", now + timedelta(days=3)), ("overdue", now - timedelta(days=2)),
        ("just now", now - timedelta(seconds=5)),
    ):  # fmt: skip
        note(client, follow_up={"due_at": due_at.isoformat(), "instructions": instructions})
    found = tasks(client, when="open")
    assert [(task["instructions"], task["state"]) for task in found] == [
        ("overdue", "overdue"), ("just now", "overdue"), ("later", "later"),
    ]  # fmt: skip
    assert [task["instructions"] for task in tasks(client)] == ["overdue", "just now"]
    assert tasks(client, operator="INES") == tasks(client)
    assert tasks(client, operator="Jo") == []
    page = client.get("/v1/follow-ups?when=open&limit=2").json()
    (last,) = tasks(client, when="open", limit="2", cursor=page["next_cursor"])
    assert last["instructions"] == "later"


@pytest.mark.servers
def test_a_date_is_read_on_the_clocks_of_the_store(store: SeededStore, client: httpx.Client) -> None:
    day = (datetime.now(UTC) + timedelta(days=30)).date()
    made = note(client, store="quay", follow_up={"due_at": f"{day}T09:00", "instructions": "Call"})
    (task,) = client.get(f"/v1/notes/{made['note_id']}/follow-ups").json()["follow_ups"]
    assert task["timezone"] == "America/New_York"
    local = datetime.fromisoformat(task["due_at"]).astimezone(ZoneInfo("America/New_York"))
    assert (local.date(), local.hour) == (day, 9)
    wrong = {"due_at": f"{day}T09:00", "instructions": "Call", "timezone": "Europe/Atlantis"}
    answer = client.post(f"/v1/notes/{made['note_id']}/follow-ups", json=wrong, headers=INES)
    assert "no time zone 'Europe/Atlantis'" in answer.json()["detail"]


@pytest.mark.servers
def test_a_task_shows_on_its_day_by_its_own_calendar(store: SeededStore, client: httpx.Client) -> None:
    made = note(client)
    # 02:00 UTC on the 2nd: still the 1st in New York, the 2nd in Tokyo
    due_at = datetime(2026, 12, 2, 2, tzinfo=UTC)
    for timezone in ("America/New_York", "Asia/Tokyo"):
        store.connection.execute(
            "insert into follow_up (follow_up_id, note_id, operator, due_at, timezone, instructions, made_at)"
            " values (%s, %s, 'Ines', %s, %s, 'Call', now())",
            [uuid4(), made["note_id"], due_at, timezone],
        )

    def shown(at: datetime) -> set[str]:
        return {row.timezone for row in listed(store.connection, "due", at).follow_ups}

    assert shown(datetime(2026, 12, 1, 4, 59, tzinfo=UTC)) == set(), "30 November, 23:59 in New York"
    assert shown(datetime(2026, 12, 1, 5, 0, tzinfo=UTC)) == {"America/New_York"}
    assert shown(datetime(2026, 12, 1, 14, 59, tzinfo=UTC)) == {"America/New_York"}
    assert shown(datetime(2026, 12, 1, 15, 0, tzinfo=UTC)) == {"America/New_York", "Asia/Tokyo"}


def listed(connection: Connection, when: WhenWord, now: datetime) -> FollowUpPage:
    return follow_ups_page(connection, when=when, operator=None, now=now, limit=50)


@pytest.mark.servers
def test_a_task_is_snoozed_given_away_done_and_followed_by_the_next(store: SeededStore, client: httpx.Client) -> None:
    employ(store.connection, "Ada", "Jo")
    made = note(client, follow_up={"due_at": datetime.now(UTC).isoformat(), "instructions": "Call"})
    (task,) = tasks(client)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert act(client, task, "snooze", due_at="2020-01-01T00:00Z").status_code == 422
    snoozed = act(client, task, "snooze", due_at=tomorrow).json()
    again = act(client, task, "snooze", due_at=tomorrow)
    assert (again.status_code, "due then already" in again.text) == (422, True)
    assert (snoozed["state"], snoozed["snoozed_count"]) in {("later", 1), ("today", 1)}
    assert act(client, task, "reassign", operator="Ada").json()["operator"] == "Ada"
    assert [found["operator"] for found in tasks(client, when="open")] == ["Ada"]
    detail = client.get(f"/v1/follow-ups/{task['follow_up_id']}").json()
    assert [(change["change"], change["operator"]) for change in detail["changes"]] == [
        ("snoozed", "Jo"), ("reassigned", "Jo"),
    ]  # fmt: skip
    assert (detail["changes"][1]["before"], detail["changes"][1]["after"]) == ("Ines", "Ada")
    done = act(
        client, task, "done", result="Reached her", next={"due_at": tomorrow, "instructions": "Ask how it fits"}
    ).json()  # fmt: skip
    assert (done["done"]["state"], done["done"]["result"], done["done"]["done_by"]) == ("done", "Reached her", "Jo")
    assert (done["next"]["after"], done["next"]["operator"]) == (task["follow_up_id"], "Jo")
    assert client.get(f"/v1/notes/{made['note_id']}").json()["complete"] is False
    for what, asked in (
        ("done", {"result": "again"}),
        ("snooze", {"due_at": tomorrow}),
        ("reassign", {"operator": "x"}),
    ):
        again = act(client, task, what, **asked)
        assert (again.status_code, again.json()["type"]) == (409, "urn:sojourn:problem:follow-up-done"), what
    assert act(client, done["next"], "done", result="It fits").status_code == 200
    assert client.get(f"/v1/notes/{made['note_id']}").json()["complete"] is True
    assert [found["result"] for found in tasks(client, when="done")] == ["It fits", "Reached her"]
    kept = store.connection.execute("select change, operator, before, after from follow_up_change order by change_no")
    assert [row[:2] for row in kept] == [("snoozed", "Jo"), ("reassigned", "Jo")]
    assert "at most 1000" in act(client, task, "done", result="x" * 1001).text


@pytest.mark.servers
def test_a_mistyped_year_is_put_right(store: SeededStore, client: httpx.Client) -> None:
    employ(store.connection, "Jo")
    meant = datetime.now(UTC) + timedelta(days=20)
    note(client, follow_up={"due_at": (meant + timedelta(days=365)).isoformat(), "instructions": "Call"})
    (task,) = tasks(client, when="open")
    assert act(client, task, "snooze", due_at="2020-01-01T00:00Z").status_code == 422, "and not into the past"
    mended = act(client, task, "snooze", due_at=meant.isoformat()).json()
    assert datetime.fromisoformat(mended["due_at"]) == meant
    (change,) = client.get(f"/v1/follow-ups/{task['follow_up_id']}").json()["changes"]
    assert datetime.fromisoformat(change["before"]) > meant


@pytest.mark.servers
def test_a_follow_up_that_is_sent_again_is_added_once(store: SeededStore, client: httpx.Client) -> None:
    employ(store.connection, "Ada", "Jo")
    made, other = note(client), note(client)
    path, key = f"/v1/notes/{made['note_id']}/follow-ups", str(uuid4())
    asked = {"due_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(), "instructions": "Call her once"}

    def send(path: str = path, **more: Any) -> httpx.Response:
        return client.post(path, json=asked | more, headers=INES | {"Idempotency-Key": key})

    first = send()
    assert (first.status_code, first.json()["follow_up_id"]) == (201, key)
    assert act(client, first.json(), "reassign", operator="Ada").status_code == 200
    again = send()
    assert (again.status_code, again.json()["operator"]) == (200, "Ada")
    for changed in ({"instructions": "Write to her"}, {"path": f"/v1/notes/{other['note_id']}/follow-ups"}):
        refused = send(**changed)
        assert (refused.status_code, "under this key" in refused.text) == (422, True), changed
    assert len(tasks(client, when="open")) == 1


@pytest.mark.servers
def test_a_task_is_somebodys_who_has_an_account(store: SeededStore, client: httpx.Client) -> None:
    due = {"due_at": datetime.now(UTC).isoformat(), "instructions": "Call"}
    employ(store.connection, "Ada")
    add_account(store.connection, name="olli", display_name="Olli", roles=["operations"], made_by="tests")
    assert client.get("/v1/colleagues").json() == {"colleagues": ["Ada", "Ines"]}, "Olli sees no follow-up"
    for name in ("Adda", "Olli", "tests"):
        asked = {"purpose": "service", "subject": "x", "follow_up": due | {"operator": name}}
        refused = client.post("/v1/notes", json=asked, headers=INES)
        assert refused.status_code == 422
        assert refused.json()["detail"] == f"operator: Nobody who can be given this is called {name!r}."
    program = client.post("/v1/notes", json={"purpose": "service", "subject": "x", "follow_up": due})
    assert "called 'tests'" in program.json()["detail"], "a program that names nobody is nobody's colleague"
    assert client.get("/v1/notes").json()["notes"] == [], "a note whose follow-up is refused is not half kept"
    made = note(client, follow_up=due | {"operator": " ada "})
    (task,) = tasks(client)
    assert (task["operator"], task["nobodys"]) == ("Ada", False), "as the account spells it"
    more = client.post(f"/v1/notes/{made['note_id']}/follow-ups", json=due | {"operator": "Adda"}, headers=INES)
    assert more.status_code == 422
    assert act(client, task, "reassign", operator="Adda").status_code == 422
    following = act(client, task, "done", result="x", next=due | {"operator": "Adda"})
    assert (following.status_code, tasks(client)[0]["state"]) == (422, "overdue"), "nor is it half done"


@pytest.mark.servers
def test_what_somebody_had_who_left_is_nobodys_until_it_is_handed_over(
    store: SeededStore, client: httpx.Client
) -> None:
    left = employ(store.connection, "Ada", "Jo")["Ada"]
    for name in ("Ada", "Ines"):
        note(client, follow_up={"due_at": datetime.now(UTC).isoformat(), "instructions": "Call", "operator": name})
    assert tasks(client, nobodys="true") == []
    disable_account(store.connection, left, disabled=True)
    (task,) = tasks(client, nobodys="true")
    assert (task["operator"], task["nobodys"]) == ("Ada", True)
    assert client.get(f"/v1/follow-ups/{task['follow_up_id']}").json()["nobodys"]
    for name, due in (("Ines", 1), ("Jo", 0)):
        count = client.get("/v1/follow-ups/due-count", headers={"Sojourn-Operator": name}).json()
        assert (count["due_count"], count["nobodys_count"]) == (due, 1), "everybody hears of what is nobody's"
    page = client.get("/follow-ups?whose=nobody").text
    assert "Nobody&#39;s" in page or "Nobody's" in page
    assert "(as Ada)" in page
    disable_account(store.connection, left, disabled=False)
    assert tasks(client, nobodys="true") == [], "whoever is let in again has it again"
    disable_account(store.connection, left, disabled=True)
    assert act(client, task, "reassign", operator="Jo").json()["nobodys"] is False
    assert tasks(client, nobodys="true") == []


@pytest.mark.servers
def test_who_does_not_see_the_store_is_not_given_its_tasks(store: SeededStore, client: httpx.Client) -> None:
    employ(store.connection, "Jo")
    add_account(store.connection, name="quinn", display_name="Quinn", roles=["crm"], stores=["quay"], made_by="tests")
    due = {"due_at": datetime.now(UTC).isoformat(), "instructions": "Call"}
    asked = {"purpose": "service", "subject": "x", "store": "marktplatz", "follow_up": due | {"operator": "Quinn"}}
    refused = client.post("/v1/notes", json=asked, headers=INES)
    assert "'Quinn' does not see what this is about: it is of other stores." in refused.json()["detail"]
    made = note(client, store="marktplatz", follow_up=due)
    (task,) = client.get(f"/v1/notes/{made['note_id']}/follow-ups").json()["follow_ups"]
    assert act(client, task, "reassign", operator="Quinn").status_code == 422
    assert act(client, task, "done", result="x", next=due | {"operator": "Quinn"}).status_code == 422
    assert "<option>Quinn</option>" not in client.get(f"/notes/{made['note_id']}").text
    note(client, store="quay", follow_up=due | {"operator": "Quinn"})
    note(client, follow_up=due | {"operator": "Quinn"})


@pytest.mark.servers
def test_who_does_not_know_the_customer_is_not_given_her_tasks(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    due = {"due_at": datetime.now(UTC).isoformat(), "instructions": "Call", "operator": "Quinn"}
    asked = {"purpose": "service", "subject": "Called", "profile_id": str(AMARA), "follow_up": due}
    quinn = add_account(
        store.connection, name="quinn", display_name="Quinn", roles=["crm"], stores=["quay"], made_by="tests"
    )
    refused = client.post("/v1/notes", json=asked, headers=INES)
    assert (refused.status_code, "of other stores" in refused.text) == (422, True), "wherever she was or was not"
    before = note(client, profile_id=str(AMARA), noted_at=(datetime.now(UTC) - timedelta(days=6)).isoformat())
    assert "<option>Quinn</option>" not in client.get(f"/notes/{before['note_id']}").text
    note(client, profile_id=str(AMARA), store="quay")
    given = note(client, profile_id=str(AMARA), follow_up=due)
    assert "<option>Quinn</option>" in client.get(f"/notes/{given['note_id']}").text, "quay knows her by now"
    assert tasks(client, nobodys="true") == []
    store.connection.execute("update account set stores = '{elsewhere}' where account_id = %s", [quinn])
    (task,) = tasks(client, nobodys="true")
    assert (task["operator"], task["nobodys"]) == ("Quinn", True), "bound to another store since"
    counted = client.get("/v1/follow-ups/due-count", headers=INES).json()
    assert (counted["due_count"], counted["nobodys_count"]) == (0, 1)
    change_account(store.connection, quinn, display_name="Quinn", roles=["crm"], stores=["quay"])
    assert tasks(client, nobodys="true") == []


@pytest.mark.servers
def test_tasks_go_along_with_a_new_name(store: SeededStore, client: httpx.Client) -> None:
    ada = employ(store.connection, "Ada")["Ada"]
    for _ in range(2):
        note(client, follow_up={"due_at": datetime.now(UTC).isoformat(), "instructions": "Call", "operator": "Ada"})
    act(client, tasks(client)[0], "done", result="Reached")
    change_account(store.connection, ada, display_name="Ada Lindt", roles=["crm"], stores=None)
    (still,) = tasks(client, when="open")
    assert (still["operator"], still["nobodys"]) == ("Ada Lindt", False)
    assert tasks(client, when="done")[0]["operator"] == "Ada", "what is done keeps who had it"
    other = employ(store.connection, "Other")["Other"]
    store.connection.execute(  # as older versions let it be
        "update account set display_name = 'ADA LINDT' where account_id = %s", [other]
    )
    change_account(store.connection, other, display_name="Adele", roles=["crm"], stores=None)
    assert tasks(client, when="open")[0]["operator"] == "Ada Lindt", "two of one name: nobody knows whose it was"


@pytest.mark.parametrize("name", ["localtime", "Factory", "posixrules", "right/Europe/Berlin", "Berlin", "../UTC"])
def test_a_time_zone_is_the_same_on_every_machine(name: str) -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(InputError, match="There is no time zone"):
        due_instant(now, name, now)


def test_clocks_that_change_do_not_lose_an_appointment() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    left_out = due_instant(datetime(2026, 3, 29, 2, 30), "Europe/Berlin", now)  # noqa: DTZ001 - on the clocks of Berlin
    assert left_out == datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "shown as 03:30"
    twice = due_instant(datetime(2026, 10, 25, 2, 30), "Europe/Berlin", now)  # noqa: DTZ001
    assert twice == datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "the first of the two"
    assert due_instant(datetime(2026, 7, 1, 9, tzinfo=UTC), "Asia/Tokyo", now) == datetime(2026, 7, 1, 9, tzinfo=UTC)
    for wrong in (datetime(2029, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC), datetime(9999, 12, 31, 23)):  # noqa: DTZ001
        with pytest.raises(InputError, match="two years"):
            due_instant(wrong, "America/New_York", now)
