"""Which anchors work: the route, and what a live page is told."""

from datetime import timedelta

import httpx
import pytest

from core.dwell.coverage import HOUR_US, CoveredHour
from storage.coverage import save_faults, save_hours
from storage.instants import to_ns
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers


def test_a_store_without_a_fault_is_covered(store: SeededStore, client: httpx.Client) -> None:
    answer = client.get("/v1/stores/marktplatz/coverage")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["store"], told["timezone"], told["share"], told["hours"]) == ("marktplatz", "Europe/Berlin", 1.0, [])
    assert told["now"] == {"anchor_count": 4, "working_count": 4, "faults": []}


def test_faults_and_hours_are_told(store: SeededStore, client: httpx.Client) -> None:
    since = store.now - timedelta(minutes=7)
    save_faults(store.connection, store.store_no, {"a4": "down", "a2": "deaf", "gone": "down"}, to_ns(since))
    save_faults(store.connection, store.store_no, {"a4": "down", "a2": "deaf", "gone": "down"}, to_ns(store.now))
    hour = to_ns(store.now) // 1000 // HOUR_US
    hours = [CoveredHour((hour - back) * HOUR_US, HOUR_US // 2, 1 / 3) for back in range(30)]
    save_hours(store.connection, store.store_no, hours)
    save_hours(store.connection, store.store_no, [hours[0]._replace(share=0.5)])
    told = client.get("/v1/stores/marktplatz/coverage").json()
    assert told["share"] == 0.5
    assert [(fault["anchor"], fault["zone"], fault["state"]) for fault in told["now"]["faults"]] == [
        ("a2", "women", "deaf"), ("a4", "shoes", "down"),
    ], "an anchor that the plan no longer has is left out"  # fmt: skip
    assert len({fault["since"] for fault in told["now"]["faults"]}) == 1
    assert told["now"]["faults"][0]["since"].startswith(since.strftime("%Y-%m-%dT%H:%M:%S")), "not the later word"
    assert len(told["hours"]) == 24
    assert told["hours"][-1] | {"begins_at": ""} == {"begins_at": "", "covered_s": 1800.0, "share": 0.5}
    assert told["hours"][0]["share"] == 0.3333
    assert len(client.get("/v1/stores/marktplatz/coverage?hours=2").json()["hours"]) == 2
    assert client.get("/v1/stores/marktplatz/coverage?hours=0").status_code == 422
    assert client.get("/v1/stores/nowhere/coverage").status_code == 404


def test_a_fault_that_is_mended_goes(store: SeededStore, client: httpx.Client) -> None:
    save_faults(store.connection, store.store_no, {"a4": "down"}, to_ns(store.now))
    save_faults(store.connection, store.store_no, {"a4": "deaf"}, to_ns(store.now))
    assert client.get("/v1/stores/marktplatz/coverage").json()["now"]["faults"][0]["state"] == "deaf"
    save_faults(store.connection, store.store_no, {}, None)
    assert client.get("/v1/stores/marktplatz/coverage").json()["now"]["working_count"] == 4
