"""Chromium through Playwright.

`browser`   a browser for the tests of one file
`page`      a fresh page (1280 x 800) of the person of `tests.access`, logged in;
            errors on it fail the test, so does any request that leaves this machine
"""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from servers.chromium import find_chromium
from tests.access import cookies

FLAGS = [
    "--no-sandbox",  # CI runs as root, and Chromium's sandbox refuses that
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_LOCAL = {"127.0.0.1", "localhost", "[::1]", ""}


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's program. CI must have one; elsewhere the browser tests skip."""
    found = find_chromium()
    if found is None:
        reason = "no Chromium here: `python -m servers --with-chromium` fetches one (`make test` does it by itself)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


# Not for the whole session: as long as Playwright runs, its event loop counts as running in this thread, and tests
# that use `asyncio.run` would fail. A start takes half a second.
@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Playwright makes a fresh profile folder for each launch and deletes it
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="UTC")
    context.add_cookies(cookies())  # type: ignore[arg-type]  # a cookie is a dict of strings here
    page = context.new_page()
    wrong: list[str] = []

    def on_request(request: Request) -> None:
        if (urlsplit(request.url).hostname or "") not in _LOCAL:
            wrong.append(f"asked for {request.url}")

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            wrong.append(f"console: {message.text}")

    page.on("request", on_request)
    page.on("console", on_console)
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    yield page
    context.close()
    assert not wrong, "\n".join(wrong)
