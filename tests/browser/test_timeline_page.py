"""The timeline of everything as a person pages through it: with keys, on a phone, in the dark."""

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api.test_timeline import made
from tests.browser.looking import fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def test_what_is_older_is_one_click_away_and_back(
    store: SeededStore, client: httpx.Client, site: str, browser: Browser, page: Page
) -> None:
    profile = made(store, client)
    page.goto(f"{site}/profiles/{profile}")
    lines = page.locator(".timeline li")
    expect(lines).to_have_count(40)
    page.get_by_role("link", name="Older").click()
    expect(lines).to_have_count(27)
    expect(page.locator(".timeline")).to_contain_text("Not wanted (N. Weber)")
    for look in ("light", "phone-dark"):
        other = open_page(browser, look)
        other.goto(page.url)
        expect(other.locator(".timeline li")).to_have_count(27)
        fits(other)
        no_violations(other)
        screenshot(other, f"timeline-{look}")
        other.context.close()
    page.get_by_role("link", name="Newest").click()
    expect(lines).to_have_count(40)
    expect(page.locator(".timeline")).to_contain_text("Size 38 missing")
