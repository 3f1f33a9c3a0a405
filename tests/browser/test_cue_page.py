"""The page of a store's staff in a real browser: a customer arrives, and it says what to do without a reload."""

import re
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from storage.profiles.profiles import create_profile
from tests.api.seeding import add_presence, announce, device, walk
from tests.browser.looking import fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]


def test_a_customer_arrives_and_staff_say_what_came_of_it(
    store: SeededStore, client: httpx.Client, site: str, browser: Browser, page: Page
) -> None:
    for number, (name, tier) in enumerate((("Ada Lindqvist", "Gold"), ("Tomás Herrera", None)), 1):
        create_profile(
            store.connection, display_name=name, loyalty_tier=tier, devices=[device(number)],
            granted_at=store.now - timedelta(days=200),
        )  # fmt: skip
        walk(
            store.connection, store.plan, store.store_no, pseudonym=device(number),
            arrived_at=store.now - timedelta(days=70), stays=[("shoes", 300.0)],
        )  # fmt: skip
    rules = [{"cue": "greet", "says": "On trial: everybody."}]
    client.post(
        "/v1/stores/marktplatz/cue-trials",
        json={"name": "Greet everybody", "rules": rules},
        headers={"Sojourn-Operator": "N. Weber", "Idempotency-Key": "1"},
    )
    client.post("/v1/stores/marktplatz/cue-trials/1/end", headers={"Idempotency-Key": "2"})
    page.goto(f"{site}/stores/marktplatz")
    page.get_by_role("link", name="Cues", exact=True).click()
    expect(page.get_by_text("Nobody who consented has arrived yet.")).to_be_visible()
    expect(page.locator("#cues-live")).to_have_text("Live.")
    page.evaluate("window.neverReloaded = true")
    for number in (1, 2):
        with store.connection.transaction():
            add_presence(
                store.connection, store.plan, store.store_no, pseudonym=device(number), zone="entrance",
                arrived_at=store.now, in_zone_since=store.now, last_signal_at=store.now,
            )  # fmt: skip
            announce(store.connection, "marktplatz", at=store.now)
    expect(page.get_by_role("heading", name="Recognise loyalty: Ada Lindqvist")).to_be_visible(timeout=2_000)
    expect(page.get_by_role("heading", name="Leave alone: Tomás Herrera")).to_be_visible()
    assert page.evaluate("window.neverReloaded")
    page.get_by_role("button", name=re.compile("Done.*Ada")).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".told-cue-outcome")).to_contain_text("Done Ines")
    for look in ("light", "phone-dark"):
        other = open_page(browser, look)
        other.goto(f"{site}/stores/marktplatz/cues")
        expect(other.locator("#cues-live")).to_have_text("Live.")
        fits(other)
        no_violations(other)
        screenshot(other, f"cues-{look}")
        other.context.close()
