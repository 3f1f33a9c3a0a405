"""The privacy desk in a real browser: a person is erased from the page of her consent, and the receipt is read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from api.app import create_app
from api.settings import Settings
from storage.privacy.erasing import work_all
from storage.privacy.keys import PrivacyFolder
from tests.api.serving import answering
from tests.browser.looking import fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore
from tests.privacy.somebody import NAME, everywhere

pytestmark = [pytest.mark.browser, pytest.mark.servers]


def test_a_person_is_erased_and_the_receipt_tells_where(
    store: SeededStore, browser: Browser, page: Page, tmp_path: Path
) -> None:
    her = everywhere(store.connection, store.plan, store.store_no, store.now)
    folder = PrivacyFolder(tmp_path / "privacy")
    with answering(create_app(store.database_url, Settings(privacy=folder.folder))) as client:
        site = str(client.base_url).rstrip("/")
        page.goto(f"{site}/privacy")
        expect(page.get_by_text("Nobody was erased yet")).to_be_visible()
        _look(browser, f"{site}/profiles/{her.profile}/consent", "privacy-consent", "phone")
        page.goto(f"{site}/profiles/{her.profile}/consent")
        page.get_by_role("button", name=f"Erase everything of {NAME}").click()
        expect(page.get_by_text("The job is under way")).to_be_visible()
        work_all(store.connection, folder, lambda: datetime.now(UTC), stopped=lambda: False)
        expect(page.get_by_text("Everything below was done and verified.")).to_be_visible()  # it follows by itself
        expect(page.get_by_role("row", name="Signal log")).to_contain_text("30")
        receipt = page.url
        for look, name, url in (
            ("light", "privacy-receipt", receipt),
            ("phone-dark", "privacy-receipt-phone", receipt),
            ("dark", "privacy-desk", f"{site}/privacy"),
            ("phone", "privacy-desk-phone", f"{site}/privacy"),
        ):
            _look(browser, url, name, look)


def _look(browser: Browser, url: str, name: str, look: str) -> None:
    other = open_page(browser, look)
    other.goto(url)
    fits(other)
    no_violations(other)
    screenshot(other, name)
    other.context.close()
