"""Notes and follow-ups in a real browser: found, changed, printed, handed over and done."""

from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from storage.access.accounts import disable_account
from tests.access import HEADERS, cookies, employ
from tests.browser.looking import fingers, fits, no_violations, open_page, screenshot, words_fit
from tests.browser.noting import named, write
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]


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


@pytest.mark.parametrize("once", [True, False])
def test_a_lost_answer_is_told_as_one_and_doubles_no_follow_up(
    site: str, browser: Browser, store: SeededStore, once: bool
) -> None:
    context = browser.new_context(locale="en-GB")  # a page of its own: what breaks is an error on the console
    page = named(context.new_page(), site)
    note = write(site, subject="Wants size 38", store="marktplatz")
    page.goto(f"{site}/notes/{note['note_id']}")

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    opened, button, told = (
        ("Add a follow-up", "Add", "Try again: it is saved once.")
        if once
        else ("Edit", "Save edit", "Read this page again before you try once more.")
    )
    page.locator("summary", has_text=opened).click()
    form = page.locator("details[open] form")
    if once:
        form.get_by_label("Due").fill((datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%dT10:00"))
        form.get_by_label("What to do").fill("Call her once")
    else:
        form.get_by_label("More").fill("The red ones")
    path = f"**/v1/notes/{note['note_id']}{'/follow-ups' if once else ''}"
    page.route(path, lose)
    form.get_by_role("button", name=button).click()
    expect(form.locator(".form-problem")).to_have_text(
        f"The connection broke: whether it was saved is not known. {told}"
    )
    page.unroute(path)
    if once:
        form.get_by_role("button", name=button).click()
    else:
        page.reload()
    seen = page.locator(".note-list li", has_text="Call her once") if once else page.locator(".said")
    expect(seen.first).to_contain_text("Call her once" if once else "The red ones")
    if once:
        expect(seen).to_have_count(1)
    context.close()


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


def test_a_button_waits_for_the_script_that_sends_its_form(site: str, page: Page, customers: dict[str, UUID]) -> None:
    note = write(site, subject="Loved the shoes", store="marktplatz")["note_id"]
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/actions.js", hold)
    with page.expect_request("**/actions.js"):
        named(page, site).goto(f"{site}/notes/{note}", wait_until="commit")
    page.locator("summary", has_text="Edit").click()
    page.get_by_label("In one line").fill("Loved the red shoes")
    expect(page.get_by_role("button", name="Save edit")).to_be_disabled()
    held[0].continue_()
    page.get_by_role("button", name="Save edit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Loved the red shoes")


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


def test_a_report_by_customer_fits_a_phone_and_breaks_no_name(
    site: str, browser: Browser, customers: dict[str, UUID]
) -> None:
    for profile in customers.values():
        write(site, subject="Loved the shoes", profile_id=str(profile))
    page = open_page(browser, "phone")
    page.goto(f"{site}/notes/reports?by=profile")
    fits(page)  # what is said beside each line for who cannot see it stays within the table's own box
    broken = page.locator(".counts th[scope=row]").evaluate_all(
        """names => names.map((name) => name.firstChild).flatMap((text) => [...text.data.matchAll(/\\S+/g)]
          .filter(({ 0: word, index }) => {
            const range = document.createRange();
            range.setStart(text, index);
            range.setEnd(text, index + word.length);
            return range.getClientRects().length > 1;
          }).map(([word]) => word))"""
    )
    assert broken == []
    no_violations(page)
    screenshot(page, "report-by-customer-phone")
    page.context.close()


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
