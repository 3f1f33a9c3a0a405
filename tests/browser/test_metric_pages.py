"""The pages of numbers in a real browser."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from core.dwell.coverage import HOUR_US, CoveredHour
from storage.alerts.looking import look as look_at_limits
from storage.coverage import save_faults, save_hours
from storage.instants import to_ns
from storage.rollups.keeping import refresh
from tests.access import cookies, log_in
from tests.api.seeding import add_presence, announce, device, set_people
from tests.api.serving import wait_for
from tests.browser.looking import fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore
from tests.metrics.visiting import insert, shoppers

pytestmark = [pytest.mark.browser, pytest.mark.servers]
PAGES = ("today", "traffic", "dwell", "flow", "compare", "coverage", "alerts", "exclusions")


@pytest.fixture
def weeks(store: SeededStore) -> SeededStore:
    """Eight days of shoppers, more at weekends; the last one was quiet."""
    today = datetime.now(ZoneInfo("Europe/Berlin")).date()
    for back in range(8, 0, -1):
        day = today - timedelta(days=back)
        people = 6 if back == 1 else 60 if day.weekday() >= 5 else 40
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
            if look != "phone":  # it has the colours and the markup of light
                no_violations(page)
            screenshot(page, f"{name}-{look}")
        page.goto(f"{site}/formulas")
        fits(page)
        if look == "light":
            no_violations(page)
        screenshot(page, f"formulas-{look}")
        page.context.close()


def test_today_follows_who_is_there_and_what_is_wrong(weeks: SeededStore, site: str, page: Page) -> None:
    page.goto(f"{site}/stores/marktplatz/alerts")
    page.locator("select[name=kind]").select_option("occupancy")
    page.locator("input[name=opens_at]").fill("10")
    page.get_by_role("button", name="Watch").click()
    expect(page.locator(".alert-rules")).to_contain_text("opens at 10 people, clears at 9 people")
    page.goto(f"{site}/stores/marktplatz/today")
    expect(page.locator("#alarms")).to_contain_text("Anchor a4")
    now = datetime.now(UTC)
    set_people(weeks.connection, weeks.plan, weeks.store_no, {"women": 9, "new": 4}, at=now)
    announce(weeks.connection, "marktplatz", at=now)
    expect(page.locator("#total")).to_have_text("13")
    expect(page.locator("[data-zone=women] polygon")).to_have_class("heat-3")
    look_at_limits(weeks.connection, now)
    look_at_limits(weeks.connection, now + timedelta(seconds=30))

    def alarm_shows() -> bool:  # the page asks for alarms every five seconds at most, when it hears of its store
        announce(weeks.connection, "marktplatz", at=datetime.now(UTC))
        return "Occupancy limit 13 people, limit 10 people" in page.locator("#alarms").inner_text()

    wait_for(alarm_shows, "the alarm on the page")
    screenshot(page, "today-alarm")
    page.locator("dl a", has_text="Median dwell").click()
    expect(page.locator("#dwell_median")).to_be_in_viewport()


def test_nothing_is_wrong_only_while_a_store_is_heard(store: SeededStore, site: str, browser: Browser) -> None:
    for look in ("light", "dark", "phone"):
        page = open_page(browser, look)
        for name in ("compare", "coverage", "today"):
            page.goto(f"{site}/stores/quay/{name}")
            fits(page)
            screenshot(page, f"{name}-unheard-{look}")
        expect(page.locator("[data-heard=never]")).to_be_visible()
    page.goto(f"{site}/stores/marktplatz/today")
    expect(page.locator("#live-word")).not_to_have_text("Connecting")
    for heard, ago_s, card in (("late", 60, "unknown"), ("now", 0, "fine")):
        at = datetime.now(UTC) - timedelta(seconds=ago_s)
        set_people(store.connection, store.plan, store.store_no, {"women": 9}, at=at)
        announce(store.connection, "marktplatz", at=at)
        expect(page.locator(f"[data-heard={heard}]")).to_be_visible()
        assert page.locator("[data-heard]:visible").count() == 1
        expect(page.locator(".today-alarms")).to_have_attribute("data-state", card)


def test_the_zone_that_has_the_focus_is_seen(weeks: SeededStore, site: str, browser: Browser) -> None:
    """The ring lies within the zone, where no neighbour hides it, in a colour that no heat has."""
    set_people(weeks.connection, weeks.plan, weeks.store_no, {"women": 40, "new": 4}, at=datetime.now(UTC))
    for look in ("light", "dark"):
        page = open_page(browser, look)
        for address in ("/stores/marktplatz/today", "/stores/marktplatz"):
            page.goto(site + address)
            zones = page.locator(".floor-plan a.zone")
            page.locator("main").focus()
            seen = 0
            for _ in range(60):
                page.keyboard.press("Tab")
                ring = page.locator(".floor-plan a.zone:focus-visible .zone-ring")
                shown = page.locator(".zone-ring:visible")
                assert shown.count() == ring.count()
                seen += ring.count()
                if ring.count() and seen == 2:
                    around, within = ring.locator("path").all()
                    colours = [one.evaluate("one => getComputedStyle(one).stroke") for one in (around, within)]
                    assert contrast(*colours) >= 3
                    screenshot(page, f"focus-{look}")
            assert seen == zones.count() > 10, "each zone is a stop of Tab, and shows it"
        page.context.close()


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours like rgb(1, 2, 3), by WCAG 2.2."""

    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("width", [320, 360])
