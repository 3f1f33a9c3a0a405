"""Login, my account, people and keys: how they look, and what a person without a role sees of the rest."""

from uuid import UUID

from playwright.sync_api import Browser, expect

from storage.access.accounts import add_account
from tests.browser.looking import fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore


def test_they_look_right(store: SeededStore, site: str, browser: Browser) -> None:
    bea = add_account(store.connection, name="bea", display_name="Bea Lindqvist", roles=["crm"], made_by="tests")
    assert isinstance(bea, UUID)
    paths = {"account": "/account", "people": "/people", "person": f"/people/{bea}", "keys": "/api-keys"}
    for look in ("light", "phone-dark"):
        page = open_page(browser, look)
        for name, path in paths.items():
            page.goto(site + path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            fits(page)
            screenshot(page, f"access-{name}-{look}")
            no_violations(page)
        page.context.clear_cookies()
        page.goto(f"{site}/profiles?q=a")
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        fits(page)
        screenshot(page, f"access-login-{look}")
        no_violations(page)
        page.get_by_label("Name").fill("bea")
        page.get_by_label("Password", exact=True).fill("not hers, ever")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        screenshot(page, f"access-wrong-{look}")
        page.context.close()
