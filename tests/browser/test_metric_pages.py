"""The pages of numbers in a real browser."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from core.dwell.coverage import HOUR_US, CoveredHour
from storage.coverage import save_faults, save_hours
from storage.instants import to_ns
from storage.rollups import refresh
from tests.browser.looking import fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore
from tests.metrics.visiting import insert, shoppers

pytestmark = [pytest.mark.browser, pytest.mark.servers]
PAGES = ("traffic", "dwell", "flow", "compare", "coverage")


@pytest.fixture
def weeks(store: SeededStore) -> Iterator[SeededStore]:
    """Ten days of shoppers, more at weekends; the last one was quiet."""
    today = datetime.now(ZoneInfo("Europe/Berlin")).date()
    for back in range(10, 0, -1):
        day = today - timedelta(days=back)
        people = 6 if back == 1 else 110 if day.weekday() >= 5 else 70
        insert(
            store.connection, store.store_no, shoppers(store.plan, day, people, seed=back, first_number=back * 10_000)
        )
    refresh(store.connection, most_days=20)
    hour = to_ns(store.now) // 1000 // HOUR_US
    save_hours(
        store.connection,
        store.store_no,
        [CoveredHour((hour - back) * HOUR_US, HOUR_US, 0.75 if 30 < back < 36 else 1.0) for back in range(120)],
    )
    save_faults(store.connection, store.store_no, {"a4": "down"}, to_ns(store.now))
    return store


def test_every_page_looks_right(weeks: SeededStore, site: str, browser: Browser) -> None:
    for look in ("light", "dark", "phone"):
        page = open_page(browser, look)
        for name in PAGES:
            page.goto(f"{site}/stores/marktplatz/{name}" + ("?zone=new&beside=shoes" if name == "dwell" else ""))
            expect(page.locator("nav.tabs [aria-current]")).to_have_text(name.capitalize())
            fits(page)
            no_violations(page)
            screenshot(page, f"{name}-{look}")
        page.goto(f"{site}/formulas")
        fits(page)
        no_violations(page)
        screenshot(page, f"formulas-{look}")
        page.context.close()
