"""The consent and identity desk in a real browser, and what the profile page says beside the visit."""

from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api.inputting import customer, event, send, send_csv
from tests.api.seeding import add_presence, add_visit, device, walk
from tests.browser.looking import fingers, fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]
LOOKS = ("light", "phone-dark")


@pytest.fixture
def ada(store: SeededStore, client: httpx.Client) -> UUID:
    """Weekly visits until five weeks ago, orders, things looked at online, and in the store right now."""
    given = customer(1, at=store.now - timedelta(days=200), devices=[device(1)], email="ada@shop.test")
    told = send(client, "/v1/profiles", given | {"display_name": "Ada Lindqvist", "loyalty_tier": "Gold"})
    for week in range(7):
        arrived = store.now - timedelta(days=70 + 7 * week, hours=2)
        walk(
            store.connection, store.plan, store.store_no, pseudonym=device(1), arrived_at=arrived,
            stays=[("entrance", 20), ("shoes", 200.0 + 60 * week), ("checkout", 80)],
        )  # fmt: skip
    for number in range(12):
        add_visit(
            store.connection, store.plan, store.store_no, pseudonym=device(500 + number),
            entered_at=store.now - timedelta(hours=3 + number), dwell_s=300.0 + 100 * number,
        )  # fmt: skip
    at = store.now - timedelta(days=70, hours=2) + timedelta(seconds=250)
    yesterday = store.now - timedelta(days=1)
    orders = [
        event("R-1042", "ordered", at, store="marktplatz", total=129.9, currency="EUR", order_id="R-1042"),
        event("W-7", "ordered", store.now - timedelta(days=3), total=49, currency="EUR", order_id="W-7"),
    ]
    looked = [
        event("1", "Product Viewed", yesterday, product="Trail boot, brown"),
        event("2", "Products Searched", yesterday - timedelta(minutes=4), query="waterproof boots"),
    ]
    send(client, "/v1/inputs/orders", {"source": "till", "events": orders})
    send(client, "/v1/inputs/online", {"source": "web", "events": looked})
    begin = store.now - timedelta(minutes=3)
    add_presence(
        store.connection, store.plan, store.store_no, pseudonym=device(1), zone="shoes", arrived_at=begin,
        in_zone_since=begin + timedelta(seconds=40), last_signal_at=store.now,
    )  # fmt: skip
    return UUID(told.json()["profile_id"])


@pytest.fixture
def case(store: SeededStore, client: httpx.Client, ada: UUID) -> None:
    """The till found Ada's mailbox together with another customer number's card."""
    at = store.now - timedelta(days=100)
    other = customer(2, at=at, customer_id="", loyalty_number="8800123")
    send(client, "/v1/profiles", other | {"display_name": "A. Lindqvist"})
    both = customer(1, at=at, loyalty_number="8800123") | {"source": "till"}
    assert send(client, "/v1/profiles", both).status_code == 409


def test_the_profile_says_what_to_do_and_why(site: str, page: Page, ada: UUID) -> None:
    page.goto(f"{site}/profiles/{ada}")
    expect(page.get_by_role("heading", name="Recognise loyalty")).to_be_visible()
    expect(page.locator("#cue")).to_contain_text("Gold, and has been away for 60 days.")
    expect(page.locator("#understanding")).to_contain_text("every 7 days")
    expect(page.locator("#understanding")).to_contain_text("shorter than all")
    expect(page.locator("#understanding")).to_contain_text("Not said:")
    lines = page.locator(".timeline li")
    expect(lines.first).to_contain_text("Viewed a product")
    expect(page.locator(".timeline")).to_contain_text("129.90 EUR, R-1042")
    assert page.locator('[data-stage="discover"]').get_attribute("data-state") == "reached"
    page.get_by_role("link", name="Journey of this order").click()
    expect(page.locator("#journey")).to_contain_text("Around the order online of")
    expect(page.locator('[data-stage="complete"]')).to_contain_text("Order")
    expect(page.locator('[data-stage="arrive"]')).to_have_attribute("data-state", "not_yet")
    page.get_by_role("link", name="Show the newest visit instead").click()
    expect(page.locator("#journey")).to_contain_text("Around the visit in progress")


def test_a_cue_comes_and_goes_without_a_reload(store: SeededStore, site: str, page: Page, ada: UUID) -> None:
    store.connection.execute("delete from presence")
    page.goto(f"{site}/profiles/{ada}")
    page.evaluate("window.neverReloaded = true")
    expect(page.locator("#cue")).to_be_hidden()
    expect(page.locator("#understanding")).to_contain_text("Not seen for 70 days, unusual for this customer")
    at = store.now
    add_presence(
        store.connection, store.plan, store.store_no, pseudonym=device(1), zone="entrance",
        arrived_at=at, in_zone_since=at, last_signal_at=at,
    )  # fmt: skip
    expect(page.get_by_role("heading", name="Recognise loyalty")).to_be_visible(timeout=10_000)
    assert page.evaluate("window.neverReloaded")


