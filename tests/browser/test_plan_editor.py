"""The floor plan editor in a real browser: by pointer, by keyboard, by touch."""

import base64
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from core.floorplan import load
from storage.stores import load_plans
from tests.access import HEADERS, cookies
from tests.browser.looking import PHONE, fits, no_violations, open_page, screenshot
from tests.fix_api import SeededStore

pytestmark = [pytest.mark.browser, pytest.mark.servers]

PICTURE = """
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [600, 300];
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#d8d2c4"; pen.fillRect(0, 0, 600, 300);
    pen.strokeStyle = "#333"; pen.lineWidth = 6; pen.strokeRect(10, 10, 580, 280);
    pen.beginPath(); pen.moveTo(300, 10); pen.lineTo(300, 200); pen.stroke();
    return canvas.toDataURL("image/png").split(",")[1];
"""


def at(page: Page, x_m: float, y_m: float) -> tuple[float, float]:
    """Where a point of the plan is on the screen."""
    found = page.evaluate(
        "([x, y]) => { const svg = document.getElementById('plan-svg');"
        " const at = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM()); return [at.x, at.y]; }",
        [x_m, y_m],
    )
    return (found[0], found[1])


def drag(page: Page, begin: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *begin))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=4)
    page.mouse.up()


def text(page: Page) -> str:
    return page.locator("#plan-text").text_content() or ""


def test_a_plan_is_drawn_on_a_picture_and_saved(store: SeededStore, site: str, page: Page, tmp_path: Path) -> None:
    page.goto(f"{site}/floor-plans/new")
    expect(page.locator("#plan-verdict")).to_have_text("It cannot be used yet:")
    png = page.evaluate(f"(() => {{{PICTURE}}})()")
    (tmp_path / "store.png").write_bytes(base64.b64decode(png))
    page.locator("#plan-picture").set_input_files(tmp_path / "store.png")
    page.locator("#plan-width").fill("20")
    page.locator("#store-timezone").fill("Europe/Berlin")
    page.get_by_role("radio", name="Draw zone").check()
    drag(page, (1, 1), (9.9, 9))
    drag(page, (10, 1.1), (19, 9))  # a decimetre from the first one: it meets its edge
    page.get_by_role("radio", name="Draw wall").check()
    drag(page, (1.1, 0.9), (5, 1.1))  # from a zone's corner, nearly level
    drag(page, (6.2, 1), (9.8, 4))  # beside a door
    drag(page, (3, 3), (3.1, 3.1))  # a slip of the hand
    expect(page.locator("#plan-status")).to_have_text("Drag from one end of the wall to the other.")
    page.get_by_role("radio", name="Place anchor").check()
    page.mouse.click(*at(page, 14, 5))
    page.locator("#anchor-fields [name=id]").fill("gate-1")
    page.get_by_role("radio", name="Select, move").check()
    drag(page, (14, 5), (5, 5))  # into the other zone
    page.mouse.click(*at(page, 14, 7))
    page.locator("#zone-fields [name=id]").fill("shoes")
    page.locator("#zone-fields [name=name]").fill("Shoe wall")
    page.locator("#zone-fields [name=kind]").select_option("shelf")
    page.locator("#store-id").fill("drawn")
    page.locator("#store-name").fill("Drawn by hand")
    expect(page.locator("#plan-verdict")).to_have_text("Nothing is wrong.")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    plan = load(Path(download.value.path()).read_bytes())
    assert download.value.suggested_filename == "drawn.json"
    left, right = plan.stores[0].zones
    assert (right.id, right.kind, right.name) == ("shoes", "shelf", "Shoe wall")
    assert left.outline is not None
    assert right.outline is not None
    assert left.outline[1][0] == right.outline[0][0], "neighbours share their edge"
    assert left.outline[0][1] == right.outline[0][1]
    level, slanted = plan.stores[0].walls
    assert level[0] == left.outline[0], "from the corner"
    assert level[1][1] == left.outline[0][1]
    assert level[1][0] == pytest.approx(5, abs=0.1)
    assert slanted[1][0] == left.outline[1][0], "onto the edge of a zone"
    assert slanted[1][1] == pytest.approx(4, abs=0.1)
    (anchor,) = plan.stores[0].anchors
    assert (anchor.id, anchor.zone) == ("gate-1", left.id)
    assert anchor.x == pytest.approx(5, abs=0.2)

    page.get_by_role("button", name="Save").click()
    expect(page.locator("#plan-status")).to_contain_text("Saved as version 1")
    (stored,) = load_plans(store.connection, ["drawn"])
    assert stored.plan == plan.stores[0]
    picture = page.request.get(f"{site}/v1/stores/drawn/plan.svg")
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert "Shoe wall" in picture.text()
    assert picture.text().count('class="wall"') == 2
    screenshot(page, "plan-editor-drawn")


