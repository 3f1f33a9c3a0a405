"""Drafts and notes that wait in a real browser: whose they are, and what becomes of them."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from storage.profiles.profiles import create_profile, withdraw_consent
from tests.api.seeding import database_now, device
from tests.browser.looking import PHONE, fits, no_violations, screenshot
from tests.browser.noting import INES, named, notes
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]
_DICTATION = """
  window.SpeechRecognition = class {
    static async available() { return "available"; }
    start() { this.onresult({ resultIndex: 0, results: [[{ transcript: "Loved the boots" }]] }); }
    stop() {}
  };
"""
"""A device that recognises speech itself, and hears one sentence."""


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
    line.get_by_role("link", name="Correct").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Correct a note")
    expect(page.locator("#detail")).to_have_value("Wants the green one")
    expect(page.locator(".pick", has_text="Hesitated")).to_have_count(0)
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


def test_a_draft_comes_back_only_to_whom_it_is_about(
    site: str, page: Page, store: SeededStore, customers: dict[str, UUID]
) -> None:
    amara, jonas = (f"{site}/notes/new?profile={customers[name]}" for name in ("Amara Okafor", "Jonas Lindqvist"))
    named(page, site).set_viewport_size(PHONE)
    page.goto(amara)
    page.locator(".pick", has_text="Hesitated").click()
    page.locator("#detail").fill("Returned the red boots")
    page.goto(jonas)
    expect(page.locator("#about")).to_have_text("On Jonas Lindqvist")
    expect(page.locator("#detail")).to_have_value("")
    expect(page.locator("input[name=tags]:checked")).to_have_count(0)
    line = page.locator("#waiting-list li")
    expect(line).to_have_text("Returned the red bootsBegun about a customer, not savedGo onDiscard")
    fits(page)
    no_violations(page)
    screenshot(page, "note-draft-elsewhere-phone")
    page.locator("#detail").fill("Likes linen")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Saved")
    line.get_by_role("link", name="Go on").click()
    expect(page.locator("#about")).to_have_text("On Amara Okafor")
    expect(page.locator("#detail")).to_have_value("Returned the red boots")
    expect(page.locator("#waiting")).to_be_hidden()
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Saved")
    assert [(note["profile_name"], note["detail"], note["tags"]) for note in notes(site)] == [
        ("Amara Okafor", "Returned the red boots", ["hesitated"]), ("Jonas Lindqvist", "Likes linen", []),
    ]  # fmt: skip
    page.goto(jonas)
    expect(page.locator("#about")).to_have_text("On Jonas Lindqvist")
    expect(page.locator("#waiting")).to_be_hidden()


def test_the_customer_stays_when_a_store_is_chosen(
    site: str, page: Page, store: SeededStore, customers: dict[str, UUID]
) -> None:
    for address, told, name in (
        (f"/notes/new?profile={customers['Jonas Lindqvist']}", "On Jonas Lindqvist", "Jonas Lindqvist"),
        ("/notes/new", "quay", None),
    ):
        named(page, site).goto(site + address)
        page.locator(".pick", has_text="Confused by the sign").click()
        page.get_by_role("navigation", name="Store").get_by_role("link", name="Quay").click()
        page.wait_for_url("**store=quay*")
        expect(page.locator("#about")).to_have_text(told)
        expect(page.locator("input[name=tags]:checked")).to_have_count(1)
        page.get_by_role("button", name="Save note").click()
        expect(page.locator("#saved")).to_have_text("Saved")
        note = notes(site)[0]
        assert (note["profile_name"], note["store"], note["tags"]) == (name, "quay", ["confused_by_sign"])


def test_a_note_is_corrected_where_it_was_written_and_once(
    site: str, browser: Browser, store: SeededStore, customers: dict[str, UUID]
) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-GB", service_workers="block")
    page = named(context.new_page(), site)

    def offer(*, retired: bool) -> None:
        choice = {"label": "Hesitated", "place": 1, "retired": retired}
        assert httpx.put(f"{site}/v1/note-choices/tag/hesitated", json=choice, headers=INES).status_code == 200

    amara = customers["Amara Okafor"]
    for query, detail in (("store=marktplatz", "Sign is hidden"), (f"profile={amara}", "Wants the velvet coat")):
        offer(retired=False)
        page.goto(f"{site}/notes/new?{query}")
        page.locator(".pick", has_text="Hesitated").click()
        offer(retired=True)
        page.locator("#detail").fill(detail)
        if "store" in query:
            page.locator("#zone").select_option("shoes")
        page.get_by_role("button", name="Save note").click()
        expect(page.locator("#saved")).to_have_text("Not saved: correct it below.")
    lines = page.locator("#waiting-list li")
    for detail, told in (("Sign is hidden", "Marktplatz"), ("Wants the velvet coat", "On Amara Okafor")):
        page.goto(f"{site}/notes/new?store=quay")
        lines.filter(has_text=detail).get_by_role("link", name="Correct").click()
        expect(page.locator("#about")).to_have_text(told)
        expect(page.locator("#detail")).to_have_value(detail)
        page.locator("#detail").fill(f"{detail}!")
        page.reload()  # as a phone does that dropped the tab
        expect(page.get_by_role("heading", level=1)).to_have_text("Correct a note")
        expect(page.locator("#detail")).to_have_value(f"{detail}!")
        line = lines.filter(has_text=detail)
        expect(line).to_contain_text("Is corrected above.")
        screenshot(page, "note-corrected-phone")
        other = context.new_page()
        other.goto(page.url)
        expect(other.locator("#detail")).to_have_value(f"{detail}!")
        page.get_by_role("button", name="Save note").click()
        expect(page.locator("#saved")).to_have_text("Saved")
        expect(page.get_by_role("heading", level=1)).to_have_text("New note")
        expect(line).to_have_count(0)
        other.get_by_role("button", name="Save note").click()
        expect(other.locator("#saved")).to_contain_text("it was corrected or discarded in another window")
        other.close()
    assert [(note["profile_name"], note["store"], note["zone"], note["detail"]) for note in notes(site)] == [
        ("Amara Okafor", "marktplatz", "shoes", "Wants the velvet coat!"),
        (None, "marktplatz", "shoes", "Sign is hidden!"),
    ]
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
    expect(line.get_by_role("link", name="Correct")).to_have_count(0)
    screenshot(page, "note-withdrawn-phone")
    line.get_by_role("button", name="Discard").click()
    line.get_by_role("button", name="Discard for good").click()
    expect(page.locator("#waiting")).to_be_hidden()
    assert notes(site) == []
    context.close()


def test_a_note_about_somebody_who_was_merged_meanwhile_is_kept_on_whom_she_is_now(
    site: str, browser: Browser, store: SeededStore
) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-GB", service_workers="block")
    page = named(context.new_page(), site)
    at = store.now - timedelta(days=7)
    kept, merged = (
        create_profile(store.connection, display_name=name, devices=[device(number)], granted_at=at)
        for name, number in (("Ada Kept", 71), ("Ada Merged", 72))
    )
    page.goto(f"{site}/notes/new?profile={merged}")
    page.route("**/v1/notes", lambda route: route.abort())
    page.locator("#detail").fill("Wants to be called when size 38 is in")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator("#saved")).to_have_text("Kept on this device. It is sent when there is a connection.")
    store.connection.execute("update profile set merged_into = %s where profile_id = %s", [kept, merged])
    page.unroute("**/v1/notes")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#saved")).to_have_text("Sent the note that waited.")
    assert [(note["profile_id"], note["profile_name"]) for note in notes(site)] == [(str(kept), "Ada Kept")]
    page.goto(f"{site}/notes/new?profile={merged}")
    expect(page.locator("#about")).to_have_text("On Ada Kept")
    context.close()
