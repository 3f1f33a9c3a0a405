"""Search and journey of customers in a real browser."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, expect

from storage.profiles.profiles import withdraw_consent
from tests.access import cookies
from tests.api.seeding import add_customers, add_presence, add_visit, announce, database_now, device, walk
from tests.browser.looking import LOOKS, fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]


def stage(page: Page, name: str) -> str | None:
    return page.locator(f'[data-stage="{name}"]').get_attribute("data-state")


def test_a_customer_is_found_by_name_and_opened(site: str, page: Page, customers: dict[str, UUID]) -> None:
    page.goto(f"{site}/profiles")
    expect(page.locator("tbody tr")).to_have_count(6)
    page.keyboard.press("/")
    page.keyboard.type("oka")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("Marktplatz, Shoe wall")
    page.get_by_role("link", name="Amara Okafor").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Amara Okafor")
    expect(page.locator("#consent")).to_contain_text("Consented to in-store journeys on")
    page.goto(f"{site}/profiles?q=nobody")
    expect(page.get_by_text("No profile with “nobody” in its name")).to_be_visible()


def test_the_journey_and_the_running_dwell(site: str, page: Page, customers: dict[str, UUID]) -> None:
    page.goto(f"{site}/profiles/{customers['Amara Okafor']}")
    states = {
        name: stage(page, name) for name in ("discover", "plan_enroll", "arrive", "engage", "complete", "reflect")
    }
    assert states == {
        "discover": "skipped", "plan_enroll": "reached", "arrive": "reached", "engage": "reached",
        "complete": "not_yet", "reflect": "not_yet",
    }  # fmt: skip
    expect(page.locator(".stay-list li")).to_have_count(7)
    running = page.locator(".figures [data-since]").first
    before = running.text_content()
    expect(running).not_to_have_text(before or "", timeout=3_000)
    expect(page.locator(".walk")).to_have_attribute("aria-label", re.compile("1 Entrance, 2 New arrivals"))
    page.locator("summary").nth(3).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Stayed in one zone for at least 30 s, was spoken with")).to_be_visible()


def test_the_page_follows_the_customer_without_a_reload(
    store: SeededStore, site: str, page: Page, customers: dict[str, UUID]
) -> None:
    page.goto(f"{site}/profiles/{customers['Amara Okafor']}")
    page.evaluate("window.neverReloaded = true")
    expect(page.locator(".figures dd").first).to_have_text("Shoe wall")
    expect(page.locator("#live-word")).to_have_text("Live")
    at = database_now(store.connection)
    begin = at - timedelta(minutes=22)
    add_visit(
        store.connection, store.plan, store.store_no, pseudonym=device(1), zone="shoes",
        entered_at=at - timedelta(seconds=200), dwell_s=195,
    )  # fmt: skip
    add_presence(
        store.connection, store.plan, store.store_no, pseudonym=device(1), zone="checkout",
        arrived_at=begin, in_zone_since=at - timedelta(seconds=4), last_signal_at=at,
    )  # fmt: skip
    announce(store.connection, "marktplatz", at=at, visits=1)
    expect(page.locator(".figures dd").first).to_have_text("Checkout", timeout=4_000)
    expect(page.locator('[data-stage="complete"]').first).to_have_attribute("data-state", "under_way")
    assert page.evaluate("window.neverReloaded")


def test_somebody_who_arrives_shows_within_seconds(
    store: SeededStore, site: str, page: Page, customers: dict[str, UUID]
) -> None:
    page.goto(f"{site}/profiles/{customers['Mei-Ling Chen']}")
    expect(page.get_by_role("heading", name="No store visit yet")).to_be_visible()
    at = database_now(store.connection)
    add_presence(
        store.connection, store.plan, store.store_no, pseudonym=device(3), zone="entrance",
        arrived_at=at - timedelta(seconds=9), in_zone_since=at - timedelta(seconds=9), last_signal_at=at,
    )  # fmt: skip
    expect(page.get_by_role("heading", name="In the store now: Marktplatz")).to_be_visible(timeout=10_000)
    assert stage(page, "engage") == "under_way"
    expect(page.locator("#live-word")).to_have_text("Live")


def test_a_withdrawn_consent_leaves_nothing_on_the_screen(
    store: SeededStore, site: str, browser: Browser, customers: dict[str, UUID]
) -> None:
    # a page of its own: the 404 is an error on its console, here it is what is tested
    page = browser.new_page()
    page.context.add_cookies(cookies())  # type: ignore[arg-type]  # as in fix_browser
    page.goto(f"{site}/profiles/{customers['Mei-Ling Chen']}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Mei-Ling Chen")
    withdraw_consent(
        store.connection, customers["Mei-Ling Chen"], source="app", wording="1", at=database_now(store.connection)
    )
    expect(page.get_by_role("heading", level=1)).to_have_text("Unknown profile", timeout=10_000)
    assert "Mei-Ling" not in page.content()
    page.close()


def test_an_earlier_visit_stands_still_on_the_plan(site: str, page: Page, customers: dict[str, UUID]) -> None:
    page.goto(f"{site}/profiles/{customers['Amara Okafor']}")
    page.locator("#earlier tbody a").first.click()
    expect(page.get_by_role("heading", name="The visit: Marktplatz")).to_be_visible()
    expect(page.locator(".stay-list li")).to_have_count(6)
    assert stage(page, "complete") == "reached"
    page.get_by_role("link", name="Show newest visit").click()
    expect(page.get_by_role("heading", name="In the store now: Marktplatz")).to_be_visible()


def test_it_looks_right(site: str, browser: Browser, customers: dict[str, UUID]) -> None:
    for look in LOOKS:
        page = open_page(browser, look)
        for path, name in (("/profiles", "profiles"), (f"/profiles/{customers['Amara Okafor']}", "profile")):
            page.goto(site + path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            fits(page)
            no_violations(page)
            screenshot(page, f"{name}-{look}")
        for details in page.locator("details").all():
            details.evaluate("element => { element.open = true }")
        fits(page)
        no_violations(page)
        page.context.close()


def test_profiles_without_visits_and_empty_lists_pass_the_check_too(
    site: str, browser: Browser, store: SeededStore
) -> None:
    page = open_page(browser, "phone")
    page.goto(f"{site}/profiles")
    expect(page.get_by_text("No profile yet")).to_be_visible()
    no_violations(page)
    screenshot(page, "profiles-empty")
    customers = add_customers(store.connection, store.plan, store.store_no, now=store.now)
    page.goto(f"{site}/profiles/{customers['Mei-Ling Chen']}")
    no_violations(page)
    fits(page)
    screenshot(page, "profile-without-visits")
    page.context.close()


def test_a_long_visit_is_drawn_as_far_as_it_can_be_read(
    store: SeededStore, site: str, browser: Browser, customers: dict[str, UUID]
) -> None:
    zones = ("entrance", "women", "shoes", "men", "kids")
    walk(
        store.connection, store.plan, store.store_no, pseudonym=device(5), arrived_at=store.now - timedelta(hours=2),
        stays=[(zones[number % 5], 40.0 + number) for number in range(60)],
    )  # fmt: skip
    page = open_page(browser, "light")
    page.goto(f"{site}/profiles/{customers['Tomás Herrera']}")
    expect(page.get_by_text("The newest 24 of 60 stays are drawn.")).to_be_visible()
    expect(page.locator(".stay-list li")).to_have_count(60)
    fits(page)
    no_violations(page)
    screenshot(page, "profile-long-visit")
    page.context.close()