def test_a_link_is_undone_and_restored_and_consent_withdrawn_by_keyboard(
    store: SeededStore, site: str, page: Page, ada: UUID
) -> None:
    page.goto(f"{site}/profiles/{ada}")
    page.get_by_role("link", name="Consent and devices").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada Lindqvist: consent and devices")
    expect(page.locator("tbody tr").first).to_contain_text("Holds")
    for change, words in (("Undo", "undone"), ("Take the undoing back", "Sold the phone")):
        page.get_by_label("Change", exact=True).select_option(change)
        page.get_by_label("Why").focus()
        page.keyboard.type("Sold the phone")
        page.keyboard.press("Enter")
        expect(page.locator(".link")).to_contain_text(words)
    expect(page.locator(".link")).not_to_contain_text("undone")
    page.get_by_label("Change", exact=True).select_option("Block: kiosk")
    page.get_by_label("Why").fill("The tablet at the door")
    page.keyboard.press("Enter")
    expect(page.locator(".link")).to_contain_text("blocked: kiosk")
    page.get_by_role("link", name="Identity").click()
    page.get_by_role("button", name="Lift").click()
    expect(page.get_by_text("No device is blocked.")).to_be_visible()
    page.goto(f"{site}/profiles/{ada}/consent")
    page.get_by_label("What she withdraws").select_option("In store journey")
    page.get_by_label("She wants this now").check()
    page.get_by_label("Where she said it").select_option("By telephone")
    page.get_by_role("button", name="Withdraw").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Withdrawn.")
    expect(page.get_by_role("link", name="Ada Lindqvist")).to_have_count(0)
    said = store.connection.execute(
        "select status, source, wording from consent_event order by consent_no desc limit 1"
    ).fetchone()
    assert said == ("withdrawn", "telephone", "2026-03")
    assert page.request.get(f"{site}/profiles/{ada}/consent").status == 404


def test_a_case_is_decided_and_taken_back(site: str, page: Page, ada: UUID, case: None) -> None:
    page.goto(f"{site}/identity")
    expect(page.locator(".case")).to_contain_text("till sent customer number and loyalty card together")
    page.get_by_role("button", name="One person: keep this profile, Ada Lindqvist").click()
    expect(page.get_by_text("Nothing waits.")).to_be_visible()
    expect(page.get_by_role("row", name="Ada Lindqvist")).to_contain_text("One person")
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_role("row", name="Ada Lindqvist")).to_have_count(0)


def test_a_form_of_another_site_is_refused(client: httpx.Client, ada: UUID) -> None:
    links = client.get(f"/v1/profiles/{ada}/links").json()["links"]
    path = f"/profiles/{ada}/links/{links[0]['link_no']}"
    fields = {"change": "undo", "because": "x"}
    own = {"Sec-Fetch-Site": "same-origin"}
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://elsewhere.test"}):
        assert client.post(path, data=fields, headers=headers).status_code == 403
    for wrong in ({"change": "sing", "because": "x"}, {"change": "undo", "because": " "}):
        assert client.post(path, data=wrong, headers=own).status_code == 422
    assert client.post(path, data=fields, headers=own).status_code == 303
    assert client.post(path, data=fields, headers=own).status_code == 404, "sent twice, done once"
    path, fields = f"/profiles/{ada}/withdrawals", {"purpose": "in_store_journey", "source": "store", "sure": "yes"}
    assert client.post(path, data=fields).status_code == 403
    for wrong in ({"purpose": "research"}, {"source": "hearsay"}, {"sure": ""}):
        assert client.post(path, data=fields | wrong, headers=own).status_code == 422, wrong
    assert client.get(f"/v1/profiles/{ada}").status_code == 200


def test_it_looks_right(site: str, browser: Browser, client: httpx.Client, ada: UUID, case: None) -> None:
    text = "key,kind,occurred_at,customer_id\n1,searched,2026-11-01T10:00:00Z,c-1\n2,searched,yesterday,c-1\n"
    assert send_csv(client, "/v1/imports/online?source=web", text).status_code == 200
    for look in LOOKS:
        page = open_page(browser, look)
        shown = {
            "profile-understood": f"/profiles/{ada}",
            "consent": f"/profiles/{ada}/consent",
            "identity": "/identity",
        }
        for name, path in shown.items():
            page.goto(site + path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            fits(page)
            no_violations(page)
            if look.startswith("phone") and name == "consent":
                fingers(page)
            screenshot(page, f"{name}-{look}")
        page.context.close()


def test_an_empty_desk_passes_the_check_too(site: str, browser: Browser) -> None:
    page = open_page(browser, "phone-dark")
    page.goto(f"{site}/identity")
    expect(page.get_by_text("Nothing waits.")).to_be_visible()
    no_violations(page)
    screenshot(page, "identity-empty")
    page.context.close()
