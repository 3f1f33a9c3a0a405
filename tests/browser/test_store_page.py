"""The live floor plan in a real browser."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from core.records import Role
from storage.coverage import save_faults
from storage.instants import to_ns
from tests.access import cookies, log_in
from tests.api.seeding import add_visit, announce, database_now, device, fill, set_people
from tests.api.serving import PATIENCE_S, Served
from tests.browser.looking import LOOKS, fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]


def people(page: Page, zone: str) -> str:
    return page.locator(f'.zone[data-zone="{zone}"] .zone-people').first.text_content() or ""


def set_and_tell(store: SeededStore, counts: dict[str, int], *, visits: int = 0) -> None:
    at = database_now(store.connection)
    set_people(store.connection, store.plan, store.store_no, counts, at=at)
    announce(store.connection, "marktplatz", at=at, visits=visits)


def test_occupancy_changes_without_a_reload(store: SeededStore, site: str, page: Page) -> None:
    set_people(store.connection, store.plan, store.store_no, {"women": 2}, at=store.now)
    page.goto(f"{site}/stores/marktplatz")
    page.evaluate("window.neverReloaded = true")
    expect(page.locator("#total")).to_have_text("2")
    expect(page.locator("#live-word")).to_have_text("Live")
    set_and_tell(store, {"women": 1, "shoes": 12, "checkout": 3})
    expect(page.locator("#total")).to_have_text("16", timeout=2_000)
    assert [people(page, zone) for zone in ("women", "shoes", "checkout", "men")] == ["1", "12", "3", "0"]
    shoes = page.locator('.zone[data-zone="shoes"]')
    expect(shoes.locator("polygon")).to_have_class("heat-4")
    expect(shoes).to_have_attribute("aria-label", "Shoe wall: 12 people. Show its visits.")
    expect(page.locator('.zone[data-zone="women"]')).to_have_attribute("aria-label", re.compile("Women: 1 person"))
    ranked = page.locator("#ranking li")
    expect(ranked.first).to_have_attribute("data-zone", "shoes")
    expect(ranked.first.locator(".rank-people")).to_have_text("12 people")
    assert page.evaluate("window.neverReloaded")


def test_a_new_visit_stands_on_top_and_reads_like_one_from_the_server(
    store: SeededStore, site: str, page: Page
) -> None:
    page.goto(f"{site}/stores/marktplatz")
    expect(page.locator("#no-visits")).to_be_visible()
    expect(page.locator("#live-word")).not_to_have_text("Connecting")
    lengths = (0.4, 41.5, 59.5, 252.25, 1799.6, 3599.5, 3755.0, 9000.0)
    for number, dwell_s in enumerate(lengths):
        add_visit(
            store.connection, store.plan, store.store_no, pseudonym=device(number), zone="shoes",
            entered_at=store.now - timedelta(seconds=dwell_s + 60 * number + 5), dwell_s=dwell_s,
            confidence=0.5 + number / 14, slack_s=2.5 * number, role=Role(number % len(Role)),
        )  # fmt: skip
    announce(store.connection, "marktplatz", at=store.now, visits=len(lengths))
    rows = page.locator("#visit-rows tr")
    expect(rows).to_have_count(len(lengths), timeout=2_000)
    expect(page.locator("#no-visits")).to_be_hidden()
    by_script = [re.sub(r"\s+", " ", text).strip() for text in rows.all_inner_texts()]
    times = [element.get_attribute("datetime") for element in page.locator("#visit-rows time").all()]
    # a stream that says nothing: what is read now was drawn by the server alone
    page.route("**/live", lambda route: route.fulfill(content_type="text/event-stream", body="retry: 60000\n\n"))
    page.reload(wait_until="commit")
    expect(rows).to_have_count(len(lengths))
    by_server = [re.sub(r"\s+", " ", text).strip() for text in rows.all_inner_texts()]
    assert by_script == by_server
    zones = page.locator("#visit-rows .cell-zone").all_inner_texts()
    assert zones[:3] == ["Shoe wall", "Shoe wall · fixed tag", "Shoe wall · staff"]
    assert all(time is not None and time.endswith("Z") for time in times)


def test_a_zone_is_chosen_by_keyboard_and_its_visits_follow(store: SeededStore, site: str, page: Page) -> None:
    for number, zone in enumerate(("shoes", "women", "shoes")):
        add_visit(
            store.connection, store.plan, store.store_no, pseudonym=device(number), zone=zone,
            entered_at=store.now - timedelta(minutes=5 + number), dwell_s=60,
        )  # fmt: skip
    page.goto(f"{site}/stores/marktplatz")
    page.locator('.zone[data-zone="shoes"]').focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?zone=shoes#visits$"))
    expect(page.get_by_role("heading", name="Newest visits: Shoe wall")).to_be_visible()
    rows = page.locator("#visit-rows tr")
    expect(rows).to_have_count(2)
    add_visit(
        store.connection, store.plan, store.store_no, pseudonym=device(9), zone="shoes",
        entered_at=store.now - timedelta(minutes=2), dwell_s=77,
    )  # fmt: skip
    announce(store.connection, "marktplatz", at=store.now, visits=1)
    expect(rows).to_have_count(3, timeout=3_000)
    expect(rows.first.locator(".cell-dwell")).to_have_text("1 min 17 s")
    page.get_by_role("link", name="Show all zones").click()
    expect(rows).to_have_count(4)


def test_live_is_lost_and_found_over_a_restart(store: SeededStore, served: Served, browser: Browser) -> None:
    # a page of its own: a refused connection is an error on its console, here it is what is tested
    page = browser.new_page(locale="en-GB", timezone_id="UTC")
    page.context.add_cookies(cookies())  # type: ignore[arg-type]  # as in fix_browser
    set_people(store.connection, store.plan, store.store_no, {"women": 2}, at=store.now)
    page.goto(f"{served.url}/stores/marktplatz")
    page.evaluate("window.neverReloaded = true")
    expect(page.locator("#live-word")).to_have_text("Live")
    assert served.stop() < 2.0
    expect(page.locator("#live-word")).to_have_text("Live lost", timeout=3_000)
    expect(page.locator("body")).to_have_class(re.compile("stale"))
    assert "as of" in (page.locator("#live-detail").text_content() or "")
    screenshot(page, "store-live-lost")
    set_people(
        store.connection, store.plan, store.store_no, {"women": 2, "men": 5}, at=database_now(store.connection)
    )
    served.start()
    expect(page.locator("#live-word")).to_have_text("Live", timeout=PATIENCE_S * 1000)
    expect(page.locator("#total")).to_have_text("7")
    expect(page.locator("body")).not_to_have_class(re.compile("stale"))
    assert page.evaluate("window.neverReloaded")
    page.close()


def test_an_answer_that_is_no_stream_is_not_the_end(store: SeededStore, site: str, browser: Browser) -> None:
    # a page of its own: the 503 is an error on its console, here it is what is tested
    page = browser.new_page()
    page.context.add_cookies(cookies())  # type: ignore[arg-type]  # as in fix_browser
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=503, body="{}", content_type="application/problem+json")

    page.route("**/live", refuse_once)
    set_people(store.connection, store.plan, store.store_no, {"women": 2}, at=store.now)
    page.goto(f"{site}/stores/marktplatz")
    expect(page.locator("#live-word")).to_have_text("Live lost")
    expect(page.locator("#live-word")).to_have_text("Live", timeout=5_000)
    assert refused
    page.close()


def test_a_quiet_store_says_so(store: SeededStore, site: str, page: Page) -> None:
    set_people(store.connection, store.plan, store.store_no, {"women": 2}, at=store.now - timedelta(minutes=4))
    page.goto(f"{site}/stores/marktplatz")
    expect(page.locator("#live-word")).to_have_text("Quiet")
    expect(page.locator("#live-detail")).to_contain_text(
        re.compile(r"newest signal \d\d:\d\d:\d\d, 4 min \d\d s ago")
    )
    page.goto(f"{site}/stores/quay")
    expect(page.locator("#live-word")).to_have_text("Waiting")
    expect(page.get_by_text("This plan has no outlines")).to_be_visible()


def test_nothing_that_a_plan_says_becomes_markup(store: SeededStore, site: str, page: Page) -> None:
    store.connection.execute(
        "update store set plan_version = 9, plan = jsonb_set(plan, '{zones,0,name}',"
        " to_jsonb('<img src=x onerror=alert(1)>'::text)) where id = 'quay'"
    )
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(f"{site}/stores/quay")
    expect(page.locator("#ranking")).to_contain_text("<img src=x onerror=alert(1)>")
    answer = page.request.get(f"{site}/stores/quay")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert " style=" not in answer.text()
    assert " onclick" not in answer.text()


def test_anchors_that_do_not_work_are_named_without_a_reload(store: SeededStore, site: str, browser: Browser) -> None:
    for look in ("light", "dark", "phone"):
        fill(store.connection, store.plan, store.store_no, now=database_now(store.connection))
        since = to_ns(store.now - timedelta(minutes=12))
        save_faults(store.connection, store.store_no, {"a4": "down"}, since)
        page = open_page(browser, look)
        page.goto(f"{site}/stores/marktplatz")
        page.evaluate("window.neverReloaded = true")
        anchors = page.locator("#anchors")
        working = anchors.locator("[data-heard]:visible")
        expect(working).to_have_text("3 of 4 working")
        by_server = page.locator("#anchor-faults li").inner_text()
        assert re.fullmatch(r"a4 Shoe wall, down since \d\d:\d\d:\d\d", by_server)
        expect(page.locator("#live-word")).to_have_text("Live")
        assert page.locator("#anchor-faults li").inner_text() == by_server, "the script writes as the server does"
        save_faults(store.connection, store.store_no, {"a4": "down", "a2": "deaf"}, to_ns(store.now))
        announce(store.connection, "marktplatz", at=store.now)
        expect(page.locator("#anchor-faults li")).to_have_count(2, timeout=2_000)
        expect(working).to_have_text("2 of 4 working")
        expect(anchors).to_contain_text("a2 Women, hears nothing since")
        fits(page)
        no_violations(page)
        screenshot(page, f"store-anchors-{look}")
        save_faults(store.connection, store.store_no, {}, None)
        announce(store.connection, "marktplatz", at=store.now)
        expect(working).to_have_text("4 of 4 working", timeout=2_000)
        expect(page.locator("#anchor-faults")).to_be_hidden()
        earlier = store.now - timedelta(seconds=60)
        set_people(store.connection, store.plan, store.store_no, {"women": 9}, at=earlier)
        announce(store.connection, "marktplatz", at=earlier)
        expect(page.locator("#live-word")).to_have_text("Quiet")
        expect(anchors).to_have_text(
            re.compile(r"\s*Anchors\s+4 of 4 worked when the newest signal came\s*"), use_inner_text=True
        )
        assert page.evaluate("window.neverReloaded")
        page.context.close()
        store.connection.execute("delete from zone_visit")


def test_it_looks_right(store: SeededStore, site: str, browser: Browser) -> None:
    for look in LOOKS:
        store.connection.execute("delete from zone_visit")
        fill(store.connection, store.plan, store.store_no, now=database_now(store.connection))
        page = open_page(browser, look)
        page.goto(f"{site}/stores/marktplatz")
        expect(page.locator("#visit-rows tr")).to_have_count(12)
        if look != "print":
            expect(page.locator("#live-word")).to_have_text("Live")
        fits(page)
        no_violations(page)
        screenshot(page, f"store-{look}")
        page.context.close()


def test_operations_see_counts_of_zones_and_no_visit(store: SeededStore, site: str, browser: Browser) -> None:
    fill(store.connection, store.plan, store.store_no, now=database_now(store.connection))
    log_in(store.connection, "Olga", "o" * 43, "operations")
    page = open_page(browser, "light")
    page.context.add_cookies(cookies("o" * 43, "Olga"))  # type: ignore[arg-type]  # as in fix_browser
    page.goto(f"{site}/stores/marktplatz")
    expect(page.locator("#live-word")).to_have_text("Live")
    expect(page.locator("#zone-counts tr")).to_have_count(12)
    expect(page.locator("#visit-rows")).to_have_count(0)
    set_people(store.connection, store.plan, store.store_no, {"shoes": 3}, at=store.now)
    announce(store.connection, "marktplatz", at=store.now, visits=1)
    expect(page.locator("#total")).to_have_text("3", timeout=2_000)
    fits(page)
    no_violations(page)
    screenshot(page, "store-operations")
    page.locator('.zone[data-zone="shoes"]').press("Enter")
    expect(page.get_by_role("heading", name="Today: Shoe wall")).to_be_visible()
    expect(page.locator("#zone-counts tr")).to_have_count(1)
    page.context.close()


def test_empty_and_tiled_plans_pass_the_check_too(store: SeededStore, site: str, browser: Browser) -> None:
    page = open_page(browser, "light")
    for path, name in (("/stores/quay", "store-tiles"), ("/", "stores"), ("/stores/nowhere", "problem")):
        page.goto(site + path)
        fits(page)
        no_violations(page)
        screenshot(page, name)
    page.context.close()
