"""Notes that are written with a thumb in a real browser: in three taps, without a connection, and never lost."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from api.lexicons import reminder
from tests.access import cookies
from tests.api.serving import Served
from tests.browser.looking import PHONE, fits, no_violations, screenshot
from tests.browser.noting import INES, named, notes
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]

SAID = (
    "She's Italian, and looked depressed; two Muslims, a Turkish towel",
    "white children's shoes for a black guy, sick of waiting, an ÉPILEPTIQUE with epilepsy",
    "gay\N{COMBINING ACUTE ACCENT}, a \N{LATIN SMALL LIGATURE FI}nnish man, gay², adhd™, İtalian wool",
    "two \N{FULLWIDTH LATIN CAPITAL LETTER M}uslims",
    "a \N{MATHEMATICAL SANS-SERIF SMALL G}ay and n\u0327\u0301un, is preg\N{SOFT HYPHEN}nant",
)
_CACHED = """async () => {
  const kept = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
  return kept.flat().map((asked) => asked.url);
}"""
_FLAGGED = """async (texts) => {
  const { flags } = await import("/static/reminder.js");
  const lexicon = JSON.parse(document.getElementById("capture-page").dataset.reminder);
  return texts.map((text) => flags(text, lexicon).map(({ word }) => word));
}"""


def test_a_tagged_note_takes_three_taps(site: str, page: Page, customers: dict[str, UUID]) -> None:
    named(page, site).set_viewport_size(PHONE)
    page.goto(f"{site}/profiles/{customers['Amara Okafor']}")
    page.get_by_role("link", name="New note").click()
    expect(page.locator("#about")).to_have_text("On Amara Okafor")
    page.evaluate("window.taps = 0; addEventListener('click', (event) => { if (event.isTrusted) window.taps += 1; })")
    bar = page.locator(".save-bar").bounding_box()
    moods = page.locator(".moods").bounding_box()
    assert bar
    assert moods
    assert moods["y"] + moods["height"] <= bar["y"], "a mood is tapped without scrolling"
    began = datetime.now(UTC)
    page.locator(".pick", has_text="Hesitated").click()
    page.locator(".pick", has_text="Torn").click()
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Saved")
    assert datetime.now(UTC) - began < timedelta(seconds=10)
    assert page.evaluate("window.taps") <= 6, "a tap on a label is told twice: for the label and for its box"
    (note,) = notes(site)
    assert (note["subject"], note["zone"], note["mood"], note["operator"]) == ("Hesitated", "shoes", "torn", "Ines")
    page.goto(f"{site}/profiles/{customers['Amara Okafor']}")
    expect(page.locator("#notes li")).to_contain_text("Shoe wall, Marktplatz")


def test_a_note_is_written_without_a_connection_and_sent_once(
    served: Served, store: SeededStore, browser: Browser
) -> None:
    # a page of its own: each failed attempt is an error on the console, here it is what is tested
    context = browser.new_context(viewport=PHONE, locale="en-GB")
    page = named(context.new_page(), served.url)
    address = f"{served.url}/notes/new?store=marktplatz"
    page.goto(address)
    page.evaluate("navigator.serviceWorker.ready")
    page.wait_for_function("async () => !!(await caches.match('/notes/new?store=marktplatz'))")
    served.stop()
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("New note")
    page.locator(".pick", has_text="Left the queue").click()
    page.locator("#zone").select_option("checkout")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Kept on this device. It is sent when there is a connection.")
    page.reload()
    expect(page.locator("#waiting-list li")).to_contain_text("Left the queue")
    screenshot(page, "note-waiting-phone")
    served.start()
    page.evaluate("dispatchEvent(new Event('online')); dispatchEvent(new Event('online'))")
    expect(page.locator("#saved")).to_have_text("Sent the note that waited.", timeout=20_000)
    expect(page.locator("#waiting")).to_be_hidden()
    (note,) = notes(served.url)
    assert (note["zone"], note["tags"], note["operator"]) == ("checkout", ["left_queue"], "Ines")
    kept = page.evaluate(_CACHED)
    assert any(url.endswith("/notes/new?store=marktplatz") for url in kept)
    assert all("profile" not in url for url in kept)
    context.close()


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200, "content_type": "text/html", "body": "<h1>Welcome to the guest network</h1>"},
        {"status": 200, "content_type": "application/json", "body": '{"logged_in": false}'},
        {"status": 404, "content_type": "text/html", "body": "<h1>No such page</h1>"},
    ],
    ids=["a page", "another's JSON", "a refusal that is no problem of ours"],
)
def test_a_note_is_saved_only_by_the_servers_own_word(
    site: str, browser: Browser, store: SeededStore, answer: dict[str, Any]
) -> None:
    """A hotspot's login page answers 200 to everything, and a note that was taken for saved was gone."""
    context = browser.new_context(viewport=PHONE, locale="en-GB", service_workers="block")
    page = named(context.new_page(), site)
    page.goto(f"{site}/notes/new?store=marktplatz")
    page.route("**/v1/notes", lambda route: route.fulfill(**answer))
    page.locator("#detail").fill("Wants the green one")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Kept on this device. It is sent when there is a connection.")
    expect(page.locator("#waiting-list li")).to_contain_text("Wants the green one")
    page.unroute("**/v1/notes")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#saved")).to_have_text("Sent the note that waited.")
    expect(page.locator("#waiting")).to_be_hidden()
    assert [note["detail"] for note in notes(site)] == ["Wants the green one"]
    context.close()


