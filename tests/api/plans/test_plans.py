"""Floor plans in and out of the API, and as pictures."""

import json
from xml.etree import ElementTree

import httpx
import pytest

from api.plans.svg import as_svg
from core.floorplan import load
from tests.api.seeding import PLAN, SMALL_PLAN, floor_plan
from tests.fix_api import SeededStore

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.servers
def test_a_plan_goes_out_and_in_again(client: httpx.Client, store: SeededStore) -> None:
    given = client.get("/v1/stores/marktplatz/plan")
    assert load(given.content).stores[0] == store.plan
    same = client.put("/v1/stores/marktplatz/plan", content=given.content)
    assert same.json() == {"store": "marktplatz", "plan_version": 1, "changed": False}
    plan = given.json()
    plan["stores"][0]["zones"].append({"id": "cafe", "kind": "service"})
    saved = client.put("/v1/stores/marktplatz/plan", json=plan)
    assert saved.json() == {"store": "marktplatz", "plan_version": 2, "changed": True}
    plan["stores"][0]["zones"].pop(0)
    plan["stores"][0]["anchors"].pop(0)
    plan["stores"][0]["adjacent"].pop(0)
    lost = client.put("/v1/stores/marktplatz/plan", json=plan)
    assert lost.status_code == 409
    assert "would lose its place" in lost.json()["detail"]
    plan["stores"][0]["id"] = "other"
    assert client.put("/v1/stores/marktplatz/plan", json=plan).status_code == 422
    new = client.put("/v1/stores/other/plan", json=plan)
    assert new.json()["plan_version"] == 1
    assert client.get("/v1/stores/nowhere/plan").status_code == 404
    picture = client.get("/v1/stores/marktplatz/plan.svg")
    assert picture.headers["content-type"] == "image/svg+xml"


@pytest.mark.servers
def test_what_is_wrong_is_said_by_line(client: httpx.Client) -> None:
    text = PLAN.replace('"kind": "shelf", "name": "Shoe wall"', '"kind": "shelv", "name": "Shoe wall"')
    checked = client.post("/v1/plans/check", content=text).json()
    assert not checked["usable"]
    (found,) = checked["findings"]
    assert text.splitlines()[found["line"] - 1][found["column"] - 1 :].startswith('"shelv"')
    refused = client.put("/v1/stores/marktplatz/plan", content=text)
    assert refused.status_code == 422
    assert refused.json()["faults"][0]["where"] == f"line {found['line']}, column {found['column']}"
    assert client.post("/v1/plans/check", content=PLAN).json() == {"usable": True, "findings": []}


def test_a_picture_shows_zones_anchors_and_walls() -> None:
    plan = json.loads(PLAN)
    plan["stores"][0]["walls"] = [[[0, 9], [15, 9]]]
    plan["stores"][0]["zones"][5]["name"] = 'Shoes <&> "more"'
    root = ElementTree.fromstring(as_svg(load(json.dumps(plan)).stores[0]))
    assert len(root.findall(f".//{SVG}polygon")) == 12
    assert len(root.findall(f".//{SVG}g/{SVG}circle")) == 4
    (wall,) = root.findall(f".//{SVG}line[@class='wall']")
    assert float(wall.attrib["x2"]) == pytest.approx(375)
    assert float(wall.attrib["y1"]) == pytest.approx(225)
    titles = [title.text or "" for title in root.iter(f"{SVG}title")]
    assert any(title.startswith('Shoes <&> "more"') for title in titles)
    bare = as_svg(floor_plan(SMALL_PLAN).stores[0])
    assert len(ElementTree.fromstring(bare).findall(f".//{SVG}polygon")) == 3, "without outlines there are tiles"
