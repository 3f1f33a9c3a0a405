"""The page of a store's staff in a real browser: a customer arrives, and it says what to do without a reload."""

import json
import re
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from storage.profiles.profiles import create_profile
from tests.api.seeding import add_presence, announce, device, walk
from tests.browser.looking import fingers, fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]


def test_a_customer_arrives_and_staff_say_what_came_of_it(
    store: SeededStore, client: httpx.Client, site: str, browser: Browser, page: Page
) -> None:
    for number, (name, tier) in enumerate((("Ada Lindqvist", "Gold"), ("Tomás Herrera", None)), 1):
        create_profile(
            store.connection, display_name=name, loyalty_tier=tier, devices=[device(number)],
            granted_at=store.now - timedelta(days=200),
        )  # fmt: skip
        walk(
            store.connection, store.plan, store.store_no, pseudonym=device(number),
            arrived_at=store.now - timedelta(days=70), stays=[("shoes", 300.0)],
        )  # fmt: skip
    rules = [{"cue": "greet", "says": "On trial: everybody."}]
    client.post(
        "/v1/stores/marktplatz/cue-trials",
        json={"name": "Greet everybody", "rules": rules},
        headers={"Sojourn-Operator": "N. Weber", "Idempotency-Key": "1"},
    )
    client.post("/v1/stores/marktplatz/cue-trials/1/end", headers={"Idempotency-Key": "2"})
    page.goto(f"{site}/stores/marktplatz")
    with page.expect_response(
        lambda answer: answer.request.resource_type == "fetch" and answer.url.endswith("/cues")
    ) as looked_again:
        page.get_by_role("link", name="Cues", exact=True).click()
    looked_again.value.finished()
    expect(page.locator("#cues-live")).to_have_text("Live.")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")  # it is swapped in
    expect(page.get_by_text("Nobody who consented has arrived yet.")).to_be_visible()
    page.evaluate("window.neverReloaded = true")
    for number in (1, 2):
        with store.connection.transaction():
            add_presence(
                store.connection, store.plan, store.store_no, pseudonym=device(number), zone="entrance",
                arrived_at=store.now, in_zone_since=store.now, last_signal_at=store.now,
            )  # fmt: skip
            announce(store.connection, "marktplatz", at=store.now)
    expect(page.get_by_role("heading", name="Recognise loyalty: Ada Lindqvist")).to_be_visible(timeout=2_000)
    expect(page.get_by_role("heading", name="Leave alone: Tomás Herrera")).to_be_visible()
    assert page.evaluate("window.neverReloaded")
    page.get_by_role("button", name=re.compile("Done.*Ada")).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".told-cue-outcome")).to_contain_text("Done Ines")
    for look in ("light", "phone-dark"):
        other = open_page(browser, look)
        other.goto(f"{site}/stores/marktplatz/cues")
        expect(other.locator("#cues-live")).to_have_text("Live.")
        fits(other)
        no_violations(other)
        screenshot(other, f"cues-{look}")
        other.context.close()


def test_a_budget_that_is_spent_is_told_where_the_page_says_that_it_is_live(
    store: SeededStore, site: str, page: Page
) -> None:
    told = {"detail": "You have been shown 2 people today.", "hint": "Ask the privacy desk."}
    asked = []

    def spent(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(content_type="text/event-stream", body=f"event: refused\ndata: {json.dumps(told)}\n\n")

    page.route("**/cues/live", spent)
    page.goto(f"{site}/stores/marktplatz/cues")
    expect(page.locator("#cues-live")).to_have_text(" ".join(told.values()))
    assert len(asked) == 1, "the stream is not asked for again"


def test_staff_make_a_policy_and_try_another_without_a_program(
    client: httpx.Client, site: str, browser: Browser, page: Page
) -> None:
    policy = "/v1/stores/marktplatz/cue-policy"
    page.goto(f"{site}/stores/marktplatz/cues")
    page.get_by_role("link", name="Change or try a policy").click()
    rules = page.locator(".policy-rules > li")
    expect(rules).to_have_count(5)
    expect(rules.nth(4)).to_contain_text("For ordered within 30 days; a browser, 90 % sure or more.")
    page.get_by_role("button", name="Remove rule 1").click()
    page.locator("summary", has_text="Change rule 3").click()
    changing = page.get_by_role("form", name="Change rule 3")
    changing.get_by_label("Days away, at least").fill("90")
    changing.get_by_label("Tiers").fill("Gold, Platinum")
    page.keyboard.press("Enter")
    expect(rules.nth(2)).to_contain_text("For away for 90 days or more; tier Gold or Platinum.")
    page.get_by_role("button", name="Up rule 3").click()
    assert client.get(policy).json()["version"] == 0, "a draft holds for nobody"
    for look in ("light", "phone-dark"):
        other = open_page(browser, look)
        other.goto(f"{site}/stores/marktplatz/cue-policy")
        for summary in other.locator("summary").all()[-2:]:
            summary.click()
        fits(other)
        no_violations(other)
        if look.startswith("phone"):
            fingers(other)
        screenshot(other, f"cue-policy-{look}")
        other.context.close()
    stale = open_page(browser, "light")
    stale.goto(f"{site}/stores/marktplatz/cue-policy")
    stale.get_by_text("Add a rule").click()
    stale.get_by_label("Why, as staff read it").last.fill("Nobody")
    stale.get_by_label("Days away, at least").last.fill("-3")
    stale.keyboard.press("Enter")
    expect(stale.get_by_role("alert")).to_contain_text("days_away_at_least is between 0 and 36525")
    expect(stale.locator(".policy-rules > li")).to_have_count(5)
    stale.get_by_role("button", name="Remove rule 1").click()
    page.get_by_role("button", name="Let the draft hold").click()
    expect(page.get_by_text("Version 1 of Ines")).to_be_visible()
    held = client.get(policy).json()
    assert [rule["cue"] for rule in held["rules"]] == ["greet", "recognise", "leave_alone", "offer"]
    assert held["rules"][1] | {"says": ""} == {
        "cue": "recognise", "says": "", "days_away_at_least": 90, "tiers": ["Gold", "Platinum"],
    }  # fmt: skip
    stale.get_by_role("button", name="Let the draft hold").click()
    expect(stale.locator("main")).to_contain_text("was kept by somebody else since")
    stale.context.close()
    page.get_by_text("Add a rule").click()
    adding = page.get_by_role("form", name="Add a rule")
    adding.get_by_label("Why, as staff read it").fill("On trial: who comes often.")
    adding.get_by_label("Earlier visits, at least").fill("3")
    page.keyboard.press("Enter")
    page.get_by_label("Name", exact=True).fill("Greet who comes often")
    page.keyboard.press("Enter")
    expect(page.locator(".cue-trial")).to_contain_text("Greet who comes often running")
    (trial,) = client.get("/v1/stores/marktplatz/cue-trials").json()["trials"]
    assert trial["rules"][4] == {"cue": "greet", "says": "On trial: who comes often.", "visits_at_least": 3}
    page.get_by_role("button", name="End trial").click()
    expect(page.locator(".cue-trial")).to_contain_text("ended")