def test_two_people_of_one_name_share_no_notes_that_wait(site: str, browser: Browser, store: SeededStore) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-GB", service_workers="block")
    one, other = (str(UUID(int=number)) for number in (1, 2))
    page = context.new_page()
    context.add_cookies(cookies(account=one))  # type: ignore[arg-type]  # a cookie is a dict of strings here
    page.goto(f"{site}/notes/new?store=marktplatz")
    page.evaluate(
        "async () => (await import('/static/queue.js'))"
        ".add({ purpose: 'observation', store: 'marktplatz', detail: 'Secret' }, 'Ines')"
    )
    page.locator("#detail").fill("A draft of hers")
    context.add_cookies(cookies(account=other))  # type: ignore[arg-type]
    page.reload()
    line = page.locator("#waiting-list li")
    expect(line).to_contain_text("A note of Ines")
    expect(line).to_contain_text("Waits until they log in on this device")
    expect(page.get_by_text("Secret")).to_have_count(0)
    expect(page.locator("#detail")).to_have_value("")
    assert page.evaluate("async () => (await import('/static/queue.js')).sync()") == {"kept": [], "stopped": ""}
    context.add_cookies(cookies(account=one))  # type: ignore[arg-type]
    page.reload()
    expect(page.locator("#saved")).to_have_text("Sent the note that waited.")
    assert [note["detail"] for note in notes(site)] == ["Secret"]
    context.close()


def test_a_connection_that_hangs_holds_up_no_note(site: str, browser: Browser, store: SeededStore) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-GB", service_workers="block")
    page = named(context.new_page(), site)
    page.goto(f"{site}/notes/new?store=marktplatz")
    asked: list[Route] = []

    def hang(route: Route) -> None:
        asked.append(route)  # never answered

    page.route("**/v1/notes", hang)
    for number, tag in enumerate(("Hesitated", "Left the queue", "Praised the staff"), 1):
        page.locator(".pick", has_text=tag).click()
        page.get_by_role("button", name="Save note").click()
        expect(page.locator("input[name=tags]:checked")).to_have_count(0)
        expect(page.locator("#waiting-list li")).to_have_count(number)
        expect(page.locator("#saved")).to_have_text("Kept on this device …")
    assert len(asked) == 1, "one after the other"
    expect(page.locator("#saved")).to_have_text(
        "Kept on this device. It is sent when there is a connection.", timeout=20_000
    )
    page.unroute("**/v1/notes")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#saved")).to_have_text("Sent 3 notes that waited.", timeout=20_000)
    expect(page.locator("#waiting")).to_be_hidden()
    assert [note["tags"] for note in reversed(notes(site))] == [["hesitated"], ["left_queue"], ["praised_staff"]]
    context.close()


@pytest.mark.parametrize("lost", ["the session", "the token"])
def test_a_login_that_ran_out_is_named(site: str, browser: Browser, store: SeededStore, lost: str) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-GB", service_workers="block")
    page = named(context.new_page(), site)
    page.goto(f"{site}/notes/new?store=marktplatz")
    if lost == "the session":
        context.add_cookies(cookies("x" * 43))  # type: ignore[arg-type]  # a cookie is a dict of strings here
    else:
        context.clear_cookies(name="sojourn_form")
    page.locator(".pick", has_text="Hesitated").click()
    page.get_by_role("button", name="Save note").click()
    saved = page.locator("#saved")
    expect(saved).to_contain_text("Kept on this device. You are not logged in any more; it is sent once you are.")
    expect(saved.get_by_role("link", name="Log in again")).to_have_attribute(
        "href", "/login?next=%2Fnotes%2Fnew%3Fstore%3Dmarktplatz"
    )
    expect(page.locator("#waiting-list li")).to_contain_text("Waits until you log in again")
    fits(page)
    no_violations(page)
    screenshot(page, f"note-login-{lost.split()[1]}-phone")
    named(page, site).evaluate("dispatchEvent(new Event('online'))")
    expect(saved).to_have_text("Sent the note that waited.")
    assert [note["tags"] for note in notes(site)] == [["hesitated"]]
    context.close()


