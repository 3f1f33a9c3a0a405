"""Every page with words that do not break by themselves: names, addresses and notes as long as they may be."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Browser

from api.routing import PAGES
from storage.access.accounts import add_account
from storage.access.keys import add_key
from storage.stores import save_plan
from tests.access import HEADERS
from tests.api.inputting import customer, event, send
from tests.api.seeding import PLAN, add_customers, device, floor_plan
from tests.browser.looking import PHONE, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]

INES = HEADERS | {"Sojourn-Operator": "Ines"}
ADDRESS = "https://shop.example.com/catalogue/women/boots/2026/winter/zebra-print-ankle-boot-size-38?color=black_and_white&ref=mail"
DESK: Any = {"width": 1280, "height": 800}
WITHOUT_PAGE = {
    "/login/provider", "/login/provider/back", "/follow-ups/{follow_up}", "/notes/worker.js", "/login/second-step",
    "/login/new-password", "/card", "/privacy/erasures/{erasure}",
}  # fmt: skip
"""What leads elsewhere, is no page, or is only there at a moment of a login or an erasure."""
PICTURES = {
    "/notes/{note}": "note",
    "/profiles/{profile}/memory": "memory",
    "/alerts": "alerts",
    "/notes/new": "note-new",
}
_STANDS_OUT = """() => {
  const over = (one) => one.scrollWidth - one.clientWidth;
  const scrolls = (one) => getComputedStyle(one).overflowX !== 'visible';
  const shown = [...document.querySelectorAll('.card')].filter((one) => !scrolls(one));
  return [document.documentElement, ...shown].filter((one) => over(one) > (one.matches('.card') ? 1 : 0))
    .map((one) => `${one.tagName} ${one.textContent.trim().slice(0, 30)}: ${over(one)} px`);
}"""


def word(length: int, number: int = 0) -> str:
    """A word of so many letters that no browser may break."""
    return ("Rindfleischetikettierung" * 40)[: length - 3] + f"{number:03}"


def pages() -> list[str]:
    """The path of every page."""
    found = [
        route.path
        for router in PAGES
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    ]
    return [path for path in found if not path.endswith(".csv") and path not in WITHOUT_PAGE]


@pytest.fixture
def filled(store: SeededStore, client: httpx.Client) -> dict[str, str]:
    """A store in which every name is long; what the paths of its pages are filled with."""
    numbers = iter(range(1, 1_000))
    plan = re.sub(r'"name": "[^"]*"', lambda _: f'"name": "{word(60, next(numbers))}"', PLAN)
    save_plan(store.connection, floor_plan(plan))
    made = add_customers(store.connection, store.plan, store.store_no, now=store.now)
    store.connection.execute("update profile set display_name = %s, loyalty_tier = %s", [word(200), word(40)])
    amara = str(made["Amara Okafor"])
    bea = add_account(store.connection, name=word(60), display_name=word(80), roles=["crm"], made_by=word(80))
    add_key(
        store.connection, bytes(32), prefix="sjk_llllll", name=word(80), roles=["crm"], stores=None, made_by=word(80),
        holds_for=timedelta(days=1),
    )  # fmt: skip

    def ask(method: str, path: str, body: Any) -> dict[str, Any]:
        answer = client.request(method, path, json=body, headers=INES | {"Idempotency-Key": str(uuid4())})
        assert answer.is_success, (path, answer.text)
        return cast("dict[str, Any]", answer.json())

    lists = client.get("/v1/note-choices").json()
    for list_word in ("tag", "mood", "outcome", "purpose"):
        for place, choice in enumerate(lists[list_word]):
            label = {"label": word(60, place), "place": place, "feeling": choice.get("feeling")}
            ask("PUT", f"/v1/note-choices/{list_word}/{choice['word']}", label)
    now = datetime.now(UTC)
    due = {"due_at": (now - timedelta(days=2)).isoformat(), "instructions": word(500), "operator": word(80)}
    note: dict[str, Any] = {}
    for subject in (ADDRESS, word(120), f"The terrible {word(100)}", f"I hate {word(100)}, prefers {word(30)}"):
        note = ask("POST", "/v1/notes", {
            "purpose": "observation", "subject": subject[:120], "detail": f"{ADDRESS * 3} {word(900)}",
            "profile_id": amara, "tags": ["hesitated", "left_queue"], "mood": "frustrated", "follow_up": due,
        })  # fmt: skip
    ask(
        "PUT",
        f"/v1/notes/{note['note_id']}",
        {"purpose": "observation", "subject": word(120), "revision": note["revision"]},
    )
    for zone in ("shoes", "bags"):
        ask(
            "POST",
            "/v1/notes",
            {"purpose": "observation", "store": "marktplatz", "zone": zone, "tags": ["confused_by_sign"]},
        )
    ask("POST", "/v1/alerts/look", None)
    (alert, *_) = client.get("/v1/alerts").json()["alerts"]
    for rule in client.get("/v1/alert-rules").json()["rules"]:
        ask("PUT", f"/v1/alert-rules/{rule['rule']}", {"operator": word(80)})
    purpose = "p" * 40
    ask(
        "PUT",
        f"/v1/message-templates/{'t' * 40}",
        {"purpose": purpose, "subject": word(120), "body": word(3_000), "quiet_days": 0},
    )
    granted = {"purpose": purpose, "status": "granted", "source": word(64), "wording": word(64)}
    ask("POST", f"/v1/profiles/{amara}/consents", granted)
    ask("POST", f"/v1/profiles/{amara}/messages", {"template": "t" * 40})
    ask("POST", "/v1/segments", {"name": word(100), "rule": {}})
    hook = {"url": f"https://crm.example/{word(1_900)}", "description": word(200), "event_types": ["webhook.test"]}
    made_hook = ask("POST", "/v1/webhooks/subscriptions", hook)
    ask("POST", f"/v1/webhooks/subscriptions/{made_hook['subscription_id']}/test", None)
    ask("PUT", "/v1/stores/marktplatz/exclusions", {"rules": {"staff": True, "fixtures": False}, "reason": word(200)})
    rules = [{"cue": "greet", "says": word(100)}]
    ask("PUT", "/v1/stores/marktplatz/cue-policy", {"made_by": word(100), "rules": rules})
    ask("POST", "/v1/stores/marktplatz/cue-trials", {"name": word(100), "rules": rules})
    at = store.now - timedelta(days=100)
    for number, more in ((1, {"email": f"{word(60)}@shop.test"}), (2, {"loyalty_number": word(60)})):
        given = customer(number, at=at, devices=[device(700 + number)], **more) | {"display_name": word(200)}
        send(client, "/v1/profiles", given)
    both = customer(1, at=at, email=f"{word(60)}@shop.test", loyalty_number=word(60)) | {"source": "till"}
    assert send(client, "/v1/profiles", both).status_code == 409
    looked = [event("1", "Product Viewed", store.now - timedelta(days=1), product=word(120))]
    send(client, "/v1/inputs/online", {"source": "web", "events": looked})
    return {
        "store": "marktplatz", "profile": amara, "note": note["note_id"], "alert": alert["alert_id"],
        "account": str(bea), "delivery_no": "1",
    }  # fmt: skip


def test_no_page_is_wider_than_the_screen(site: str, browser: Browser, filled: dict[str, str]) -> None:
    page = open_page(browser, "phone")
    wide = {}
    for path in pages():
        answer = page.goto(site + path.format(**filled))
        assert answer is not None, path
        assert answer.ok, path
        for size in (PHONE, DESK):
            page.set_viewport_size(size)
            found = page.evaluate(_STANDS_OUT)
            if found:
                wide[path, size["width"]] = found
        if path in PICTURES:
            screenshot(page, f"long-words-{PICTURES[path]}")
            page.set_viewport_size(PHONE)
            screenshot(page, f"long-words-{PICTURES[path]}-phone")
    page.context.close()
    assert wide == {}, "\n".join(f"{path} at {width}: {found}" for (path, width), found in wide.items())
