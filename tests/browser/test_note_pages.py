"""Notes and follow-ups in a real browser: written with a thumb, without a connection too, found and acted on."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from api.lexicons import reminder
from storage.access.accounts import disable_account
from storage.profiles.profiles import withdraw_consent
from tests.access import HEADERS, cookies, employ
from tests.api.seeding import add_customers, database_now
from tests.api.serving import Served
from tests.browser.looking import PHONE, fingers, fits, no_violations, open_page, screenshot, words_fit
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]

INES = HEADERS | {"Sojourn-Operator": "Ines"}
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
_DICTATION = """
  window.SpeechRecognition = class {
    static async available() { return "available"; }
    start() { this.onresult({ resultIndex: 0, results: [[{ transcript: "Loved the boots" }]] }); }
    stop() {}
  };
"""
"""A device that recognises speech itself, and hears one sentence."""


@pytest.fixture
def customers(store: SeededStore) -> dict[str, UUID]:
    return add_customers(store.connection, store.plan, store.store_no, now=database_now(store.connection))


def named(page: Page, site: str) -> Page:
    """Let whoever uses this page be Ines."""
    page.context.add_cookies(cookies())  # type: ignore[arg-type]  # a cookie is a dict of strings here
    return page


def write(site: str, **fields: Any) -> dict[str, Any]:
    answer = httpx.post(f"{site}/v1/notes", json={"purpose": "observation"} | fields, headers=INES)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def notes(site: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{site}/v1/notes", headers=HEADERS).json()["notes"]
    return found


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


def test_what_is_written_is_never_lost_by_a_mistake(site: str, browser: Browser, store: SeededStore) -> None:
    # a page of its own: what is refused is an error on the console
    context = browser.new_context(viewport=PHONE, locale="en-GB")
    page = named(context.new_page(), site)
    page.goto(f"{site}/notes/new?store=marktplatz")
    page.locator("#detail").fill("Wants the green one")
    page.reload()
    expect(page.locator("#detail")).to_have_value("Wants the green one")  # a draft
    page.get_by_text("Follow-up required").click()
    page.locator('[name="follow_up.instructions"]').fill("Call her")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Say by when the follow-up is due.")
    page.locator('[name="follow_up.instructions"]').fill("")
    retired = {"label": "Hesitated", "place": 1, "retired": True}
    assert httpx.put(f"{site}/v1/note-choices/tag/hesitated", json=retired, headers=INES).status_code == 200
    page.locator(".pick", has_text="Hesitated").click()
    page.get_by_role("button", name="Save note").click()
    line = page.locator("#waiting-list li")
    expect(line).to_contain_text("Wants the green one")
    expect(line).to_contain_text("There is no tag 'hesitated'.")
    expect(page.locator("#saved")).to_have_text("Not saved: correct it below.")
    expect(page.locator("#detail")).to_have_value("")
    page.evaluate("async () => (await import('/static/queue.js')).add({ detail: 'Secret' }, 'Somebody Else')")
    screenshot(page, "note-refused-phone")
    line.get_by_role("button", name="Correct").click()
    expect(page.locator("#detail")).to_have_value("Wants the green one")
    page.locator(".pick", has_text="Hesitated").click()
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Saved")
    (note,) = notes(site)
    assert (note["detail"], note["tags"], note["store"]) == ("Wants the green one", [], "marktplatz")
    expect(line).to_have_count(1)
    expect(line).to_contain_text("A note of Somebody Else")
    expect(page.get_by_text("Secret")).to_have_count(0)
    no_violations(page)
    line.get_by_role("button", name="Discard").click()
    line.get_by_role("button", name="Discard for good").click()
    expect(page.locator("#waiting")).to_be_hidden()
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


def test_what_is_dictated_is_in_the_draft(site: str, page: Page, store: SeededStore) -> None:
    page.add_init_script(_DICTATION)
    named(page, site).goto(f"{site}/notes/new?store=marktplatz")
    page.get_by_role("button", name="Dictate").click()
    expect(page.locator("#detail")).to_have_value("Loved the boots")
    page.reload()
    expect(page.locator("#detail")).to_have_value("Loved the boots")
    expect(page.locator(".foot")).to_contain_text("This page sends no sound anywhere.")


def test_a_note_about_somebody_who_withdrew_is_only_discarded(
    site: str, browser: Browser, store: SeededStore, customers: dict[str, UUID]
) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-GB", service_workers="block")
    page = named(context.new_page(), site)
    yusuf = customers["Yusuf Demir"]
    page.goto(f"{site}/notes/new?profile={yusuf}")
    page.route("**/v1/notes", lambda route: route.abort())
    page.locator("#detail").fill("Wants the green one")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Kept on this device. It is sent when there is a connection.")
    withdraw_consent(store.connection, yusuf, source="till", wording="2026-03", at=database_now(store.connection))
    page.unroute("**/v1/notes")
    page.evaluate("dispatchEvent(new Event('online'))")
    line = page.locator("#waiting-list li")
    expect(line).to_contain_text("Refused: no note may be kept about this customer, no consent holds.")
    expect(page.locator("#saved")).to_have_text("Not saved: look at it below.")
    expect(line.get_by_role("button", name="Correct")).to_have_count(0)
    screenshot(page, "note-withdrawn-phone")
    line.get_by_role("button", name="Discard").click()
    line.get_by_role("button", name="Discard for good").click()
    expect(page.locator("#waiting")).to_be_hidden()
    assert notes(site) == []
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


def test_a_task_is_done_and_the_next_one_chained(site: str, page: Page, store: SeededStore) -> None:
    left = employ(store.connection, "Ada", "Tom")["Tom"]
    overdue = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    write(
        site, subject="Wants size 38", store="marktplatz", follow_up={"due_at": overdue, "instructions": "Call her"}
    )
    named(page, site).goto(f"{site}/follow-ups")
    expect(page.locator(".task")).to_have_attribute("data-state", "overdue")
    badge = page.locator(".due-count")
    expect(badge).to_have_text("1 due, 1 overdue")
    expect(badge).to_have_attribute("data-overdue", "true")
    page.locator("summary", has_text="Snooze").click()
    page.get_by_role("button", name="Snooze").click()
    expect(page.get_by_role("heading", name="Nothing is due")).to_be_visible()
    expect(badge).to_have_count(0)
    page.get_by_role("link", name="All open").click()
    page.locator("summary", has_text="Reassign").click()
    page.locator("form:visible [name=operator]").select_option("Tom")
    page.get_by_role("button", name="Reassign").click()
    expect(page.get_by_role("heading", name="No follow-up is open")).to_be_visible()  # the page was read again
    disable_account(store.connection, left, disabled=True)
    page.get_by_role("link", name="Nobody's").click()
    expect(page.locator(".task-who")).to_have_text("Nobody's (as Tom)")
    page.locator("summary", has_text="Reassign").focus()
    page.keyboard.press("Enter")  # by the keyboard alone
    expect(page.locator("form:visible [name=operator] option", has_text="Ada")).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.type("Ada")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="No follow-up is nobody's")).to_be_visible()
    page.get_by_role("link", name="Everybody's").click()
    expect(page.locator(".task-who")).to_have_text("Ada")
    page.locator("summary", has_text="Done").click()
    page.get_by_label("Result").fill("Reached her")
    page.locator("summary", has_text="And then").click()
    page.get_by_label("Due").fill((datetime.now(UTC) + timedelta(days=9)).strftime("%Y-%m-%dT10:00"))
    page.get_by_label("What to do").fill("Ask how they fit")
    page.get_by_role("button", name="Done").click()
    expect(page.locator(".task h2")).to_have_text("Ask how they fit")
    page.get_by_role("link", name="Done", exact=True).click()
    expect(page.locator(".task-result")).to_contain_text("Reached her")


def test_colleagues_can_be_chosen_where_a_form_was_opened_before_its_script_came(
    site: str, page: Page, store: SeededStore
) -> None:
    employ(store.connection, "Ada")
    write(site, subject="Wants size 38", follow_up={"due_at": datetime.now(UTC).isoformat(), "instructions": "Call"})
    held: list[Route] = []

    def hold(route: Route) -> None:  # Playwright marks the function that it is given
        held.append(route)

    page.route("**/people.js", hold)
    with page.expect_request("**/people.js"):
        named(page, site).goto(f"{site}/follow-ups", wait_until="commit")
    page.locator("summary", has_text="Reassign").click()
    expect(page.locator("form:visible [name=operator] option")).to_have_count(1)
    held[0].continue_()
    expect(page.locator("form:visible [name=operator] option", has_text="Ada")).to_have_count(1)


def test_a_note_is_searched_edited_and_downloaded(site: str, page: Page, customers: dict[str, UUID]) -> None:
    write(site, subject="=SUM(A1) in a subject", tags=["hesitated"])
    write(site, subject="Loved the shoes", detail="But could not find her size.", mood="torn", store="marktplatz")
    named(page, site).goto(f"{site}/notes")
    page.get_by_label("Words").fill("shoes")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".note-list > li")).to_have_count(1)
    page.get_by_role("link", name="Loved the shoes").click()
    expect(page.locator(".said mark")).to_have_text(["Loved", "could not find"])
    page.locator("summary", has_text="Edit").click()
    page.get_by_label("In one line").fill("Loved the red shoes")
    page.get_by_role("button", name="Save edit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Loved the red shoes")
    expect(page.get_by_role("region", name="Edits")).to_contain_text("In one line: Loved the shoes")
    lines = httpx.get(f"{site}/notes.csv", headers=HEADERS).text.splitlines()
    assert len(lines) == 3
    assert "'=SUM(A1) in a subject" in lines[2]
    assert (
        httpx.get(f"{site}/notes-counts.csv?by=tag&tag=hesitated", headers=HEADERS).text.splitlines()[1]
        == "hesitated,1,0,0,1,0"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_is_printed_whole_and_dark_on_white(
    site: str, browser: Browser, store: SeededStore, scheme: Literal["light", "dark"]
) -> None:
    """On A4 with margins, which is 718 px wide, with the widest table that a report has: a word in each column."""
    for number in range(14):
        label = {"label": f"A rather long label, the {number}th", "feeling": "positive"}
        path = f"{site}/v1/note-choices/mood/long_{number}"
        assert httpx.put(path, json=label, headers=HEADERS).status_code == 200
        write(site, subject=f"Note {number}", mood=f"long_{number}", store="marktplatz")
    context = browser.new_context(viewport={"width": 718, "height": 1050}, color_scheme=scheme)
    context.add_cookies(cookies())  # type: ignore[arg-type]  # a cookie is a dict of strings here
    page = context.new_page()
    for path in ("/notes/reports?by=mood&over=month", "/notes/reports?by=purpose", "/notes?by=mood"):
        page.goto(f"{site}{path}")
        page.emulate_media(media="print", color_scheme=scheme)
        cut = page.locator(".table-box, main").evaluate_all(
            "boxes => boxes.filter((box) => box.scrollWidth > box.clientWidth).length"
        )
        assert cut == 0, path
        heads = page.locator("thead th").evaluate_all(
            "heads => heads.map(head => head.getBoundingClientRect().right)"
        )
        assert max(heads) <= 718, path
        assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(29, 32, 33)", path
    context.close()


def test_it_looks_right(site: str, browser: Browser, customers: dict[str, UUID]) -> None:
    amara = str(customers["Amara Okafor"])
    now = datetime.now(UTC)
    note = write(
        site, profile_id=amara, subject="Loved the shoes", detail="But could not find her size; staff were great.",
        tags=["hesitated", "size_missing"], mood="torn", outcome="comes_back",
        follow_up={"due_at": (now - timedelta(hours=20)).isoformat(), "instructions": "Call her when 38 is in."},
    )  # fmt: skip
    write(
        site, profile_id=amara, subject="Asks for the invoice of March", purpose="credit_control", source="email",
        follow_up={"due_at": (now + timedelta(days=3)).isoformat(), "instructions": "Send the invoice again."},
    )  # fmt: skip
    write(site, store="marktplatz", zone="bags", tags=["confused_by_sign", "looked_for_help"], mood="frustrated")
    paths = {
        "note-new": "/notes/new?store=marktplatz", "notes": "/notes", "note": f"/notes/{note['note_id']}",
        "follow-ups": "/follow-ups?when=open", "feelings": "/notes/feelings", "profile-notes": f"/profiles/{amara}",
    }  # fmt: skip
    for look in ("light", "phone-dark", "print"):  # six pages: the two others are seen with the profiles
        page = named(open_page(browser, look), site)
        for name, path in paths.items():
            page.goto(site + path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            fits(page)
            words_fit(page)
            screenshot(page, f"{name}-{look}")
            if look != "print":
                no_violations(page)
            if look == "phone-dark":
                fingers(page)
        page.context.close()
