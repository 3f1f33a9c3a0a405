"""How pages are looked at: sizes and schemes, screenshots that are kept, and the accessibility check."""

from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # ships no types
from playwright.sync_api import Browser, Page

from tests.access import cookies

ARTIFACTS = Path(__file__).resolve().parents[2] / "test-artifacts"
PHONE: Any = {"width": 390, "height": 844}
LOOKS = ("light", "dark", "phone", "phone-dark", "print")
DESKTOP: Any = {"width": 1440, "height": 900}


def open_page(browser: Browser, look: str) -> Page:
    """A fresh page: light, dark, phone, phone-dark or print."""
    context = browser.new_context(
        viewport=PHONE if look.startswith("phone") else DESKTOP,
        color_scheme="dark" if look.endswith("dark") else "light",
        reduced_motion="reduce",  # the check must not meet a colour half-way
        locale="en-GB",
        timezone_id="UTC",
    )
    context.add_cookies(cookies())  # type: ignore[arg-type]  # a cookie is a dict of strings here
    page = context.new_page()
    if look == "print":
        page.emulate_media(media="print")
    return page


def screenshot(page: Page, name: str) -> None:
    """Keep the whole page as a picture."""
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


def fits(page: Page) -> None:
    """Nothing stands out at the side."""
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert over <= 0, f"the page is {over} px too wide"


def words_fit(page: Page) -> None:
    """No word of a section or a button stands out of what it is written on."""
    cut = page.evaluate(
        """() => [...document.querySelectorAll('nav a, .button, button, summary, .due-count')]
          .filter((one) => one.checkVisibility() && one.clientWidth && one.scrollWidth > one.clientWidth + 1)
          .map((one) => one.textContent.trim().slice(0, 30))"""
    )
    assert cut == [], "words stand out of what they are written on"


def fingers(page: Page) -> None:
    """What is tapped by itself is 44 px or more either way, in opened details too; links within text are not."""
    small = page.evaluate(
        """() => {
          for (const one of document.querySelectorAll('details')) one.open = true;
          const asked = 'button, .button, summary, select, textarea, input:not([type=hidden]), nav a, h3 a, .brand';
          return [...document.querySelectorAll(asked)]
            .map((one) => (['checkbox', 'radio'].includes(one.type) ? one.closest('label') ?? one : one))
            .filter((one) => one.checkVisibility())
            .map((one) => [one.getBoundingClientRect(), `${one.tagName} ${one.textContent.trim().slice(0, 30)}`])
            .filter(([box]) => box.height < 43.5 || box.width < 43.5)
            .map(([box, name]) => `${name}: ${Math.round(box.width)} x ${Math.round(box.height)}`);
        }"""
    )
    assert small == [], "\n".join(small)


def no_violations(page: Page) -> None:
    """No rule of WCAG 2.2 AA, nor of good practice, is broken, as far as a program can tell."""
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
