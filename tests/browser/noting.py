"""Notes as tests of pages write and read them."""

from typing import Any

import httpx
from playwright.sync_api import Page

from tests.access import HEADERS, cookies

INES = HEADERS | {"Sojourn-Operator": "Ines"}


def named(page: Page, site: str) -> Page:
    """Let whoever uses this page be Ines."""
    page.context.add_cookies(cookies())  # type: ignore[arg-type]  # a cookie is a dict of strings here
    return page


def write(site: str, **fields: Any) -> dict[str, Any]:
    answer = httpx.post(f"{site}/v1/notes", json={"purpose": "observation"} | fields, headers=INES)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def notes(site: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{site}/v1/notes", headers=HEADERS).json()["notes"]
    return found
