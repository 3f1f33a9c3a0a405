"""Every file for spreadsheets, with formulas in every text that people or other systems give: none begins a cell."""

import csv
import io
import json
import re
from datetime import timedelta
from typing import get_args

import httpx
import pytest
from fastapi.routing import APIRoute

from api.access.table import TABLE
from api.routing import PAGES, ROUTES
from api.spreadsheets import csv_text
from storage.profiles.exports import ExportWord
from tests.access import employ
from tests.api.inputting import customer, event, send
from tests.api.seeding import device, walk
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers
WILD = "=HYPERLINK(1)"
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
METRICS = "GET /v1/stores/{store}/metrics/{formula}"


@pytest.mark.parametrize("parted_at", [";", "|", "\t"])
@pytest.mark.parametrize(
    "sign", ["=", "+", "-", "@", "\uff1d", " =", '"=', "\ufeff=", "\u200b=", "\u200b =", "\u2060@"]
)
def test_no_cell_is_a_formula_wherever_a_spreadsheet_parts_them(parted_at: str, sign: str) -> None:
    wild = f"{sign}1+1"
    text = csv_text(
        [
            ["a", f"x{parted_at}{wild}", wild],
            [f"x\n{wild}", {"a": f"{parted_at}{wild}"}],
            [f"{parted_at}{parted_at}{wild}"],
        ]
    )
    for cell in re.split(r"[,;|\t\r\n]", text):
        seen = re.sub(r"[\s\"\u200b\ufeff\u2060]", "", cell)
        assert not seen.startswith(("=", "+", "-", "@", "\uff1d")), (text, cell)


def test_other_text_and_json_stay_what_they_are() -> None:
    kept = ["Boots; brown", "size 40, -10 %", "a-b", "ada@shop.test", "50 = 50"]
    assert next(csv.reader(io.StringIO(csv_text([kept])))) == kept
    detail = {"query": 'say ";=1+1" | -2', "more": ["x|@y"]}
    assert json.loads(next(csv.reader(io.StringIO(csv_text([[detail]]))))[0]) == detail


def exports() -> dict[str, list[str]]:
    """Every route that answers with CSV, and addresses to ask it by."""
    found = {route: [route.split(" ")[1]] for route in TABLE if route.endswith(".csv")}
    for router in (*ROUTES, *PAGES):
        for route in router.routes:
            if isinstance(route, APIRoute) and "format" in {one.alias for one in route.dependant.query_params} | {
                name
                for one in route.dependant.query_params
                for name in getattr(one.field_info.annotation, "model_fields", {})
            }:
                found[f"GET {route.path}"] = [route.path + "?format=csv"]
    found["GET /v1/exports/{what}"] = [f"/v1/exports/{what}" for what in (*get_args(ExportWord), "journeys")]
    found[METRICS] = [f"{METRICS.split(' ')[1]}?format=csv&by=zone", f"{METRICS.split(' ')[1]}?format=csv"]
    return found


def test_no_cell_is_a_formula(store: SeededStore, client: httpx.Client) -> None:
    given = customer(1, at=store.now - timedelta(days=90), devices=[device(1)], email="ada@shop.test")
    profile = send(client, "/v1/profiles", given | {"display_name": WILD, "loyalty_tier": WILD}).json()["profile_id"]
    walk(
        store.connection, store.plan, store.store_no, pseudonym=device(1), arrived_at=store.now - timedelta(days=3),
        stays=[("entrance", 20), ("women", 300), ("checkout", 80)],
    )  # fmt: skip
    order = event("R-1", "ordered", store.now - timedelta(days=3), store="marktplatz", total=10, currency="EUR")
    send(client, "/v1/inputs/orders", {"source": "till", "events": [order]})
    note = {
        "profile_id": profile, "purpose": "service", "subject": WILD, "detail": WILD, "tags": [],
        "store": "marktplatz",
        "follow_up": {"due_at": (store.now + timedelta(days=1)).isoformat(), "instructions": WILD},
    }  # fmt: skip
    employ(store.connection, "-1+1", "@SUM(1)", "+1")
    for operator in ("-1+1", "@SUM(1)", "+1"):
        assert client.post("/v1/notes", json=note, headers={"Sojourn-Operator": operator}).status_code == 201
    store.connection.execute("update zone set name = %s", [WILD])
    store.connection.execute("update store set name = %s", [WILD])
    store.connection.execute("update note_choice set label = %s where list = 'tag'", [WILD])
    asked = exports()
    assert len(asked) >= 8, "routes are not found any more"
    seen = 0
    for addresses in asked.values():
        for address in addresses:
            path = address.replace("{store}", "marktplatz").replace("{formula}", "footfall")
            answer = client.get(path)
            assert answer.status_code == 200, (path, answer.text)
            assert answer.headers["content-type"].startswith("text/csv"), path
            for row in csv.reader(io.StringIO(answer.text)):
                for cell in row:
                    seen += WILD in cell
                    assert not cell.startswith(DANGEROUS) or _number(cell), (path, cell)
    assert seen >= 4, "nothing wild was in any file: the test shows nothing"


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return not cell.startswith(("+", "@"))