def test_a_stored_plan_is_changed_by_keyboard_alone(store: SeededStore, site: str, page: Page) -> None:
    page.goto(f"{site}/stores/marktplatz")
    page.get_by_role("link", name="Plan", exact=True).click()
    expect(page.locator("#plan-zones button")).to_have_count(len(store.plan.zones))
    zone = page.locator('[data-key="zone-1"]')
    zone.focus()
    expect(page.locator("#plan-chosen-title")).to_contain_text("Zone")
    page.keyboard.press("Tab")  # neighbours follow each other
    expect(page.locator('[data-key="zone-2"]')).to_be_focused()
    page.locator("#zone-add").focus()
    page.keyboard.press("Enter")
    added = f"zone-{len(store.plan.zones)}"
    moved = page.locator(f'[data-key="{added}-2"]')  # its third corner
    moved.focus()
    before = json.loads(text(page))["stores"][0]["zones"][-1]["outline"]
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowDown")
    after = json.loads(text(page))["stores"][0]["zones"][-1]["outline"]
    assert after[2] == pytest.approx([before[2][0] + 1, before[2][1] + 0.1])
    assert after[:2] == before[:2]
    expect(moved).to_be_focused()
    page.keyboard.press("Control+z")
    assert json.loads(text(page))["stores"][0]["zones"][-1]["outline"][2] == pytest.approx(
        [before[2][0] + 1, before[2][1]]
    )
    page.locator("#wall-add").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("#plan-chosen-title")).to_have_text("Wall 2")

    def walls() -> list[list[list[float]]]:
        return json.loads(text(page))["stores"][0].get("walls", [])  # type: ignore[no-any-return]

    (first, second) = walls()
    page.locator('[data-key="wall-1"]').focus()
    page.keyboard.press("Shift+ArrowDown")
    assert walls() == [first, [[x, pytest.approx(y + 1)] for x, y in second]]
    page.locator('[data-key="wall-1-0"]').focus()  # one end of it
    page.keyboard.press("ArrowLeft")
    assert walls()[1][0] == pytest.approx([second[0][0] - 0.1, second[0][1] + 1])
    assert walls()[1][1] == pytest.approx([second[1][0], second[1][1] + 1])
    page.locator("#wall-fields [name=to]").fill("7 3.5")
    page.locator("#wall-fields [name=from]").focus()
    assert walls()[1][1] == [7, 3.5]
    page.locator('[data-key="wall-0"]').focus()
    page.keyboard.press("Delete")
    assert len(walls()) == 1
    page.keyboard.press("Control+z")
    assert len(walls()) == 2
    page.locator('[data-key="wall-0"]').focus()
    page.keyboard.press("Delete")
    page.get_by_role("button", name="Save").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#plan-status")).to_contain_text(re.compile(r"Saved as version \d"))
    (stored,) = load_plans(store.connection, ["marktplatz"])
    assert len(stored.plan.zones) == len(store.plan.zones) + 1
    assert [wall[1] for wall in stored.plan.walls] == [(7.0, 3.5)]


def on_a_phone(browser: Browser) -> Page:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True, locale="en-GB")
    context.add_cookies(cookies())  # type: ignore[arg-type]  # as in fix_browser
    return context.new_page()