def test_pages_fit_the_narrowest_phones(weeks: SeededStore, site: str, page: Page, width: int) -> None:
    many = shoppers(weeks.plan, datetime.now(UTC).date() - timedelta(days=2), 400, seed=7, first_number=10**6)
    insert(weeks.connection, weeks.store_no, many)
    page.set_viewport_size({"width": width, "height": 740})
    for name in PAGES:
        page.goto(f"{site}/stores/marktplatz/{name}")
        fits(page)
        out = page.evaluate(
            """() => [...document.querySelectorAll('.card input, .card select, .card button')]
              .filter((one) => one.checkVisibility() && !one.closest('.table-box'))
              .filter((one) => one.getBoundingClientRect().right > one.closest('.card').getBoundingClientRect().right)
              .map((one) => one.name || one.textContent.trim())"""
        )
        assert out == [], f"{name} at {width} px: fields stand out of their card"
        screenshot(page, f"{name}-{width}")
    page.goto(f"{site}/stores/marktplatz/flow")
    boxes = page.locator(".sankey-narrow .node-name").evaluate_all(
        "names => names.map((one) => one.getBoundingClientRect()).map((box) => [box.left, box.top, box.bottom])"
    )
    assert boxes
    assert all(bottom - top >= 10 for _, top, bottom in boxes)
    for side in (sorted(box[1:] for box in boxes if (box[0] < width / 2) == left) for left in (True, False)):
        assert all(below[0] >= above[1] - 1 for above, below in pairwise(side)), "no name lies on another"


def test_paper_says_which_days_are_drawn(weeks: SeededStore, site: str, browser: Browser) -> None:
    page = open_page(browser, "print")
    page.goto(f"{site}/stores/marktplatz/traffic?days=weekends")
    expect(page.get_by_role("heading", name="Visits by day (weekends)")).to_be_visible()
    expect(page.get_by_text("Drawn are weekends alone")).to_be_visible()
    screenshot(page, "traffic-weekends-print")
    page.context.close()


def test_a_queue_is_told_in_steps(weeks: SeededStore, site: str, browser: Browser) -> None:
    now = datetime.now(UTC)
    save_faults(weeks.connection, weeks.store_no, {}, to_ns(now))
    for number, wait_s in enumerate((35, 777, 5000)):
        since = now - timedelta(seconds=wait_s)
        add_presence(
            weeks.connection, weeks.plan, weeks.store_no, pseudonym=device(900 + number), zone="checkout",
            arrived_at=since, in_zone_since=since, last_signal_at=now,
        )  # fmt: skip
    for look in ("light", "dark", "phone"):
        page = open_page(browser, look)
        page.goto(f"{site}/stores/marktplatz/alerts")
        if look == "light":
            page.locator("select[name=kind]").select_option("queue_wait")
            page.locator("select[name=zone]").select_option("checkout")
            page.locator("input[name=opens_at]").fill("301")
            page.get_by_role("button", name="Watch").click()
            expect(page.locator("main")).to_contain_text("301 s lies between two steps of waiting.")
            page.goto(f"{site}/stores/marktplatz/alerts")
            page.locator("select[name=kind]").select_option("queue_wait")
            page.locator("select[name=zone]").select_option("checkout")
            page.get_by_role("button", name="Watch").click()
            look_at_limits(weeks.connection, now)
            look_at_limits(weeks.connection, now + timedelta(seconds=60))
            page.goto(f"{site}/stores/marktplatz/alerts")
        expect(page.locator("main table")).to_contain_text("at least 10 min")
        fits(page)
        no_violations(page)
        screenshot(page, f"alerts-queue-{look}")
        page.goto(f"{site}/stores/marktplatz/today")
        expect(page.locator("#alarms")).to_contain_text("at least 10 min, limit 5 min, since")
        screenshot(page, f"today-queue-{look}")
        if look == "light":
            page.evaluate(
                "document.getElementById('alarms').replaceChildren()"
            )  # what the script writes in its place

            def written(shown: Page = page) -> bool:
                announce(weeks.connection, "marktplatz", at=datetime.now(UTC))
                return "at least 10 min, limit 5 min, since" in shown.locator("#alarms").inner_text()

            wait_for(written, "the alarm on the page")
        page.context.close()


