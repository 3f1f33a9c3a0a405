"""An edit changes what was edited: what is not offered any more stays, and what nobody wrote stays unwritten."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from api.notes.pages import _same_time_tomorrow
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers

INES = {"Sojourn-Operator": "Ines"}


def write(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer = client.post("/v1/notes", json={"purpose": "observation"} | fields, headers=INES)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def edit(client: httpx.Client, note: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Send a note back as the page does, with these fields changed."""
    names = ("purpose", "subject", "detail", "outcome", "mood", "tags", "revision")
    asked = {name: note[name] for name in names} | {"feeling": note["feeling_chosen"]} | fields
    answer = client.put(f"/v1/notes/{note['note_id']}", json=asked, headers=INES)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_line_that_nobody_wrote_follows_the_tags_and_says_nothing_of_a_feeling(
    store: SeededStore, client: httpx.Client
) -> None:
    note = write(client, tags=["confused_by_sign", "left_queue"])
    note = edit(client, note, outcome="undecided")
    assert (note["subject"], note["feeling"]) == ("Confused by the sign, left the queue", "neutral")
    label = {"label": "Lost at the sign", "place": 3}
    assert client.put("/v1/note-choices/tag/confused_by_sign", json=label, headers=INES).status_code == 200
    note = edit(client, note, tags=["confused_by_sign"])
    assert (note["subject"], note["feeling"]) == ("Lost at the sign", "neutral"), "renamed meanwhile"
    page = client.get(f"/notes/{note['note_id']}").text
    assert 'name="subject" maxlength="120" placeholder=' in page
    note = edit(client, note, subject="Hated the sign")
    assert (note["subject"], note["feeling"]) == ("Hated the sign", "negative"), "somebody wrote that"
    note = edit(client, note, tags=["left_queue"])
    assert (note["subject"], note["feeling"]) == ("Hated the sign", "negative")
    assert 'value="Hated the sign"' in client.get(f"/notes/{note['note_id']}").text


def test_a_line_made_of_the_detail_follows_it(client: httpx.Client) -> None:
    note = write(client, detail="Hated the queue")
    note = edit(client, note, detail="Loved the shoes")
    assert (note["subject"], note["feeling"]) == ("Loved the shoes", "positive")
    signs = edit(client, write(client, subject="???", tags=["hesitated"]), outcome="undecided")
    assert signs["subject"] == "???", "signs were written, though they say nothing"


def test_an_edit_on_the_page_keeps_what_is_not_offered_any_more(client: httpx.Client) -> None:
    lists = {"purpose": "zz_sale", "outcome": "zz_out", "mood": "zz_mood", "tag": "zz_tag"}
    for list_word, word in lists.items():
        client.put(f"/v1/note-choices/{list_word}/{word}", json={"label": f"Our {list_word}"}, headers=INES)
    note = write(
        client, subject="Wants size 38", tags=["zz_tag", "hesitated"],
        **{name: word for name, word in lists.items() if name != "tag"},
    )  # fmt: skip
    other = write(client, subject="Wants size 39")
    for list_word, word in lists.items():
        asked = {"label": f"Our {list_word}", "retired": True}
        client.put(f"/v1/note-choices/{list_word}/{word}", json=asked, headers=INES)
    page = client.get(f"/notes/{note['note_id']}").text
    for list_word in ("purpose", "outcome", "mood"):
        assert f'<option value="{lists[list_word]}" selected>Our {list_word} (no longer offered)' in page
    assert 'value="zz_tag" checked' in page
    assert "zz_" not in client.get(f"/notes/{other['note_id']}").text, "nobody else gets it"
    again = edit(client, note, subject="Wants size 40")
    assert [again[name] for name in ("purpose", "outcome", "mood", "tags")] == [
        "zz_sale", "zz_out", "zz_mood", ["zz_tag", "hesitated"],
    ]  # fmt: skip


def test_the_page_tells_of_every_field_that_an_edit_changed(client: httpx.Client) -> None:
    note = write(client, subject="Wants size 38", tags=["hesitated"], mood="torn")
    changed = edit(client, note, tags=["left_queue"], mood=None, outcome="undecided", purpose="service", feeling=None)
    edit(client, changed, detail="By Friday")
    page = client.get(f"/notes/{note['note_id']}").text.split('id="edits-title"')[1].split("</section>")[0]
    newest, oldest = page.split("<li>")[1:]
    assert "<strong>More:</strong> <span" in newest
    for told in ("Purpose:</strong> Observation", "Tags:</strong> Hesitated", "Mood:</strong> Torn",
                 "Feeling:</strong> Mixed", "Outcome:</strong> <span"):  # fmt: skip
        assert told in oldest
        assert told.split(":")[0] not in newest
    assert "In one line" not in page


def test_a_text_is_measured_as_it_is_kept(client: httpx.Client) -> None:
    """Some letters are two characters once they are composed."""
    letter = "\N{DEVANAGARI LETTER QA}"
    for fields in ({"subject": letter * 61}, {"subject": "x", "detail": letter * 2_001}):
        answer = client.post("/v1/notes", json={"purpose": "observation"} | fields, headers=INES)
        assert answer.status_code == 422, fields
    assert len(write(client, subject=letter * 60)["subject"]) == 120
    assert write(client, subject="e\N{COMBINING ACUTE ACCENT}" * 120)["subject"] == "é" * 120, (
        "and one where two were"
    )


def test_the_same_time_tomorrow_is_what_clocks_show() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for day, later in (((2027, 3, 27), 23), ((2027, 10, 30), 25), ((2027, 6, 1), 24)):
        due = datetime(*day, 10, tzinfo=berlin).astimezone(UTC)
        offered = _same_time_tomorrow(due, "Europe/Berlin")
        assert offered.astimezone(berlin).hour == 10
        assert (offered - due).total_seconds() == later * 3600