def touch(page: Page, *fingers: list[tuple[float, float]]) -> None:
    """Put fingers down, move each along its points at the same time, and lift them."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, at: int) -> None:
        points = [{"x": finger[at][0], "y": finger[at][1], "id": number} for number, finger in enumerate(fingers)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points if kind != "touchEnd" else []})

    send("touchStart", 0)
    for step in range(1, len(fingers[0])):
        send("touchMove", step)
    send("touchEnd", -1)
    session.detach()


def along(begin: tuple[float, float], end: tuple[float, float], steps: int = 8) -> list[tuple[float, float]]:
    return [
        tuple(a + (b - a) * step / steps for a, b in zip(begin, end, strict=True))  # type: ignore[misc]  # of two
        for step in range(steps + 1)
    ]


def test_on_a_phone_two_fingers_make_the_plan_larger_and_one_moves_it(
    store: SeededStore, site: str, browser: Browser
) -> None:
    phone = on_a_phone(browser)
    phone.goto(f"{site}/stores/marktplatz/plan")
    expect(phone.locator("#plan-zones button")).to_have_count(len(store.plan.zones))
    expect(phone.locator("#plan-verdict")).to_have_text("Nothing is wrong.")
    screenshot(phone, "plan-editor-touch-whole")
    before = text(phone)
    phone.locator("#plan-board").scroll_into_view_if_needed()
    middle = at(phone, 15, 10)
    x, y = middle

    def metre_px() -> float:
        return at(phone, 1, 0)[0] - at(phone, 0, 0)[0]

    small = metre_px()
    touch(phone, along((x - 20, y), (x - 80, y)), along((x + 20, y), (x + 80, y)))
    assert metre_px() == pytest.approx(4 * small, rel=0.05)
    assert at(phone, 15, 10) == pytest.approx(middle, abs=6), "what is between the fingers stays there"
    assert text(phone) == before, "a pinch moves and selects nothing"
    fits(phone)
    screenshot(phone, "plan-editor-touch-larger")

    began = at(phone, 15, 10)
    touch(phone, along((x, y), (x - 90, y - 20)))
    assert at(phone, 15, 10)[0] == pytest.approx(began[0] - 90, abs=3)
    assert text(phone) == before, "a zone under the finger stays where it is"
    phone.touchscreen.tap(x, y)
    expect(phone.locator("#plan-chosen-title")).to_contain_text(re.compile("Zone|Anchor|Wall"))
    touch(phone, along((x, y), (x + 40, y)))
    assert text(phone) != before, "what is selected moves"
    phone.wait_for_timeout(500)  # no double tap of it and the one before
    phone.get_by_role("button", name="Undo").tap()
    expect(phone.get_by_role("button", name="Undo")).to_be_disabled()
    assert text(phone) == before
    screenshot(phone, "plan-editor-touch-selected")

    phone.get_by_role("radio", name="Draw zone").tap()
    touch(phone, along((x, y), (x + 40, y + 40)), along((x + 60, y + 60), (x + 20, y + 20)))
    assert text(phone) == before, "fingers that came down to zoom draw nothing"
    phone.get_by_role("button", name="Whole plan").tap()
    expect(phone.get_by_role("button", name="Smaller")).to_be_disabled()
    assert metre_px() == pytest.approx(small)
    phone.get_by_role("button", name="Larger").tap()
    expect(phone.get_by_role("button", name="Smaller")).to_be_enabled()
    assert metre_px() == pytest.approx(1.5 * small)
    for _ in range(6):  # 1.5 ** 6 is 11
        phone.get_by_role("button", name="Larger").tap()
    expect(phone.get_by_role("button", name="Larger")).to_be_disabled()
    phone.locator("#plan-anchors button").last.tap()
    expect(phone.locator("#plan-chosen-title")).to_have_text(f"Anchor {store.plan.anchors[-1].id}")
    seen, dot = (
        phone.locator(".plan-editor-window").bounding_box(),
        phone.locator(".plan-editor-anchor.picked circle"),
    )
    box = dot.last.bounding_box()
    assert seen is not None
    assert box is not None
    assert seen["x"] <= box["x"] <= seen["x"] + seen["width"], "what is chosen in a list is seen"
    assert seen["y"] <= box["y"] <= seen["y"] + seen["height"]
    no_violations(phone)
    phone.context.close()


def test_a_high_picture_lies_under_what_is_drawn(store: SeededStore, site: str, page: Page, tmp_path: Path) -> None:
    assert store.plan.zones
    page.goto(f"{site}/floor-plans/new")
    high = PICTURE.replace("[600, 300]", "[300, 900]")
    (tmp_path / "high.png").write_bytes(base64.b64decode(page.evaluate(f"(() => {{{high}}})()")))
    page.locator("#plan-picture").set_input_files(tmp_path / "high.png")
    expect(page.locator("#plan-status")).to_contain_text("how wide")
    for _ in range(2):
        picture = page.locator("#plan-canvas").bounding_box()
        assert picture is not None
        assert at(page, 0, 0) == pytest.approx((picture["x"], picture["y"]), abs=1)
        corner = (picture["x"] + picture["width"], picture["y"] + picture["height"])
        assert at(page, 30, 90) == pytest.approx(corner, abs=2)
        page.mouse.move(*at(page, 15, 45))
        page.keyboard.down("Control")
        page.mouse.wheel(0, -400)
        page.keyboard.up("Control")
    assert page.locator(".plan-editor-window").evaluate("box => box.scrollHeight > box.clientHeight")


def test_a_page_with_changes_asks_before_it_is_left_and_has_them_when_it_is_back(
    store: SeededStore, site: str, page: Page
) -> None:
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", leave)
    page.goto(f"{site}/stores/marktplatz/plan")
    expect(page.locator("#plan-zones button")).to_have_count(len(store.plan.zones))
    page.reload()
    assert asked == [], "nothing was changed"
    expect(page.locator("#plan-zones button")).to_have_count(len(store.plan.zones))
    stored = text(page)
    page.get_by_role("button", name="Add zone").click()
    drawn = text(page)
    page.reload()
    assert asked == ["beforeunload"]
    expect(page.locator("#plan-status")).to_have_text("What you drew and did not save is back. Undo takes it away.")
    assert text(page) == drawn
    page.get_by_role("button", name="Undo").click()
    assert text(page) == stored
    page.reload()
    assert asked == ["beforeunload"], "nothing is left to lose"
    expect(page.locator("#plan-zones button")).to_have_count(len(store.plan.zones))
    expect(page.locator("#plan-status")).to_have_text("")

    page.get_by_role("button", name="Add zone").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#plan-status")).to_contain_text("Saved as version")
    page.get_by_role("link", name="Fleet", exact=True).first.click()
    page.wait_for_url("**/fleet")
    assert asked == ["beforeunload"], "it was saved"

    page.goto(f"{site}/stores/marktplatz/plan")
    page.get_by_role("button", name="Add wall").click()
    page.get_by_role("link", name="Fleet", exact=True).first.click()
    page.wait_for_url("**/fleet")
    assert asked == ["beforeunload"] * 2
    other = store.plan.zones[0]
    plan = json.loads(drawn)
    plan["stores"][0]["zones"][0]["name"] = f"New {other.id}"
    answer = page.request.put(
        f"{site}/v1/stores/marktplatz/plan",
        data=json.dumps(plan),
        headers=HEADERS | {"Content-Type": "application/json"},
    )
    assert answer.ok, answer.text()
    page.goto(f"{site}/stores/marktplatz/plan")
    expect(page.locator("#plan-status")).to_contain_text("the plan was changed since by somebody")
    assert len(json.loads(text(page))["stores"][0]["walls"]) == 1
    page.get_by_role("button", name="Undo").click()
    assert json.loads(text(page))["stores"][0]["zones"][0]["name"] == f"New {other.id}"

    page.goto(f"{site}/floor-plans/new")
    expect(page.locator("#plan-status")).to_have_text("")
    assert json.loads(text(page))["stores"][0]["zones"] == [], "each plan has a draft of its own"


def test_it_works_by_touch_and_looks_right(store: SeededStore, site: str, browser: Browser) -> None:
    phone = on_a_phone(browser)
    phone.goto(f"{site}/stores/marktplatz/plan")
    expect(phone.locator("#plan-zones button")).to_have_count(len(store.plan.zones))
    phone.get_by_role("radio", name="Place anchor").tap()
    phone.touchscreen.tap(*at(phone, 20, 14))
    expect(phone.locator("#plan-chosen-title")).to_have_text(re.compile(r"Anchor a\d+"))
    assert json.loads(text(phone))["stores"][0]["anchors"][-1]["zone"] == "new"
    phone.locator("#plan-zones button").first.tap()
    phone.get_by_role("button", name="Remove zone").tap()
    phone.get_by_role("button", name="Save").tap()
    expect(phone.locator("#plan-status")).to_contain_text("would lose its place")
    phone.context.close()
    for look in ("light", "phone-dark"):
        page = open_page(browser, look)
        page.goto(f"{site}/stores/marktplatz/plan")
        page.locator("#plan-zones button").first.click()
        expect(page.locator("#plan-verdict")).to_have_text("Nothing is wrong.")
        fits(page)
        no_violations(page)
        screenshot(page, f"plan-editor-{look}")
        page.context.close()
