"""The page of webhooks in a real browser."""

import re

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.looking import fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]


def test_a_system_is_subscribed_by_keyboard_tested_paused_and_removed(
    store: SeededStore, client: httpx.Client, site: str, browser: Browser, page: Page
) -> None:
    page.goto(site + "/profiles")
    page.get_by_role("link", name="Webhooks").click()
    expect(page.get_by_text("Nobody is told of anything yet.")).to_be_visible()
    page.get_by_label("URL").focus()
    page.keyboard.type("https://crm.example/hooks")
    page.get_by_label("What it is", exact=True).fill("Our CRM")
    page.get_by_label(re.compile("webhook.test")).check()
    page.keyboard.press("Enter")
    expect(page.locator("#secret")).to_have_text(re.compile(r"^whsec_[A-Za-z0-9+/=]{44}$"))
    secret = page.locator("#secret").inner_text()
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator(".webhook-secret")).to_have_count(0)
    assert secret not in page.content()
    expect(page.get_by_role("row", name="webhook.test")).to_contain_text("Nothing yet.")
    store.connection.execute(
        "insert into webhook_attempt (delivery_id, begun_at, duration_ms, http_status, outcome)"
        " select delivery_id, now(), 214, 503, 'Answered 503.' from webhook_delivery"
    )
    store.connection.execute("update webhook_delivery set status = 'dead', attempts = 10, finished_at = now()")
    page.get_by_role("link", name="Dead letters").click()
    page.get_by_role("link", name="webhook.test").click()
    expect(page.get_by_role("heading", name="Dead letter")).to_be_visible()
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("heading", name="Waiting")).to_be_visible()
    page.get_by_role("link", name="Back to webhooks").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".webhook-subscription")).to_contain_text("Paused: by a person")
    for look, name, path in (("phone-dark", "webhooks", ""), ("light", "webhook-delivery", "/deliveries/1")):
        other = open_page(browser, look)
        other.goto(f"{site}/webhooks{path}")
        fits(other)
        no_violations(other)
        screenshot(other, name)
        other.context.close()
    screenshot(page, "webhooks-light")
    page.get_by_label("Name of the system").fill("shop")
    page.get_by_role("button", name="Let it send").click()
    expect(page.locator(".webhook-secret")).to_contain_text("Sign with it")
    expect(page.get_by_role("form", name="Sender shop")).to_contain_text("not heard of yet")
    page.goto(site + "/webhooks")
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Remove").first.click()
    expect(page.get_by_text("Nobody is told of anything yet.")).to_be_visible()
    (withheld,) = client.get("/v1/webhooks/deliveries").json()["deliveries"]
    assert withheld["status"] == "withheld"
