"""The page of the journey map in a real browser."""

from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.api.inputting import customer, event, send
from tests.api.seeding import device, walk
from tests.browser.looking import fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]


def test_a_segment_is_kept_and_its_map_shown(
    store: SeededStore, client: httpx.Client, site: str, browser: Browser
) -> None:
    at = store.now - timedelta(days=30)
    for number in range(1, 41):
        send(client, "/v1/profiles", customer(number, at=at - timedelta(days=9), devices=[device(number)]))
        walk(
            store.connection, store.plan, store.store_no, pseudonym=device(number), arrived_at=at,
            stays=[("entrance", 10.0), ("shoes", 9.0 if number % 3 == 0 else 90.0)],
        )  # fmt: skip
    looked = [event(f"l{n}", "searched", at - timedelta(days=2), number=n, query="boots") for n in range(1, 21)]
    send(client, "/v1/inputs/online", {"source": "web", "events": looked})
    page = open_page(browser, "light")
    page.goto(f"{site}/profiles")
    page.get_by_role("link", name="Journey map").click()
    expect(page.get_by_role("row", name="Discover")).to_contain_text("50%")
    page.get_by_label("Reached").select_option("discover")
    page.get_by_label("Visits, at most").fill("7")
    page.get_by_role("button", name="Count").click()
    expect(page.locator("#counted-now")).to_have_text("About 20 customers fit this now.")
    expect(page.get_by_text("No segment yet.")).to_be_visible()
    expect(page.get_by_label("Visits, at most")).to_have_value("7")
    page.get_by_label("Name").fill("Looked first")
    page.get_by_label("Name").press("Enter")
    expect(page.get_by_role("form", name="Segment Looked first")).to_contain_text("about 20")
    expect(page.get_by_role("row", name="Discover")).to_contain_text("100%")
    page.goto(f"{site}/journey-map?days=40")
    expect(page.locator('select[name="days"]')).to_have_value("40")
    expect(page.locator("#completions")).to_contain_text("Left, no order known 100%")
    fits(page)
    no_violations(page)
    screenshot(page, "journey-map")
    phone = open_page(browser, "phone-dark")
    phone.goto(f"{site}/journey-map?store=quay")
    expect(phone.get_by_text("Nothing can be told")).to_be_visible()
    # one who looked before she consented: her way can be found beside the others', so that some are not told
    odd = event("odd", "searched", at - timedelta(days=20), number=21, query="boots")
    send(client, "/v1/inputs/online", {"source": "web", "events": [odd]})
    phone.goto(f"{site}/journey-map")
    expect(phone.get_by_text("could be found by subtraction").first).to_contain_text("More days may tell more.")
    fits(phone)
    no_violations(phone)
    screenshot(phone, "journey-map-phone-dark")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("No segment yet.")).to_be_visible()
    for one in (page, phone):
        one.context.close()