def test_exclusions_are_changed_and_restored_on_their_page(weeks: SeededStore, site: str, page: Page) -> None:
    page.goto(f"{site}/stores/marktplatz/exclusions")
    page.get_by_label("Leave out visits that begin outside of").check()
    page.locator("input[name=passer_by_s]").fill("20")
    page.locator(".exclusion-rules input[name=reason]").fill("Winter hours")
    page.get_by_role("button", name="Let these rules hold").click()
    expect(page.locator(".exclusion-changes li").first).to_contain_text("Winter hours")
    expect(page.locator(".exclusion-changes li").first).to_contain_text("Holds now")
    expect(page.locator("input[name=opens_0]")).to_have_value("09:00")
    expect(page.locator("input[name=opens_6]")).to_have_value("")
    page.get_by_role("button", name="Restore the defaults").click()
    expect(page.locator(".exclusion-changes li").first).to_contain_text("The defaults restored")
    expect(page.locator("input[name=passer_by_s]")).to_have_value("")


def test_rules_of_small_groups_are_shown_to_operations_and_changed_by_admins(
    weeks: SeededStore, site: str, browser: Browser
) -> None:
    log_in(weeks.connection, "Olga", "o" * 43, "operations")
    admin = open_page(browser, "light")
    address = f"{site}/stores/marktplatz/exclusions"
    admin.goto(address)
    admin.get_by_label("Staff: devices").uncheck()
    admin.locator(".exclusion-rules input[name=reason]").fill("A training")
    admin.get_by_role("button", name="Let these rules hold").click()
    expect(admin.locator(".exclusion-changes li").first).to_contain_text("staff counted")
    for look in ("light", "dark", "phone"):
        page = open_page(browser, look)
        page.context.add_cookies(cookies("o" * 43, "Olga"))  # type: ignore[arg-type]
        page.goto(address)
        for field in ("staff", "fixtures", "staff_zone_min", "long_stay_h"):
            expect(page.locator(f"input[name={field}]")).to_be_disabled()
            expect(page.locator(f"input[name={field}]")).to_have_accessible_description(
                re.compile("an admin changes")
            )
        expect(page.locator(".exclusion-changes")).to_contain_text("an admin restores them")
        fits(page)
        no_violations(page)
        screenshot(page, f"exclusions-operations-{look}")
    page.locator("input[name=passer_by_s]").fill("20")
    page.locator(".exclusion-rules input[name=reason]").fill("Passers-by")
    page.get_by_role("button", name="Let these rules hold").click()
    newest = page.locator(".exclusion-changes li").first
    expect(newest).to_contain_text("passers-by under 20 s")
    expect(newest).to_contain_text("staff counted")


def test_the_url_holds_what_is_shown(weeks: SeededStore, site: str, page: Page) -> None:
    page.goto(f"{site}/stores/marktplatz")
    page.get_by_role("link", name="Traffic").click()
    page.get_by_role("link", name="28 days").click()
    expect(page.locator(".chip[aria-current]")).to_have_text("28 days")
    page.locator("select[name=zone]").select_option("new")
    page.locator("select[name=days]").select_option("weekends")
    page.locator("select[name=days]").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Visits by day: New arrivals (weekends)")).to_be_visible()
    assert "zone=new&days=weekends" in page.url
    page.wait_for_load_state()  # how text is parted depends on the style
    shown = page.locator("main").inner_text()
    assert page.locator(".heat-grid text.axis", has_text="Mon").count() == 0
    page.reload()
    assert page.locator("main").inner_text() == shown
    expect(page.locator("select[name=zone]")).to_have_value("new")
    page.get_by_role("link", name="Footfall", exact=True).click()
    expect(page.locator("#footfall")).to_be_in_viewport()


def test_a_day_of_few_is_hatched_and_its_number_stands_nowhere(weeks: SeededStore, site: str, page: Page) -> None:
    page.goto(f"{site}/stores/marktplatz/traffic")
    hidden = page.locator(".bar-hidden").first
    expect(hidden).to_be_visible()
    page.locator("summary").click()
    cells = page.locator("td[data-label=Visits]").all_inner_texts()
    assert "hidden" in cells
    assert "6" not in cells
    expect(page.get_by_text("Hatched: fewer than 10 people")).to_be_visible()


def test_empty_days_and_wrong_values_say_what_to_do(store: SeededStore, site: str, browser: Browser) -> None:
    page = open_page(browser, "light")
    for name in PAGES:
        page.goto(f"{site}/stores/quay/{name}")
        expect(page.locator(".empty, .chart, .figures").first).to_be_visible()
        fits(page)
    page.goto(f"{site}/stores/quay/traffic")
    expect(page.get_by_text("These days have no data")).to_be_visible()
    screenshot(page, "traffic-empty")
    for path, says in (
        ("traffic?from=2026-10-02&to=2026-10-01", "ends before it begins"),
        ("dwell?zone=attic", "no zone 'attic'"),
        ("compare?store=nowhere", "no store 'nowhere'"),
        ("flow?from=yesterday", "cannot be used"),
    ):
        page.goto(f"{site}/stores/marktplatz/{path}")
        expect(page.locator(".problem")).to_contain_text(says)
    page.context.close()
