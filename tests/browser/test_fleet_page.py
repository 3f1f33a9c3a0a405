"""The pages of the fleet in a real browser."""

from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from storage.fleet.alarms import look_at_fleets
from tests.api.test_fleet import seed_fleet
from tests.browser.looking import fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]


def test_what_is_wrong_is_found_from_the_list_of_stores(
    store: SeededStore, site: str, browser: Browser, page: Page
) -> None:
    page.goto(f"{site}/stores/quay/fleet")
    expect(page.get_by_text("No edge was heard yet")).to_be_visible()
    expect(page.get_by_text("Nothing to look at.")).to_be_visible()
    anchors = seed_fleet(store)
    page.get_by_role("link", name="Fleet", exact=True).first.click()
    row = page.get_by_role("row").nth(1)
    expect(row).to_contain_text("Marktplatz")  # alarms first
    expect(page.get_by_role("row", name="quay")).to_contain_text("none")
    look_at_fleets(store.connection, store.now)
    row.get_by_role("link").click()
    expect(page.get_by_text("Not told yet: it has to hold first.").first).to_be_visible()
    look_at_fleets(store.connection, store.now + timedelta(minutes=2))
    page.reload()
    expect(page.get_by_role("row", name="south Its clock is 12 s ahead.")).to_contain_text("not yet")
    expect(page.get_by_role("row", name="south Online")).to_contain_text("growing")
    expect(page.get_by_role("row", name=anchors[2]).first).to_contain_text("Down")
    for look, name, path in (
        ("phone-dark", "fleet-store", "stores/marktplatz/fleet"),
        ("light", "fleet-store-wide", "stores/marktplatz/fleet"),
        ("phone", "fleet-stores", "fleet"),
    ):
        other = open_page(browser, look)
        other.goto(f"{site}/{path}")
        fits(other)
        no_violations(other)
        screenshot(other, name)
        other.context.close()
