"""`make screenshots`: the chief pages as they look on a simulated store, into docs/screenshots.

The demo runs with its own servers, and the pages are asked for as whoever it tells the password of; each is opened as
the browser tests open it, waited for and photographed.
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
from re import search
from tempfile import NamedTemporaryFile
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from servers.chromium import find_chromium
from servers.process import HOST
from tests.browser.looking import open_page
from tests.fix_browser import FLAGS

OUT: Final = Path(__file__).parents[2] / "docs" / "screenshots"
MOST_BYTES: Final = 1_500_000
"""Of all pictures together."""
_STORE: Final = "marktplatz"
_PORT: Final = 8979
_PROMPT: Final = {"PYTHONUNBUFFERED": "1"}
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
    with NamedTemporaryFile() as said:
        demo = subprocess.Popen(
            [sys.executable, "-m", "sojourn", "demo", "--port", str(_PORT)],
            stdout=said,
            env={**os.environ, **_PROMPT},
        )
        try:
            _await(lambda: _password(Path(said.name)) != "")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, headless=True, args=FLAGS)
                _photograph_all(browser, _password(Path(said.name)))
                browser.close()
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)
    size = sum(path.stat().st_size for path in OUT.glob("*.png"))
    print(f"{len(PAGES) + 1} pictures in {os.path.relpath(OUT)}, {size / 1e3:,.0f} kB")
    return 0 if size <= MOST_BYTES else 1


def _photograph_all(browser: Browser, password: str) -> None:
    desk, phone = (_logged_in(browser, look, password) for look in ("light", "phone-dark"))
    _await(lambda: len(_asked(desk, f"/v1/stores/{_STORE}/visits?limit={_VISITS}").get("visits", ())) >= _VISITS)
    profile = _asked(desk, "/v1/profiles")["profiles"][0]["profile_id"]
    OUT.mkdir(exist_ok=True)
    desk.set_viewport_size(_SIZE)  # type: ignore[arg-type]  # a dictionary of this form
    for name, path in PAGES.items():
        _photograph(desk, path.format(profile=profile), OUT / f"{name}.png")
    _photograph(phone, f"/stores/{_STORE}/today", OUT / "today-phone.png")


def _password(said: Path) -> str:
    """Return the password that the demo has told, or nothing yet."""
    found = search(r"Log in as demo with the password ([\w-]+)", said.read_text())
    return found.group(1) if found is not None else ""


def _logged_in(browser: Browser, look: str, password: str) -> Page:
    page = open_page(browser, look)
    page.context.clear_cookies()  # those of the tests
    page.goto(f"http://{HOST}:{_PORT}/login")
    page.get_by_label("Name").fill("demo")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def _asked(page: Page, path: str) -> dict[str, Any]:
    answer = page.context.request.get(f"http://{HOST}:{_PORT}{path}")
    told: dict[str, Any] = answer.json() if answer.ok else {}
    return told


def _photograph(page: Page, path: str, file: Path) -> None:
    answer = page.goto(f"http://{HOST}:{_PORT}{path}")
    if answer is None or not answer.ok:
        raise RuntimeError(f"{path} answers {None if answer is None else answer.status}")
    page.wait_for_timeout(1_500)  # live pages have drawn their first state
    page.screenshot(path=file)


def _await(there: Callable[[], bool]) -> None:
    pause, until_s = threading.Event(), time.monotonic() + _READY_S
    while not there():
        if time.monotonic() > until_s:
            raise TimeoutError("the demo does not show visits")
        pause.wait(1.0)


if __name__ == "__main__":
    sys.exit(main())
