"""The privacy desk's page and who looked at a profile, in a real browser."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, expect

from storage.audit.acting import Acting
from storage.audit.entries import enter
from storage.audit.sealing import seal
from storage.connect import in_transaction
from tests.api.inputting import customer, send
from tests.browser.looking import fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]


def test_the_desk_sees_who_looked_and_what_to_ask(
    store: SeededStore, client: httpx.Client, site: str, browser: Browser
) -> None:
    told = send(client, "/v1/profiles", customer(1, at=store.now - timedelta(days=9)))
    ada = UUID(told.json()["profile_id"])
    for number in range(24):
        at = store.now - timedelta(days=1, minutes=2 * number)
        who = Acting(actor="Bert Curious", actor_kind="person", route="GET /profiles/{profile}", purpose="service",
                     role="crm", at=at, stores=("quay",))  # fmt: skip
        people = [UUID(int=number)] if number else [ada]
        enter(store.connection, who, "read", people=people, fields=["profile", "notes", "journey"])
    refused = Acting(actor="mallory", actor_kind="nobody", route="POST /login", purpose="service", at=store.now)
    enter(store.connection, refused, "login", outcome="refused", detail={"why": "password"})
    client.get("/v1/exports/profiles", headers={"Sojourn-Operator": "Anna"})
    in_transaction(store.connection, seal)
    for look in ("light", "phone-dark"):
        page = open_page(browser, look)
        page.goto(f"{site}/audit")
        expect(page.get_by_role("heading", name="Worth asking about")).to_be_visible()
        expect(page.locator("#hint-export")).to_contain_text("1")
        expect(page.locator(".audit-no").first).to_have_text("refused")
        fits(page)
        no_violations(page)
        screenshot(page, f"audit-{look}")
        page.get_by_label("What was done").select_option("export")
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".audit-lines tbody tr")).to_have_count(1)
        page.goto(f"{site}/profiles/{ada}")
        expect(page.locator("#looked")).to_contain_text("Bert Curious")
        page.locator("#looked").scroll_into_view_if_needed()
        fits(page)
        no_violations(page)
        screenshot(page, f"audit-profile-{look}")
        page.context.close()
