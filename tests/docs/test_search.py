"""The built site as a reader has it: a search leads to the page that says so, and the pictures are there."""

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.looking import screenshot

pytestmark = pytest.mark.browser
SITE = Path(__file__).parents[2] / ".cache/site"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Say nothing of each request."""


@pytest.fixture
def site() -> Iterator[str]:
    if not (SITE / "search.json").exists():
        pytest.skip("the site is not built here: `make docs`")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=SITE)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_search_leads_to_the_page_and_the_pictures_are_there(site: str, page: Page) -> None:
    page.goto(f"{site}/index.html")
    page.locator(".md-search__button").click()
    page.keyboard.type("rebalance snapshot")
    found = page.locator("[data-md-component=search] a[href*='kafka.html']").first
    expect(found).to_be_visible()
    screenshot(page, "docs-search")
    found.click()
    expect(page).to_have_url(re.compile(r"kafka\.html"))
    page.goto(f"{site}/pages.html")
    pictures = page.locator("article img")
    sizes = pictures.evaluate_all(
        "async all => { for (const one of all) { one.loading = 'eager'; await one.decode(); }"
        " return all.map(one => one.naturalWidth); }"
    )
    assert len(sizes) >= 10
    assert min(sizes) > 300
