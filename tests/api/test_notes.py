"""Notes over the API: attached to where the customer is, kept once, edited with history, found again."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest

from api.lexicons import feeling_reader
from storage.profiles.profiles import withdraw_consent
from tests.access import employ
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers

AMARA = UUID(int=0xA0000000000040008000000000000001)
INES = {"Sojourn-Operator": "Ines%20V%C3%B6gt"}
SAID = {"purpose": "observation", "subject": "Loved the shoes", "detail": "But could not find her size."}


def write(client: httpx.Client, key: UUID | None = None, **fields: Any) -> httpx.Response:
    headers = INES | ({"Idempotency-Key": str(key)} if key is not None else {})
    return client.post("/v1/notes", json=SAID | fields, headers=headers)


def test_a_note_is_attached_to_the_visit_in_progress_and_is_evidence_of_it(
    client: httpx.Client, customers: dict[str, UUID]
) -> None:
    answer = write(client, profile_id=str(AMARA), tags=["hesitated", "hesitated"], mood="torn", outcome="undecided")
    assert answer.status_code == 201, answer.text
    note = answer.json()
    journey = client.get(f"/v1/profiles/{AMARA}/journey").json()
    assert (note["store"], note["zone"], note["visit_id"]) == ("marktplatz", "shoes", journey["visit_id"])
    assert (note["operator"], note["tags"], note["profile_name"]) == ("Ines Vögt", ["hesitated"], "Amara Okafor")
    (engage,) = [stage for stage in journey["stages"] if stage["stage"] == "engage"]
    assert ("noted", note["note_id"]) in {(evidence["kind"], evidence["id"]) for evidence in engage["evidence"]}
    assert abs(datetime.fromisoformat(note["noted_at"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert (note["complete"], note["revision"], note["edited_at"]) == (True, 0, None)
    assert client.get(f"/v1/notes/{note['note_id']}").json() == note


def test_a_note_written_offline_is_attached_to_where_the_customer_was(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    earlier = (store.now - timedelta(minutes=22) + timedelta(seconds=200)).isoformat()
    note = write(client, profile_id=str(AMARA), noted_at=earlier).json()
    assert (note["store"], note["zone"]) == ("marktplatz", "women")
    assert datetime.fromisoformat(note["noted_at"]) == datetime.fromisoformat(earlier)
    days_ago = (store.now - timedelta(days=5, hours=1) + timedelta(seconds=30)).isoformat()
    note = write(client, profile_id=str(AMARA), noted_at=days_ago).json()
    visits = client.get(f"/v1/profiles/{AMARA}/visits").json()["visits"]
    assert (note["zone"], note["visit_id"]) == ("women", visits[0]["visit"]["visit_id"])
    at_home = (store.now - timedelta(days=4)).isoformat()
    note = write(client, profile_id=str(AMARA), noted_at=at_home).json()
    assert (note["store"], note["visit_id"]) == (None, None)
    for wrong in (store.now - timedelta(days=7, minutes=1), store.now + timedelta(minutes=3)):
        answer = write(client, noted_at=wrong.isoformat())
        assert answer.status_code == 422
        assert "within the last 7 days" in answer.json()["detail"]


def test_a_note_may_be_about_a_zone_without_anybody(client: httpx.Client) -> None:
    note = write(
        client, store="marktplatz", zone="shoes", subject="", detail="", tags=["hesitated", "left_queue"]
    ).json()
    assert (note["profile_id"], note["zone"], note["subject"]) == (None, "shoes", "Hesitated, left the queue")
    assert note["suggestion"]["feeling"] == "neutral", "a tag is an observation, whatever the words of its label"
    assert "needs its store" in write(client, zone="shoes").json()["detail"]
    assert "no zone 'attic'" in write(client, store="marktplatz", zone="attic").json()["detail"]
    assert write(client, store="nowhere").status_code == 404


def test_the_same_note_sent_twice_is_kept_once(store: SeededStore, client: httpx.Client) -> None:
    employ(store.connection, "Ines Vögt")
    key = uuid4()
    asked = {"follow_up": {"due_at": "2099-01-01T10:00", "instructions": "Call"}}
    assert write(client, key, **asked).status_code == 422, "in 2099 nobody will know"
    asked["follow_up"]["due_at"] = (store.now + timedelta(days=1)).isoformat()
    first, second = write(client, key, **asked), write(client, key, **asked)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert first.json()["note_id"] == str(key)
    assert first.json()["open_follow_up_count"] == 1
    other = write(client, key, subject="Something else")
    assert other.status_code == 422
    assert "used for another note" in other.json()["detail"]
    assert store.connection.execute("select count(*) from note").fetchone() == (1,)
    assert store.connection.execute("select count(*) from follow_up").fetchone() == (1,)


def test_an_edit_keeps_what_stood_before(client: httpx.Client) -> None:
    note = write(client, tags=["hesitated"]).json()
    path = f"/v1/notes/{note['note_id']}"
    edit = SAID | {"subject": "She was not impressed", "detail": "", "revision": 0}
    edited = client.put(path, json=edit, headers=INES).json()
    assert (edited["revision"], edited["suggestion"]["feeling"], edited["tags"]) == (1, "negative", [])
    late = client.put(path, json=edit, headers=INES)
    assert (late.status_code, late.json()["type"]) == (409, "urn:sojourn:problem:note-changed")
    (change,) = client.get(f"{path}/history").json()["changes"]
    assert (change["revision"], change["operator"]) == (1, "Ines Vögt")
    assert (change["before"]["subject"], change["before"]["tags"]) == ("Loved the shoes", ["hesitated"])


def test_the_choice_of_staff_wins_over_the_suggestion(client: httpx.Client) -> None:
    note = write(client).json()
    assert (note["feeling"], note["feeling_chosen"]) == ("mixed", None)
    loved, missed = note["suggestion"]["clauses"]
    assert (loved["feeling"], missed["feeling"]) == ("positive", "negative")
    text = SAID["subject"] + "\n" + SAID["detail"]
    assert [text[cue["begin"] : cue["end"]] for cue in loved["cues"] + missed["cues"]] == ["Loved", "could not find"]
    assert note["suggestion"]["model"] == feeling_reader().read("Good").model
    assert note["suggestion"]["version"] == feeling_reader().read("Good").version
    assert write(client, feeling="positive").json()["feeling"] == "positive"
    assert write(client, mood="angry").json()["feeling"] == "negative"
    assert write(client, mood="angry", feeling="neutral").json()["feeling"] == "neutral"
    (found,) = client.get("/v1/notes/feelings").json()["models"]
    assert (found["chosen_count"], found["right_count"]) == (3, 0)
    assert found["counts"] == {"mixed": {"positive": 1, "negative": 1, "neutral": 1}}
    chosen = write(client, feeling="positive", mood="angry").json()
    path, edit = f"/v1/notes/{chosen['note_id']}", SAID | {"subject": "Loved the boots", "mood": "torn"}
    assert client.put(path, json=edit | {"revision": 0}, headers=INES).json()["feeling_chosen"] == "positive"
    taken_back = client.put(path, json=edit | {"revision": 1, "feeling": None}, headers=INES).json()
    assert taken_back["feeling_chosen"] == "mixed", "what the mood says"
    by_mood = client.put(path, json=edit | {"revision": 2, "mood": "angry"}, headers=INES).json()
    assert by_mood["feeling_chosen"] == "negative"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"subject": "x" * 121}, "at most 120 characters"),
        ({"subject": "two\nlines"}, "subject"),
        ({"subject": "two\N{LINE SEPARATOR}lines"}, "This is one line"),
        ({"subject": "\N{NO-BREAK SPACE}\N{ZERO WIDTH SPACE}"}, "nothing to be seen"),
        ({"subject": "a\0b"}, "NUL"),
        ({"noted_at": 1_800_000_000}, "not as a number"),
        ({"detail": "x" * 4001}, "at most 4000 characters"),
        ({"tags": ["hesitated"] * 13}, "at most 12 items"),
        ({"tags": ["unheard_of"]}, "There is no tag 'unheard_of'"),
        ({"purpose": "gossip"}, "There is no purpose 'gossip'"),
        ({"subject": "", "detail": ""}, "Choose a tag or write a subject"),
        ({"follow_up": {"due_at": "2026-11-30T10:00", "instructions": "x" * 501}}, "at most 500 characters"),
        ({"subject": "one\ntwo"}, '"This is one line: leave out the line breaks."'),
        ({"subject": "\u200b"}, '"There is nothing to be seen in this text. Write a word."'),
        ({"moood": "angry"}, "Extra inputs"),
        ({"noted_at": "2026-11-28T10:00:00"}, "no offset"),
    ],
)
def test_a_limit_that_is_exceeded_is_named(client: httpx.Client, fields: dict[str, Any], says: str) -> None:
    answer = write(client, **fields)
    assert answer.status_code == 422
    assert says in answer.text


def test_nobody_writes_without_a_name_and_no_form_of_another_site_does(client: httpx.Client) -> None:
    nameless = client.post("/v1/notes", json=SAID)
    assert (nameless.status_code, nameless.json()["operator"]) == (201, "tests"), "the key's own name"
    too_long = client.post("/v1/notes", json=SAID, headers={"Sojourn-Operator": "x" * 81})
    assert "at most 80 characters" in too_long.json()["detail"]
    form = client.post(
        "/v1/notes", content='{"purpose":"sales","subject":"x"}', headers=INES | {"Content-Type": "text/plain"}
    )
    assert form.status_code == 422


def test_words_that_assert_what_nobody_can_observe_are_flagged_before_saving(
    store: SeededStore, client: httpx.Client
) -> None:
    employ(store.connection, "Ines Vögt")
    answer = write(client, detail="A pregnant woman, looks Turkish.")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:sojourn:problem:reminder")
    assert [fault["where"] for fault in answer.json()["faults"]] == ["pregnant", "Turkish"]
    assert client.get("/v1/notes").json()["notes"] == []
    assert write(client, detail="Asked for a Turkish towel.", reminder_seen=True).status_code == 201
    assert write(client, detail="She is pregnant.", source="email").status_code == 422, "by whatever name it comes"
    task = {"due_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(), "instructions": "Call her, she is Muslim"}
    assert write(client, follow_up=task).json()["faults"] == [{"where": "Muslim", "what": "religion or belief"}]
    note = write(client, follow_up=task, reminder_seen=True).json()
    tasks = f"/v1/notes/{note['note_id']}/follow-ups"
    assert client.post(tasks, json=task, headers=INES).json()["type"] == "urn:sojourn:problem:reminder"
    assert client.post(tasks, json=task | {"reminder_seen": True}, headers=INES).status_code == 201
    done = f"/v1/follow-ups/{client.get(tasks).json()['follow_ups'][0]['follow_up_id']}/done"
    for result in ({"result": "She has cancer"}, {"result": "Reached her", "next": task}):
        assert client.post(done, json=result, headers=INES).json()["type"] == "urn:sojourn:problem:reminder"
        assert client.get(tasks).json()["follow_ups"][0]["state"] != "done"
    assert client.post(done, json=result | {"reminder_seen": True}, headers=INES).status_code == 200
    read = client.post("/v1/notes/reading", json={"text": "Her diabetes, and great service"}).json()
    assert [flag["word"] for flag in read["flags"]] == ["diabetes"]
    assert read["suggestion"]["feeling"] == "positive"


def test_the_lists_are_the_users(client: httpx.Client) -> None:
    path = "/v1/note-choices/tag/asked_about_wool"
    assert write(client, tags=["asked_about_wool"]).status_code == 422
    assert client.put(path, json={"label": "Asked about wool", "place": 3}, headers=INES).status_code == 200
    note = write(client, tags=["asked_about_wool"]).json()
    assert client.put(path, json={"label": "Wool", "retired": True}, headers=INES).json()["retired"]
    assert write(client, tags=["asked_about_wool"]).status_code == 422
    kept = SAID | {"tags": ["asked_about_wool"], "revision": 0}
    assert client.put(f"/v1/notes/{note['note_id']}", json=kept, headers=INES).status_code == 200
    for number in range(49):
        answer = client.put(f"/v1/note-choices/tag/more_{number}", json={"label": f"More {number}"}, headers=INES)
        assert answer.status_code == 200, number
    full = client.put("/v1/note-choices/tag/one_more", json={"label": "One more"}, headers=INES)
    assert (full.status_code, "at most 60" in full.json()["detail"]) == (422, True)
    assert client.put("/v1/note-choices/tag/Bad-Word", json={"label": "x"}, headers=INES).status_code == 422
    assert len(client.get("/v1/note-choices").json()["tag"]) == 60


def test_words_are_found_without_their_accents_and_signs_are_no_words(client: httpx.Client) -> None:
    note = write(client, subject="Mu\N{COMBINING DIAERESIS}ller, Lange Straße", detail="").json()
    assert note["subject"] == "Müller, Lange Straße"
    for words in ("muller", "MÜLLER", "strasse", "Straße -caf\N{LATIN SMALL LETTER E WITH ACUTE}"):
        found = client.get("/v1/notes", params={"q": words}).json()["notes"]
        assert [one["note_id"] for one in found] == [note["note_id"]], words
    for words in ("*", "the", "%", "-"):
        answer = client.get("/v1/notes", params={"q": words})
        assert (answer.status_code, "no word to search for" in answer.text) == (422, True), words
    assert client.get("/v1/notes/counts", params={"q": "the"}).status_code == 422
    assert len(client.get("/v1/notes", params={"q": " "}).json()["notes"]) == 1


def test_a_hyphen_within_a_word_excludes_nothing(store: SeededStore, client: httpx.Client) -> None:
    employ(store.connection, "Ines Vögt")
    due = {"due_at": (store.now + timedelta(days=2)).isoformat(), "instructions": "Re-order the zebra-print boots"}
    note = write(client, tags=["asked_sustainability"], follow_up=due).json()
    client.put("/v1/note-choices/tag/asked_sustainability", json={"label": "Asked about eco-labels"}, headers=INES)

    def found(words: str) -> list[str]:
        return [one["note_id"] for one in client.get("/v1/notes", params={"q": words}).json()["notes"]]

    for words in ("zebra print", "zebra-print", "re-order", '"zebra-print boots"', "eco-labels"):
        assert found(words) == [note["note_id"]], words
    for words in ("shoes zebra", "boots eco-labels", "size boots labels", "nonsense or boots"):
        assert found(words) == [note["note_id"]], "each word wherever it stands"
    for words in ("shoes -size", "shoes -zebra", "zebra -labels", "shoes zebra nonsense", '"boots asked"'):
        assert found(words) == [], words


def test_days_are_those_of_the_clock_of_the_store(store: SeededStore, client: httpx.Client) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    midnight = store.now.astimezone(berlin).replace(hour=0, minute=30) - timedelta(days=1)
    day = midnight.date()
    note = write(client, store="marktplatz", noted_at=midnight.astimezone(UTC).isoformat()).json()

    def found(begin: date, end: date) -> list[str]:
        days = {"begin": begin.isoformat(), "end": end.isoformat()}
        return [one["note_id"] for one in client.get("/v1/notes", params=days).json()["notes"]]

    assert midnight.astimezone(UTC).date() < day, "in UTC it is still the day before"
    assert found(day, day + timedelta(days=1)) == [note["note_id"]]
    assert found(day - timedelta(days=1), day) == []
    for path in ("/v1/notes", "/v1/notes/counts", "/v1/notes/over-time"):
        backwards = client.get(path, params={"begin": day.isoformat(), "end": day.isoformat()})
        assert backwards.status_code == 422, path
        assert "ends before it begins" in backwards.json()["detail"]


def test_notes_are_found_by_any_field_and_counted(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    employ(store.connection, "Ines Vögt")
    about = write(client, profile_id=str(AMARA), tags=["hesitated"], mood="torn", outcome="undecided").json()
    zone = write(
        client, store="marktplatz", zone="bags", subject="Confusing sign", detail="", purpose="service"
    ).json()
    soon = (store.now + timedelta(days=2)).isoformat()
    open_ = write(
        client, subject="Wants a call", detail="", source="chat",
        follow_up={"due_at": soon, "instructions": "Telephone"},
    ).json()  # fmt: skip

    def found(**query: str) -> list[str]:
        return [note["note_id"] for note in client.get("/v1/notes", params=query).json()["notes"]]

    everything = [note["note_id"] for note in (open_, zone, about)]
    assert found() == everything
    for query, wanted in (
        ({"q": "shoe sizes"}, about), ({"q": '"confusing sign" -shoes'}, zone), ({"profile": str(AMARA)}, about),
        ({"tag": "hesitated"}, about), ({"mood": "torn"}, about), ({"outcome": "undecided"}, about),
        ({"feeling": "negative"}, zone), ({"zone": "bags", "store": "marktplatz"}, zone),
        ({"purpose": "service"}, zone),
        ({"source": "chat"}, open_), ({"complete": "false"}, open_),
        ({"q": "telephone"}, open_), ({"q": "hesitating"}, about), ({"visit": about["visit_id"]}, about),
    ):  # fmt: skip
        assert found(**query) == [wanted["note_id"]], query
    assert found(operator="ines VÖGT") == everything
    assert found(begin=soon) == []
    assert found(end=soon) == everything
    for refused in ({"subjekt": "x"}, {"begin": soon, "end": "2099-01-01T10:00"}):
        assert client.get("/v1/notes", params=refused).status_code == 422, refused
    for query, status in (
        ({"tag": "hesitaded"}, 422), ({"purpose": "gossip"}, 422), ({"mood": "mad"}, 422), ({"outcome": "won"}, 422),
        ({"zone": "attic"}, 422), ({"zone": "attic", "store": "marktplatz"}, 422), ({"store": "nowhere"}, 404),
        ({"profile": str(UUID(int=1))}, 404), ({"visit": str(UUID(int=1))}, 404),
    ):  # fmt: skip
        for path in ("/v1/notes", "/v1/notes/counts", "/v1/notes/over-time", "/notes", "/notes.csv"):
            answer = client.get(path, params=query)
            assert answer.status_code == status, (path, query)
            assert status == 404 or next(iter(query.values())) in answer.text, "it names what is unknown"
    assert found(zone="checkout") == [], "a zone without a note is no mistake"
    page = client.get("/v1/notes", params={"limit": 2}).json()
    rest = client.get("/v1/notes", params={"limit": 2, "cursor": page["next_cursor"]}).json()
    assert [note["note_id"] for note in page["notes"] + rest["notes"]] == everything
    counts = client.get("/v1/notes/counts", params={"by": "zone"}).json()["counts"]
    assert {row["word"]: row["note_count"] for row in counts} == {
        "Marktplatz, Bags & accessories": 1, "Marktplatz, Shoe wall": 1, None: 1,
    }  # fmt: skip
    for by in ("purpose", "operator", "profile", "outcome", "mood", "feeling", "tag", "day", "source"):
        counts = client.get("/v1/notes/counts", params={"by": by}).json()["counts"]
        assert sum(row["note_count"] for row in counts) == 3, by


def test_a_withdrawn_consent_hides_notes_and_erasure_takes_them_along(
    store: SeededStore, client: httpx.Client, customers: dict[str, UUID]
) -> None:
    employ(store.connection, "Ines Vögt")
    soon = (store.now + timedelta(hours=1)).isoformat()
    note = write(client, profile_id=str(AMARA), follow_up={"due_at": soon, "instructions": "Call"}).json()
    path = f"/v1/notes/{note['note_id']}"
    client.put(path, json=SAID | {"revision": 0}, headers=INES)
    (task,) = client.get("/v1/follow-ups?when=open").json()["follow_ups"]
    withdraw_consent(store.connection, AMARA, source="app", wording="1", at=store.now)
    assert client.get("/v1/notes").json()["notes"] == []
    assert client.get("/v1/follow-ups?when=open").json()["follow_ups"] == []
    for answer in (
        client.get(path), client.get(f"{path}/history"), client.get(f"{path}/follow-ups"),
        client.put(path, json=SAID | {"revision": 1}, headers=INES), write(client, profile_id=str(AMARA)),
        client.post(f"/v1/follow-ups/{task['follow_up_id']}/done", json={"result": "x"}, headers=INES),
    ):  # fmt: skip
        assert answer.status_code == 404
    with store.connection.transaction():
        store.connection.execute("set local sojourn.erasing = 'on'")
        for table in ("consent_event", "device_link", "profile"):
            store.connection.execute(f"delete from {table} where profile_id = %s", [AMARA])
    for table in ("note", "note_revision", "follow_up", "follow_up_change"):
        assert store.connection.execute(f"select count(*) from {table}").fetchone() == (0,), table
