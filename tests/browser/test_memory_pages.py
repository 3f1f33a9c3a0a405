"""Memory, messages, alerts, reports and lists in a real browser: seen, clicked, and checked for accessibility."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.access import HEADERS, cookies
from tests.api.seeding import add_customers, database_now
from tests.browser.looking import fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]

INES = {"Sojourn-Operator": "Ines"}


@pytest.fixture
def amara(store: SeededStore) -> str:
    made = add_customers(store.connection, store.plan, store.store_no, now=database_now(store.connection))
    found: UUID = made["Amara Okafor"]
    return str(found)


def named(page: Page, site: str) -> Page:
    page.context.add_cookies(cookies())  # type: ignore[arg-type]  # a cookie is a dict of strings here
    return page


def write(site: str, **fields: Any) -> None:
    answer = httpx.post(f"{site}/v1/notes", json={"purpose": "observation"} | fields, headers=HEADERS | INES)
    assert answer.status_code == 201, answer.text


def tell(site: str, amara: str) -> None:
    """Let Amara be pleased, then twice annoyed, and promised something."""
    now = datetime.now(UTC)
    write(
        site, profile_id=amara, subject="Loved the new coats", detail="Prefers wool. Her size is 38.",
        tags=["excited_by_packaging"], mood="delighted", noted_at=(now - timedelta(days=5, minutes=50)).isoformat(),
        follow_up={"due_at": (now - timedelta(days=2)).isoformat(), "instructions": "Call her when 38 is in."},
    )  # fmt: skip
    write(site, profile_id=amara, subject="The queue was terrible", source="email")
    write(site, profile_id=amara, subject="Annoyed by the wait at the fitting rooms", tags=["left_queue"])
    write(site, store="marktplatz", zone="bags", tags=["confused_by_sign", "looked_for_help"], mood="frustrated")
    assert httpx.post(f"{site}/v1/alerts/look", headers=HEADERS | INES).json()["alert_count"] == 3


def test_an_alert_is_worked_on_and_a_message_is_written(site: str, page: Page, amara: str) -> None:
    tell(site, amara)
    named(page, site).goto(f"{site}/follow-ups?when=open")
    task = page.locator(".task", has_text="Frustration is building")
    task.get_by_role("link", name="The mood was low").click()
    expect(page.locator(".said")).to_have_text(
        re.compile(r"The mood was low 2 times within 30 days, the last time on \w{3} \d+ \w{3} \d{4}\.")
    )
    page.go_back()
    task.locator("summary", has_text="Done").click()
    task.get_by_label("Result").fill("Called her")
    task.get_by_label("Was the alert right?").select_option("It was right")
    task.get_by_role("button", name="Done").click()
    expect(task).to_have_count(0)
    page.get_by_role("link", name="Alerts").click()
    expect(
        page.locator("section", has=page.get_by_role("heading", name="Frustration is building")).last
    ).to_contain_text("Right 1 of 1: 100%")
    page.goto(f"{site}/profiles/{amara}")
    page.get_by_role("link", name="Emotional memory").click()
    page.locator(".memory-cites").get_by_role("link", name="Follow-up").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Loved the new coats")
    page.goto(f"{site}/profiles/{amara}/messages")
    sorry = page.locator("section", has=page.get_by_role("heading", name="Sorry"))
    expect(sorry).to_contain_text("There is no consent for service_messages that holds.")
    thanks = page.locator("section", has=page.get_by_role("heading", name="Thanks"))
    expect(thanks).to_contain_text("A bad experience less than a day ago: quiet for 14 days.")
    page.locator("summary", has_text="service_messages").click()
    page.get_by_label("Said where").last.fill("till")
    page.get_by_label("Version of the text").last.fill("2026-03")
    page.get_by_role("button", name="Keep consent").last.click()
    expect(sorry).to_contain_text("we are sorry about the wait.")
    sorry.get_by_role("button", name="Take it").click()
    expect(page.locator(".note-list")).to_contain_text("We would like to make this good", timeout=20_000)


def test_lists_and_templates_are_edited(site: str, page: Page, store: SeededStore) -> None:
    named(page, site).goto(f"{site}/notes/lists")
    page.locator("summary", has_text="Add to tags").click()
    page.locator("form:visible").get_by_label("Label").fill("Asked about wool")
    page.get_by_role("button", name="Add to tags").click()
    entry = page.locator("#tag-asked_about_wool")
    entry.locator("summary").click()
    entry.get_by_label("Not offered any more").check()
    entry.get_by_role("button", name="Save").click()
    expect(entry).to_contain_text("not offered")
    page.goto(f"{site}/message-templates?new=birthday")
    page.get_by_label("Subject").first.fill("Happy birthday, {first_name}")
    page.get_by_label("Text", exact=True).first.fill("All the best")
    page.get_by_role("button", name="Save birthday").click()
    expect(page.get_by_role("heading", name="birthday", exact=True)).to_be_visible()


def test_it_looks_right(site: str, browser: Browser, amara: str) -> None:
    tell(site, amara)
    (alert, *_) = httpx.get(f"{site}/v1/alerts", headers=HEADERS).json()["alerts"]
    paths = {
        "memory": f"/profiles/{amara}/memory", "messages": f"/profiles/{amara}/messages", "alerts": "/alerts",
        "alert": f"/alerts/{alert['alert_id']}", "templates": "/message-templates", "lists": "/notes/lists",
        "report": "/notes/reports?by=mood", "report-shared": "/notes/reports?by=tag&leaving=true",
        "store-tags": "/stores/marktplatz/note-tags", "tasks": "/follow-ups?when=open",
    }  # fmt: skip
    for look in ("light", "phone-dark", "print"):
        page = named(open_page(browser, look), site)
        for name, path in paths.items():
            page.goto(site + path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            fits(page)
            screenshot(page, f"{name}-{look}")
            if look != "print":
                no_violations(page)
        page.context.close()