def test_a_device_without_room_sends_at_once_or_says_why_not(site: str, browser: Browser, store: SeededStore) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-GB", service_workers="block")
    page = named(context.new_page(), site)
    page.goto(f"{site}/notes/new?store=marktplatz")
    full = {"origin": site, "quotaSize": 1}
    context.new_cdp_session(page).send("Storage.overrideQuotaForOrigin", full)
    page.locator("#detail").fill("Wants the green one")
    page.route("**/v1/notes", lambda route: route.abort())
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text(
        "Not saved: There is no room left on this device. And there is no connection."
        " What you wrote stays in the form."
    )
    expect(page.locator("#detail")).to_have_value("Wants the green one")
    page.unroute("**/v1/notes")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Saved")
    expect(page.locator("#detail")).to_have_value("")
    page.add_init_script("IDBFactory.prototype.open = () => { throw new DOMException('', 'InvalidStateError'); };")
    page.reload()  # as in a window of a browser that keeps nothing
    page.locator("#detail").fill("Wants the red one")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Saved")
    assert [note["detail"] for note in notes(site)] == ["Wants the red one", "Wants the green one"]
    context.close()


def test_a_link_to_another_store_holds_without_a_connection(
    served: Served, store: SeededStore, browser: Browser
) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-GB")
    page = named(context.new_page(), served.url)
    page.goto(f"{served.url}/notes/new?store=marktplatz")
    page.evaluate("navigator.serviceWorker.ready")
    page.wait_for_function("async () => !!(await caches.match('/notes/new'))")
    served.stop()
    page.goto(f"{served.url}/notes/new?store=quay")
    expect(page.locator("#about")).to_contain_text("quay")
    page.locator(".pick", has_text="Hesitated").click()
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Kept on this device. It is sent when there is a connection.")
    screenshot(page, "note-other-store-phone")
    served.start()
    with page.expect_response("**/v1/notes", timeout=20_000):
        page.goto(f"{served.url}/follow-ups")  # what waits is sent from any page
    page.goto(f"{served.url}/notes/new?store=quay")
    expect(page.locator("#waiting")).to_be_hidden()
    assert [(note["store"], note["tags"]) for note in notes(served.url)] == [("quay", ["hesitated"])]
    context.close()


def test_what_cannot_be_observed_is_flagged_before_it_is_saved(site: str, page: Page, store: SeededStore) -> None:
    named(page, site).goto(f"{site}/notes/new?store=marktplatz")
    page.locator("#detail").fill("She is pregnant")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#reminder mark")).to_have_text("pregnant")
    expect(page.locator("#reminder")).to_contain_text("not what you assume")
    assert notes(site) == []
    no_violations(page)
    page.get_by_role("button", name="This is what was said: save it").click()
    expect(page.locator("#saved")).to_have_text("Saved")
    assert [note["subject"] for note in notes(site)] == ["She is pregnant"]
    by_server = [[text[flag.begin : flag.end] for flag in reminder().flags(text)] for text in SAID]
    by_page = page.evaluate(_FLAGGED, list(SAID))
    assert by_page == by_server, "one reminder, not two"
    assert by_page[:2] == [["She's Italian", "depressed", "Muslims"], ["black guy", "ÉPILEPTIQUE", "epilepsy"]]
    assert [len(words) for words in by_page[2:]] == [4, 1, 3], by_page
    choice = {"label": "Looked Muslim", "place": 60}
    assert httpx.put(f"{site}/v1/note-choices/tag/looked", json=choice, headers=INES).status_code == 200
    page.reload()
    page.locator(".pick", has_text="Looked Muslim").click()
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#reminder mark")).to_have_text("Muslim")  # a tag says it too, and nothing waits to be sent
    expect(page.locator("#saved")).to_have_text("Not saved yet.")
    page.get_by_role("button", name="This is what was said: save it").click()
    expect(page.locator("#saved")).to_have_text("Saved")
    assert notes(site)[0]["tags"] == ["looked"]


def test_the_page_says_what_is_missing(site: str, page: Page, store: SeededStore) -> None:
    page.goto(f"{site}/notes/new?store=marktplatz")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Tap a tag or write a line.")
    page.locator(".pick", has_text="Praised the staff").click()
    page.get_by_role("button", name="Save note").dblclick()
    expect(page.locator("#saved")).to_have_text("Saved")
    assert [note["operator"] for note in notes(site)] == ["Ines"], "two taps of a hurried finger are one note"
