"""`make screenshots`: the chief pages as they look on a simulated store, into docs/screenshots.

The demo runs with its own servers; each page is opened as the browser tests open it, waited for and photographed.
Pictures are kept small: they are part of the repository.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx
from playwright.sync_api import Page, sync_playwright

from servers.chromium import find_chromium
from servers.process import HOST
from tests.browser.looking import open_page
from tests.fix_browser import FLAGS

OUT: Final = Path(__file__).parents[2] / "docs" / "screenshots"
MOST_BYTES: Final = 1_500_000
"""Of all pictures together."""
_STORE: Final = "marktplatz"
_PORT: Final = 8979
_READY_S: Final = 240.0
_VISITS: Final = 200
_SIZE: Final = {"width": 1280, "height": 800}
PAGES: Final = {
    "live": f"/stores/{_STORE}",
    "today": f"/stores/{_STORE}/today",
    "traffic": f"/stores/{_STORE}/traffic",
    "dwell": f"/stores/{_STORE}/dwell",
    "flow": f"/stores/{_STORE}/flow",
    "fleet": f"/stores/{_STORE}/fleet",
    "plan-editor": f"/stores/{_STORE}/plan",
    "profile": "/profiles/{profile}",
    "note": "/notes/new?profile={profile}",
    "journey-map": "/journey-map",
}


def main() -> int:
    """Photograph; 0 if every page answered and all pictures together are small enough."""
    program = find_chromium()
    if program is None:
        sys.stderr.write("No Chromium here: `python -m servers --with-chromium` fetches one.\n")
        return 1
    demo = subprocess.Popen(
        [sys.executable, "-m", "sojourn", "demo", "--port", str(_PORT)], stdout=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=f"http://{HOST}:{_PORT}", timeout=10) as client:
            _await(lambda: _count(client, f"/v1/stores/{_STORE}/visits?limit={_VISITS}") >= _VISITS)
            profile = client.get("/v1/profiles").json()["profiles"][0]["profile_id"]
        OUT.mkdir(exist_ok=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
            for name, path in PAGES.items():
                page = open_page(browser, "light")
                page.set_viewport_size(_SIZE)  # type: ignore[arg-type]  # a dictionary of this form
                _photograph(page, path.format(profile=profile), OUT / f"{name}.png")
                page.context.close()
            phone = open_page(browser, "phone-dark")
            _photograph(phone, f"/stores/{_STORE}/today", OUT / "today-phone.png")
            browser.close()
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(60)
    size = sum(path.stat().st_size for path in OUT.glob("*.png"))
    print(f"{len(PAGES) + 1} pictures in {os.path.relpath(OUT)}, {size / 1e3:,.0f} kB")
    return 0 if size <= MOST_BYTES else 1


def _photograph(page: Page, path: str, file: Path) -> None:
    answer = page.goto(f"http://{HOST}:{_PORT}{path}")
    if answer is None or not answer.ok:
        raise RuntimeError(f"{path} answers {None if answer is None else answer.status}")
    page.wait_for_timeout(1_500)  # live pages have drawn their first state
    page.screenshot(path=file)


def _count(client: httpx.Client, path: str) -> int:
    try:
        answer = client.get(path)
    except httpx.TransportError:
        return 0
    return len(answer.json()["visits"]) if answer.is_success else 0


def _await(there: Callable[[], bool]) -> None:
    pause, until_s = threading.Event(), time.monotonic() + _READY_S
    while not there():
        if time.monotonic() > until_s:
            raise TimeoutError("the demo does not show visits")
        pause.wait(1.0)


if __name__ == "__main__":
    sys.exit(main())
