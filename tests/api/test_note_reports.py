"""Reports on notes: over time, beside dwell, inside the CRM and as they may leave it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.api.seeding import add_visit, device
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers

INES = {"Sojourn-Operator": "Ines"}


def write(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer = client.post("/v1/notes", json={"purpose": "observation"} | fields, headers=INES)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def copies(store: SeededStore, note: dict[str, Any], at: datetime, count: int, **columns: Any) -> None:
    """Let there be more notes like this one, each about somebody else, at that time."""
    names = (
        "asked_sha256, store_no, zone_no, operator, source, purpose, subject, detail, outcome, mood, tags,"
        " feeling_chosen, feeling_read"
    )
    chosen = names
    for name in columns:
        chosen = chosen.replace(name, f"%({name})s")
    store.connection.execute(
        f"insert into note (note_id, noted_at, {names}) select gen_random_uuid(), %(at)s, {chosen}"
        " from note, generate_series(1, %(count)s) where note_id = %(note)s",
        {"note": note["note_id"], "at": at, "count": count} | columns,
    )


def by_many(store: SeededStore, note: dict[str, Any], count: int, name: str) -> None:
    """Let so many operators, of whom nobody knows more, have written what this note says, in September."""
    at = datetime(2026, 9, 1, tzinfo=UTC)
    copies(store, note, at, count, operator=name)
    store.connection.execute(
        "update note set operator = operator || ' ' || note_id where operator = %s and noted_at = %s", [name, at]
    )


def lines(client: httpx.Client, path: str, **query: str) -> list[str]:
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.text.splitlines()


def test_moods_and_outcomes_are_counted_over_time_on_the_clocks_of_the_store(
    store: SeededStore, client: httpx.Client
) -> None:
    note = write(client, store="marktplatz", tags=["hesitated"], mood="angry")
    # 30 September 22:30 UTC is 1 October in Berlin, a Thursday: the week of Monday, 28 September
    copies(store, note, datetime(2026, 9, 30, 22, 30, tzinfo=UTC), 2, mood="delighted")
    copies(store, note, datetime(2026, 9, 30, 21, 30, tzinfo=UTC), 1)
    query = {"by": "mood", "end": "2026-11-01", "over": "month"}
    assert client.get("/v1/notes/over-time", params=query).json()["counts"] == [
        {"period": "2026-09", "word": "angry", "profile_id": None, "note_count": 1},
        {"period": "2026-10", "word": "delighted", "profile_id": None, "note_count": 2},
    ]
    weeks = client.get("/v1/notes/over-time", params=query | {"over": "week"}).json()["counts"]
    assert {row["period"] for row in weeks} == {"2026-09-28"}
    assert lines(client, "/notes/reports.csv", **query) == [
        "month,Delighted,Angry", "2026-09,0,1", "2026-10,2,0",
    ]  # fmt: skip
    page = client.get("/notes/reports", params=query | {"over": "week"}).text
    assert "Mood over time" in page
    assert "2026-09-28" in page
    assert client.get("/notes/reports", params={"by": "operator", "over": "week"}).status_code == 422
    assert lines(client, "/notes/reports.csv", by="operator") == [
        "operator,notes,positive,mixed,neutral,negative", "Ines,4,0,0,0,4",
    ]  # fmt: skip


def test_no_line_of_a_report_is_left_out_unsaid(store: SeededStore, client: httpx.Client) -> None:
    note = write(client, store="marktplatz", tags=["hesitated"])
    by_many(store, note, 520, "Operator")
    for path in ("/notes/reports.csv", "/notes-counts.csv"):
        assert len(lines(client, path, by="operator")) == 522, path
    assert len(client.get("/v1/notes/counts", params={"by": "operator"}).json()["counts"]) == 521
    assert "The 100 of 521 with the most notes" in client.get("/notes", params={"by": "operator"}).text
    assert client.get("/notes/reports", params={"by": "operator"}).text.count('scope="row"') == 521
    by_many(store, note, 19_480, "More")
    for path in ("/notes/reports.csv", "/notes-counts.csv", "/v1/notes/counts", "/notes/reports"):
        answer = client.get(path, params={"by": "operator"})
        assert (answer.status_code, "at most 20000 lines" in answer.text) == (422, True), path
        assert client.get(path, params={"by": "operator", "begin": "2026-10-01"}).status_code == 200, path


def test_what_leaves_the_crm_has_no_names_and_no_small_counts(store: SeededStore, client: httpx.Client) -> None:
    note = write(client, store="marktplatz", tags=["hesitated"])
    october = datetime(2026, 10, 10, 12, tzinfo=UTC)
    copies(store, note, october, 12, tags=["hesitated"])
    copies(store, note, october, 9, tags=["left_queue"])
    copies(store, note, october, 30, tags=["praised_staff"])
    path = "/v1/notes/counts/leaving"
    found = client.get(path, params={"by": "tag"}).json()["counts"]
    assert [(row["word"], row["note_count"], row["hidden_count"]) for row in found] == [
        ("praised_staff", 30, 0), ("hesitated", None, 1), ("left_queue", None, 1),
    ]  # fmt: skip
    copies(store, note, october, 1, tags=["left_queue"])
    found = client.get(path, params={"by": "tag", "store": "marktplatz", "begin": "2026-10-01"}).json()["counts"]
    assert {row["word"]: row["note_count"] for row in found} == {
        "praised_staff": 30, "hesitated": 12, "left_queue": 10,
    }  # fmt: skip
    assert lines(client, "/notes/reports.csv", by="tag", leaving="true")[1:] == [
        "Praised the staff,30,0", "Hesitated,12,0", "Left the queue,10,0",
    ], "of this month, which is not over, nothing is told"  # fmt: skip
    for query, says in (
        ({"by": "operator"}, "does not leave the CRM"), ({"by": "day"}, "does not leave the CRM"),
        ({"by": "tag", "tag": "hesitated"}, "Leave out tag"), ({"by": "tag", "q": "queue"}, "Leave out words"),
        ({"by": "tag", "begin": "2026-10-02"}, "first of a month"), ({"by": "tag", "zone": "shoes"}, "zone"),
    ):  # fmt: skip
        answer = client.get(path, params=query)
        assert answer.status_code == 422, query
        assert says in answer.json()["detail"] + answer.json()["hint"]


def test_no_report_that_leaves_is_subtracted_from_another(store: SeededStore, client: httpx.Client) -> None:
    note = write(client, store="marktplatz", tags=["hesitated"], mood="angry")
    october = datetime(2026, 10, 10, 12, tzinfo=UTC)
    zones: dict[str, int] = dict(
        store.connection.execute("select id, zone_no from zone where store_no = %s", [store.store_no]).fetchall()
    )

    def told_by(by: str) -> dict[str, int | None]:
        answer = client.get("/v1/notes/counts/leaving", params={"by": by, "store": "marktplatz"})
        return {row["word"]: row["note_count"] for row in answer.json()["counts"]}

    for mood, feeling, count, zone, tags in (
        ("delighted", "positive", 38, zones["shoes"], ["hesitated"]), ("pleased", "positive", 2, None, []),
        ("angry", "negative", 12, zones["bags"], ["left_queue"]), ("frustrated", "negative", 13, None, []),
        ("frustrated", "negative", 2, zones["bags"], ["hesitated"]),
    ):  # fmt: skip
        copies(store, note, october, count, mood=mood, feeling_chosen=feeling, zone_no=zone, tags=tags)
    assert told_by("mood") == {"delighted": 38, "frustrated": 15, "angry": None, "pleased": None}
    assert told_by("feeling") == {"positive": 38, "negative": 15}, "40 - 38 would be the two who were pleased"
    by_zone = lines(
        client, "/stores/marktplatz/note-tags.csv", leaving="true", **{"from": "2026-10-01", "to": "2026-10-31"}
    )
    assert sorted(by_zone[1:]) == [
        "Bags & accessories,hesitated,,1", "Bags & accessories,left_queue,,1", "Shoe wall,hesitated,38,0",
    ]  # fmt: skip
    assert told_by("tag") == {"hesitated": 38, "left_queue": None}, "40 - 38 would be the two at the bags"


def test_many_notes_on_one_customer_are_one_person(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    note = write(client, store="marktplatz", tags=["hesitated"])
    october = datetime(2026, 10, 10, 12, tzinfo=UTC)
    copies(store, note, october, 40)
    store.connection.execute(
        "update note set profile_id = %s where noted_at = %s", [customers["Amara Okafor"], october]
    )
    (row,) = client.get("/v1/notes/counts/leaving?by=tag").json()["counts"]
    assert row["note_count"] is None


def test_tags_stand_beside_the_dwell_of_their_zone(store: SeededStore, client: httpx.Client) -> None:
    yesterday = (store.now - timedelta(days=1)).replace(hour=12, minute=0)
    for number in range(20):
        add_visit(
            store.connection, store.plan, store.store_no, pseudonym=device(900 + number),
            entered_at=yesterday + timedelta(minutes=number), dwell_s=100 + number, zone="shoes",
        )  # fmt: skip
    write(client, store="marktplatz", zone="shoes", tags=["confused_by_sign", "hesitated"])
    write(client, store="marktplatz", zone="shoes", tags=["confused_by_sign"])
    write(client, store="marktplatz", zone="bags", tags=["hesitated"])
    found = client.get("/v1/stores/marktplatz/note-tags").json()
    shoes, bags = found["zones"][:2]
    assert (shoes["zone"], shoes["visit_count"]) == ("shoes", 20)
    assert 100 <= shoes["dwell_median_s"] <= 120
    assert [(tag["tag"], tag["note_count"]) for tag in shoes["tags"]] == [("confused_by_sign", 2), ("hesitated", 1)]
    assert (bags["zone"], bags["dwell_median_s"]) == ("bags", None)
    assert len(found["zones"]) == len(store.plan.zones)
    csv = lines(client, "/stores/marktplatz/note-tags.csv")
    assert csv[0] == "zone,tag,notes,zone_visits,dwell_median_s"
    assert csv[1].startswith("Shoe wall,confused_by_sign,2,20,1")
    assert lines(client, "/stores/marktplatz/note-tags.csv", leaving="true") == ["zone,tag,notes,months_hidden"]
    assert client.get("/v1/stores/marktplatz/note-tags?from=2026-11-02&to=2026-11-01").status_code == 422
    assert "Confused by the sign" in client.get("/stores/marktplatz/note-tags").text


def test_open_follow_ups_are_downloaded_overdue_first(store: SeededStore, client: httpx.Client) -> None:
    for days in (3, -2):
        due = {"due_at": (store.now + timedelta(days=days)).isoformat(), "instructions": f"Call {days}"}
        write(client, subject="Wants size 38", follow_up=due)
    found = lines(client, "/follow-ups.csv")
    assert [line.split(",")[0] for line in found] == ["state", "Overdue", "Later"]
    assert "Call -2" in found[1]
    past = store.now + timedelta(days=-2)
    write(
        client, subject="Wants a size up",
        follow_up={"due_at": past.isoformat(), "timezone": "Asia/Kolkata", "instructions": "Call 0"},
    )  # fmt: skip
    (line,) = [line for line in lines(client, "/follow-ups.csv") if "Call 0" in line]
    there = past.astimezone(ZoneInfo("Asia/Kolkata")).isoformat(timespec="minutes")
    assert line.startswith(f"Overdue,{there},Asia/Kolkata,Ines,")


def test_a_download_says_in_its_name_whether_it_may_be_passed_on(client: httpx.Client) -> None:
    write(client, tags=["hesitated"])
    names = {}
    for path in ("/notes.csv", "/notes-counts.csv?by=profile", "/notes/reports.csv?by=mood", "/follow-ups.csv"):
        names[path] = client.get(path).headers["content-disposition"]
    assert all(name.endswith('-crm.csv"') for name in names.values()), names
    assert lines(client, "/notes-counts.csv", by="tag") == [
        "tag,notes,positive,mixed,neutral,negative", "hesitated,1,0,0,1,0",
    ]  # fmt: skip
    refused = client.get("/notes/reports.csv?by=mood&leaving=true&over=week")
    assert (refused.status_code, "not told over time" in refused.text) == (422, True)
    page = client.get("/notes/reports?by=mood&leaving=true&over=week").text
    assert "All together. Whole months" in page
    assert 'href="/notes/reports.csv?by=mood&amp;leaving=true&amp;' in page


def test_an_entry_is_added_by_its_label_alone(client: httpx.Client) -> None:
    def add(label: str) -> dict[str, Any]:
        answer = client.post("/v1/note-choices/tag", json={"label": label}, headers=INES)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert add("Fragte nach Größe")["word"] == "fragte_nach_groe"
    twin = client.post("/v1/note-choices/tag", json={"label": "hesitated"}, headers=INES)
    assert (twin.status_code, "already" in twin.json()["detail"]) == (422, True)
    assert add("Hesitated!")["word"] == "hesitated_2"
    assert add("試着")["word"] == "choice"
    assert add("x" * 60)["word"] == "x" * 36
    places = [choice["place"] for choice in client.get("/v1/note-choices").json()["tag"]]
    assert places == sorted(places)


def test_what_a_customer_writes_comes_in_by_the_address_it_came_from(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    amara = customers["Amara Okafor"]
    store.connection.execute(
        "insert into profile_identifier (profile_id, kind, value, source) values (%s, 'email', %s, 'till')",
        [amara, "amara@shop.test"],
    )
    asked = {
        "channel": "email", "key": "<4711@mail.test>", "kind": "email", "value": " Amara@Shop.test ",
        "text": "The queue was terrible, but your staff were lovely.", "at": store.now.isoformat(),
    }  # fmt: skip
    first = client.post("/v1/interactions", json=asked, headers=INES)
    again = client.post("/v1/interactions", json=asked, headers=INES)
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json()), first.text
    note = first.json()
    assert (note["profile_name"], note["source"], note["purpose"]) == ("Amara Okafor", "email", "service")
    assert note["suggestion"]["feeling"] == "mixed"
    assert (note["subject"], note["detail"]) == (asked["text"], "")  # not twice
    assert client.post("/v1/interactions", json=asked | {"text": "Other"}, headers=INES).status_code == 422
    for wrong, status in (
        ({"value": "somebody@shop.test"}, 404), ({"value": None}, 404), ({"kind": "shoe_size"}, 422),
        ({"channel": "letter"}, 422), ({"text": "x" * 4001}, 422), ({"at": "2026-11-28T10:00"}, 422),
    ):  # fmt: skip
        answer = client.post("/v1/interactions", json=asked | {"key": str(wrong)} | wrong, headers=INES)
        assert answer.status_code == status, (wrong, answer.text)
    chat = asked | {"channel": "chat", "profile_id": str(amara)}
    assert client.post("/v1/interactions", json=chat, headers=INES).status_code == 201
    assert len(client.get("/v1/notes").json()["notes"]) == 2
